from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override

from registry import calendar
from registry.working_days import explain


class Command(BaseCommand):
    help = "When a term of working days ends, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="received", required=True, help="the local date of the event, YYYY-MM-DD")
        parser.add_argument("--working-days", type=int, required=True)
        parser.add_argument("--language", choices=["kk", "ru", "en"], default="en", help="of the explanation")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            due = calendar.current().due(date.fromisoformat(options["received"]), options["working_days"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        with override(options["language"]):
            self.stdout.write(f"{due.day:%Y-%m-%d}\n{explain(due)}")
