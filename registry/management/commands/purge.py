from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from registry import purging
from registry.keyring import Sealed, keyring
from registry.models import PurgeRun


class Command(BaseCommand):
    help = "Destroys what nothing keeps any more. Interrupt at will: what is committed stays done, the rest is next."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
        parser.add_argument("--as-of", help="a moment like 2026-11-22T00:00+05:00; a later one than now: only dry")

    def handle(self, *args: Any, **options: Any) -> None:
        moment = self._moment(options["as_of"])
        if options["dry_run"]:
            self._preview(moment)
            return
        try:
            keyring()
            run = purging.purge(moment, report=self._progress)
        except Sealed as sealed:
            raise CommandError(str(sealed)) from None
        except purging.ClockError:
            raise CommandError("That moment has not come yet. Use --dry-run to look ahead.") from None
        self.stdout.write(f"{run.data} data of {run.subjects} people destroyed (run {run.pk})")

    def _moment(self, text: str | None) -> datetime:
        if text is None:
            return timezone.now()
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None:
            raise CommandError(f"not a moment: {text}")
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)

    def _preview(self, moment: datetime) -> None:
        counts = purging.preview(moment)
        for (purpose, ground), count in sorted(counts.items()):
            self.stdout.write(f"{count:>10}  {purpose or '-'}  {ground}")
        self.stdout.write(f"{counts.total():>10}  in all; nothing was changed")

    def _progress(self, run: PurgeRun) -> None:
        self.stderr.write(f"{run.subjects} people, {run.data} data", ending="\r")
