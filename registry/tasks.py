"""Thin: each task calls one operation. Arguments hold ids, never a value."""

import logging
from datetime import datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from registry import (
    alarming,
    approving,
    audience,
    demands,
    exporting,
    figures,
    jobs,
    ledger,
    mail,
    processing,
    rules,
    seals,
    traces,
    transfer_letters,
    transfers,
)
from registry.chain import LedgerError
from registry.incidents import clock as incident_clock
from registry.requests import clock, copying, reminding, verifying
from registry.transfers import notices
from registry.waking import wake

logger = logging.getLogger(__name__)


@shared_task
def purge() -> None:
    jobs.run_job("purge", approving.daily)
    wake_ledger()


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


@shared_task
def self_retention() -> None:
    jobs.run_job("self_retention", lambda now: f"{traces.destroy_over(now).total()} traces destroyed")


@shared_task
def apply_rules() -> None:
    """Every day, before everybody's terms are counted anew; when a purpose was closed; when a rule was proposed."""
    jobs.run_job("apply_rules", lambda now: f"{rules.simulate_waiting(now)} simulated, {rules.apply_due(now)} applied")


@shared_task
def finish_erasures() -> None:
    jobs.run_job("finish_erasures", lambda now: f"{demands.finish_due(now)} certificates finished")


@shared_task
def requests() -> None:
    """Every hour: what nobody confirmed ends, terms follow the calendar, staff are reminded."""
    jobs.run_job("requests", _requests)


def _requests(now: datetime) -> str:
    lapsed, recounted = verifying.lapse(now), clock.recount(now) + incident_clock.recount(now)
    return f"{lapsed} lapsed, {recounted} got another day, {reminding.remind(now)} reminded of"


@shared_task
def count_figures() -> None:
    jobs.run_job("count_figures", lambda now: f"{figures.count(now)} numbers")


@shared_task
def write_ledger() -> None:
    jobs.run_job("write_ledger", _write_ledger)


def _write_ledger(now: datetime) -> str:
    """The log shows no texts of exceptions, and this one says what to do."""
    try:
        return f"{ledger.write(now)} lines"
    except LedgerError as error:
        logger.error("%s; what was erased waits in the database", error)
        raise


@shared_task
def exports() -> None:
    """Every minute and when a list was asked for or approved."""
    jobs.run_job("exports", _exports)


def _exports(now: datetime) -> str:
    gone = exporting.destroy_over(now)
    return f"{gone} destroyed, {exporting.build_waiting(clock=timezone.now)} built"


@shared_task
def alarms() -> None:
    jobs.run_job("alarms", lambda now: f"{alarming.tell_officers(now)} alarms mailed")


@shared_task
def transfer() -> None:
    """Every minute and when a transfer was asked for or approved."""
    jobs.run_job("transfer", _transfer)


def _transfer(now: datetime) -> str:
    gone, closed = transfers.destroy_over(now), audience.close_abandoned(now)
    return f"{gone} destroyed, {closed} closed, {transfers.build_waiting(clock=timezone.now)} built"


@shared_task
def tell_recipients() -> None:
    jobs.run_job("tell_recipients", lambda now: f"{notices.send_due(now)} letters to recipients")


@shared_task
def tell_people() -> None:
    jobs.run_job("tell_people", lambda now: f"{transfer_letters.queue_due(now)} letters to people")


def wake_transfers() -> None:
    """Tells a worker that a file is to be built. A dead broker costs a minute."""
    wake(transfer)


def wake_exports() -> None:
    """Tells a worker that a list is to be built. A dead broker costs a minute."""
    wake(exports)


@shared_task
def copies() -> None:
    """Every minute and when the copy of a person's data was asked for."""
    jobs.run_job("copies", _copies)


def _copies(now: datetime) -> str:
    gone = copying.destroy_over(now)
    return f"{gone} destroyed, {copying.build_waiting(clock=timezone.now)} built"


def wake_copies() -> None:
    """Tells a worker that a copy is to be built. A dead broker costs a minute."""
    wake(copies)


@shared_task
def seal_audit() -> None:
    jobs.run_job("seal_audit", _seal_audit)


def _seal_audit(now: datetime) -> str:
    """The log shows no texts of exceptions, and this one says what to do."""
    sealed = seals.seal(now)
    try:
        return f"{sealed} entries sealed, {seals.write(settings.CHECKPOINTS_FILE)} checkpoints written"
    except seals.CheckpointError as error:
        logger.error("%s; the seals stand in the database", error)
        raise


@shared_task
def mail_checkpoint() -> None:
    """Asked every hour, goes once a day: a mail server that is down costs an hour."""
    if not jobs.has_succeeded("mail_checkpoint", since=timezone.localtime().replace(hour=0, minute=0, second=0)):
        jobs.run_job("mail_checkpoint", lambda now: f"{seals.mail()} sent")


@shared_task
def verify_audit() -> None:
    jobs.run_job("verify_audit", _verify_audit)


def _verify_audit(now: datetime) -> str:
    try:
        done = seals.run(now, clock=timezone.now)
    except seals.CheckpointError as error:
        logger.error("%s", error)
        raise
    if done.outcome != done.Outcome.INTACT:
        logger.error("AUDIT: %s, entry %s: verification %s", done.outcome, done.first_bad, done.pk)
    return f"{done.entries} entries, {done.outcome}"


def wake_verification() -> None:
    """Tells a worker that somebody asked for a verification. A dead broker costs a night."""
    wake(verify_audit)


def wake_ledger() -> None:
    """Tells a worker that something was erased. A dead broker costs a minute."""
    wake(write_ledger)


def wake_mail() -> None:
    """Tells a worker that a letter is queued. A dead broker costs a minute, not the letter: the sweeper comes."""
    wake(send_mail)


def wake_erasures() -> None:
    """Tells a worker that an erasure was demanded or a hold released. A dead broker costs five minutes."""
    wake(finish_erasures)


def wake_purge() -> None:
    """Tells a worker that a person carries out an approved preview. A dead broker costs a night."""
    wake(purge)


def wake_rules() -> None:
    """Tells a worker that a purpose was closed or a rule proposed. A dead broker costs a day; the gate is shut."""
    wake(apply_rules)


def wake_recount(purpose_id: int) -> None:
    """Tells a worker that a purpose was changed. A dead broker costs a day: the daily recount comes."""
    wake(recount, purpose_id)
