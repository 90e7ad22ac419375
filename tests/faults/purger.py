"""A process that purges when told to, in a child of its own that can be killed at any moment.

Says that it is ready, then reads lines "MOMENT BATCH" (a purge) or "approved BATCH" (what was approved is carried out).
The child opens its own connection, as the workers do, says its process id and begins; its parent says how it ended: 0,
or minus the number of the signal.
"""

import os
import sys
from datetime import datetime

import django
from django.db import connection
from django.utils import timezone


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        moment, batch = line.split()
        child = os.fork()
        if child == 0:
            run(moment, int(batch))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(moment: str, batch: int) -> None:
    from registry import approving  # noqa: PLC0415 (models want Django to be ready)
    from registry.models import PurgePreview  # noqa: PLC0415
    from registry.purging import purge  # noqa: PLC0415

    code = 1
    try:
        connection.ensure_connection()
        print(os.getpid(), flush=True)
        if moment == "approved":
            approving.carry_out(PurgePreview.objects.get(), by=None, now=timezone.now(), batch=batch)
        else:
            purge(datetime.fromisoformat(moment), batch=batch)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from registry import approving  # noqa: F401 (loaded before the children are made)

    serve()
