from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from registry import approving, previewing
from registry.keyring import Sealed
from registry.models import PurgeRun
from registry.purging import ClockError
from registry.recovery import Recovering, must_be_ready


class Command(BaseCommand):
    help = "Destroys what nothing keeps any more. Interrupt at will: what is committed stays done, the rest is next."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")
        parser.add_argument("--list", action="store_true", help="with --dry-run: the list itself, one line per datum")
        parser.add_argument("--as-of", help="a moment like 2026-11-22T00:00+05:00; a later one than now: only dry")

    def handle(self, *args: Any, **options: Any) -> None:
        moment = self._moment(options["as_of"])
        if options["dry_run"]:
            self._preview(moment, options["list"])
            return
        try:
            must_be_ready()
            outcome = approving.daily(moment, report=self._progress)
        except (Sealed, Recovering) as reason:
            raise CommandError(str(reason)) from None
        except ClockError:
            raise CommandError("That moment has not come yet. Use --dry-run to look ahead.") from None
        runs = ", ".join(str(run.pk) for run in outcome.runs) or "none"
        self.stdout.write(f"{outcome.data} data of {outcome.subjects} people destroyed (run {runs})")
        if (waiting := outcome.waiting) is not None:
            raise CommandError(
                f"The brake holds ({waiting.reasons}): {waiting.data} data of {waiting.subjects} people wait for a "
                f"second person, preview {waiting.pk} in the console."
            )

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

    def _preview(self, moment: datetime, with_list: bool) -> None:
        if with_list:
            self.stdout.writelines(previewing.as_text(previewing.lines(moment)))
            return
        summary = previewing.summarise(previewing.lines(moment))
        for (purpose, ground), count in sorted(summary.counts.items()):
            self.stdout.write(f"{count:>10}  {purpose or '-'}  {ground}")
        self.stdout.write(f"{summary.data:>10}  in all, of {summary.subjects} people; nothing was changed")
        self.stdout.write(f"digest of the list: {summary.digest}")

    def _progress(self, run: PurgeRun) -> None:
        self.stderr.write(f"{run.subjects} people, {run.data} data", ending="\r")
