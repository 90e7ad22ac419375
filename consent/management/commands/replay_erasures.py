from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError
from django.utils import timezone

from consent.recovery import Replay, replay
from registry.chain import LedgerError
from registry.keyring import Sealed, keyring
from registry.recovery import Recovering

ADVICE = (
    "Put a whole copy of the ledger in its place. If there is none: move the file away, then "
    "`./run manage ledger --rebuild`; what only that file knew has to be erased again by hand."
)


class Command(BaseCommand):
    help = "Erases and withdraws again what the ledger proves: after a restore. Repeatable; interrupt at will."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keyring()
            done = replay(timezone.now(), report=self._progress)
        except LedgerError as error:
            raise CommandError(f"{error}\nNothing was replayed. {ADVICE}") from None
        except (Sealed, Recovering) as reason:
            raise CommandError(str(reason)) from None
        except ProgrammingError:
            raise CommandError("Only the owner of the database may set its counters: give DATABASE_URL.") from None
        self.stdout.write(f"{done.erased} data erased, {done.withdrawn} consents withdrawn, {done.lines} lines read")

    def _progress(self, done: Replay) -> None:
        self.stderr.write(f"{done.lines} lines, {done.erased} data, {done.withdrawn} consents", ending="\r")
