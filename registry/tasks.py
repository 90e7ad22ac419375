"""Thin: each task calls one operation. Arguments hold ids, never a value."""

import logging
from datetime import datetime

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from registry import jobs, mail, purging

logger = logging.getLogger(__name__)


@shared_task
def purge() -> None:
    jobs.run_job("purge", _purge)


def _purge(now: datetime) -> str:
    run = purging.purge(now)
    return f"{run.subjects} people, {run.data} data"


@shared_task
def send_mail() -> None:
    jobs.run_job("send_mail", lambda now: f"{mail.send_due(now, clock=timezone.now)} sent")


@shared_task
def watchdog() -> None:
    jobs.run_job("watchdog", _watch)


def _watch(now: datetime) -> str:
    late = jobs.late_jobs(now)
    for name in late:
        logger.error("job %s is late", name)
    return ", ".join(late) or "all in time"


def wake_mail() -> None:
    """Tells a worker that a letter is queued. A dead broker costs a minute, not the letter: the sweeper comes."""
    try:
        send_mail.apply_async(retry=False)
    except (OperationalError, OSError):
        logger.warning("broker not reached; the letter waits for the sweeper")
