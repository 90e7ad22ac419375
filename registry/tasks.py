"""Thin: each task calls one operation. Arguments hold ids, never a value."""

import logging
from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from registry import approving, jobs, mail, processing

logger = logging.getLogger(__name__)


@shared_task
def purge() -> None:
    jobs.run_job("purge", approving.daily)


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


@shared_task
def recount(purpose_id: int | None = None) -> None:
    """Every day for everybody, before the purge; for one purpose when it was changed."""
    jobs.run_job("recount", lambda now: f"{processing.recount(purpose_id)} people")


def wake_mail() -> None:
    """Tells a worker that a letter is queued. A dead broker costs a minute, not the letter: the sweeper comes."""
    _wake(send_mail)


def wake_recount(purpose_id: int) -> None:
    """Tells a worker that a purpose was changed. A dead broker costs a day: the daily recount comes."""
    _wake(recount, purpose_id)


def _wake(task: Any, *ids: int) -> None:
    try:
        task.apply_async(ids, retry=False)
    except (OperationalError, OSError):
        logger.warning("broker not reached; %s waits for its time", task.name)
