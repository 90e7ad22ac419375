"""Thin: each task calls one operation."""

from datetime import datetime

from celery import shared_task

from consent import campaigns, decisions, limits, linking, mailbox
from registry import jobs
from registry.tasks import wake_mail
from registry.waking import wake


@shared_task
def expire_unconfirmed() -> None:
    jobs.run_job("expire_unconfirmed", _expire)


def _expire(now: datetime) -> str:
    return f"{decisions.expire_unconfirmed(now)} expired, {limits.forget(now)} counts of attempts forgotten"


@shared_task
def send_links() -> None:
    jobs.run_job("send_links", lambda now: f"{linking.send_links(now)} letters")
    wake_mail()


def wake_links() -> None:
    """Tells a worker that somebody asked for their link. A dead broker costs a minute."""
    wake(send_links)


@shared_task
def read_mailbox() -> None:
    jobs.run_job("read_mailbox", _read_mailbox)
    wake_mail()


def _read_mailbox(now: datetime) -> str:
    return f"{mailbox.read(now)}; {mailbox.forget_closed(now)} messages of closed requests forgotten"


@shared_task
def ask_anew() -> None:
    jobs.run_job("ask_anew", lambda now: f"{campaigns.ask_anew(now)} people asked anew")
    wake_mail()


def wake_campaigns() -> None:
    """Tells a worker that a campaign begins. A dead broker costs a minute."""
    wake(ask_anew)
