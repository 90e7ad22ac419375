"""A process that builds what waits, slowly enough to be killed in between: what (lists, transfers or copies), HOME, and
seconds a portion."""

import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone


def build(what: str, home: str, pause: float) -> None:
    from registry import exporting, lists, transfers  # noqa: PLC0415 (models want Django to be ready)
    from registry.requests import copying  # noqa: PLC0415
    from registry.requests.copying import contents  # noqa: PLC0415
    from registry.transfers import building  # noqa: PLC0415

    module, step, size, small, operations = {
        "lists": (lists, "portion", "PORTION", 2, exporting),
        "transfers": (building, "_rows", "STRETCH", 2, transfers),
        "copies": (contents, "_put", "PART", 1024, copying),
    }[what]
    act = getattr(module, step)

    def slowly(*arguments, **named):
        found = act(*arguments, **named)
        time.sleep(pause)
        return found

    settings.HOME = Path(home)
    setattr(module, step, slowly), setattr(module, size, small)
    operations.build_waiting(clock=timezone.now)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    build(sys.argv[1], sys.argv[2], float(sys.argv[3]))
