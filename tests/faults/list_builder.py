"""A process that builds the lists that wait, slowly enough to be killed in between: HOME and seconds a portion."""

import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone


def build(home: str, pause: float) -> None:
    from registry import exporting, lists  # noqa: PLC0415 (models want Django to be ready)

    settings.HOME = Path(home)
    portion = lists.portion

    def slowly(*arguments, **named):
        time.sleep(pause)
        return portion(*arguments, **named)

    lists.portion, lists.PORTION = slowly, 2
    exporting.build_waiting(clock=timezone.now)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    build(sys.argv[1], float(sys.argv[2]))
