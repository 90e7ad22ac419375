"""Seals the audit in a process of its own, to be killed: "between" stands still before the file, "on" seals row by row."""

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

    from registry import seals
    from registry.seals import form

    form.BATCH = 1 if sys.argv[1] == "on" else 10
    print("ready", flush=True)
    seals.seal(timezone.now())
    print("sealed", flush=True)
    if sys.argv[1] == "between":
        time.sleep(60)
    seals.write(Path(sys.argv[2]) if len(sys.argv) > 2 else settings.CHECKPOINTS_FILE)
