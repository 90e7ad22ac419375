"""One worker of the purge, as the application's role: the whole of registry.purging.purge, its batches timed."""

import json
import sys
import time

import django

django.setup()

from django.db import connection  # noqa: E402  the settings come first

from registry.models import PurgeRun  # noqa: E402
from registry.purging import purge  # noqa: E402


class Stopwatch:
    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.longest = 0.0

    def lap(self, _: PurgeRun) -> None:
        now = time.perf_counter()
        self.longest, self.last = max(self.longest, now - self.last), now


def main() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now FROM bench.moment")
        (moment,) = cursor.fetchone()
    print("ready", flush=True)
    sys.stdin.readline()
    watch = Stopwatch()
    run = purge(moment, report=watch.lap)
    print(json.dumps({"subjects": run.subjects, "data": run.data, "longest": watch.longest}), flush=True)


if __name__ == "__main__":
    main()
