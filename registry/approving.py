"""The brake: when a purge stops and waits for a second person, and what an approval allows.

- A run of ordinary size, on time, by a clock that agrees with the database's, goes by itself.
- Otherwise what would go is kept as a preview and waits. An approval is bound to the digest of that list and expires.
- Who asks, who approves and who carries out are three; the nightly job asks and carries out as nobody.
- Carrying out destroys what is on the list and still due as it was. What changed since drops out and is listed.

Called by: registry.tasks (every day), the `purge` command, the console.
Sources: policy clauses 9, 25, 29.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry import auditing, previewing
from registry.models import (
    AuditEntry,
    DataSubject,
    PurgePreview,
    PurgeRun,
    RetentionDue,
    RetentionSettings,
    StaffMember,
)
from registry.normalise import check_given
from registry.purging import BATCH, CLOCK_TOLERANCE, Report, database_clock, purge, purge_approved, quiet

State = PurgePreview.State


@dataclass(frozen=True)
class Outcome:
    """What a daily run did: what was approved and carried out, and its own run or the preview that waits."""

    carried_out: list[PurgeRun]
    run: PurgeRun | None = None
    waiting: PurgePreview | None = None

    @property
    def data(self) -> int:
        return sum(run.data for run in self.runs)

    @property
    def subjects(self) -> int:
        return sum(run.subjects for run in self.runs)

    @property
    def runs(self) -> list[PurgeRun]:
        return [*self.carried_out, *([self.run] if self.run else [])]

    def __str__(self) -> str:
        waits = f"; preview {self.waiting.pk} waits for approval: {self.waiting.reasons}" if self.waiting else ""
        return f"{self.subjects} people, {self.data} data{waits}"


def daily(now: datetime, *, batch: int = BATCH, report: Report = quiet) -> Outcome:
    """Carries out what was approved, then purges what is due at `now`, or keeps it waiting if the brake holds."""
    expire(timezone.now())
    approved = PurgePreview.objects.filter(state=State.APPROVED).order_by("pk")
    done = [carry_out(preview, by=None, now=timezone.now(), batch=batch, report=report) for preview in approved]
    reasons = brake(now)
    if reasons:
        return Outcome(done, waiting=_wait(now, reasons))
    return Outcome(done, run=purge(now, batch=batch, report=report))


def brake(now: datetime) -> list[str]:
    """Why a purge as of `now` must wait: `people`, `share`, `late`, `clock`; none if it may go. Nothing due: none."""
    people = RetentionDue.objects.due(now).count()
    if not people:
        return []
    chosen = RetentionSettings.objects.get()
    held = DataSubject.objects.exclude(status=DataSubject.Status.ERASED).count()
    last = PurgeRun.objects.filter(finished_at__isnull=False).order_by("-as_of").first()
    holds = {
        "people": people > chosen.brake_people,
        "share": held >= chosen.brake_share_from and people * 100 > held * chosen.brake_share,
        "late": last is not None and now - last.as_of > timedelta(hours=chosen.brake_gap_hours),
        "clock": abs(timezone.now() - database_clock()) > CLOCK_TOLERANCE,
    }
    return [reason for reason, is_so in holds.items() if is_so]


@transaction.atomic
def _wait(now: datetime, reasons: list[str]) -> PurgePreview:
    """Keeps what would go; an older list of the job's that nobody decided about has had its day."""
    PurgePreview.objects.filter(state=State.WAITING, requested_by=None).update(state=State.EXPIRED)
    preview = previewing.keep(now, taken_at=timezone.now())
    preview.state, preview.reasons = State.WAITING, ",".join(reasons)
    preview.save(update_fields=["state", "reasons"])
    return preview


@transaction.atomic
def request(preview: PurgePreview, *, by: StaffMember, now: datetime) -> None:
    """Asks a second person to approve a kept preview. Only who kept it may ask."""
    preview = _taken(preview, by, "registry.request_purge", State.KEPT)
    if preview.requested_by_id != by.pk:
        raise ValidationError(_("Only the person who kept this preview can ask for it."))
    _turn(preview, State.WAITING, by, now, "asked", reasons="asked")


@transaction.atomic
def approve(preview: PurgePreview, digest: str, *, by: StaffMember, reason: str, now: datetime) -> None:
    """The second person's yes to the list with this digest. PermissionDenied, ValidationError (nothing is changed)."""
    preview = _taken(preview, by, "registry.approve_purge", State.WAITING)
    _refuse_same(preview.requested_by_id, by)
    if digest != preview.digest or not previewing.is_intact(preview):
        raise ValidationError(_("The list has changed since you looked at it. Look again."))
    expires_at = now + timedelta(hours=RetentionSettings.objects.get().approval_hours)
    _decide(preview, State.APPROVED, by, reason, now, expires_at=expires_at)


@transaction.atomic
def refuse(preview: PurgePreview, *, by: StaffMember, reason: str, now: datetime) -> None:
    """The second person's no; also takes back an approval that was not begun yet."""
    preview = _taken(preview, by, "registry.approve_purge", State.WAITING, State.APPROVED)
    if preview.run is not None:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    if preview.state == State.APPROVED:
        check_given(reason)
        _turn(preview, State.REFUSED, by, now, reason)
    else:
        _refuse_same(preview.requested_by_id, by)
        _decide(preview, State.REFUSED, by, reason, now)


def carry_out(
    preview: PurgePreview, *, by: StaffMember | None, now: datetime, batch: int = BATCH, report: Report = quiet
) -> PurgeRun:
    """Destroys what was approved and is unchanged. `by` is a third person, or nobody: the nightly job."""
    run = begin(preview, by=by, now=now)
    with _alone(preview) as is_ours:
        if is_ours and PurgePreview.objects.filter(pk=preview.pk, state=State.APPROVED).exists():
            run = purge_approved(preview, run, batch=batch, report=report)
            PurgePreview.objects.filter(pk=preview.pk, state=State.APPROVED).update(state=State.DONE)
    return run


@contextmanager
def _alone(preview: PurgePreview) -> Iterator[bool]:
    """Whether nobody else carries this preview out at the moment; then nobody else will until we are done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('registry.purgepreview'), %s)", [preview.pk])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('registry.purgepreview'), %s)", [preview.pk])


@transaction.atomic
def begin(preview: PurgePreview, *, by: StaffMember | None, now: datetime) -> PurgeRun:
    """Opens the run of an approved preview, once; the job carries it on. ValidationError, PermissionDenied."""
    taken = _taken(preview, by, "registry.request_purge", State.APPROVED)
    if taken.run is not None:
        return taken.run  # begun and interrupted: it goes on
    if taken.expires_at is None or taken.expires_at <= now:
        raise ValidationError(_("This approval has expired."))
    if by is not None:
        for other in (taken.requested_by_id, taken.approved_by_id):
            _refuse_same(other, by)
    if not previewing.is_intact(taken):
        raise ValidationError(_("The list has changed since you looked at it. Look again."))
    run = PurgeRun.objects.create(started_at=timezone.now(), as_of=taken.as_of)
    _turn(taken, State.APPROVED, by, now, "carried out", run=run, executed_by=by)
    return run


def expire(now: datetime) -> int:
    """Ends approvals that were not used in time and not begun; returns how many."""
    late = PurgePreview.objects.filter(state=State.APPROVED, expires_at__lte=now, run=None)
    return late.update(state=State.EXPIRED)


def _taken(preview: PurgePreview, by: StaffMember | None, permission: str, *states: State) -> PurgePreview:
    """The row, locked, if `by` may act on it and it is in one of these states."""
    if by is not None and not by.has_perm(permission):
        raise PermissionDenied
    taken = PurgePreview.objects.select_for_update().get(pk=preview.pk)
    if taken.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return taken


def _decide(preview: PurgePreview, state: State, by: StaffMember, reason: str, now: datetime, **also: object) -> None:
    check_given(reason)
    _turn(preview, state, by, now, reason, approved_by=by, approved_at=now, approval_reason=reason, **also)


def _turn(
    preview: PurgePreview, state: State, by: StaffMember | None, now: datetime, reason: str, **also: object
) -> None:
    for field, value in also.items():
        setattr(preview, field, value)
    preview.state = state
    preview.save(update_fields=["state", *also])
    auditing.record(
        AuditEntry.Operation.APPROVE, now=now, actor=by, system="" if by else "purge", about=preview, reason=reason
    )


def _refuse_same(other_id: int | None, by: StaffMember) -> None:
    if other_id == by.pk:
        raise ValidationError(_("This needs another person: who asks, approves and carries out are three."))
