"""If the audit takes no entry, the console answers 503 and nothing is changed: every act, with a trigger that raises.

Broken and seen to fail: `NotRecorded` swallowed, or unknown to the middleware; a recovery code used up before the sign-in is
recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from consent.models import Confirmation, PolicyVersion, ReceivedMail
from registry import auditing, blocking, transfers
from registry.admin.transfer_forms import AskForm
from registry.incidents import acts as breaches
from registry.incidents import opening as entering
from registry.models import (
    Appointment,
    AuditEntry,
    DataCategory,
    DataExport,
    DataSubject,
    Incident,
    LegalGround,
    LegalHold,
    Passkey,
    PersonNotice,
    PurgePreview,
    RecipientKey,
    RecipientNotice,
    RuleChange,
    StaffMember,
    SubjectRequest,
    Transfer,
)
from registry.requests import answering, copying, opening, verifying
from registry.sign_in import recovery_codes
from registry.transfers import notices
from tests.browser.conftest import shipped  # noqa: F401 (a fixture: a draft of the policy is made and goes again)
from tests.conftest import owner_connection
from tests.factories import EMAIL, enter, person, purpose
from tests.faults.tables import contents
from tests.house import CANARIES, House, build, member, transfer_to

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")
# A session notes when it was seen; an attempt is counted whatever comes of it.
NOT_COMPARED = ("django_session", "registry_staffsession", "consent_attempt")
BREAK = """
CREATE FUNCTION test_full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER test_full_disk BEFORE INSERT ON registry_auditentry FOR EACH ROW EXECUTE FUNCTION test_full_disk();
"""


class Act(NamedTuple):
    name: str
    by: str
    address: str
    body: dict[str, Any]


class Filled(HTMLParser):
    """What a browser would send of the page's main form if nobody touched it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.is_inside, self.body, self._select, self._text = False, {}, "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag == "form":
            self.is_inside = str(given.get("id", "")).endswith("_form") and given.get("method") == "post"
        name, kind = given.get("name"), given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            self._add(self._select, given.get("value", ""))
        elif tag == "textarea":
            self._text = name
        elif tag == "input" and name and kind not in {"submit", "file"}:
            is_box = kind in {"checkbox", "radio"}
            if not is_box or "checked" in given:
                self._add(name, given.get("value", "on" if is_box else ""))

    def handle_data(self, data: str) -> None:
        if self._text:
            self._add(self._text, data.removeprefix("\r\n").removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""
        elif tag == "form":
            self.is_inside = False

    def _add(self, name: str, value: str) -> None:
        if self.is_inside:
            self.body.setdefault(name, []).append(value)


class Console:
    """Who acts here. All are signed in, but for `half`, who has shown a password and has codes on paper."""

    def __init__(self, house: House) -> None:
        now, half = timezone.now(), member("half")
        Passkey.objects.create(person=half, name="key", credential_id=b"y", public_key=b"y", added_at=now)
        self.codes = {one.username: recovery_codes.make(one, now)[0] for one in (half, house.rows[StaffMember])}
        people = {"root": house.root, "second": member("second", superuser=True), "clerk": house.rows[StaffMember]}
        self.clients = {name: Client(raise_request_exception=False) for name in people}
        for name, someone in people.items():
            enter(self.clients[name], someone)
        self.clients["half"] = Client(raise_request_exception=False)
        self.clients["half"].post(at("login"), {"username": "half", "password": "a long pass phrase"})

    def post(self, act: Act) -> Any:
        return self.clients[act.by].post(act.address, act.body)


def at(name: str, *arguments: Any) -> str:
    return reverse(f"admin:{name}", args=arguments)


def acts(house: House, console: Console) -> list[Act]:
    """One of everything that changes something or shows a value."""
    row, subject = house.rows, house.subject.pk
    ground = LegalGround.objects.filter(valid_until=None).first().pk
    blocked = person(now=timezone.now())
    blocking.block(blocked, by=None, reason="asked", now=timezone.now())
    reason = {"reason": "checked"}
    preview, change, export = row[PurgePreview].pk, row[RuleChange].pk, row[DataExport].pk
    plain = {"purpose": purpose().pk} | reason
    listed = [
        ("reveal", "root", at("reveal", house.datum.pk), reason),
        ("find", "root", at("find"), {"term": EMAIL}),
        ("block", "root", at("block_subject", subject), reason),
        ("unblock", "root", at("unblock_subject", blocked.pk), reason),
        ("hold", "root", at("place_hold", subject), {"ground": ground} | reason),
        ("release", "root", at("release_hold", house.hold.pk), reason),
        ("hold by form", "root", at("registry_legalhold_add"), {"subject": subject, "ground": ground} | reason),
        ("release by action", "root", at("registry_legalhold_changelist"), released(house.hold) | reason),
        ("erase", "root", at("demand_erasure", subject), {"ground": ground} | reason),
        ("keep preview", "root", at("purge_keep"), {}),
        ("ask purge", "root", at("purge_decide", preview), {"act": "request"}),
        ("export preview", "root", at("purge_export", preview), {}),
        ("propose", "root", at("rule_propose", purpose("feedback").pk), proposal() | reason),
        ("approve rule", "second", at("rule_decide", change), {"act": "approve"} | reason),
        ("close purpose", "root", at("purpose_close", purpose("feedback").pk), reason),
        ("publish", "root", at("consent_policyversion_changelist"), chosen("publish", row[PolicyVersion])),
        ("stop campaign", "root", at("campaign_stop", row_of(row, "campaign")), {}),
        ("refuse entry", "second", at("desk_decide", row[Confirmation].pk), {"act": "refuse"} | reason),
        ("enter", "root", at("desk_enter"), {"way": "telephone", "purposes": ["site-news"], "email": "b@example.kz"}),
        ("masked list", "root", at("export_ask"), plain),
        ("readable list", "root", at("export_ask_plain"), plain),
        ("approve list", "second", at("export_decide", export), {"act": "approve"}),
        ("cancel list", "root", at("export_decide", export), {"act": "cancel"}),
        ("let in anew", "root", at("sign_in_reset", row[StaffMember].pk), {}),
        ("remove key", "clerk", at("passkey_remove", row[Passkey].pk), {}),
        ("password", "root", at("password_change"), passwords()),
        ("wrong password", "root", at("login"), {"username": "second", "password": "nothing"}),
        ("wrong code", "half", at("factor"), {"recovery": "ABCD"}),
        ("code on paper", "half", at("factor"), {"recovery": console.codes["half"]}),
        ("code on paper once more", "clerk", at("step_up"), {"recovery": console.codes["clerk"]}),
        ("new account", "root", at("registry_staffmember_add"), {"username": "fresh"}),
        ("role", "root", at("registry_staffmember_change", row[StaffMember].pk), role(console, row[StaffMember])),
        ("appoint", "root", at("registry_appointment_add"), order(row[StaffMember])),
        ("revoke", "root", at("registry_appointment_change", row[Appointment].pk), {"revoked_on": "01.11.2026"}),
    ]
    others = [*with_requests(house), *with_incidents(house), *with_transfers(house)]
    return [*(Act(*one) for one in [*listed, *others]), *settings_changed(house, console)]


def with_requests(house: House) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Everything staff do with requests: the house's own, which is in work; one that waits; one of each kind to answer."""
    reason, row, ground = {"reason": "checked"}, house.rows[SubjectRequest], LegalGround.objects.first().pk
    waits = asked(house, house.subject, "other")
    known = asked(house, house.subject, "rectification")
    verifying.check(known, ["document"], by=house.root, now=timezone.now())
    moves = {
        "take": {}, "kind": {"kind": "blocking"}, "doubt": reason, "spam": reason, "copy": {},
        "extend": {"days": 1, "ground": ground} | reason, "text": reason, "scan": reason,
    }  # fmt: skip
    yield from ((f"request {name}", "root", at(f"request_{name}", row.pk), body) for name, body in moves.items())
    yield "request join", "root", at("request_join", waits.pk), {"other": known.pk}
    yield "hand over copy", "root", at("request_hand_over", with_a_copy(house).pk), {}
    yield "request check", "root", at("request_check", waits.pk), {"checks": ["document"]}
    yield "request ask", "root", at("request_ask", waits.pk), {}
    reached = asked(house, person("feedback", phone="8 701 000 00 77", now=timezone.now()), "other")
    reached.subject.data.filter(category__code="phone").update(standing="confirmed", confirmed_at=timezone.now())
    number = reached.subject.data.live().get(category__code="phone")
    yield "request contact", "root", at("request_contact", reached.pk), {"contact": number.pk}
    when = {"received_at": "2026-11-20T10:00", "language": "kk", "kind": "other"}
    yield "request enter", "root", at("request_enter_for", house.subject.pk), when
    yield "request enter new", "root", at("request_enter_new"), when | {"contact": "new@example.kz"}
    yield "request find", "root", at("request_enter"), {"term": EMAIL}
    moments = {"arrived_at": timezone.now(), "seen_at": timezone.now()}
    mail = ReceivedMail.objects.create(
        key=b"q" * 32, uid=2, uid_validity=1, size=1, state="quarantined", why="unreadable", **moments
    )
    yield "mail resolve", "root", at("mail_resolve", mail.pk), {}
    yield "mail read", "root", at("mail_read", house.rows[ReceivedMail].pk), reason
    needs = {
        "erasure": {"ground": ground}, "blocking": {}, "other": {},
        "rectification": {"value": "right@example.kz"},
    }  # fmt: skip
    for kind, also in needs.items():
        one = asked(house, person(now=timezone.now()), kind)
        verifying.check(one, ["document"], by=house.root, now=timezone.now())
        body = {"kind": kind, "text": "Done.", "datum": one.contact_id} | also
        yield f"answer {kind}", "root", f"{at('request_answer', one.pk)}?outcome=granted", body
    body = {"kind": row.kind, "text": "No.", "ground": ground}
    yield "refuse request", "root", f"{at('request_answer', row.pk)}?outcome=refused", body


def with_incidents(house: House) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Everything done with a breach: the house's own, and others that wait to be closed."""
    row, reason = house.rows[Incident], {"reason": "checked"}
    moment = f"{timezone.localtime() + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"  # not before the house's own discovery
    told, stated, data = entered(house), entered(house), DataCategory.objects.first().pk
    sent = {"sent_at": moment, "how": "post"}
    breaches.note_sent(told, sent_at=timezone.now(), how="post", reference="", by=house.root, now=timezone.now())
    breaches.state_no_notice(stated, reason="no key", by=house.root, now=timezone.now())
    entry = {"kind": "loss", "discovered_at": moment, "happened": "a letter", "categories": [data]}
    yield "enter incident", "root", at("incident_enter"), entry
    yield "measure", "root", at("incident_measure", row.pk), {"text": "a lock", "at": moment}
    yield "finding", "root", at("incident_finding", row.pk), {"text": "a copy", "at": moment}
    kept = {"references": house.subject.reference, "act": "keep", "seen": "1"} | reason
    yield "source", "root", at("incident_source_references", row.pk), kept
    yield "sent", "root", at("incident_sent", row.pk), sent
    yield "no notice", "root", at("incident_no_notice", row.pk), reason
    yield "close incident", "root", at("incident_close", told.pk), reason
    yield "close without notice", "second", at("incident_close", stated.pk), reason


def with_transfers(house: House) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """The house's own waits for a second person and is to be told about; another is ready, another notice was told."""
    row, reason, now = house.rows[Transfer], {"reason": "checked"}, timezone.now()
    decide, format_ = at("transfer_decide", row.pk), {"file_format": "csv"}
    fields = {
        "recipient": [f"{row.recipient_id}"], "ground": ["b"], "purpose": [f"{row.purpose_id}"],
        "categories": [f"{DataCategory.objects.get(code='email').pk}"], "request_number": ["8"],
        "requested_on": ["2026-11-20"], "article": ["art. 9"],
    }  # fmt: skip
    asked_for = fields | reason | format_ | {"act": "ask", "seen": AskForm(MultiValueDict(fields)).mark()}
    yield "ask for a transfer", "root", at("transfer_ask"), asked_for
    yield "refuse a transfer that can't be", "root", at("transfer_ask"), fields | {"act": "look", "article": ""}
    yield "approve transfer", "second", decide, {"act": "approve"}
    yield "refuse transfer", "second", decide, {"act": "refuse"} | reason
    yield "give transfer up", "root", decide, {"act": "cancel"}
    yield "statistics", "root", at("transfer_statistics"), {"recipient": row.recipient_id} | reason | format_
    ready = transfer_to(row.recipient, house.root, now)
    transfers.build_waiting(clock=lambda: now)
    yield "fetch transfer", "root", at("transfer_take", ready.pk), {}
    key = house.rows[RecipientKey]
    day = {"last_day": f"{timezone.localdate(now):%Y-%m-%d}"}
    yield "make a key", "root", at("recipient_key_make", key.recipient_id), day
    yield "revoke a key", "root", at("recipient_key_revoke", key.recipient_id, key.pk), {}
    yield "told", "root", at("notice_note", house.rows[RecipientNotice].pk), {"act": "told"}
    yield "told a person", "root", at("person_notice_note", house.rows[PersonNotice].pk), {}
    yield "condition ended", "root", at("telling_condition", house.subject.pk), reason
    yield "condition made", "root", at("telling_condition", person(now=now).pk), reason
    notices.open_for([house.subject.pk], notices.Event.BLOCKED, now=now)
    told = RecipientNotice.objects.get(event=notices.Event.BLOCKED)
    notices.note_told(told, by=house.root, now=now)
    yield "confirmed", "root", at("notice_note", told.pk), {"act": "confirmed"}


def entered(house: House) -> Incident:
    data, now = DataCategory.objects.all()[:1], timezone.now()
    return entering.open_incident("loss", "a letter", data, discovered_at=now, by=house.root, now=now)


def asked(house: House, subject: DataSubject, kind: str) -> SubjectRequest:
    contact, who = subject.data.live().contacts().order_by("pk")[0], {"by": house.root, "now": timezone.now()}
    return opening.receive(subject, kind, channel="desk", language="kk", contact_id=contact.pk, **who)


def with_a_copy(house: House) -> SubjectRequest:
    """Of somebody who was at the desk and left no contact."""
    who = {"by": house.root, "now": timezone.now()}
    row = opening.receive(person(now=timezone.now()), "access", channel="desk", language="kk", **who)
    verifying.check(row, ["document"], **who)
    copying.ask(row, **who)
    copying.build_waiting(clock=timezone.now)
    answering.answer(row, "granted", "Here it is.", **who)
    return row


def settings_changed(house: House, console: Console) -> Iterator[Act]:
    """Saving each form of settings as it is."""
    for model in site._registry:
        page = f"{model._meta.app_label}_{model._meta.model_name}"
        if not hasattr(model, "history") or model in {Appointment, LegalHold} or page.endswith("processing"):
            continue
        address = at(f"{page}_change", house.rows[model].pk)
        body = Filled(console.clients["root"].get(address).content.decode()).body
        if body:
            yield Act(f"save {page}", "root", address, body)


def row_of(rows: dict[Any, Any], name: str) -> int:
    return int(next(row.pk for model, row in rows.items() if model._meta.model_name == name))


def released(hold: LegalHold) -> dict[str, Any]:
    return chosen("release", hold) | {"confirmed": "1"}


def chosen(action: str, row: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [row.pk], "index": "0"}


def proposal() -> dict[str, Any]:
    rule = {"clock": "consent_given", "term_value": 1, "term_unit": "days", "outcome": "destroy", "act": "ask"}
    return rule | {"categories": list(purpose("feedback").categories.values_list("pk", flat=True))}


def passwords() -> dict[str, str]:
    chosen = {"new_password1": "Бөлек сөз 2026", "new_password2": "Бөлек сөз 2026"}
    return {"old_password": "a long pass phrase"} | chosen


def role(console: Console, clerk: StaffMember) -> dict[str, Any]:
    page = console.clients["root"].get(at("registry_staffmember_change", clerk.pk)).content.decode()
    return Filled(page).body | {"groups": [Group.objects.get(name="Auditor").pk]}


def order(clerk: StaffMember) -> dict[str, Any]:
    day = "26.11.2026"
    return {"person": clerk.pk, "order_number": "9", "ordered_on": day, "scope": "all", "valid_from": day}


@contextmanager
def audit_down() -> Iterator[None]:
    with owner_connection() as connection:
        connection.execute(BREAK)
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION test_full_disk CASCADE")


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.mark.django_db
def test_each_act_is_done_and_recorded_while_the_audit_takes_entries():
    house = build(timezone.now())
    console, idle = Console(house), []
    for act in acts(house, console):
        before, undo = AuditEntry.objects.count(), transaction.savepoint()
        keys = {name: client.session.session_key for name, client in console.clients.items()}
        answer = console.post(act)
        if answer.status_code >= 400 or AuditEntry.objects.count() == before:
            idle.append(f"{act.name}: {answer.status_code}")
        b"".join(answer.streaming_content if answer.streaming else ())  # a file is closed when it was read
        transaction.savepoint_rollback(undo)
        for name, client in console.clients.items():
            client.cookies["session"] = keys[name]
    assert not idle, "\n".join(idle)


@pytest.mark.django_db(transaction=True)
def test_no_act_happens_while_the_audit_takes_no_entry(shipped, caplog):  # noqa: F811
    house = build(timezone.now())
    console, wrong = Console(house), []
    planned = acts(house, console)
    before = contents(NOT_COMPARED)
    with audit_down():
        for act in planned:
            answer = console.post(act)
            after = contents(NOT_COMPARED)
            if answer.status_code != 503 or after != before:
                changed = [name for name, digest in after.items() if digest != before.get(name)]
                wrong.append(f"{act.name}: {answer.status_code} {changed}")
                before = after
            text = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert not any(canary in text.decode() for canary in CANARIES)
    assert not wrong, "\n".join(wrong)
    assert "the audit took no entry" in caplog.text
    assert not any(canary in caplog.text for canary in CANARIES)


@pytest.mark.django_db(transaction=True)
def test_what_was_done_before_in_the_same_transaction_goes_with_it():
    with audit_down(), pytest.raises(auditing.NotRecorded), transaction.atomic():
        Group.objects.create(name="Branch office")
        auditing.record(AuditEntry.Operation.CONFIGURE, now=timezone.now(), system="test")
    assert not Group.objects.filter(name="Branch office").exists()


@pytest.mark.django_db(transaction=True)
def test_whoever_catches_it_can_t_go_on_in_the_same_transaction():
    with audit_down(), transaction.atomic():
        Group.objects.create(name="Branch office")
        with pytest.raises(auditing.NotRecorded):
            auditing.record(AuditEntry.Operation.CONFIGURE, now=timezone.now(), system="test")
        with pytest.raises(transaction.TransactionManagementError):
            Group.objects.count()
    assert not Group.objects.filter(name="Branch office").exists()
