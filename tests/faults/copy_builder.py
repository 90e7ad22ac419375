"""A process that builds the copies that wait, slowly enough to be killed in between: HOME and seconds an entry."""

import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone


def build(home: str, pause: float) -> None:
    from registry.requests import copying  # noqa: PLC0415 (models want Django to be ready)
    from registry.requests.copying import contents  # noqa: PLC0415

    settings.HOME = Path(home)
    put = contents._put

    def slowly(*arguments):
        put(*arguments)
        time.sleep(pause)

    contents._put, contents.PART = slowly, 1024
    copying.build_waiting(clock=timezone.now)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    build(sys.argv[1], float(sys.argv[2]))
