from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consent import receipts
from registry.keyring import Sealed


class Command(BaseCommand):
    help = "Prints the public key that checks receipts, and its number on the other stream: a file holds the key alone."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pem, number = receipts.public_pem(), receipts.key_id()
        except Sealed as sealed:
            raise CommandError(str(sealed)) from None
        self.stdout.write(pem, ending="")
        self.stderr.write(f"key {number}", style_func=str)
