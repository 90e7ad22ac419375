"""Mailing lists out: who is in, who left and why, cursors, the journal; who must not be written to; addresses asked about.

Broken and seen to fail: ground o for others and for purposes by law; cursors that begin with the last instead of the moment,
a cursor that was never given, the horizon before and at the end of a stream, and past it with `whole`; the mark of who was
lost, the gate and the key asked again, values no longer in force; notices while it is sent, the third answer at once; others'
suppression lists, plain ones for partners, addresses of two people; the memory and the gate of `check`; the trigger
`place_stays`; only confirmed addresses, told and asked about.
"""

import csv
import hashlib
import io
import json
from datetime import timedelta
from unittest.mock import ANY

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from consent import decisions
from consent.models import ConsentRecord
from registry import audience, blocking, demands, memory, traces, transfers
from registry.audience import feed, handing, keys, suppressing
from registry.models import (
    AudienceEntry,
    AudienceHorizon,
    AuditEntry,
    DataCategory,
    LegalGround,
    PersonalDatum,
    ProcessingPurpose,
    Recipient,
    RecipientKey,
    RecipientNotice,
    SelfRetentionRule,
    SubjectRequest,
    Transfer,
    TransferLine,
)
from registry.normalise import normalise
from registry.processing import Scope
from registry.registration import record_datum
from registry.requests import opening
from registry.transfers import Asked, refusing
from tests.factories import DAY, block, enter, keep_until, person, purpose, question, staff
from tests.registry.test_recipient_keys import mailer
from tests.registry.test_transfer_gate import BY_LAW, recipient

pytestmark = pytest.mark.django_db
BOTH, PARTNERS, NOBODY = Scope(third_parties=True, cross_border=True), Scope(third_parties=True), Scope()


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def by():
    return staff("maker")


@pytest.fixture
def own():
    return mailer()


@pytest.fixture
def key(own, by, today):
    return key_for(own, by, today)


def key_for(whom, by, now, days=300):
    made, text = keys.make(whom, last_day=timezone.localdate(now) + timedelta(days=days), by=by, now=now)
    made.text = text
    return made


def gave(scope=NOBODY, *, now, **also):
    subject = person(now=now - DAY, **also)
    if scope is not NOBODY:
        decisions.give(subject, [purpose()], now=now - DAY, scope=scope)
    return subject


def withdraw(subject, now=None):
    decisions.withdraw(subject, None, now=now or timezone.now(), channel=ConsentRecord.Channel.LINK)


def lines_of(content):
    return [json.loads(line) for line in content.decode().splitlines()]


def told(key, since=0, now=None, code="site-news"):
    """What a program reads, without the last line, which must be there; and the cursor it goes on from."""
    fresh = RecipientKey.objects.select_related("recipient__country").get(pk=key.pk)
    lines = lines_of(b"".join(audience.opened(fresh, purpose(code), since, clock=lambda: now or timezone.now())))
    assert lines[-1] == {"cursor": lines[-1]["cursor"], "end": True}
    return lines[:-1], lines[-1]["cursor"]


def changes(key, since=0, now=None):
    """By reference, what a program is told."""
    return {line["reference"]: line["change"] for line in told(key, since, now)[0]}


def ask(key, address, **query):
    return Client().get(f"/api/v1/{address}/", query, headers={"authorization": f"Bearer {key.text}"})


def read(answer):
    return b"".join(answer.streaming_content)


# --- who may be written to -------------------------------------------------------------------------------------------
def lost(today):
    """People in every state that keeps them, by the reason of the gate."""
    people = {
        name: gave(BOTH, now=today) for name in ("ended", "lapsed", "paused", "blocked", "asked_to_stop", "erased")
    }
    withdraw(people["ended"])
    keep_until(people["lapsed"], today)
    people["paused"].processing.update(paused_at=today)
    block(people["blocked"])
    opening.receive(people["asked_to_stop"], SubjectRequest.Kind.BLOCKING, channel="page", language="kk", now=today)
    ground = LegalGround.objects.first()
    demands.demand(people["erased"], ground=ground, reason="asked", by=staff("eraser"), now=today)
    people["unconfirmed"] = question(email="asked.canary@example.kz", now=today).subject
    return people


@pytest.mark.parametrize("kind", ["own", "processor", "partner"])
def test_states_and_recipients(kind, by, today):
    """One's own program asks no consent to third parties; everybody else does. Nothing else differs."""
    whom = mailer("own", code="lab") if kind == "own" else recipient("KZ", kind=kind)
    stays = lost(today)
    agreed, not_asked = gave(BOTH, now=today), gave(NOBODY, now=today)
    key = key_for(whom, by, today)
    expected = {agreed.reference: "in"} | ({not_asked.reference: "in"} if kind == "own" else {})
    assert changes(key, now=today) == expected
    assert not {one.reference for one in stays.values()} & changes(key, now=today).keys()
    given = Transfer.objects.first()
    assert (given.ground, given.people) == ("o" if kind == "own" else "a", len(expected))
    reasons = {"ended": 2, "lapsed": 1, "paused": 1, "blocked": 1, "asked_to_stop": 1}
    assert given.left_out == reasons | ({} if kind == "own" else {"third_parties": 1})


def only_typed_in(subject):
    """Their address was never confirmed: they are known by another contact."""
    subject.data.filter(category__code="email").update(standing="stated", confirmed_at=None)


@pytest.mark.parametrize("kind", ["own", "processor"])
def test_nobody_is_written_to_at_an_address_somebody_only_typed_in(kind, by, today):
    whom = mailer("own", code="lab") if kind == "own" else recipient("KZ", kind=kind)
    key, subject = key_for(whom, by, today), gave(BOTH, now=today, email="typed.canary@example.kz")
    assert changes(key, now=today) == {subject.reference: "in"}
    _changes, cursor = told(key, now=today)
    only_typed_in(subject)
    assert told(key, cursor, now=today)[0] == [{"cursor": ANY, "reference": subject.reference, "change": "out"}]
    answer = check(key, ["typed.canary@example.kz"])
    assert answer.json()["results"] == [{"may": False}]


def test_of_two_addresses_the_confirmed_one_is_written_to(key, today):
    subject = gave(now=today, email="own.canary@example.kz")
    typed = normalise("email", "typed.canary@example.kz")
    record_datum(subject, DataCategory.objects.get(code="email"), typed, standing="stated", now=today)
    assert [line["email"] for line in told(key, now=today)[0]] == ["own.canary@example.kz"]
    answer = check(key, ["own.canary@example.kz", "typed.canary@example.kz"])
    assert answer.json()["results"] == [{"may": True}, {"may": False}]


@pytest.mark.parametrize(
    ("country", "scope", "is_in"),
    [("KZ", PARTNERS, True), ("DE", PARTNERS, False), ("DE", BOTH, True), ("KZ", NOBODY, False)],
)
def test_abroad_the_tick_is_asked_for_as_in_files(country, scope, is_in, by, today):
    whom = recipient(country, kind="processor")
    subject = gave(scope, now=today)
    assert (subject.reference in changes(key_for(whom, by, today), now=today)) is is_in


def test_a_recipient_named_later_is_in_nobodys_consent(by, today):
    recipient("KZ")
    gave(BOTH, now=today)
    later = mailer("partner", contract_number="8", contract_on=today.date() - DAY)
    purpose().recipients.add(later)
    assert changes(key_for(later, by, today), now=today) == {}


# --- ground o --------------------------------------------------------------------------------------------------------
def codes(whom, ground, now, code="site-news", **also):
    email = tuple(DataCategory.objects.filter(code="email"))
    return refusing.codes(Asked(whom, Transfer.Ground(ground), purpose(code), email, **also), now)


@pytest.mark.parametrize("ground", "abco")
@pytest.mark.parametrize("kind", ["own", "partner", "processor", "state_body"])
def test_ground_o_is_for_ones_own_system_and_for_nobody_else(kind, ground, today):
    whom = mailer("own") if kind == "own" else recipient("KZ", kind=kind)
    also = BY_LAW if ground == "b" else {}
    found = codes(whom, ground, today, **also)
    assert ("not_own" in found) is ((kind == "own") is not (ground == "o"))
    assert (found == []) is (kind == "own" and ground == "o") or ground != "o"


def test_ones_own_system_needs_no_contract_and_a_purpose_by_consent(own, today):
    assert own.has_contract(today.date()) and codes(own, "o", today) == []
    by_law = ProcessingPurpose.objects.filter(ground__isnull=False, categories__code="email").first()
    assert "no_consent" in codes(own, "o", today, by_law.code)


def test_a_file_for_ones_own_system(own, by, today, settings, tmp_path):
    settings.HOME = tmp_path
    goes, stays = gave(now=today, email="goes.canary@example.kz"), gave(now=today)
    block(stays)
    email = tuple(DataCategory.objects.filter(code="email"))
    asked = Asked(own, Transfer.Ground.OWN, purpose(), email, with_links=True)
    given = transfers.ask(asked, file_format="json", reason="news", by=by, now=today)
    assert (given.people, given.left_out, given.is_cross_border) == (1, {"blocked": 1}, False)
    assert transfers.build_waiting(clock=lambda: today) == 1
    taken = transfers.take(Transfer.objects.get(pk=given.pk), by=by, now=today)
    (one,) = json.loads(b"".join(taken))["people"]
    taken.close()
    assert one["reference"] == goes.reference and one["email"] == ["goes.canary@example.kz"]


def test_own_mailing_can_t_leave_by_any_way(own, by, today):
    gave(now=today)
    told(key_for(own, by, today), now=today)
    for change in ("country = 'DE'", "is_cross_border = true"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE registry_transfer SET {change}")


# --- changes ---------------------------------------------------------------------------------------------------------
def test_in_out_and_in_again(key, today):
    subject, other = gave(now=today), gave(now=today)
    first, cursor = told(key, now=today)
    assert [line["change"] for line in first] == ["in", "in"]
    assert told(key, cursor, today) == ([], cursor)
    block(subject)
    gone, after = told(key, cursor, today)
    assert gone == [{"cursor": after, "reference": subject.reference, "change": "out"}] and after > cursor
    assert told(key, after, today) == ([], after)
    blocking.unblock(subject, by=None, reason="over", now=today)
    again, _last = told(key, after, today)
    assert [(line["reference"], line["change"]) for line in again] == [(subject.reference, "in")]
    assert set(changes(key, 0, today)) == {subject.reference, other.reference}


def test_what_lapses_by_time_is_seen_without_an_act(key, today):
    subject = gave(now=today)
    keep_until(subject, today + DAY)
    _lines, cursor = told(key, now=today)
    assert changes(key, cursor, today + DAY - timedelta(microseconds=1)) == {}
    assert changes(key, cursor, today + DAY) == {subject.reference: "out"}


def test_a_corrected_address_is_a_contact(key, today):
    subject = gave(now=today, email="wrong.canary@example.kz")
    lines, cursor = told(key, now=today)
    assert lines[0]["email"] == "wrong.canary@example.kz"
    correct(subject, "right.canary@example.kz", today)
    (line,), after = told(key, cursor, today)
    assert (line["change"], line["email"]) == ("contact", "right.canary@example.kz")
    assert told(key, after, today)[0] == []
    (line,), _last = told(key, 0, today)  # whoever begins with it now never knew another
    assert line["change"] == "in"


def correct(subject, value, now):
    old = subject.data.live().get(category__code="email")
    PersonalDatum.objects.filter(pk=old.pk).update(superseded_at=now, keep_until=now + DAY)
    record_datum(subject, old.category, normalise("email", value), standing="confirmed", now=now)


def test_every_line_says_what_a_mailer_needs(key, today):
    subject = gave(now=today, email="line.canary@example.kz")
    (line,), _cursor = told(key, now=today)
    assert list(line) == [
        "cursor", "reference", "change", "language", "email", "list_unsubscribe", "list_unsubscribe_post",
        "unsubscribe_link",
    ]  # fmt: skip
    assert (line["reference"], line["language"], line["email"]) == (subject.reference, "kk", "line.canary@example.kz")
    assert line["cursor"] < 2**53


def test_lists_of_two_recipients_and_two_purposes_are_apart(by, today):
    both = person("site-news", "advertising", now=today - DAY)
    first, second = mailer(), mailer(code="second")
    one, two = key_for(first, by, today), key_for(second, by, today)
    assert len(told(one, now=today)[0]) == 1
    assert [line["reference"] for line in told(two, now=today)[0]] == [both.reference]
    assert [line["reference"] for line in told(one, now=today, code="advertising")[0]] == [both.reference]
    decisions.withdraw(both, purpose("advertising"), now=today, channel=ConsentRecord.Channel.LINK)
    assert changes(two, 0, today) == {both.reference: "in"}
    assert AudienceEntry.objects.filter(is_in=False).count() == 0
    (line,), _cursor = told(one, 0, today, "advertising")
    assert line["change"] == "out"


def test_somebody_erased_is_out_and_then_forgotten(key, by, today):
    subject = gave(now=today)
    _lines, cursor = told(key, now=today)
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
    demands.finish_due(today)
    assert RecipientNotice.objects.get().event == "erased"
    assert changes(key, cursor, today) == {subject.reference: "out"}
    traces.destroy_over(today + 89 * DAY)
    assert AudienceEntry.objects.count() == 1
    traces.destroy_over(today + 92 * DAY)
    assert not AudienceEntry.objects.exists()


def test_whoever_is_in_is_never_forgotten(key, today):
    gave(now=today)
    told(key, now=today)
    AudienceEntry.objects.update(changed_at=today - 900 * DAY)
    traces.destroy_over(today)
    assert AudienceEntry.objects.count() == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        AudienceEntry.objects.all().delete()


# --- cursors ---------------------------------------------------------------------------------------------------------
def test_a_cut_stream_goes_on_from_the_last_cursor_read(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 2)
    people = [gave(now=today) for _number in range(7)]
    whole, end = told(key, now=today)
    stream = audience.opened(of(key), purpose(), 0, clock=lambda: today)
    half = lines_of(next(stream) + next(stream))
    stream.close()
    rest, last = told(key, half[-1]["cursor"], today)
    assert half + rest == whole and last == end
    assert {line["reference"] for line in whole} == {one.reference for one in people}
    assert [line["cursor"] for line in whole] == sorted({line["cursor"] for line in whole})


def of(key):
    return RecipientKey.objects.select_related("recipient__country").get(pk=key.pk)


def test_somebody_lost_in_the_middle_is_told_as_out_and_seen_anew(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 2)
    people = sorted((gave(now=today) for _number in range(4)), key=lambda one: one.pk)
    stream = audience.opened(of(key), purpose(), 0, clock=timezone.now)
    first = lines_of(next(stream))
    block(people[3]), blocking.unblock(people[3], by=None, reason="over", now=today)
    block(people[2])
    second = lines_of(next(stream))
    blocking.unblock(people[2], by=None, reason="over", now=today)
    (end,) = lines_of(b"".join(stream))
    assert [line["change"] for line in first + second] == ["in", "in", "out", "in"]
    assert "email" not in second[0]
    assert changes(key, end["cursor"]) == {people[2].reference: "in"}


def test_an_address_corrected_in_the_middle_leaves_no_old_value(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 1)
    gave(now=today), gave(now=today, email="old.canary@example.kz")
    stream = audience.opened(of(key), purpose(), 0, clock=timezone.now)
    next(stream)
    second = PersonalDatum.objects.order_by("pk").last().subject
    correct(second, "new.canary@example.kz", today)
    rest = lines_of(b"".join(stream))
    assert [line.get("change") for line in rest] == ["out", None]
    assert [line["email"] for line in told(key, rest[-1]["cursor"])[0]] == ["new.canary@example.kz"]


@pytest.mark.parametrize("term", [30, 90])
def test_who_has_not_read_of_a_forgotten_place_starts_again(key, today, term):
    SelfRetentionRule.objects.filter(code="audience").update(term_value=term)
    stays, goes = gave(now=today), gave(now=today)
    _lines, before = told(key, now=today)
    block(goes)
    _lines, after = told(key, before, today)
    traces.destroy_over(today + (term - 2) * DAY)
    assert changes(key, before, today + DAY) == {goes.reference: "out"}
    traces.destroy_over(today + (term + 2) * DAY)
    SelfRetentionRule.objects.filter(code="audience").update(term_value=90)  # whatever the term is by now
    with pytest.raises(audience.StartAgain):
        audience.opened(of(key), purpose(), before, clock=lambda: today + DAY)  # before the first byte
    assert told(key, after, today + DAY)[0] == []
    assert changes(key, 0, today + DAY) == {stays.reference: "in"}


def test_a_list_in_which_nothing_happens_grows_not_old(key, today):
    gave(now=today)
    _lines, cursor = told(key, now=today)
    traces.destroy_over(today + 200 * DAY)
    assert told(key, cursor, today + 200 * DAY) == ([], cursor)


def test_a_whole_list_that_was_cut_goes_on_past_what_is_forgotten(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 1)
    first, goes, last = (gave(now=today) for _number in range(3))
    block(first), told(key, now=today), block(goes), told(key, now=today)
    blocking.unblock(first, by=None, reason="over", now=today)
    told(key, now=today), traces.destroy_over(today + 95 * DAY)
    half = lines_of(next(audience.opened(of(key), purpose(), 0, clock=lambda: today)))
    with pytest.raises(audience.StartAgain):
        told(key, half[0]["cursor"], today)
    answer = ask(key, "audience/site-news", since=half[0]["cursor"], whole="1")
    rest = lines_of(read(answer))
    assert [line.get("reference") for line in half + rest] == [last.reference, first.reference, None]
    assert ask(key, "audience/site-news", since=1, whole="yes").json() == {"error": "whole"}


def test_a_place_forgotten_while_it_is_read_breaks_the_stream_off(key, today):
    subject = gave(now=today)
    _lines, before = told(key, now=today)
    block(subject), told(key, before, today)
    stream = audience.opened(of(key), purpose(), before, clock=lambda: today)
    traces.destroy_over(today + 95 * DAY)
    with pytest.raises(audience.StartAgain):
        list(stream)


def test_a_cursor_that_was_never_given_starts_again(key, today):
    """As after a restore: the program has read further than the registry remembers."""
    gave(now=today)
    _lines, cursor = told(key, now=today)
    with pytest.raises(audience.StartAgain):
        told(key, cursor + 1, today)
    answer = ask(key, "audience/site-news", since=cursor + 10**12)
    assert (answer.status_code, answer.json()) == (410, {"error": "start_again"})


def test_cursors_after_a_restore_lie_beyond_those_before(key, today):
    first = gave(now=today)
    _lines, before = told(key, now=today)
    gave(now=today)
    _more, told_then = told(key, before, today + timedelta(seconds=1))
    AudienceEntry.objects.exclude(subject=first).update(is_in=False, datum_id=None, sequence=told_then + 1)
    AudienceEntry.objects.exclude(subject=first).delete()  # the backup knew one person only
    AudienceHorizon.objects.all().delete()
    _again, after = told(key, before, today + timedelta(minutes=5))
    assert after > told_then


@pytest.mark.parametrize("since", ["-1", "1.5", "x", "", "9" * 17, "١", "0 "])
def test_what_is_no_cursor(key, since):
    answer = ask(key, "audience/site-news", since=since)
    assert (answer.status_code, answer.json()) == (400, {"error": "since"})


def test_another_format_is_refused(key):
    assert ask(key, "audience/site-news", format="xml").json() == {"error": "format"}
    assert ask(key, "audience/site-news", format="ndjson").status_code == 200


# --- the journal -----------------------------------------------------------------------------------------------------
def test_each_call_that_gives_somebody_is_a_transfer(key, by, today):
    subject = gave(now=today)
    content = read(ask(key, "audience/site-news"))
    row = Transfer.objects.get()
    assert (row.state, row.ground, row.people, row.written, row.with_links) == ("taken", "o", 1, 1, True)
    assert (row.key, row.requested_by, row.reason, row.expires_at) == (key, by, handing.FEED, None)
    assert row.digest == hashlib.sha256(content).hexdigest()
    line = row.lines.get()
    assert (line.subject, line.began_at) == (subject, subject.processing.get(purpose=purpose()).began_at)
    entries = AuditEntry.objects.filter(object_type="registry.transfer").order_by("pk")
    assert [(one.operation, one.reason) for one in entries] == [
        ("approve", f"by key {key.prefix}"), ("transfer", "o, 1 people")
    ]  # fmt: skip


def test_a_call_that_gives_nobody_is_none(key, today):
    subject = gave(now=today)
    _lines, cursor = told(key, now=today)
    withdraw(subject)
    assert changes(key, cursor) == {subject.reference: "out"}
    assert Transfer.objects.count() == 1
    assert AuditEntry.objects.filter(object_type="registry.recipientkey", reason="site-news: 1 changes").count() == 2


def test_whoever_was_given_by_a_program_is_told_about(own, by, today):
    partner = recipient("KZ")
    subject = gave(BOTH, now=today)
    told(key_for(partner, by, today), now=today)
    withdraw(subject)
    notice = RecipientNotice.objects.get()
    assert (notice.recipient, notice.subject, notice.event) == (partner, subject, "withdrawn")


def test_even_while_it_is_being_given(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 1)
    gave(now=today), gave(now=today)
    stream = audience.opened(of(key), purpose(), 0, clock=timezone.now)
    given = lines_of(next(stream))[0]["reference"]
    assert Transfer.objects.get().state == "sending"
    subject = TransferLine.objects.get().subject
    assert subject.reference == given
    withdraw(subject)
    assert RecipientNotice.objects.get().subject == subject
    stream.close()


def test_cut_off_it_ends_with_who_was_given(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 2)
    [gave(now=today) for _number in range(5)]
    stream = audience.opened(of(key), purpose(), 0, clock=timezone.now)
    content = next(stream)
    stream.close()
    row = Transfer.objects.get()
    assert (row.state, row.people, row.lines.count()) == ("taken", 2, 2)
    assert row.digest == hashlib.sha256(content).hexdigest()


def test_what_a_killed_process_left_is_closed(key, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 2)
    [gave(now=today) for _number in range(5)]
    stream = audience.opened(of(key), purpose(), 0, clock=lambda: today)
    next(stream)
    assert audience.close_abandoned(today + handing.LEASE - timedelta(seconds=1)) == 0
    assert audience.close_abandoned(today + handing.LEASE) == 1
    row = Transfer.objects.get()
    assert (row.state, row.people) == ("taken", 2)
    next(stream)  # it was only slow: what it gives now is another transfer
    stream.close()
    assert sorted(Transfer.objects.values_list("state", "people")) == [("taken", 2), ("taken", 2)]
    assert TransferLine.objects.values("subject").distinct().count() == 4


def test_the_journal_and_the_person_s_page_show_it(client, key, by, today):
    subject = gave(now=today)
    told(key, now=today)
    enter(client, by)
    row = Transfer.objects.get()
    shown = client.get(reverse("admin:registry_transfer_change", args=[row.pk])).content.decode()
    assert f"<code>{key.prefix}</code>" in shown and row.digest in shown and subject.reference in shown
    assert row.number in client.get(reverse("admin:registry_transfer_changelist")).content.decode()
    assert row.number in client.get(reverse("admin:registry_datasubject_change", args=[subject.pk])).content.decode()


def test_a_stream_is_no_file_to_be_built(key, today, settings, tmp_path):
    settings.HOME = tmp_path
    gave(now=today)
    stream = audience.opened(of(key), purpose(), 0, clock=lambda: today)
    next(stream)
    assert (transfers.destroy_over(today), transfers.build_waiting(clock=lambda: today)) == (0, 0)
    assert Transfer.objects.get().state == "sending"
    stream.close()


def test_two_answers_are_read_at_once_with_a_key_and_no_third(key, today):
    """Each holds a thread of the web server."""
    gave(now=today)
    streams = [audience.opened(of(key), purpose(), 0, clock=timezone.now) for _number in range(2)]
    assert all(next(stream) for stream in streams)
    for address in ("audience/site-news", "suppression/site-news"):
        answer = ask(key, address)
        assert (answer.status_code, answer.json(), answer["Retry-After"]) == (429, {"error": "too_many"}, "60")
    streams[0].close()
    assert ask(key, "audience/site-news").status_code == 200
    streams[1].close()


# --- refused ---------------------------------------------------------------------------------------------------------
def test_what_can_t_be_given_at_all_is_refused_and_recorded(by, today):
    whom = recipient("KZ", kind="processor")
    key = key_for(whom, by, today)
    gave(BOTH, now=today)
    changes_of = {
        "contract": lambda: Recipient.objects.filter(pk=whom.pk).update(contract_until=today.date() - DAY),
        "not_allowed": whom.categories.clear,
        "closed": lambda: ProcessingPurpose.objects.filter(code="site-news").update(closes_at=today - DAY),
        "not_named": lambda: ProcessingPurpose.objects.filter(code="site-news").update(third_parties="no"),
        "not_allowed, nor named": lambda: (whom.categories.clear(), purpose().recipients.clear()),
    }
    for name, change in changes_of.items():
        undo, code = transaction.savepoint(), name.partition(",")[0]
        change()
        for address in ("audience/site-news", "suppression/site-news"):
            answer = ask(key, address)
            assert (answer.status_code, answer.json()) == (403, {"error": code}), address
        assert check(key, ["a@example.kz"]).json() == {"error": code}
        assert AuditEntry.objects.filter(operation="refused", reason=f"site-news: {code}").count() == 3
        transaction.savepoint_rollback(undo)
    assert ask(key, "audience/site-news").status_code == 200


@pytest.mark.parametrize("how", ["key", "contract", "purpose"])
def test_what_ends_in_the_middle_breaks_the_stream_off(how, by, today, monkeypatch):
    monkeypatch.setattr(feed, "PORTION", 1)
    whom = recipient("KZ", kind="processor")
    key = key_for(whom, by, today)
    gave(BOTH, now=today), gave(BOTH, now=today)
    stream = audience.opened(of(key), purpose(), 0, clock=timezone.now)
    next(stream)
    if how == "key":
        keys.revoke(key, by=by, now=timezone.now())
    elif how == "contract":
        Recipient.objects.filter(pk=whom.pk).update(contract_until=today.date() - DAY)
    else:
        ProcessingPurpose.objects.filter(code="site-news").update(closes_at=timezone.now())
    with pytest.raises(audience.Refused):
        next(stream)
    assert TransferLine.objects.count() == 1 and Transfer.objects.get().state == "taken"
    assert AuditEntry.objects.filter(operation="refused").count() == 1


# --- who must not be written to --------------------------------------------------------------------------------------
def column(answer):
    head, *rows = csv.reader(io.StringIO(read(answer).decode()))
    return head[0], sorted(row[0] for row in rows)


def test_one_s_own_program_gets_everybody_whom_the_gate_keeps(key, today):
    gave(now=today, email="goes.canary@example.kz")
    gone, shut = gave(now=today, email="Gone.Canary@example.kz"), gave(now=today, email="shut.canary@example.kz")
    withdraw(gone), block(shut)
    question(email="asked.canary@example.kz", now=today)
    head, found = column(ask(key, "suppression/site-news", form="plain"))
    assert (head, found) == ("email", ["Gone.Canary@example.kz", "shut.canary@example.kz"])
    head, found = column(ask(key, "suppression/site-news", form="hashed"))
    addresses = ("gone.canary@example.kz", "shut.canary@example.kz")
    assert (head, found) == ("sha256", sorted(hashlib.sha256(one.encode()).hexdigest() for one in addresses))
    rows = Transfer.objects.order_by("pk")
    assert [row.reason for row in rows] == [handing.PLAIN, handing.HASHED]
    assert {line.subject for line in rows[0].lines.all()} == {gone, shut}


def test_others_get_only_whom_they_were_given_and_partners_no_address(by, today):
    whom = recipient("KZ", kind="processor")
    key = key_for(whom, by, today)
    had, never = gave(BOTH, now=today, email="had.canary@example.kz"), gave(NOBODY, now=today)
    told(key, now=today)
    withdraw(had), withdraw(never)
    assert column(ask(key, "suppression/site-news", form="plain"))[1] == ["had.canary@example.kz"]
    Recipient.objects.filter(pk=whom.pk).update(kind="partner")
    refused = ask(key, "suppression/site-news", form="plain")
    assert (refused.status_code, refused.json()) == (403, {"error": "hashed_only"})
    digest = hashlib.sha256(b"had.canary@example.kz").hexdigest()
    assert column(ask(key, "suppression/site-news"))[1] == [digest]


def test_an_address_somebody_else_agreed_with_is_not_in_it(key, today):
    """Two people gave it; one of them may be written to there, until they leave as well."""
    gone, agreed = gave(now=today, email="gone.canary@example.kz"), gave(now=today, email="shared.canary@example.kz")
    shared = normalise("email", "shared.canary@example.kz")
    record_datum(gone, DataCategory.objects.get(code="email"), shared, standing="stated", now=today)
    withdraw(gone)
    assert column(ask(key, "suppression/site-news", form="plain"))[1] == ["gone.canary@example.kz"]
    withdraw(agreed)
    found = column(ask(key, "suppression/site-news", form="plain"))[1]
    assert set(found) == {"gone.canary@example.kz", "shared.canary@example.kz"}


def test_portions_of_the_list_lose_and_double_nobody(key, today, monkeypatch):
    monkeypatch.setattr(suppressing, "PORTION", 2)
    people = [gave(now=today, email=f"gone{number}.canary@example.kz") for number in range(5)]
    [withdraw(one) for one in people]
    found = column(ask(key, "suppression/site-news", form="plain"))[1]
    assert found == [f"gone{number}.canary@example.kz" for number in range(5)]
    assert Transfer.objects.get().people == 5


def test_another_form_is_refused(key):
    assert ask(key, "suppression/site-news", form="md5").json() == {"error": "form"}


# --- asked about -----------------------------------------------------------------------------------------------------
def check(key, addresses, code="site-news", **also):
    body = also.pop("body", None) or json.dumps({"addresses": addresses})
    client = Client(enforce_csrf_checks=True)
    return client.post(
        f"/api/v1/suppression/{code}/check", body, content_type="application/json",
        headers={"authorization": f"Bearer {key.text}"},
    )  # fmt: skip


def test_only_whoever_may_be_written_to_is_a_yes(key, by, today):
    for name in ("goes", "gone", "shut", "erased"):
        subject = gave(now=today, email=f"{name}.canary@example.kz")
        if name == "gone":
            withdraw(subject)
        elif name == "shut":
            block(subject)
        elif name == "erased":
            demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
            demands.finish_due(today)
    question(email="asked.canary@example.kz", now=today)
    names = ("Goes", "gone", "shut", "erased", "asked", "unknown")
    answer = check(key, [f"{name}.Canary@EXAMPLE.kz" for name in names] + ["no address", ""])
    assert answer.json() == {"results": [{"may": True}] + [{"may": False}] * 7}
    assert not Transfer.objects.exists()
    entry = AuditEntry.objects.filter(reason="site-news: 8 addresses asked about").get()
    assert "canary" not in str(entry.__dict__)


def test_a_partner_is_told_of_nobody_it_can_t_be_given(by, today):
    whom = recipient("KZ")
    gave(BOTH, now=today, email="both.canary@example.kz"), gave(NOBODY, now=today, email="none.canary@example.kz")
    answer = check(key_for(whom, by, today), ["both.canary@example.kz", "none.canary@example.kz"])
    assert [one["may"] for one in answer.json()["results"]] == [True, False]


def test_whoever_must_not_be_contacted_is_a_no(key, today):
    gave(now=today, email="known.canary@example.kz")
    subject = gave(now=today)
    assert check(key, ["known.canary@example.kz"]).json()["results"] == [{"may": True}]
    category = DataCategory.objects.get(code="email")
    memory.remember(subject, [(category, "known.canary@example.kz")], now=today)
    assert check(key, ["known.canary@example.kz"]).json()["results"] == [{"may": False}]


WRONG_BODIES = {
    "no JSON": (b"addresses=a@example.kz", "not_json"),
    "a list": (b'["a@example.kz"]', "addresses"),
    "nothing in it": (b'{"addresses": []}', "addresses"),
    "something else beside": (b'{"addresses": ["a@example.kz"], "purpose": "x"}', "addresses"),
    "a number": (b'{"addresses": [1]}', "addresses"),
    "a key twice": (b'{"addresses": ["a@example.kz"], "addresses": ["b@example.kz"]}', "key_twice"),
    "NUL": (b'{"addresses": ["a\\u0000@example.kz"]}', "unreadable_text"),
    "half a letter": (b'{"addresses": ["\\ud800"]}', "unreadable_text"),
    "another code page": (b'{"addresses": ["\xff"]}', "not_utf8"),
    "one too many": (json.dumps({"addresses": ["a@example.kz"] * 1001}).encode(), "too_many_addresses"),
    "too large": (b" " * (600 * 1024), "too_large"),
    "far too large": (b" " * (2 * 1024 * 1024), "too_large"),
}


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_what_is_sent_wrongly_is_a_code(key, name, caplog):
    body, code = WRONG_BODIES[name]
    answer = check(key, [], body=body)
    assert (answer.status_code, answer.json()) == (400, {"error": code})
    assert "example.kz" not in caplog.text


def test_a_thousand_long_addresses_are_taken(key, today):
    gave(now=today, email="goes.canary@example.kz")
    addresses = [f"{'a' * 60}{number:04}@{'b' * 50}.example.kz" for number in range(999)]
    answer = check(key, [*addresses, "goes.canary@example.kz"])
    assert [number for number, one in enumerate(answer.json()["results"]) if one["may"]] == [999]


def test_as_many_queries_whoever_is_known(key, today):
    gave(now=today, email="goes.canary@example.kz")
    check(key, ["warm@example.kz"])
    counted = []
    for addresses in (["unknown@example.kz"], ["goes.canary@example.kz"], ["goes.canary@example.kz", "x@example.kz"]):
        with CaptureQueriesContext(connection) as queries:
            check(key, addresses)
        counted.append(len(queries))
    assert len(set(counted)) == 1


def test_as_many_queries_for_a_portion_of_any_size(key, today):
    counted = []
    for _round in range(2):
        [gave(now=today) for _number in range(3)]
        with CaptureQueriesContext(connection) as queries:
            told(key)
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_no_value_reaches_rows_logs_or_answers_about_errors(key, today, caplog):
    gave(now=today, email="hidden.canary@example.kz")
    caplog.set_level(0)
    assert b"hidden.canary@example.kz" in read(ask(key, "audience/site-news"))
    check(key, ["hidden.canary@example.kz"])
    assert "canary" not in caplog.text and key.text not in caplog.text
    tables = ("registry_transfer", "registry_transferline", "registry_audienceentry", "registry_auditentry")
    with connection.cursor() as cursor:
        for table in (*tables, "registry_recipientkey"):
            cursor.execute(f"SELECT * FROM {table}")
            held = str(cursor.fetchall())
            assert held != "[]" and "canary" not in held and key.text.split(".")[1] not in held
