"""A process that reads the mailbox once and stops where a message is decided and committed, before it is marked."""

import os
import time

import django
from django.utils import timezone


def read() -> None:
    from consent import mailbox  # noqa: PLC0415 (models want Django to be ready)
    from consent.mailbox.connecting import Box  # noqa: PLC0415

    def stop(*_arguments: object) -> None:
        print("committed", flush=True)
        time.sleep(600)

    Box.delete = Box.mark = stop
    mailbox.read(timezone.now())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    read()
