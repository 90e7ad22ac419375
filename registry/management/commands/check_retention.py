import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone, translation

from registry.findings import Level, find


class Command(BaseCommand):
    help = "Says what is wrong or worth knowing about retention. Ends with 1 if there is a warning."

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            findings = find(timezone.now())
            for finding in findings:
                self.stdout.write(f"{finding.level:<8} {finding.code}: {finding.text}")
        warnings = sum(finding.level == Level.WARNING for finding in findings)
        self.stdout.write(f"{warnings} warnings, {len(findings) - warnings} notices")
        if warnings:
            sys.exit(1)
