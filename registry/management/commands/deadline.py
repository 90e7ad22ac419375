from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override

from registry import calendar
from registry.working_days import Pause, explain, standing


class Command(BaseCommand):
    help = "When a term of working days ends, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="received", required=True, help="the local date of the event, YYYY-MM-DD")
        parser.add_argument("--working-days", type=int, required=True)
        parser.add_argument(
            "--paused",
            action="append",
            default=[],
            metavar="FROM:TO",
            help="local dates on which the clock was stopped and went on: the days from the first to before the second "
            "do not count",
        )
        parser.add_argument("--language", choices=["kk", "ru", "en"], default="en", help="of the explanation")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            paused = standing(_pause(one) for one in options["paused"])
            due = calendar.current().due(date.fromisoformat(options["received"]), options["working_days"], paused)
        except ValueError as error:
            raise CommandError(str(error)) from None
        with override(options["language"]):
            self.stdout.write(f"{due.day:%Y-%m-%d}\n{explain(due)}")


def _pause(dates: str) -> Pause:
    """Of "2026-03-20:2026-03-24": the four days from the 20th do not count. ValueError."""
    began, ended = (date.fromisoformat(day) for day in dates.split(":"))
    return began, ended
