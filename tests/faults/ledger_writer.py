"""Writes the ledger and stands still between the file and the database, to be killed there."""

import os
import sys
import time
from pathlib import Path

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.conf import settings
    from django.utils import timezone

    from registry import ledger

    def stand_still(*_args: object, **_named: object) -> None:
        print("written", flush=True)
        time.sleep(60)

    settings.LEDGER_FILE = Path(sys.argv[1])
    ledger.acknowledge = stand_still  # type: ignore[assignment]
    ledger.write(timezone.now())
