"""Which operating-system account runs the processes: root hands them to an unprivileged one."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .terminal import LaunchError

SERVICE_ACCOUNT = "registry"
CREATE_COMMANDS = (
    (
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ),
    ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin"),
)


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    is_switched: bool  # we are root, and processes leave root for this account

    def spawn_options(self) -> dict[str, Any]:
        if not self.is_switched:
            return {"umask": 0o077}
        return {"umask": 0o077, "user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        if self.is_switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, top: Path) -> None:
        if not self.is_switched or not top.exists():
            return
        self.own(top)
        for folder, subfolders, files in os.walk(top):
            for name in [*subfolders, *files]:
                self.own(Path(folder, name))

    def make_private_folder(self, path: Path) -> Path:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(path)
        path.chmod(0o700)
        return path

    def can_run(self, command: Sequence[str | Path], cwd: Path = Path("/")) -> bool:
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, check=False, cwd=cwd, env=environment, capture_output=True, **self.spawn_options()
            )
        except OSError:
            return False
        return done.returncode == 0

    def can_reach(self, folder: Path) -> bool:
        """Whether the account may pass through every folder on the way, told by the kernel rather than by mode bits."""
        return self.can_run(["/bin/sh", "-c", 'cd "$0"', folder.resolve()])


def current_account() -> Account:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise LaunchError(
            f"User id {uid} has no name on this machine, and PostgreSQL needs one: add it to /etc/passwd."
        ) from None
    return Account(name, uid, os.getegid(), is_switched=False)


def service_account() -> Account:
    """The account of the services: ourselves, or as root the system account, made when missing."""
    if os.geteuid() != 0:
        return current_account()
    entry = _find_entry() or _create_entry()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_switched=True)


def _find_entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        return None


def _create_entry() -> pwd.struct_passwd:
    for command in CREATE_COMMANDS:
        if shutil.which(command[0]):
            subprocess.run([*command, SERVICE_ACCOUNT], check=False, capture_output=True)
        if entry := _find_entry():
            return entry
    raise LaunchError(
        f"PostgreSQL does not run as root, and the account '{SERVICE_ACCOUNT}' could not be made.\n"
        f"Make it (useradd --system {SERVICE_ACCOUNT}), or run this as an ordinary user."
    )
