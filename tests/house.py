"""A registry with one row of everything, for tests that walk the whole console: a canary person and what staff did about
them, made by the operations where there is one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db.models import Model
from django.utils import timezone

from consent.decisions import desk
from consent.models import Campaign, PolicyVersion, ReceivedMail
from registry import demands, previewing, roles, rules, transfers
from registry.audience import keys
from registry.incidents import opening as entering
from registry.models import (
    AccessSettings,
    AuditSeal,
    AuditVerification,
    Authenticator,
    DataCategory,
    DataExport,
    DataSubject,
    ErasureRecord,
    JobRun,
    LegalGround,
    LegalHold,
    Passkey,
    PersonalDatum,
    PersonNotice,
    PurgeRun,
    Recipient,
    RecipientNotice,
    ReplyTemplate,
    SavedFilter,
    StaffMember,
    SubjectRequest,
    Transfer,
    TransferLine,
    WorkCalendarOverride,
)
from registry.requests import opening, papers, verifying
from registry.simulating import RULE, Proposal
from registry.transfers import notices, telling
from tests.factories import EMAIL, PHONE, hold, person, purpose, staff

ASKED, SCAN = "my geese must be counted", b"\x89PNG\r\n\x1a\n"
CANARIES = (EMAIL, ASKED, "Aigul", "77015551234", "7015551234", "701 555 12 34", "701) 555-12-34")


@dataclass
class House:
    """`root` did all that was done here; `subject` is the canary person, `datum` their address."""

    root: StaffMember
    subject: DataSubject
    datum: PersonalDatum
    hold: LegalHold
    rows: dict[type[Model], Any]


def build(now: datetime) -> House:
    root = staff("root")
    subject = person("site-news", email=EMAIL, phone=PHONE, now=now)
    rows = _about(root, subject, now) | _workings(root, now) | _staff(now) | _transfers(root, subject, now)
    datum = subject.data.get(category__code="email")
    return House(root, subject, datum, rows[LegalHold], rows | _shipped(rows))


def member(name: str, *codes: str, superuser: bool = False) -> StaffMember:
    """Appointed, with these roles."""
    someone = staff(name, superuser=superuser)
    someone.groups.set(Group.objects.filter(name__in=codes))
    return StaffMember.objects.get(pk=someone.pk)


def _staff(now: datetime) -> dict[type[Model], Any]:
    """A clerk with a second factor, whom others manage."""
    clerk = member("clerk", roles.OPERATOR)
    app = Authenticator.objects.create(person=clerk, wrapped=b"x", added_at=now)
    for number in b"12":  # the last one can't be removed
        key = Passkey.objects.create(
            person=clerk, name="key", credential_id=bytes([number]), public_key=b"x", added_at=now
        )
    return {type(row): row for row in (clerk, clerk.appointments.get(), app, key)}


def _about(root: StaffMember, subject: DataSubject, now: datetime) -> dict[type[Model], Any]:
    """What hangs on people; what is demanded is demanded of somebody else, so that the canary stays."""
    other, who = person(now=now), {"by": root, "now": now}
    ground = LegalGround.objects.first()
    entry = desk.enter({"phone": "87010000001"}, [purpose()], way="telephone", language="kk", **who)
    request = _request(root, subject, now)
    purge = {"datum_id": 10**9, "subject": other, "category_id": 1, "ground": "on_demand", "at": now}
    rows = [
        subject,
        hold(subject),
        demands.demand(other, ground=ground, reason="asked", **who),
        entry,
        ErasureRecord.objects.create(**purge),
        previewing.keep(now, taken_at=now, by=root),
        request,
        _mail(request, now),
    ]
    return {type(row): row for row in rows}


def _request(root: StaffMember, subject: DataSubject, now: datetime) -> SubjectRequest:
    """In work, with text and scan: the canary person asked at the desk for a copy."""
    contact, who = subject.data.live().contacts().order_by("pk")[0], {"by": root, "now": now}
    asked = {"channel": "desk", "language": "ru", "contact_id": contact.pk, "text": ASKED, "scan": SCAN}
    request = opening.receive(subject, SubjectRequest.Kind.ACCESS, **asked, **who)
    verifying.check(request, ["document"], **who)
    return SubjectRequest.objects.get(pk=request.pk)


def _mail(request: SubjectRequest, now: datetime) -> ReceivedMail:
    """A letter of the canary person, filed into their request."""
    datum_id = papers.keep(request.subject, papers.MAIL, ASKED, now=now)
    moments = {"arrived_at": now, "seen_at": now}
    return ReceivedMail.objects.create(
        key=b"k" * 32, uid=1, uid_validity=1, size=1, state="filed", request=request, datum_id=datum_id, **moments
    )


def _transfers(root: StaffMember, subject: DataSubject, now: datetime) -> dict[type[Model], Any]:
    """A court has got the canary person's address and must be told something; the next one waits for a second person."""
    court = Recipient.objects.create(
        code="court", kind="state_body", country_id="KZ", name_kk="n", name_ru="n", name_en="n"
    )
    given = transfer_to(court, root, now)
    transfers.build_waiting(clock=lambda: now)
    given.refresh_from_db()
    transfers.take(given, by=root, now=now).close()
    notices.open_for([subject.pk], notices.Event.CORRECTED, now=now)
    limit = AccessSettings.objects.get().plain_export_people
    AccessSettings.objects.update(plain_export_people=0)
    waits = transfer_to(court, root, now)
    AccessSettings.objects.update(plain_export_people=limit)
    notice = RecipientNotice.objects.get(subject=subject)
    telling.ask_to_be_told(subject, by=root, reason="asked", now=now)
    told = PersonNotice.objects.create(transfer=given, subject=subject, opened_at=now, due_on=now.date())
    return {Transfer: waits, TransferLine: waits.lines.first(), RecipientNotice: notice, PersonNotice: told}


def transfer_to(body: Recipient, by: StaffMember, now: datetime) -> Transfer:
    """What a state body asked for by law: everybody of the purpose."""
    email = tuple(DataCategory.objects.filter(code="email"))
    named = {"request_number": "7", "requested_on": now.date(), "article": "№ 9"}
    asked = transfers.Asked(body, Transfer.Ground.STATE_BODY, purpose(), email, **named)
    return transfers.ask(asked, file_format=Transfer.Format.CSV, reason="№ 10", by=by, now=now)


def _workings(root: StaffMember, now: datetime) -> dict[type[Model], Any]:
    policy = PolicyVersion.objects.first()
    asked = {"kind": "plain", "purpose": purpose(), "reason": "audit", "state": "waiting", "people": 1}
    sealed = {"first_entry": 1, "last_entry": 1, "count": 1, "lines": b"x", "previous": b"0" * 32, "head": b"1" * 32}
    texts = {f"{field}_{language}": "text" for field in ("title", "text") for language in ("kk", "ru", "en")}
    shorter = {field: getattr(purpose(), field) for field in RULE} | {"term_value": 1}
    rule = Proposal(purpose(), categories=tuple(purpose().categories.values_list("pk", flat=True)), **shorter)
    draft = {"number": 99, "effective_at": now, "text_kk": "text", "text_ru": "text", "text_en": "text"}
    cloud = Recipient.objects.create(
        code="cloud", kind="processor", country_id="KZ", name_kk="n", name_ru="n", name_en="n"
    )
    rows = [
        PolicyVersion.objects.create(**draft),
        rules.propose(rule, by=root, reason="shorter", now=now),
        Campaign.objects.create(policy=policy, mode="soft", started_at=now, started_by=root),
        DataExport.objects.create(**asked, requested_by=root, requested_at=now),
        AuditSeal.objects.create(**sealed, sealed_at=now),
        AuditVerification.objects.create(by=root, started_at=now),
        JobRun.objects.create(name="purge", started_at=now),
        PurgeRun.objects.create(as_of=now, started_at=now),
        ReplyTemplate.objects.create(code="hello", **texts),
        SavedFilter.objects.create(person=root, page="registry_datasubject", name="mine", query="status__exact=active"),
        cloud,
        keys.make(cloud, last_day=timezone.localdate(now), by=root, now=now)[0],
        WorkCalendarOverride.objects.create(day=now.date(), kind="dayoff", reason="decree"),
        entering.open_incident("loss", "a letter", DataCategory.objects.all()[:1], discovered_at=now, by=root, now=now),
    ]
    return {type(row): row for row in rows}


def _shipped(known: dict[type[Model], Any]) -> dict[type[Model], Any]:
    """The first row of every other list; a list without one would be walked past unseen."""
    others = {model: model._default_manager.order_by("pk").first() for model in site._registry if model not in known}
    missing = [model.__name__ for model, row in others.items() if row is None]
    assert not missing, missing
    return others
