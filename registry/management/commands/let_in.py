from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from registry.keyring import Sealed
from registry.models import StaffMember
from registry.recovery import Recovering, must_be_ready
from registry.sign_in.factors import let_in_anew


class Command(BaseCommand):
    help = "Lets somebody who is locked out sign in anew: takes away password and second factors, says a new password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name this person signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            must_be_ready()
            person = StaffMember.objects.get(username=options["name"])
        except (Sealed, Recovering) as reason:
            raise CommandError(str(reason)) from None
        except StaffMember.DoesNotExist:
            raise CommandError("Nobody signs in with this name.") from None
        self.stdout.write(f"password: {let_in_anew(person, by=None, now=timezone.now())}")
        self.stdout.write("It works once: another one and a second factor are chosen at the sign-in.")
