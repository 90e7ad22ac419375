"""A process that brings one code of an authenticator when told to: reads lines "PERSON CODE MOMENT", says yes or no."""

import os
import sys
from datetime import datetime

import django
from django.db import connection


def serve() -> None:
    from registry.models import StaffMember  # noqa: PLC0415 (models want Django to be ready)
    from registry.sign_in import codes  # noqa: PLC0415

    connection.ensure_connection()
    codes.keyring()
    print("ready", flush=True)
    for line in sys.stdin:
        person, code, moment = line.split()
        is_taken = codes.take(StaffMember(pk=int(person)), code, datetime.fromisoformat(moment))
        print("yes" if is_taken else "no", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    serve()
