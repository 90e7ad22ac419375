"""The sealed audit from a shell: seal, verify, checkpoint, key. docs/audit.md says how an auditor uses them."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from registry import seals
from registry.keyring import Sealed
from registry.models import AuditVerification
from registry.recovery import Recovering, must_be_ready

SAID = {
    AuditVerification.Outcome.CHANGED: "entry {first} was changed",
    AuditVerification.Outcome.MISSING: "entry {first} is missing",
    AuditVerification.Outcome.ADDED: "entry {first} was added",
    AuditVerification.Outcome.REWRITTEN: "the seals were rewritten from entry {first} on",
}


class Command(BaseCommand):
    help = "Seals the audit, looks whether it is what was sealed, and states it signed. Ends with 1 if it is not."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("seal", help="seal what is new, and add it to the file of checkpoints")
        verify = acts.add_parser("verify", help="read every entry again and name the first wrong one")
        verify.add_argument("--checkpoint", type=Path, metavar="FILE", help="checkpoints that were kept outside")
        verify.add_argument("--key", type=Path, metavar="FILE", help="the public key that was kept with them")
        checkpoint = acts.add_parser("checkpoint", help="bring a file of signed checkpoints up to date")
        checkpoint.add_argument("--out", type=Path, metavar="FILE", default=settings.CHECKPOINTS_FILE)
        checkpoint.add_argument("--anew", action="store_true", help="put the file aside and write a new one")
        acts.add_parser("key", help="print the public key that checks the signatures")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['act']}")(options)
        except (seals.CheckpointError, Sealed, Recovering) as reason:
            raise CommandError(str(reason)) from None
        except KeyboardInterrupt:
            raise CommandError("stopped; what was sealed stays sealed") from None

    def _seal(self, options: dict[str, Any]) -> None:
        must_be_ready()
        try:
            self.stdout.write(f"{seals.seal(timezone.now())} entries sealed")
        except seals.Unsettled:
            raise CommandError("an entry is being written for longer than a minute; try again") from None
        self.stdout.write(f"{seals.write(settings.CHECKPOINTS_FILE)} checkpoints written")

    def _checkpoint(self, options: dict[str, Any]) -> None:
        must_be_ready()
        path, now = options["out"], timezone.now()
        written = seals.begin_anew(path, now) if options["anew"] else seals.write(path)
        self.stdout.write(f"{written} checkpoints written to {path}")

    def _key(self, options: dict[str, Any]) -> None:
        self.stdout.write(seals.public_pem(), ending="")

    def _verify(self, options: dict[str, Any]) -> None:
        key = seals.key_from_pem(options["key"]) if options["key"] else None
        result = seals.verify(options["checkpoint"], key=key, report=self._progress)
        self.stdout.write(f"{result.entries} entries looked at; {_reach(result)}")
        if result.outcome != AuditVerification.Outcome.INTACT:
            self.stdout.write(self.style.ERROR(_verdict(result)))
            sys.exit(1)
        self.stdout.write(f"nothing was changed; {result.unsealed} entries are not sealed yet")

    def _progress(self, entries: int) -> None:
        self.stderr.write(f"{entries} entries", ending="\r")


def _reach(result: seals.Result) -> str:
    if result.reach is None:
        return "no checkpoint was given: only the database vouches for itself"
    return f"the checkpoints reach up to entry {result.reach}"


def _verdict(result: seals.Result) -> str:
    said = SAID[AuditVerification.Outcome(result.outcome)].format(first=result.first_bad)
    is_range = result.last_bad != result.first_bad
    return f"{said}; nothing names it closer than: one of {result.first_bad} to {result.last_bad}" if is_range else said
