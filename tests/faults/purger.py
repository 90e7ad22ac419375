"""A process that purges when told to, in a child of its own that can be killed at any moment.

Reads lines "MOMENT BATCH". The child opens its own connection, as the workers do, says its process id and begins; its
parent says how it ended: 0, or minus the number of the signal.
"""

import os
import sys
from datetime import datetime

import django
from django.db import connection


def serve() -> None:
    for line in sys.stdin:
        moment, batch = line.split()
        child = os.fork()
        if child == 0:
            run(datetime.fromisoformat(moment), int(batch))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(moment: datetime, batch: int) -> None:
    from registry.purging import purge  # noqa: PLC0415 (models want Django to be ready)

    code = 1
    try:
        connection.ensure_connection()
        print(os.getpid(), flush=True)
        purge(moment, batch=batch)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from registry import purging  # noqa: F401 (loaded before the children are made)

    serve()
