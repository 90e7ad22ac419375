import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Func, Sum
from django.utils import timezone

from registry import chain, ledger
from registry.chain import LedgerError
from registry.models import LedgerQueue
from registry.recovery import Recovering, inspect


class Command(BaseCommand):
    help = "Reads the erasure ledger through and says whether its chain is whole; --rebuild writes a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="put the file aside, write one from the database")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rebuild"]:
            self._rebuild()
        self.stdout.write(f"{settings.LEDGER_FILE}")
        is_whole = self._is_whole()
        waiting = LedgerQueue.objects.aggregate(acts=Sum(Func("numbers", function="cardinality")))["acts"] or 0
        self.stdout.write(f"{waiting} acts wait to be written")
        if not (self._is_known() and is_whole):
            sys.exit(1)

    def _rebuild(self) -> None:
        try:
            self.stdout.write(f"{ledger.rebuild(timezone.now())} lines written")
        except (LedgerError, Recovering) as reason:
            raise CommandError(str(reason)) from None

    def _is_whole(self) -> bool:
        if chain.size_of(settings.LEDGER_FILE) is None:
            self.stdout.write("there is no such file")
            return True
        try:
            head = chain.verify(settings.LEDGER_FILE)
        except LedgerError as error:
            self.stdout.write(str(error))
            return False
        self.stdout.write(f"{head.lines} lines, digest {head.digest}: verified")
        return True

    def _is_known(self) -> bool:
        """A file that is whole may still be another one, or an older or newer one, than this database knows."""
        try:
            inspect()
        except (LedgerError, Recovering) as reason:
            self.stdout.write(str(reason))
            return False
        return True
