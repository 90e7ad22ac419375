"""Asking people anew (policy clause 31, strict): a new version widens nothing that was agreed to.

Dangerous because it writes to many people at once, and in hard mode stops what they agreed to. The rules:

- Whoever last agreed to a text that names less than the one offered now is asked, once in a campaign; nobody else is.
- A portion of people is one transaction: looked for, locked, looked at again. It notes how far it came, so a campaign
  that was interrupted goes on there.
- In hard mode what became wider waits from that moment until the person agrees anew, even if no letter reaches them.
- Portions follow as fast as the outbox empties: letters people wait for are not held up behind a campaign.

Called by: the console (start, stop), consent.tasks (ask_anew), consent.letters. An answer is noted by
consent.decisions, which opens the processing anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from consent import wording
from consent.decisions import acts
from consent.models import Campaign, CampaignMember, ConsentRecord, PolicyVersion, Wording
from registry import auditing, mail, sms
from registry.models import (
    AuditEntry,
    Country,
    DataCategory,
    DataSubject,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
    Recipient,
    StaffMember,
)
from registry.processing import lock_subjects, pause

LETTER = "reconsent"
PURPOSE = "request-answer"  # owed by law, so it stands on no consent
PORTION = 500  # people
MOST_WAITING = 1000  # letters of campaigns that are due and not sent

Lack = dict[str, list[str]]


@dataclass(frozen=True)
class Outgrown:
    """The stored wordings that name less than what is offered at a moment, by their number, and what each lacks."""

    texts: dict[str, wording.Text]
    agreed: dict[int, Wording]
    lacks: dict[int, Lack]

    def only(self, codes: Iterable[str]) -> "Outgrown":
        """Those of these purposes."""
        wanted = set(codes)
        kept = {pk: one for pk, one in self.agreed.items() if one.purpose.code in wanted}
        return Outgrown(self.texts, kept, self.lacks)

    def records(self, now: datetime) -> QuerySet[ConsentRecord]:
        """The acts consents in force stand on, of those that stand on one of these wordings: one a person and purpose.

        Nothing in it is ordered or correlated to a single row, so that a million people are one pass.
        """
        given = ConsentRecord.objects.filter(act__in=[ConsentRecord.Act.GIVEN, ConsentRecord.Act.CONFIRMED])
        same = {"subject": OuterRef("subject"), "purpose": OuterRef("purpose")}
        in_force = Exists(Processing.objects.ongoing(now).filter(**same))
        later = Exists(given.filter(**same, pk__gt=OuterRef("pk")))
        return given.filter(in_force, ~later, wording__in=sorted(self.agreed)).order_by()


def outgrown(now: datetime) -> Outgrown:
    """A constant number of queries; none of them reads people."""
    texts = wording.offer(now, "kk").texts
    stored = Wording.objects.filter(purpose__code__in=texts).select_related("purpose")
    lacks = {one: wording.lacking(texts[one.purpose.code], one) for one in stored}
    narrow = {one.pk: one for one, lack in lacks.items() if lack}
    return Outgrown(texts, narrow, {one.pk: lack for one, lack in lacks.items()})


def wider(now: datetime) -> dict[str, dict[str, Any]]:
    """What became wider than consents in force, by code of the purpose: `recipients`, `countries`, `categories` and
    `ticks` by their codes, and how many `people` gave such consents."""
    found = outgrown(now)
    by_code: dict[str, dict[str, Any]] = {}
    for wording_id, people in found.records(now).values_list("wording").annotate(people=Count("pk")):
        entry = by_code.setdefault(found.agreed[wording_id].purpose.code, {"people": 0})
        entry["people"] += people
        for name, codes in found.lacks[wording_id].items():
            entry[name] = sorted({*entry.get(name, []), *codes})
    return {code: by_code[code] for code in found.texts if code in by_code}


def people(found: Mapping[str, Any], now: datetime) -> int:
    """How many people would be asked, where this became wider: each counts once, however many purposes."""
    return _people(outgrown(now).records(now)) if len(found) > 1 else sum(one["people"] for one in found.values())


def _people(records: QuerySet[ConsentRecord]) -> int:
    return int(records.aggregate(people=Count("subject", distinct=True))["people"])


def told(lack: Mapping[str, Any]) -> list[str]:
    """What became wider, a line for each kind, in the active language."""
    recipients = Recipient.objects.filter(code__in=lack.get("recipients", [])).select_related("country")
    countries = Country.objects.filter(code__in=lack.get("countries", []))
    categories = DataCategory.objects.filter(code__in=lack.get("categories", []))
    is_published = "public_sources" in lack.get("ticks", [])
    lines = {
        _("Third parties"): [f"{one} ({one.country})" for one in recipients],
        _("Cross-border transfer"): [str(one) for one in countries],
        _("Data"): [str(one) for one in categories],
        _("Public sources"): [_("only with a separate tick")] if is_published else [],
    }
    return [f"{name}: {', '.join(values)}" for name, values in lines.items() if values]


def added(policy: PolicyVersion, now: datetime) -> list[ProcessingPurpose]:
    """Purposes asked now and made since the version before was published. Nobody agreed to them: they are mentioned."""
    earlier = PolicyVersion.objects.published().filter(effective_at__lte=policy.effective_at).exclude(pk=policy.pk)
    before = earlier.order_by("effective_at", "number").last()
    if before is None:
        return []
    published = before.history.latest("history_id").history_date
    made = ProcessingPurpose.history.filter(history_type="+", history_date__gt=published)
    return list(ProcessingPurpose.objects.asked_of_people(now).filter(pk__in=made.values("id")))


@transaction.atomic
def start(policy: PolicyVersion, mode: str, *, by: StaffMember, now: datetime) -> Campaign:
    """Begins to ask; the job does the rest. ValidationError says why it can't begin. The permission is the caller's."""
    if policy != PolicyVersion.objects.in_force(now):
        raise ValidationError(_("People are asked about the version in force only."))
    found = wider(now)
    if not found:
        raise ValidationError(_("Nothing became wider: every consent covers what is asked now."))
    try:
        with transaction.atomic():
            campaign = Campaign.objects.create(policy=policy, mode=mode, wider=found, started_at=now, started_by=by)
    except IntegrityError:
        raise ValidationError(_("People are being asked anew already.")) from None
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=campaign)
    return campaign


@transaction.atomic
def stop(campaign: Campaign, *, by: StaffMember, now: datetime) -> None:
    """Nobody else is asked, and letters that have not gone stay here. What waits for an answer goes on waiting.

    ValidationError if it does not run any more.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.state != Campaign.State.RUNNING:
        raise ValidationError(_("It has ended already."))
    _finish(campaign, Campaign.State.STOPPED, now)
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=campaign)


def _finish(campaign: Campaign, state: Campaign.State, now: datetime) -> None:
    campaign.state, campaign.finished_at = state, now
    campaign.save(update_fields=["state", "finished_at"])


def ask_anew(now: datetime) -> int:
    """Goes on with what runs, as far as the outbox has room; returns how many people were asked."""
    asked = 0
    for number in Campaign.objects.filter(state=Campaign.State.RUNNING).values_list("pk", flat=True):
        while _has_room(now) and (portion := advance(number, now)) is not None:
            asked += portion
    return asked


def _has_room(now: datetime) -> bool:
    due = OutgoingMessage.objects.filter(state=OutgoingMessage.State.QUEUED, next_try_at__lte=now, letter=LETTER)
    return due[:MOST_WAITING].count() < MOST_WAITING


@transaction.atomic
def advance(campaign_id: int, now: datetime, *, most: int = PORTION) -> int | None:
    """Asks the next people; how many. None if there is nobody left: then the campaign is done."""
    running = Campaign.objects.select_for_update(of=("self",)).filter(pk=campaign_id, state=Campaign.State.RUNNING)
    campaign = running.first()
    if campaign is None:
        return None
    concerned = outgrown(now).only(campaign.wider).records(now)
    ahead = concerned.filter(subject__gt=campaign.looked_until).order_by("subject")
    subject_ids = list(ahead.values_list("subject", flat=True).distinct()[:most])
    if not subject_ids:
        _finish(campaign, Campaign.State.DONE, now)
        return None
    lock_subjects(subject_ids)
    asked = _ask(campaign, concerned.filter(subject__in=subject_ids), now)
    campaign.looked_until = subject_ids[-1]
    campaign.save(update_fields=["looked_until"])
    return asked


def _ask(campaign: Campaign, concerned: QuerySet[ConsentRecord], now: datetime) -> int:
    """These people are locked: what was withdrawn or agreed to meanwhile is not among `concerned` any more."""
    wide = list(concerned.values_list("subject", "purpose"))
    if campaign.mode == Campaign.Mode.HARD:
        pause(wide, now=now)
    contacts = _contacts({subject_id for subject_id, _purpose in wide})
    members = CampaignMember.objects.bulk_create(
        CampaignMember(campaign=campaign, subject=contact.subject, asked_at=now) for contact in contacts
    )
    letters = [
        mail.Queued(member, contact, contact.subject.language)
        for member, contact in zip(members, contacts, strict=True)
    ]
    mail.queue_all(LETTER, letters, purpose=ProcessingPurpose.objects.get(code=PURPOSE), now=now)
    return len(members)


def _contacts(subject_ids: set[int]) -> list[PersonalDatum]:
    """Where each of them is written to: their confirmed address, else their number. A blocked person is left alone."""
    confirmed = PersonalDatum.objects.live().filter(subject__in=subject_ids, standing=PersonalDatum.Standing.CONFIRMED)
    kinds = DataCategory.CONTACTS if sms.is_available() else [DataCategory.Kind.EMAIL]
    reachable = confirmed.filter(category__kind__in=kinds).exclude(subject__status=DataSubject.Status.BLOCKED)
    best_last = sorted(
        reachable.select_related("subject", "category").order_by("pk"),
        key=lambda datum: datum.category.kind == DataCategory.Kind.EMAIL,
    )
    return list({datum.subject_id: datum for datum in best_last}.values())


def not_reached(campaign: Campaign, now: datetime) -> int:
    """How many people it came to and could not write to: blocked, or without a confirmed contact."""
    concerned = outgrown(now).only(campaign.wider).records(now).filter(subject__lte=campaign.looked_until)
    return _people(concerned.exclude(subject__in=campaign.members.values("subject")))


@dataclass(frozen=True)
class Open:
    """One purpose a person has still to answer for: what they agreed to, and what that lacks."""

    purpose: ProcessingPurpose
    agreed: Wording
    lack: Lack


def asked_of(subject_id: int, campaign: Campaign, now: datetime) -> list[Open]:
    """What this person has still to answer, in order."""
    found = outgrown(now).only(campaign.wider)
    standing = dict(found.records(now).filter(subject=subject_id).values_list("purpose__code", "wording"))
    return [
        Open(text.purpose, found.agreed[standing[code]], found.lacks[standing[code]])
        for code, text in found.texts.items()
        if code in standing
    ]


def note_shown(message: OutgoingMessage, now: datetime) -> None:
    """The letter has gone: proof that the person was told, for each purpose. Within the note that it was sent."""
    member = CampaignMember.objects.select_related("campaign", "subject").get(pk=message.about_id)
    lock_subjects([member.subject_id])
    lines = [acts.Line(one.purpose) for one in asked_of(member.subject_id, member.campaign, now)]
    acts.append(acts.Act.NOTICE_SHOWN, member.subject, lines, acts.Channel.JOB, now=now)
