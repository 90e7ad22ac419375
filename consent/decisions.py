"""Asking, confirming, giving, withdrawing: the only writers of ConsentRecord.

Each is one transaction: the person is locked, the record appended, the processing opened or ended, the moment of the
next purge recomputed, the audit written. Withdrawing takes effect at once; the last act by number stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consent import wording
from consent.models import Confirmation, ConsentRecord, PolicyVersion, Wording
from registry import auditing, mail
from registry.models import (
    AuditEntry,
    DataSubject,
    Operator,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    StaffMember,
)
from registry.processing import (
    OWN_USE,
    Scope,
    end_processing,
    lock_subjects,
    note_contact,
    open_processing,
    refresh_due,
)
from registry.registration import accept, confirm_identity, register

CLAIM = "email"  # the category a confirmation letter goes to
CONFIRMATION = "confirmation"  # the purpose an unconfirmed address is held for
SEND_AGAIN_AFTER = timedelta(seconds=60)
GOOD_FOR = timedelta(days=1)  # a link in a letter sent again works at least that long
MOST_LETTERS = 5  # to one unconfirmed address while its questions wait


class Outcome(models.TextChoices):
    """What came of opening or answering a confirmation link."""

    OPEN = "open", gettext_lazy("waiting")
    DONE = "done", gettext_lazy("confirmed")
    USED = "used", gettext_lazy("used already")
    REFUSED = "refused", gettext_lazy("refused")
    EXPIRED = "expired", gettext_lazy("expired")
    CHANGED = "changed", gettext_lazy("wording changed")
    BLOCKED = "blocked", gettext_lazy("blocked")


def ask(
    values: Mapping[str, str], purposes: Sequence[ProcessingPurpose], *, language: str, now: datetime
) -> Confirmation:
    """Keeps what a person entered as a claim and asks the address by letter. Opens nothing but the confirmation.

    `values` by category code, as typed. ValidationError names what is refused; then nothing is written.
    """
    if not purposes:
        raise ValidationError({"purposes": _("Tick at least one purpose")})
    accepted = accept(values, purposes)
    with transaction.atomic():
        subject = register(accepted, claim=CLAIM, language=language, now=now)
        waiting_for = ProcessingPurpose.objects.get(code=CONFIRMATION)
        processing = open_processing(subject, waiting_for, now=now)
        shown = _shown(purposes, language, now)
        confirmation = _same_question(subject, shown, now) or _new_question(
            subject, shown, language=language, now=now, expires_at=processing.lapses_at
        )
        refresh_due([subject.pk])
        _send_question(confirmation, waiting_for, now)
    return confirmation


def _shown(purposes: Iterable[ProcessingPurpose], language: str, now: datetime) -> list[Wording]:
    """In one order for everybody: two who store the same new wordings the other way round would wait for each other."""
    policy, operator = PolicyVersion.objects.in_force(now), Operator.objects.get()
    in_order = sorted(purposes, key=lambda purpose: purpose.pk)
    return [wording.shown(purpose, policy, operator, language) for purpose in in_order]


def _same_question(subject: DataSubject, shown: list[Wording], now: datetime) -> Confirmation | None:
    """The waiting question with the same wordings, if this person was asked it already."""
    wanted = {text.pk for text in shown}
    good_for_long = Confirmation.objects.waiting(now + GOOD_FOR).filter(subject=subject)
    for confirmation in good_for_long.prefetch_related("records"):
        same_wordings = {record.wording_id for record in confirmation.records.all()} == wanted
        if same_wordings and not _has_other_data(confirmation):
            return confirmation
    return None


def _has_other_data(confirmation: Confirmation) -> bool:
    """Whether something else was entered beside the address since: a letter can't confirm what it did not show."""
    stated = confirmation.subject.data.live().filter(standing=PersonalDatum.Standing.STATED)
    return stated.filter(recorded_at__gt=confirmation.asked_at).exists()


def _new_question(
    subject: DataSubject, shown: list[Wording], *, language: str, now: datetime, expires_at: datetime | None
) -> Confirmation:
    confirmation = Confirmation.objects.create(
        subject=subject, language=language, asked_at=now, expires_at=expires_at or now
    )
    _append(ConsentRecord.Act.ASKED, subject, shown, ConsentRecord.Channel.PAGE, now=now, confirmation=confirmation)
    return confirmation


def _send_question(confirmation: Confirmation, purpose: ProcessingPurpose, now: datetime) -> None:
    """One letter a minute and MOST_LETTERS while questions wait: nobody's mailbox is filled through our form."""
    letters = OutgoingMessage.objects.filter(letter="confirm", subject=confirmation.subject)
    if letters.filter(about_id=confirmation.pk, queued_at__gt=now - SEND_AGAIN_AFTER).exists():
        return
    if letters.filter(queued_at__gt=now - timedelta(days=1)).count() >= MOST_LETTERS:
        return
    claim = confirmation.subject.data.live().filter(standing=PersonalDatum.Standing.CLAIMED).get()
    mail.queue("confirm", about=confirmation, datum=claim, purpose=purpose, language=confirmation.language, now=now)


def state_of(confirmation: Confirmation, now: datetime) -> Outcome:
    """What a link to this confirmation is good for at `now`. Changes nothing."""
    answered = {
        Confirmation.Answer.CONFIRMED: Outcome.USED,
        Confirmation.Answer.REFUSED: Outcome.REFUSED,
        Confirmation.Answer.EXPIRED: Outcome.EXPIRED,
    }
    if confirmation.answer in answered:
        return answered[Confirmation.Answer(confirmation.answer)]
    if confirmation.expires_at <= now:
        return Outcome.EXPIRED
    if _has_changed(confirmation, now):
        return Outcome.CHANGED
    return Outcome.OPEN


def _has_changed(confirmation: Confirmation, now: datetime) -> bool:
    """Whether what was agreed to is no longer what we would do: other data, another text, a purpose closed since."""
    if _has_other_data(confirmation):
        return True
    policy, operator = PolicyVersion.objects.in_force(now), Operator.objects.get()
    offered = {purpose.pk: purpose for purpose in ProcessingPurpose.objects.asked_of_people(now)}
    for record in confirmation.records.asked():
        purpose = offered.get(record.purpose_id)
        if purpose is None or record.wording is None:
            return True
        text = wording.compose(purpose, operator, confirmation.language)
        if wording.digest(purpose, policy, confirmation.language, text) != record.wording.digest:
            return True
    return False


@transaction.atomic
def confirm(confirmation_id: int, *, now: datetime) -> Outcome:
    """Makes the asked consents count. Confirming twice changes nothing the second time."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    state = state_of(confirmation, now)
    if state != Outcome.OPEN:
        return state
    person = confirm_identity(confirmation.subject, now=now)
    if person is None:
        return Outcome.EXPIRED
    if _has_other_data(confirmation):  # entered while this one waited for the lock
        transaction.set_rollback(True)
        return Outcome.CHANGED
    if person.status == DataSubject.Status.BLOCKED:
        return Outcome.BLOCKED
    shown = [record.wording for record in confirmation.records.asked() if record.wording]
    _open(person, shown, now=now, act=ConsentRecord.Act.CONFIRMED, confirmation=confirmation)
    _close(confirmation, Confirmation.Answer.CONFIRMED, now)
    _send_receipt(confirmation, person, shown, now)
    return Outcome.DONE


def _send_receipt(confirmation: Confirmation, person: DataSubject, shown: list[Wording], now: datetime) -> None:
    address = person.data.live().filter(category__code=CLAIM, standing=PersonalDatum.Standing.CONFIRMED).get()
    mail.queue(
        "receipt",
        about=confirmation,
        datum=address,
        purpose=shown[0].purpose,
        language=confirmation.language,
        now=now,
    )


@transaction.atomic
def refuse(confirmation_id: int, *, now: datetime) -> Outcome:
    """ "I did not ask for this": nothing counts, and the claim goes with the next purge."""
    confirmation = Confirmation.objects.taken(confirmation_id)
    if confirmation.answer != Confirmation.Answer.WAITING:
        return state_of(confirmation, now)
    lock_subjects([confirmation.subject_id])
    _append_for_asked(ConsentRecord.Act.REFUSED, confirmation, ConsentRecord.Channel.LINK, now)
    _close(confirmation, Confirmation.Answer.REFUSED, now)
    return Outcome.REFUSED


def _close(confirmation: Confirmation, answer: Confirmation.Answer, now: datetime) -> None:
    """Notes the answer; the address is no longer held for confirmation, unless another question waits."""
    confirmation.answer, confirmation.answered_at = answer, now
    confirmation.save(update_fields=["answer", "answered_at"])
    if not Confirmation.objects.waiting(now).filter(subject=confirmation.subject).exists():
        purposes = ProcessingPurpose.objects.filter(code=CONFIRMATION)
        end_processing(confirmation.subject, purposes, Processing.State.CLOSED, now=now)
    refresh_due([confirmation.subject_id])


@transaction.atomic
def give(
    person: DataSubject,
    purposes: Iterable[ProcessingPurpose],
    *,
    now: datetime,
    channel: ConsentRecord.Channel = ConsentRecord.Channel.PAGE,
    scope: Scope = OWN_USE,
) -> None:
    """Consent of a person who is known already, in their language. DataSubject.DoesNotExist if destroyed meanwhile."""
    lock_subjects([person.pk])
    if not person.data.live().filter(standing=PersonalDatum.Standing.CONFIRMED).exists():
        raise DataSubject.DoesNotExist
    shown = _shown(purposes, person.language, now)
    _open(person, shown, now=now, act=ConsentRecord.Act.GIVEN, channel=channel, scope=scope)


def _open(
    person: DataSubject,
    shown: list[Wording],
    *,
    now: datetime,
    act: ConsentRecord.Act,
    channel: ConsentRecord.Channel = ConsentRecord.Channel.LINK,
    scope: Scope = OWN_USE,
    confirmation: Confirmation | None = None,
) -> None:
    for text in shown:
        open_processing(person, text.purpose, now=now, scope=scope, channel=channel)
    note_contact(person, now=now)
    _append(act, person, shown, channel, now=now, scope=scope, confirmation=confirmation)
    auditing.record(AuditEntry.Operation.CONSENT, now=now, system=channel, subject_id=person.pk, about=person)
    refresh_due([person.pk])


@transaction.atomic
def withdraw(
    person: DataSubject,
    purpose: ProcessingPurpose | None,
    *,
    now: datetime,
    channel: ConsentRecord.Channel,
    actor: StaffMember | None = None,
) -> list[ProcessingPurpose]:
    """Ends the consent for one purpose, or for all (None), at once; returns what was ended.

    Nothing open writes nothing.
    """
    lock_subjects([person.pk])
    given = [ConsentRecord.Act.GIVEN, ConsentRecord.Act.CONFIRMED]
    acts = ConsentRecord.objects.filter(subject=person, act__in=given)
    consented = ProcessingPurpose.objects.filter(pk__in=acts.values("purpose"))  # whatever its basis is by now
    wanted = consented.filter(pk=purpose.pk) if purpose else consented
    ended = end_processing(person, wanted, Processing.State.WITHDRAWN, now=now)
    if not ended:
        return []
    ConsentRecord.objects.bulk_create(
        ConsentRecord(
            subject=person,
            purpose_id=processing.purpose_id,
            act=ConsentRecord.Act.WITHDRAWN,
            at=now,
            language=person.language,
            channel=channel,
        )
        for processing in ended
    )
    auditing.record(
        AuditEntry.Operation.WITHDRAW, now=now, actor=actor, system=channel, subject_id=person.pk, about=person
    )
    refresh_due([person.pk])
    return [processing.purpose for processing in ended]


@transaction.atomic
def expire_unconfirmed(now: datetime) -> int:
    """Notes which questions nobody answered in time; returns how many. The addresses lapse by themselves."""
    overdue = list(Confirmation.objects.overdue(now).select_for_update(skip_locked=True).order_by("pk")[:1000])
    for confirmation in overdue:
        _append_for_asked(ConsentRecord.Act.EXPIRED, confirmation, ConsentRecord.Channel.JOB, now)
    Confirmation.objects.filter(pk__in=[confirmation.pk for confirmation in overdue]).update(
        answer=Confirmation.Answer.EXPIRED, answered_at=now
    )
    return len(overdue)


def _append_for_asked(
    act: ConsentRecord.Act, confirmation: Confirmation, channel: ConsentRecord.Channel, now: datetime
) -> None:
    shown = [record.wording for record in confirmation.records.asked() if record.wording]
    _append(act, confirmation.subject, shown, channel, now=now, confirmation=confirmation)


def _append(
    act: ConsentRecord.Act,
    subject: DataSubject,
    shown: Iterable[Wording],
    channel: ConsentRecord.Channel,
    *,
    now: datetime,
    scope: Scope = OWN_USE,
    confirmation: Confirmation | None = None,
) -> None:
    site = Operator.objects.get().site
    ConsentRecord.objects.bulk_create(
        ConsentRecord(
            subject=subject,
            purpose_id=text.purpose_id,
            act=act,
            at=now,
            language=text.language,
            channel=channel,
            site=site,
            wording=text,
            confirmation=confirmation,
            third_parties=scope.third_parties,
            cross_border=scope.cross_border,
            public_sources=scope.public_sources,
        )
        for text in shown
    )
