"""Where the services' sockets lie. A socket's path is limited to about 100 bytes."""

import hashlib
import os
import tempfile
from pathlib import Path

from .accounts import Account
from .terminal import LaunchError

LONGEST_SOCKET_PATH = 100  # 107 on Linux, 103 on macOS
LONGEST_NAME = "/.s.PGSQL.65535"


def socket_folder(home: Path, account: Account) -> Path:
    """`home`/sockets, or a private folder with a short name that every later call finds again."""
    folder = home / "sockets"
    if len(os.fsencode(folder)) + len(LONGEST_NAME) > LONGEST_SOCKET_PATH:
        folder = _short_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid not in (os.geteuid(), account.uid):
        raise LaunchError(
            f"{folder} belongs to someone else. Remove it, or choose a REGISTRY_HOME with a shorter path."
        )
    return account.make_private_folder(folder)


def _short_folder(home: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:10]
    runtime = os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() != 0 else None
    return Path(runtime or tempfile.gettempdir()) / f"registry-{os.geteuid()}-{digest}"
