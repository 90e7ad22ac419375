"""Periodic jobs: visible, one at a time each, never while the registry is sealed or in recovery mode."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from registry.keyring import Sealed
from registry.models import JobRun
from registry.recovery import Recovering, must_be_ready

logger = logging.getLogger(__name__)

# How long after its last success a job is late. The watchdog and the console read this.
LATE_AFTER = {
    "purge": timedelta(hours=26),
    "recount": timedelta(hours=26),
    "apply_rules": timedelta(hours=26),
    "self_retention": timedelta(hours=26),
    "expire_unconfirmed": timedelta(hours=3),
    "finish_erasures": timedelta(hours=1),
    "alarms": timedelta(hours=1),
    "requests": timedelta(hours=3),
    "ask_anew": timedelta(minutes=15),
    "exports": timedelta(minutes=15),
    "copies": timedelta(minutes=15),
    "transfer": timedelta(minutes=15),
    "tell_recipients": timedelta(hours=3),
    "tell_people": timedelta(hours=3),
    "send_mail": timedelta(minutes=15),
    "send_links": timedelta(minutes=15),
    "read_mailbox": timedelta(minutes=15),
    "write_ledger": timedelta(minutes=15),
    "seal_audit": timedelta(hours=1),
    "verify_audit": timedelta(hours=26),
    "mail_checkpoint": timedelta(hours=26),
    "count_figures": timedelta(hours=1),
}


def run_job(name: str, work: Callable[[datetime], object]) -> None:
    """Runs `work(now)` and notes when and with what outcome. Skips if not ready, or if it runs elsewhere."""
    try:
        must_be_ready()
    except Sealed:
        logger.error("job %s not run: the registry is sealed", name)
        return
    except Recovering as recovering:
        logger.error("job %s not run, RECOVERY: %s", name, recovering)
        return
    if not _take(name):
        logger.info("job %s not run: it is running elsewhere", name)
        return
    try:
        _run(name, work)
    finally:
        _give_back(name)


def _run(name: str, work: Callable[[datetime], object]) -> None:
    now = timezone.now()
    JobRun.objects.update_or_create(name=name, defaults={"started_at": now, "finished_at": None})
    try:
        outcome = work(now)
    except Exception as error:
        JobRun.objects.filter(name=name).update(finished_at=timezone.now(), outcome=f"failed: {type(error).__name__}")
        raise
    done = timezone.now()
    JobRun.objects.filter(name=name).update(finished_at=done, succeeded_at=done, outcome=str(outcome)[:200])


def has_succeeded(name: str, since: datetime) -> bool:
    return JobRun.objects.filter(name=name, succeeded_at__gte=since).exists()


def late_jobs(now: datetime) -> list[str]:
    """The names of jobs that ended badly and never well, or whose last success is too long ago."""
    runs = JobRun.objects.filter(name__in=LATE_AFTER)
    return [run.name for run in runs if _is_late(run, now)]


def _is_late(run: JobRun, now: datetime) -> bool:
    if run.succeeded_at is None:
        return run.finished_at is not None or now - run.started_at > LATE_AFTER[run.name]
    return now - run.succeeded_at > LATE_AFTER[run.name]


def _take(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('registry.job'), hashtext(%s))", [name])
        return bool(cursor.fetchone()[0])


def _give_back(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(hashtext('registry.job'), hashtext(%s))", [name])
