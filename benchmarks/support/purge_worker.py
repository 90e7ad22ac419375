"""One worker of the purge, as the application's role, its batches timed: the daily run with the brake looked at,
or what was previewed and approved before it is told to go (`approved`)."""

import json
import sys
import time
from datetime import datetime

import django

django.setup()

from django.db import connection  # noqa: E402  the settings come first

from registry import approving, previewing  # noqa: E402
from registry.models import PurgePreview, PurgeRun, StaffMember  # noqa: E402


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
    preview = approved(moment) if sys.argv[1:] == ["approved"] else None
    print("ready", flush=True)
    sys.stdin.readline()
    watch = Stopwatch()
    done = purge(moment, preview, watch)
    print(json.dumps({"subjects": done.subjects, "data": done.data, "longest": watch.longest}), flush=True)


def purge(moment: datetime, preview: PurgePreview | None, watch: Stopwatch) -> approving.Outcome | PurgeRun:
    if preview:
        return approving.carry_out(preview, by=None, now=moment, report=watch.lap)
    return approving.daily(moment, report=watch.lap)


def approved(moment: datetime) -> PurgePreview:
    """Everything due, on a list that somebody else approved."""
    preview = previewing.keep(moment, taken_at=moment)
    PurgePreview.objects.filter(pk=preview.pk).update(state="waiting", reasons="people")
    officer = StaffMember.objects.create_superuser("officer", password=None)
    approving.approve(preview, preview.digest, by=officer, reason="a benchmark", now=moment)
    return preview


if __name__ == "__main__":
    main()
