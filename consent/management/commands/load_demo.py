from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from consent import demo
from registry.keyring import Sealed
from registry.models import DataSubject
from registry.recovery import Recovering, must_be_ready


class Command(BaseCommand):
    help = "Adds invented people in all states, for a look around. Never on a database with real people."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people", type=int, default=300)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            must_be_ready()
        except (Sealed, Recovering) as reason:
            raise CommandError(str(reason)) from None
        if DataSubject.objects.exists():
            raise CommandError("There are people here already; demo data go into an empty registry only.")
        for done in demo.load(options["people"], timezone.now()):
            if done % 50 == 0:
                self.stderr.write(f"{done} of {options['people']} people")
        self.stdout.write(f"{options['people']} invented people added")
