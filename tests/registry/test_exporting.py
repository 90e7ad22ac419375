"""Lists of people that are taken out: who may, who approves, what is in them, and that nothing of them stays.

Broken and seen to fail: permission and appointment of rows.check; "who asked" of `take`; the limit of `needs_a_second`
and TooManyError; the gate in lists.people; `_lost`; the apostrophe; the audit entry of `take`; `wrapped` in `turn`;
`_note` between portions; `lists` of erasure.DESTROY and its purpose; `_sweep`.
"""

import hashlib
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from consent import decisions
from registry import auditing, blocking, demands, exporting, lists, purging, traces
from registry.exporting import rows
from registry.models import (
    AccessSettings,
    AuditEntry,
    DataExport,
    DataSubject,
    DatumKey,
    LegalGround,
    PersonalDatum,
    Processing,
)
from tests.factories import DAY, EMAIL, MOMENT, PHONE, keep_until, person, purpose, question, staff

pytestmark = pytest.mark.django_db
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
Kind, State = DataExport.Kind, DataExport.State


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    return tmp_path / "exports"


@pytest.fixture
def clerk():
    return staff("clerk")


@pytest.fixture
def second():
    return staff("second")


@pytest.fixture
def aigul():
    return person("site-news", email=EMAIL, phone=PHONE, now=MOMENT - DAY)


def ask(by, kind=Kind.MASKED, code="site-news", now=MOMENT):
    return exporting.ask(purpose(code), kind=kind, reason="news of spring", by=by, now=now)


def build(now=MOMENT):
    return exporting.build_waiting(clock=lambda: now)


def ready(by, kind=Kind.MASKED, now=MOMENT):
    export = ask(by, kind, now=now)
    assert build(now) == 1
    return fresh(export)


def fresh(export):
    return DataExport.objects.get(pk=export.pk)


def taken(export, by, now=MOMENT):
    """The whole file, as text."""
    handed = exporting.take(export, by=by, now=now)
    try:
        return b"".join(handed).decode()
    finally:
        handed.close()


def people_in(text):
    return re.findall(r"^DS-\w{4}-\w{4}", text, re.MULTILINE)


def line_of(subject, text):
    """The cells of one person."""
    return next(set(line.split(";")) for line in text.splitlines() if line.startswith(subject.reference))


def entries(export, *fields):
    about = AuditEntry.objects.filter(object_type="registry.dataexport", object_id=export.pk).order_by("pk")
    return list(about.values_list(*fields))


def may(name, *permissions, appointed=True):
    member = staff(name, appointed=appointed, superuser=False)
    member.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return member


# --- what is in a list --------------------------------------------------------------------------------------------
def test_a_readable_list_holds_the_contacts_and_says_what_it_is(clerk, aigul):
    export = ready(clerk, Kind.PLAIN)
    text = taken(export, clerk)
    assert text.startswith("\ufeff") and export.number in text and "news of spring" in text and "clerk" in text
    assert line_of(aigul, text) == {aigul.reference, "kk", EMAIL, "'+77015551234", "21.11.2026", "22.11.2028"}
    assert text.endswith("\r\n")


def test_a_masked_list_holds_hints_only(clerk, aigul):
    text = taken(ready(clerk), clerk)
    assert {"A•••@example.kz", "'+7 701 •••-••-34"} < line_of(aigul, text)
    assert "Aigul" not in text and "5551234" not in text


def test_a_list_is_everybody_the_gate_lets_through_and_nobody_else(clerk, aigul):
    news, other = [person(now=MOMENT - DAY) for _ in range(2)], person("feedback", now=MOMENT - DAY)
    lapsed, blocked, withdrawn, later = [person(now=MOMENT - DAY) for _ in range(4)]
    question(now=MOMENT - HOUR, email="waits@example.kz")
    keep_until(lapsed, MOMENT)
    blocking.block(blocked, by=None, reason="asked", now=MOMENT)
    decisions.withdraw(withdrawn, purpose(), channel="page", now=MOMENT - HOUR)
    Processing.objects.filter(subject=later, purpose__code="site-news").update(began_at=MOMENT + HOUR)
    listed = people_in(taken(ready(clerk), clerk))
    assert listed == [aigul.reference, *(one.reference for one in news)]
    assert other.reference not in listed


def test_who_has_not_confirmed_yet_is_on_no_list(clerk):
    question(now=MOMENT - HOUR)
    assert Processing.objects.live(MOMENT).get().purpose.code == "confirmation"
    with pytest.raises(ValidationError):
        ask(clerk, code="confirmation")


def test_a_list_longer_than_a_portion_is_whole_and_in_order(clerk, monkeypatch):
    monkeypatch.setattr(lists, "PORTION", 3)
    expected = [person(now=MOMENT - DAY).reference for _ in range(7)]
    export = ready(clerk)
    assert (export.people, export.written) == (7, 7)
    assert people_in(taken(export, clerk)) == expected


def test_contacts_the_purpose_does_not_need_and_claims_stay_out(clerk, aigul):
    purpose().categories.remove(*purpose().categories.filter(code="phone"))
    PersonalDatum.objects.filter(subject=aigul, category__code="phone").update(standing="claimed", confirmed_at=None)
    text = taken(ready(clerk, Kind.PLAIN), clerk)
    assert EMAIL in text and "5551234" not in text


@pytest.mark.parametrize("cell", ["=1+1", "+77015551234", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_compute_stays_text(cell):
    assert lists.line(["DS", cell]).replace('"', "") == f"DS;'{cell}\r\n"


def test_an_address_that_begins_like_a_formula_is_defused_and_semicolons_are_quoted(clerk):
    person(email="=cmd@example.kz", now=MOMENT - DAY)
    assert ";'=cmd@example.kz;" in taken(ready(clerk, Kind.PLAIN), clerk)
    assert lists.line(["a;b", 'c"d']) == '"a;b";"c""d"\r\n'


def test_a_damaged_value_is_marked_and_does_not_stop_the_list(clerk, aigul):
    other = person(now=MOMENT - DAY)
    DatumKey.objects.filter(datum__subject=aigul, datum__category__code="email").delete()
    text = taken(ready(clerk, Kind.PLAIN), clerk)
    assert {"⚠", "'+77015551234"} < line_of(aigul, text) and other.reference in text


# --- who may ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "permissions", "appointed"),
    [
        (Kind.MASKED, ["export_plain"], True),
        (Kind.PLAIN, ["export_masked"], True),
        (Kind.MASKED, ["export_masked"], False),
        (Kind.PLAIN, ["export_plain"], False),
        (Kind.PLAIN, ["view_dataexport", "approve_dataexport"], True),
    ],
)
def test_asking_wants_the_permission_of_the_kind_and_an_appointment(aigul, kind, permissions, appointed):
    with pytest.raises(PermissionDenied):
        ask(may("nobody", *permissions, appointed=appointed), kind)
    assert not DataExport.objects.exists()
    assert AuditEntry.objects.get(operation="refused").actor.username == "nobody"


@pytest.mark.parametrize("reason", ["", "  ", "for a@b.kz", "call 87015551234"])
def test_asking_wants_a_reason_that_quotes_nothing(clerk, aigul, reason):
    with pytest.raises(ValidationError):
        exporting.ask(purpose(), kind=Kind.MASKED, reason=reason, by=clerk, now=MOMENT)


def test_an_empty_list_is_not_asked_for(clerk):
    with pytest.raises(ValidationError):
        ask(clerk)
    assert not DataExport.objects.exists()


def test_only_who_asked_may_fetch_and_only_while_allowed(aigul):
    clerk = may("clerk", "export_masked")
    export = ready(clerk)
    with pytest.raises(PermissionDenied):
        taken(export, staff("other"))
    clerk.appointments.update(revoked_on=MOMENT.date())
    with pytest.raises(PermissionDenied):
        taken(export, clerk)
    assert fresh(export).state == State.READY
    assert entries(export, "operation").count(("refused",)) == 2


def test_a_permission_taken_away_stops_the_fetching(aigul):
    export = ready(may("clerk", "export_masked"))
    export.requested_by.user_permissions.clear()
    with pytest.raises(PermissionDenied):
        taken(export, fresh(export).requested_by)


# --- the second person --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "people", "state"),
    [(Kind.PLAIN, 2, State.BUILDING), (Kind.PLAIN, 3, State.WAITING), (Kind.MASKED, 3, State.BUILDING)],
)
def test_a_readable_list_above_the_limit_waits(clerk, kind, people, state):
    AccessSettings.objects.update(plain_export_people=2)
    for _ in range(people):
        person(now=MOMENT - DAY)
    assert ask(clerk, kind).state == state
    assert build() == (1 if state == State.BUILDING else 0)


@pytest.fixture
def waiting(clerk):
    for _ in range(21):
        person(now=MOMENT - DAY)
    export = ask(clerk, Kind.PLAIN)
    assert (export.state, export.people) == (State.WAITING, 21)
    return export


def test_who_asked_does_not_approve_and_who_approved_does_not_fetch(waiting, clerk, second):
    with pytest.raises(ValidationError):
        exporting.approve(waiting, by=clerk, now=MOMENT)
    assert build() == 0
    exporting.approve(waiting, by=second, now=MOMENT)
    assert build() == 1
    with pytest.raises(PermissionDenied):
        taken(waiting, second)
    assert len(people_in(taken(waiting, clerk))) == 21


def test_the_database_says_so_too(waiting, clerk):
    with pytest.raises(IntegrityError), transaction.atomic():
        DataExport.objects.filter(pk=waiting.pk).update(approved_by=clerk)


def test_approving_wants_its_permission_and_an_appointment(waiting):
    for member in (may("one", "export_plain"), may("two", "approve_dataexport", appointed=False)):
        with pytest.raises(PermissionDenied):
            exporting.approve(waiting, by=member, now=MOMENT)
    exporting.approve(waiting, by=may("three", "approve_dataexport"), now=MOMENT)
    assert entries(waiting, "operation") == [("approve",), ("refused",), ("refused",), ("approve",)]


def test_a_refused_list_is_not_built_and_needs_a_reason(waiting, second):
    with pytest.raises(ValidationError):
        exporting.refuse(waiting, by=second, reason="", now=MOMENT)
    exporting.refuse(waiting, by=second, reason="too many", now=MOMENT)
    assert (fresh(waiting).state, build()) == (State.REFUSED, 0)
    with pytest.raises(ValidationError):
        exporting.approve(waiting, by=second, now=MOMENT)


def test_a_list_that_grew_over_the_limit_is_not_built_without_a_second_person(clerk, folder):
    AccessSettings.objects.update(plain_export_people=2)
    for _ in range(2):
        person(now=MOMENT - DAY)
    export = ask(clerk, Kind.PLAIN)
    person(now=MOMENT - DAY)
    assert build() == 0
    assert (fresh(export).state, list(folder.iterdir())) == (State.FAILED, [])


# --- the file -----------------------------------------------------------------------------------------------------
def test_the_file_shows_nothing_and_is_gone_with_its_key_after_it_was_fetched(clerk, aigul, folder):
    export = ready(clerk, Kind.PLAIN)
    path = folder / f"{export.number}.sealed"
    assert b"Canary" not in path.read_bytes() and b"example.kz" not in path.read_bytes()
    text = taken(export, clerk)
    assert EMAIL in text
    export = fresh(export)
    assert (export.state, export.wrapped, list(folder.iterdir())) == (State.TAKEN, None, [])
    assert export.digest == hashlib.sha256(text.encode()).hexdigest()


def test_it_is_fetched_once(clerk, aigul):
    export = ready(clerk)
    taken(export, clerk)
    with pytest.raises(ValidationError):
        taken(export, clerk)


def test_it_is_recorded_before_the_first_byte_and_not_given_if_that_fails(clerk, aigul, folder, monkeypatch):
    export = ready(clerk, Kind.PLAIN)

    def down(*arguments, **named):
        raise auditing.NotRecorded

    with monkeypatch.context() as broken:
        broken.setattr(auditing, "record", down)
        with pytest.raises(auditing.NotRecorded):
            exporting.take(export, by=clerk, now=MOMENT)
    assert fresh(export).state == State.READY
    handed = exporting.take(export, by=clerk, now=MOMENT)
    assert entries(export, "operation", "reason")[-1] == ("export", "plain, 1 people")
    assert EMAIL in b"".join(handed).decode()
    handed.close()


def test_nothing_is_asked_if_it_can_t_be_recorded(clerk, aigul, monkeypatch):
    def down(*arguments, **named):
        raise auditing.NotRecorded

    monkeypatch.setattr(auditing, "record", down)
    with pytest.raises(auditing.NotRecorded):
        ask(clerk)
    assert not DataExport.objects.exists()


def test_who_lost_the_ground_after_it_was_built_is_left_out(clerk, aigul):
    gone, blocked = person(now=MOMENT - DAY), person(now=MOMENT - DAY)
    export = ready(clerk, Kind.PLAIN)
    assert export.written == 3
    decisions.withdraw(gone, purpose(), channel="page", now=MOMENT)
    blocking.block(blocked, by=None, reason="asked", now=MOMENT)
    text = taken(export, clerk, now=MOMENT + SECOND)
    assert people_in(text) == [aigul.reference]
    assert (fresh(export).written, fresh(export).digest) == (1, hashlib.sha256(text.encode()).hexdigest())


def test_what_is_not_fetched_in_time_is_destroyed_with_its_key(clerk, aigul, folder):
    export = ready(clerk)
    end = export.expires_at
    assert end == MOMENT + 24 * HOUR
    assert (exporting.destroy_over(end - SECOND), len(list(folder.iterdir()))) == (0, 1)
    with pytest.raises(ValidationError):
        taken(export, clerk, now=end)
    assert exporting.destroy_over(end) == 1
    assert (fresh(export).state, fresh(export).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])
    assert entries(export, "system", "operation")[-1] == ("exports", "destroy")


@pytest.mark.parametrize("is_built", [True, False])
def test_who_asked_may_give_it_up(clerk, second, aigul, folder, is_built):
    export = ready(clerk) if is_built else ask(clerk)
    with pytest.raises(PermissionDenied):
        exporting.cancel(export, by=second, now=MOMENT)
    exporting.cancel(export, by=clerk, now=MOMENT)
    assert (fresh(export).state, fresh(export).wrapped, build()) == (State.CANCELLED, None, 0)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_list_cancelled_while_it_is_built_stops(clerk, folder, monkeypatch):
    monkeypatch.setattr(lists, "PORTION", 2)
    for _ in range(6):
        person(now=MOMENT - DAY)
    export = ask(clerk)
    portion = lists.portion

    def cancelling(*arguments, **named):
        if fresh(export).written == 4 and fresh(export).state == State.BUILDING:
            exporting.cancel(export, by=clerk, now=MOMENT)
        return portion(*arguments, **named)

    monkeypatch.setattr(lists, "portion", cancelling)
    assert build() == 0
    assert (fresh(export).state, fresh(export).written, list(folder.iterdir())) == (State.CANCELLED, 4, [])


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_file_is_refused_whole(clerk, aigul, folder, damage):
    export = ready(clerk, Kind.PLAIN)
    path = rows.path_of(export)
    content = path.read_bytes()
    path.write_bytes({"changed": content[:50] + b"\0" + content[51:], "cut": content[:-33], "gone": b""}[damage])
    with pytest.raises(ValidationError):
        taken(export, clerk)
    assert (fresh(export).state, fresh(export).wrapped, list(folder.iterdir())) == (State.FAILED, None, [])
    assert ("export",) not in entries(export, "operation")


def test_files_that_no_list_holds_are_swept_and_ready_ones_stay(clerk, aigul, folder):
    export = ready(clerk)
    (folder / "EX-OLD.sealed").write_bytes(b"left")
    (folder / "EX-OLD.part").write_bytes(b"left")
    exporting.destroy_over(MOMENT)
    assert list(folder.iterdir()) == [rows.path_of(export)]


# --- a value is destroyed everywhere ------------------------------------------------------------------------------
def test_a_purge_destroys_the_lists_its_people_are_on(clerk, aigul, folder):
    export = ready(clerk, Kind.PLAIN)
    assert rows.path_of(export).exists() and fresh(export).wrapped
    keep_until(aigul, MOMENT + HOUR)
    purging.purge(MOMENT + HOUR)
    assert (fresh(export).state, fresh(export).wrapped) == (State.DESTROYED, None)
    assert entries(export, "operation", "reason")[-1] == ("destroy", "somebody erased")
    exporting.destroy_over(MOMENT + HOUR)
    assert list(folder.iterdir()) == []


def test_a_purge_leaves_the_lists_of_other_purposes(clerk, aigul):
    person("feedback", now=MOMENT - DAY)
    news, feedback = ask(clerk), ask(clerk, code="feedback")
    assert build() == 2
    keep_until(aigul, MOMENT + HOUR)
    purging.purge(MOMENT + HOUR)
    assert [fresh(news).state, fresh(feedback).state] == [State.DESTROYED, State.READY]
    assert fresh(feedback).wrapped


def test_a_purge_of_nobody_leaves_every_list(clerk, aigul):
    export = ready(clerk)
    purging.purge(MOMENT + HOUR)
    assert fresh(export).state == State.READY


def test_erasing_on_demand_destroys_the_list_and_finds_nothing_left(clerk, aigul, folder):
    export = ready(clerk, Kind.PLAIN)
    ground = LegalGround.objects.first()
    certificate = demands.demand(aigul, ground=ground, reason="asked", by=clerk, now=MOMENT)
    demands.finish_due(MOMENT + SECOND)
    certificate.refresh_from_db()
    assert (DataSubject.objects.get(pk=aigul.pk).status, certificate.remains) == ("erased", 0)
    assert (fresh(export).state, fresh(export).wrapped) == (State.DESTROYED, None)
    with pytest.raises(ValidationError):
        taken(export, clerk, now=MOMENT + SECOND)


# --- evidence -----------------------------------------------------------------------------------------------------
def test_every_step_is_recorded_about_the_list(waiting, clerk, second):
    exporting.approve(waiting, by=second, now=MOMENT)
    build()
    taken(waiting, clerk)
    assert entries(waiting, "operation", "actor__username", "reason") == [
        ("approve", "clerk", "news of spring"), ("approve", "second", "approved"), ("export", "clerk", "plain, 21 people"),
    ]  # fmt: skip


def test_no_entry_and_no_row_holds_a_value(clerk, aigul):
    export = ready(clerk, Kind.PLAIN)
    assert EMAIL in taken(export, clerk)
    told = repr(list(AuditEntry.objects.values())) + repr(DataExport.objects.values().get())
    assert not any(word in told for word in ("Aigul", "Canary", "5551234"))


def test_lists_taken_out_are_kept_as_evidence(clerk, aigul):
    ask(clerk)
    store = traces.stores["exports"]
    assert store.is_evidence and (store.count(), store.oldest()) == (1, MOMENT)
