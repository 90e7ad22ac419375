"""The gate of transfers: states of consent, grounds and countries; contracts, references, requests that stop.

Broken and seen to fail: the line of each reason in gate.PEOPLE; sending abroad asked on ground a only; `<=` of the term;
claimed values, and for a mailing stated ones, in the gate and in the file; the references; the first consent for the
last, any wording, any country; drop_lost, its places, and both ways to ask; the contract asked again when it is fetched;
the refusals of contract, data beyond it, data the purpose does not need, a request without number, a partner by law; the
record of a refused attempt.
"""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consent import decisions
from registry import transfers
from registry.incidents import opening as entering
from registry.keyring import keyring
from registry.models import (
    AuditEntry,
    Country,
    DataCategory,
    DataSubject,
    LegalGround,
    PersonalDatum,
    Recipient,
    SubjectRequest,
    Transfer,
)
from registry.normalise import normalise
from registry.processing import Scope
from registry.registration import record_datum
from registry.requests import answering, opening, verifying
from registry.requests.answering import Details
from registry.transfers import gate
from tests.factories import DAY, block, person, purpose, question, staff
from tests.registry.test_transfers import BOTH, NOBODY, PARTNERS, asked, gave, send, take_all

pytestmark = pytest.mark.django_db
ABROAD = Scope(cross_border=True)
SCOPES = {"both": BOTH, "partners": PARTNERS, "abroad": ABROAD, "nobody": NOBODY}
COUNTRIES = {"home": ("KZ", True), "protecting": ("FI", True), "not protecting": ("DE", False)}
BY_LAW = {"request_number": "12-4", "requested_on": date(2026, 11, 1), "article": "9(1)"}
Kind = SubjectRequest.Kind
STOPPING = [Kind.BLOCKING, Kind.ERASURE, Kind.WITHDRAWAL, Kind.OBJECTION]


def recipient(code="DE", *, is_protecting=False, kind="partner", categories=("email", "phone")):
    """A recipient with a contract, named by the purpose before anybody agrees."""
    country, _ = Country.objects.get_or_create(code=code, defaults={"name_kk": "Ел"})
    Country.objects.filter(code=code).update(is_protecting=is_protecting)
    country.refresh_from_db()
    made = Recipient.objects.create(
        code="lab", kind=kind, name_kk="Зертхана", name_ru="Лаборатория", name_en="Lab", country=country,
        contract_number="7", contract_on=date(2026, 1, 1),
    )  # fmt: skip
    made.categories.set(DataCategory.objects.filter(code__in=categories))
    news = purpose()
    news.third_parties, news.cross_border = "asked", "asked" if made.is_abroad else "no"
    news.save()
    news.recipients.add(made)
    return made


@pytest.fixture
def lab():
    return recipient()


@pytest.fixture
def by():
    return staff()


def category(code):
    return tuple(DataCategory.objects.filter(code=code))


def preview(asked_for, by, now):
    return transfers.preview(asked_for, by=by, now=now)


def incident(by, now):
    return entering.open_incident("loss", "a letter", category("email"), discovered_at=now, by=by, now=now)


# --- who goes, who stays ---------------------------------------------------------------------------------------------
def reason(ground, country, scope):
    """Why this person stays; None: goes. On grounds b and c the law stands for the consent to third parties; for the
    one to sending abroad only the article of a state body does (docs/decisions/0027-cross-border-by-law.md)."""
    if ground == "a" and not SCOPES[scope].third_parties:
        return "third_parties"
    may_leave = ground == "b" or country != "not protecting" or SCOPES[scope].cross_border
    return None if may_leave else "cross_border"


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("ground", "abc")
def test_who_goes_by_ground_country_and_consent(ground, country, scope, by, today):
    code, is_protecting = COUNTRIES[country]
    kind = "state_body" if ground == "b" else "partner"
    made = recipient(code, is_protecting=is_protecting, kind=kind)
    subject = gave(SCOPES[scope], now=today)
    also = {"a": {}, "b": BY_LAW, "c": {"incident": ground == "c" and incident(by, today)}}[ground]
    counts = preview(asked(made, ground=ground, **also), by, today)
    stays = reason(ground, country, scope)
    assert (counts.people, counts.left_out) == ((0, {stays: 1}) if stays else (1, {}))
    if not stays:
        line = send(made, by, today, ground=ground, **also).lines.get()
        may_leave = SCOPES[scope].cross_border and country != "home"  # nobody was asked otherwise
        assert (line.subject, line.third_parties, line.cross_border) == (
            subject,
            SCOPES[scope].third_parties,
            may_leave,
        )
        assert (line.record_id is not None) == (ground == "a")


@pytest.mark.parametrize(("ground", "also"), [("a", {}), ("b", BY_LAW)])
def test_blocked_lapsed_paused_or_withdrawn_keep_a_person_on_every_ground(ground, also, by, today):
    made = recipient(kind="state_body" if ground == "b" else "partner")
    block(gave(BOTH, now=today - DAY))
    for change in ({"paused_at": today}, {"lapses_at": today}, {"state": "closed", "lapses_at": today + DAY}):
        gave(BOTH, now=today - DAY).processing.filter(purpose=purpose()).update(**change)
    counts = preview(asked(made, ground=ground, **also), by, today)
    assert (counts.people, counts.left_out) == (0, {"ended": 1, "lapsed": 1, "paused": 1, "blocked": 1})


def test_a_term_that_ends_a_moment_later_lets_go(lab, by, today):
    gave(BOTH, now=today - DAY).processing.update(lapses_at=today + timedelta(microseconds=1))
    assert preview(asked(lab), by, today).people == 1


# --- countries -------------------------------------------------------------------------------------------------------
def test_a_country_nobody_has_marked_demands_the_tick(by, today):
    country = Country.objects.create(code="ZW", name_kk="Зимбабве")
    assert not country.is_protecting
    made = recipient("ZW")
    gave(PARTNERS, now=today)
    assert preview(asked(made), by, today).left_out == {"cross_border": 1}


def test_an_unknown_country_is_no_recipients_country(lab):
    with pytest.raises(IntegrityError), transaction.atomic():
        Recipient.objects.filter(pk=lab.pk).update(country="XX")
        connection.check_constraints()


def test_a_recipient_that_moved_to_another_country_is_in_nobodys_consent(lab, by, today):
    gave(BOTH, now=today)
    Country.objects.get_or_create(code="FR", defaults={"name_kk": "Франция", "is_protecting": False})
    Recipient.objects.filter(pk=lab.pk).update(country="FR")
    assert preview(asked(lab), by, today).left_out == {"not_named": 1}


def test_a_country_that_is_marked_later_needs_no_tick_any_more(lab, by, today):
    gave(PARTNERS, now=today)
    Country.objects.filter(code="DE").update(is_protecting=True)
    assert preview(asked(lab), by, today).people == 1


def test_a_country_whose_mark_is_taken_away_stops_a_file_that_is_ready(by, today):
    made = recipient("FI", is_protecting=True)
    gave(BOTH, now=today), gave(PARTNERS, now=today, email="only.home.canary@example.kz")
    transfer = send(made, by, today)
    assert transfer.people == 2 and transfers.build_waiting(clock=lambda: today) == 1
    Country.objects.filter(code="FI").update(is_protecting=False)
    taken = transfers.take(Transfer.objects.get(pk=transfer.pk), by=by, now=today)
    content = b"".join(taken)
    taken.close()
    assert b"@example.kz" in content and b"only.home.canary" not in content


# --- what cannot be at all -------------------------------------------------------------------------------------------
def is_refused(asked_for, by, now):
    """Whether it cannot be, with the attempt recorded."""
    try:
        preview(asked_for, by, now)
    except ValidationError:
        return AuditEntry.objects.filter(operation="refused", actor=by, object_type="registry.recipient").exists()
    return False


@pytest.mark.parametrize(
    ("begins", "ends", "refused"),
    [(1, None, True), (0, None, False), (-9, -1, True), (-9, 0, False), (-9, 1, False), (-9, None, False)],
)
def test_the_contract_counts_by_local_days(lab, by, today, begins, ends, refused):
    gave(BOTH, now=today)
    day = timezone.localdate(today)
    until = None if ends is None else day + ends * DAY
    Recipient.objects.filter(pk=lab.pk).update(contract_on=day + begins * DAY, contract_until=until)
    assert is_refused(asked(lab), by, today) == refused


def test_a_contract_that_ended_before_it_is_fetched_gives_nothing(lab, by, today):
    gave(BOTH, now=today)
    transfer = send(lab, by, today)
    assert transfers.build_waiting(clock=lambda: today) == 1
    Recipient.objects.filter(pk=lab.pk).update(contract_until=timezone.localdate(today) - DAY)
    with pytest.raises(ValidationError):
        transfers.take(transfer, by=by, now=today)
    assert Transfer.objects.get(pk=transfer.pk).state == "ready"
    assert AuditEntry.objects.filter(operation="refused", object_id=transfer.pk).count() == 1


@pytest.mark.parametrize("lacks", BY_LAW)
def test_a_state_body_names_number_date_and_article(by, today, lacks):
    made = recipient(kind="state_body")
    gave(NOBODY, now=today)
    assert is_refused(asked(made, ground="b", **BY_LAW | {lacks: None if lacks == "requested_on" else "  "}), by, today)
    assert preview(asked(made, ground="b", **BY_LAW), by, today).people == 1


def test_a_partner_cannot_ask_by_law(lab, by, today):
    gave(BOTH, now=today)
    assert is_refused(asked(lab, ground="b", **BY_LAW), by, today)


def test_a_state_body_needs_no_contract(by, today):
    made = recipient(kind="state_body")
    Recipient.objects.update(contract_number="", contract_on=None)
    gave(NOBODY, now=today)
    assert preview(asked(made, ground="b", **BY_LAW), by, today).people == 1


def test_a_category_beyond_the_contract_is_refused(by, today):
    made = recipient(categories=("email",))
    gave(BOTH, now=today)
    assert is_refused(asked(made, categories=category("email") + category("phone")), by, today)
    assert preview(asked(made), by, today).people == 1


def test_not_even_a_state_body_is_given_our_own_evidence(by, today):
    made = recipient(kind="state_body")
    technical = category("technical")
    assert technical
    assert is_refused(asked(made, ground="b", categories=technical, **BY_LAW), by, today)


# --- whom it is asked about ------------------------------------------------------------------------------------------
def test_only_who_is_named_is_looked_at(lab, by, today):
    goes, stays = gave(BOTH, now=today), gave(NOBODY, now=today)
    gave(BOTH, now=today), gave(NOBODY, now=today)
    named = (goes.reference, stays.reference, "DS-AAAA-AAAA")
    counts = preview(asked(lab, references=named), by, today)
    assert (counts.people, counts.left_out) == (1, {"third_parties": 1})
    assert send(lab, by, today, references=named).lines.get().subject == goes


def test_naming_nobody_means_nobody(lab, by, today):
    gave(BOTH, now=today)
    assert preview(asked(lab, references=()), by, today) == gate.Counts(0, {})


def request(subject, kind, now):
    contact = subject.data.live().contacts().first()
    return opening.receive(subject, kind, channel="page", language="kk", now=now, contact_id=contact.pk)


@pytest.mark.parametrize("kind", Kind.values)
def test_an_open_request_that_may_stop_it_keeps_the_person(lab, by, today, kind):
    subject, _other = gave(BOTH, now=today), gave(BOTH, now=today)
    asked_by_them = request(subject, kind, today)
    expected = gate.Counts(1, {"asked_to_stop": 1}) if kind in STOPPING else gate.Counts(2, {})
    assert preview(asked(lab), by, today) == expected
    if kind != Kind.WITHDRAWAL:  # it is carried out at once
        verifying.confirm(asked_by_them.pk, now=today)
        assert preview(asked(lab), by, today) == expected


def test_a_request_that_was_refused_stops_nothing_any_more(lab, by, today):
    subject = gave(BOTH, now=today)
    asked_by_them = request(subject, Kind.OBJECTION, today)
    verifying.confirm(asked_by_them.pk, now=today)
    ground = Details(LegalGround.objects.first())
    answering.answer(
        SubjectRequest.objects.get(pk=asked_by_them.pk), "refused", "No.", by=by, now=today, details=ground
    )
    assert preview(asked(lab), by, today).people == 1


def claim(subject, code, value, now):
    datum = PersonalDatum(
        subject=subject, category=category(code)[0], index=value.encode().ljust(32)[:32], source="subject",
        standing="claimed", recorded_at=now,
    )  # fmt: skip
    datum.seal(value, keyring().masters)


def test_a_value_that_is_only_claimed_goes_nowhere(lab, by, today):
    subject = gave(BOTH, now=today, email="confirmed.canary@example.kz")
    claim(subject, "email", "claimed.canary@example.kz", today), claim(subject, "phone", "+77015551234", today)
    assert preview(asked(lab, categories=category("phone")), by, today).left_out == {"no_value": 1}
    both = category("email") + category("phone")
    content = take_all(send(lab, by, today, categories=both), by, today)
    assert b"confirmed.canary" in content and b"claimed.canary" not in content and b"5551234" not in content


def test_who_has_not_confirmed_is_not_there_at_all(lab, by, today):
    question(now=today)
    assert preview(asked(lab), by, today) == gate.Counts(0, {})


def test_without_a_value_of_the_category_nobody_goes(lab, by, today):
    gave(BOTH, now=today), gave(BOTH, now=today, phone="+77015551234")
    counts = preview(asked(lab, categories=category("phone")), by, today)
    assert (counts.people, counts.left_out) == (1, {"no_value": 1})


def test_a_newer_consent_without_the_partners_counts(lab, by, today):
    subject = gave(BOTH, now=today - DAY)
    decisions.withdraw(subject, None, now=today - DAY / 2, channel="page")
    decisions.give(subject, [purpose()], now=today - DAY / 4, scope=NOBODY)
    assert preview(asked(lab), by, today).left_out == {"third_parties": 1}


def test_the_last_consent_counts_and_not_an_older_one_that_named_the_recipient(lab, by, today):
    subject, news = gave(BOTH, now=today - DAY), purpose()
    assert preview(asked(lab), by, today).people == 1
    other = Recipient.objects.create(code="bureau", kind="partner", name_kk="Бюро", country=lab.country)
    news.recipients.set([other])
    decisions.withdraw(subject, None, now=today - DAY / 2, channel="page")
    decisions.give(subject, [purpose()], now=today - DAY / 4, scope=BOTH)
    news.recipients.add(lab)
    assert preview(asked(lab), by, today).left_out == {"not_named": 1}


def test_whose_address_is_not_confirmed_any_more_stays(lab, by, today):
    subject = gave(BOTH, now=today)
    DataSubject.objects.filter(pk=subject.pk).update(status=DataSubject.Status.PENDING)
    assert preview(asked(lab), by, today).left_out == {"unconfirmed": 1}


def test_more_people_need_no_more_queries(lab, by, today):
    counted = []
    for number in (1, 9):
        for _one in range(number):
            gave(BOTH, now=today), person(now=today)
        with CaptureQueriesContext(connection) as queries:
            take_all(send(lab, by, today), by, today)
        counted.append(len(queries))
    assert counted[0] == counted[1]


# --- what is there to be written to ----------------------------------------------------------------------------------
def stated_phone(subject, number, now):
    """A number somebody typed in beside an address that was confirmed."""
    record_datum(subject, category("phone")[0], normalise("phone", number), standing="stated", now=now)


def both_contacts():
    purpose().categories.set(DataCategory.objects.filter(code__in=["email", "phone"]))
    return category("email") + category("phone")


@pytest.mark.parametrize(("kind", "also"), [("partner", {"with_links": True}), ("own", {"ground": "o"})])
def test_a_mailing_gets_only_what_its_owner_has_confirmed(kind, also, by, today):
    made = recipient("KZ", kind=kind)
    stated_phone(gave(BOTH, now=today, email="owner.canary@example.kz"), "+77015550001", today)
    content = take_all(send(made, by, today, categories=both_contacts(), **also), by, now=today)
    assert b"owner.canary@example.kz" in content and b"77015550001" not in content


def test_whoever_has_confirmed_nothing_to_be_written_to_stays(by, today):
    made, contacts = recipient("KZ", kind="own"), both_contacts()
    subject = gave(BOTH, now=today)
    stated_phone(subject, "+77015550001", today)
    by_number = asked(made, ground="o", categories=contacts[1:])
    counts = preview(by_number, by, today)
    assert (counts.people, counts.left_out) == (0, {"unconfirmed": 1})
    subject.data.filter(category__code="phone").update(standing="confirmed", confirmed_at=today)
    assert preview(by_number, by, today).people == 1


def test_a_partner_gets_what_was_stated_as_well(lab, by, today):
    stated_phone(gave(BOTH, now=today), "+77015550001", today)
    assert b"77015550001" in take_all(send(lab, by, today, categories=both_contacts()), by, now=today)


# --- a few people and everybody are asked alike ----------------------------------------------------------------------
def kept_by(subject, today, change):
    if change == "no value":
        subject.data.update(superseded_at=today, keep_until=today)
    elif change == "blocked":
        block(subject)
    elif change == "stop":
        opening.receive(subject, Kind.OBJECTION, channel="page", language="kk", now=today)
    else:
        subject.processing.filter(purpose=purpose()).update(**change)


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "closed"}, "ended"),
        ({"paused_at": timezone.now()}, "paused"),
        ({"third_parties": False}, "third_parties"),
        ({"cross_border": False}, "cross_border"),
        ("blocked", "blocked"),
        ("stop", "asked_to_stop"),
        ("no value", "no_value"),
    ],
)
def test_who_is_lost_before_it_is_given_is_noted_with_the_reason(change, reason, few, lab, by, today, monkeypatch):
    """Looked up one by one, as in a small transfer, or all at once, as in a large one."""
    monkeypatch.setattr(gate, "FEW", few)
    stays, goes, lapsed = (gave(BOTH, now=today) for _ in range(3))
    transfer = send(lab, by, today)
    assert transfers.build_waiting(clock=lambda: today) == 1
    kept_by(stays, today, change), kept_by(lapsed, today, {"lapses_at": today})
    gate.drop_lost(transfer, today)
    lines = dict(transfer.lines.values_list("subject", "dropped"))
    assert lines == {stays.pk: reason, goes.pk: "", lapsed.pk: "lapsed"}


def test_a_few_by_reference_are_asked_as_everybody_is(lab, by, today):
    people = [gave(scope, now=today) for scope in (BOTH, PARTNERS, NOBODY)]
    block(people[1])
    references = tuple(one.reference for one in people)
    everybody = preview(asked(lab), by, today)
    assert preview(asked(lab, references=references), by, today) == everybody
    assert (everybody.people, everybody.left_out) == (1, {"blocked": 1, "third_parties": 1})
