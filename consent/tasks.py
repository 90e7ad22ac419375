"""Thin: each task calls one operation."""

from celery import shared_task

from consent import decisions
from registry import jobs


@shared_task
def expire_unconfirmed() -> None:
    jobs.run_job("expire_unconfirmed", lambda now: f"{decisions.expire_unconfirmed(now)} expired")
