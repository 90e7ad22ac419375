"""A process that builds the transfers that wait, slowly enough to be killed in between: HOME and seconds a portion."""

import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone


def build(home: str, pause: float) -> None:
    from registry import transfers  # noqa: PLC0415 (models want Django to be ready)
    from registry.transfers import building  # noqa: PLC0415

    settings.HOME = Path(home)
    portion = building._portion

    def slowly(values):
        time.sleep(pause)
        return portion(values)

    building._portion, building.PORTION = slowly, 2
    transfers.build_waiting(clock=timezone.now)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    build(sys.argv[1], float(sys.argv[2]))
