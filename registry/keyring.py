"""Which keys are in force in this process, and the sealed state.

The master keys come from outside (MASTER_KEYS or MASTER_KEYS_FILE). The database holds a canary and the named keys
wrapped by a master key. If they do not open, the registry is sealed: `keyring` raises Sealed on every call, the pages
answer 503, the jobs take nothing, and nothing is written. Sealed names the key that is wanted.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import transaction

from registry import sealing
from registry.models import AuditSeal, PersonalDatum, SealingKey
from registry.sealing import MasterKeys, SealError

# A database from before these keys gets them when it is prepared; not one that has used them and lost them.
added_later: dict[str, Callable[[], bool]] = {SealingKey.Name.CHECKPOINTS: AuditSeal.objects.exists}


class Sealed(Exception):
    """The master key is missing or wrong. The message says which one is wanted and is meant for the administrator."""


@dataclass(frozen=True, repr=False)
class Keyring:
    masters: MasterKeys
    index: bytes
    links: bytes
    memory: bytes
    receipts: bytes
    checkpoints: bytes

    def memory_index(self, category: str, canonical: str) -> bytes:
        """Under a key of its own: it meets nothing that `blind_index` makes."""
        return sealing.blind_index(self.memory, category, canonical)

    def blind_index(self, category: str, canonical: str) -> bytes:
        return sealing.blind_index(self.index, category, canonical)


@cache
def keyring() -> Keyring:
    """The keys of this process. Raises Sealed; a failure is not remembered, so a mended key works at once."""
    rows = {row.name: bytes(row.wrapped) for row in SealingKey.objects.all()}
    if set(rows) != set(SealingKey.Name.values):
        raise Sealed("The database has no keys yet, or lost them: run `./run manage prepare`.")
    try:
        masters = MasterKeys.parse(master_text())
        keys = {name: sealing.unwrap(masters, wrapped, name.encode()) for name, wrapped in rows.items()}
    except SealError as error:
        wanted = ", ".join(sorted({_wanted(wrapped) for wrapped in rows.values()}))
        raise Sealed(
            f"SEALED: this database was sealed with master key '{wanted}' and it does not open ({error}). "
            f"Put the right key into {settings.MASTER_KEYS_FILE} or MASTER_KEYS and start again."
        ) from None
    return Keyring(masters, **{name: keys[name] for name in keys if name != SealingKey.Name.CANARY})


def master_text() -> str:
    """The master keys in their text form, empty if none are given."""
    if settings.MASTER_KEYS:
        return str(settings.MASTER_KEYS)
    try:
        return Path(settings.MASTER_KEYS_FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def create_keys(now: datetime) -> bool:
    """Gives a database the keys it lacks, a new one all, and a master key file if none is given. False if none lacks.

    Raises Sealed where data exist without keys: new keys would hide that the old ones are lost.
    """
    with transaction.atomic():
        known = set(SealingKey.objects.values_list("name", flat=True))
        later = {name for name, is_used in added_later.items() if name not in known and not is_used()}
        wanted = later if known else set(SealingKey.Name.values)
        if not wanted:
            return False
        if not known and PersonalDatum.objects.exists():
            raise Sealed("SEALED: the database holds data and no keys. Restore the table of keys from a backup.")
        if not known and not master_text():
            _write_master_file(sealing.new_master("k1"))
        masters = _proven_masters()
        SealingKey.objects.bulk_create(
            SealingKey(name=name, wrapped=sealing.wrap(masters, sealing.new_key(), name.encode()), created_at=now)
            for name in sorted(wanted)
        )
    keyring.cache_clear()
    return True


def _proven_masters() -> MasterKeys:
    """The master keys given; they open what is sealed already: a new key under a wrong one would hide that."""
    try:
        masters = MasterKeys.parse(master_text())
        for row in SealingKey.objects.all():
            sealing.unwrap(masters, bytes(row.wrapped), row.name.encode())
    except SealError as error:
        raise Sealed(f"SEALED: {error}") from None
    return masters


def _write_master_file(text: str) -> None:
    path = Path(settings.MASTER_KEYS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _wanted(wrapped: bytes) -> str:
    try:
        return sealing.master_of(wrapped)
    except SealError:
        return "damaged:" + hashlib.sha256(wrapped).hexdigest()[:8]
