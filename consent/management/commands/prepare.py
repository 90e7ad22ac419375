import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from consent import policy
from registry import defaults, figures, first_login, roles
from registry.keyring import Sealed, create_keys, keyring
from registry.recovery import Recovering, check


class Command(BaseCommand):
    help = "Makes a new database ready: keys, default content, policy, first administrator. Repeatable."
    SEALED = 3
    RECOVERING = 4

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            check()  # before anything is written: the numbers of the lost days are not known yet
            if create_keys(now):
                self.stdout.write("keys made; back up the master key apart from the database")
            keyring()
        except Recovering as recovering:
            self.stderr.write(str(recovering))
            sys.exit(self.RECOVERING)
        except Sealed as sealed:
            self.stderr.write(str(sealed))
            sys.exit(self.SEALED)
        if added := defaults.load():
            self.stdout.write(f"default content: {added} entries")
        if changed := roles.apply(now):
            self.stdout.write(f"roles brought up to date: {', '.join(changed)}")
        if policy.load_first(now):
            self.stdout.write("policy published: version 1")
        if path := first_login.create_first_administrator(now):
            self.stdout.write(f"first administrator: see {path}")
        figures.count_first(now)
