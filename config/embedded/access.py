"""Let one account pass through a folder of root's: search permission by access list, for that account only."""

import os
import stat
import struct
from pathlib import Path

from .accounts import Account
from .terminal import LaunchError, say

ATTRIBUTE = "system.posix_acl_access"  # Linux: a header, then sorted entries of tag, permissions and id
HEADER = struct.pack("<I", 2)
ENTRY = struct.Struct("<HHI")
NO_ID = 0xFFFFFFFF
OWNER, NAMED_USER, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
SEARCH = 0b001

Entries = dict[tuple[int, int], int]  # (tag, id) -> permissions


def let_pass(account: Account, folder: Path) -> None:
    """A data folder named by root below a private folder (`/root`, a temporary folder): open the way, and say so.

    Modes are left alone, so nobody else gains anything; `setfacl -x u:registry FOLDER` takes it back.
    """
    for step in [*reversed(folder.resolve().parents), folder.resolve()]:
        if not account.can_reach(step):
            _grant_search(account, step)
            undo = f"setfacl -x u:{account.name} {step}"
            say(f"the account '{account.name}' may now pass through {step}, nothing else (undo: {undo})")


def _grant_search(account: Account, folder: Path) -> None:
    try:
        os.setxattr(folder, ATTRIBUTE, packed(with_search(_entries(folder), account.uid)))
    except (OSError, AttributeError):
        raise LaunchError(
            f"The account '{account.name}' of the services cannot pass through {folder}.\n"
            "Choose another REGISTRY_HOME, for example /var/lib/registry."
        ) from None


def with_search(entries: Entries, uid: int) -> Entries:
    found = {**entries, (NAMED_USER, uid): entries.get((NAMED_USER, uid), 0) | SEARCH}
    found[MASK, NO_ID] = entries.get((MASK, NO_ID), entries[GROUP, NO_ID]) | SEARCH
    return found


def packed(entries: Entries) -> bytes:
    return HEADER + b"".join(ENTRY.pack(tag, permissions, of) for (tag, of), permissions in sorted(entries.items()))


def _entries(folder: Path) -> Entries:
    try:
        raw = os.getxattr(folder, ATTRIBUTE)
    except OSError:
        mode = stat.S_IMODE(folder.stat().st_mode)
        return {(OWNER, NO_ID): mode >> 6 & 7, (GROUP, NO_ID): mode >> 3 & 7, (OTHERS, NO_ID): mode & 7}
    return {(tag, of): permissions for tag, permissions, of in ENTRY.iter_unpack(raw[len(HEADER) :])}
