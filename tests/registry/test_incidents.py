"""The register of breaches: its term, whose data and how that was counted, the notice, the end, and who may what.

Broken and seen to fail: the local date of the discovery; the last moment of a period; who had left before a list was
written, and what came after it; the number that was shown; the second person, in the operation and in the trigger; the
frozen moment of discovery; people added to a closed incident; the appointment; the permission of the pages; a notice
sent on the very last day; a long number that begins like a day.
"""

from datetime import date, datetime

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from registry import auditing, disclosure, roles
from registry.admin.incident_pages import badge
from registry.incidents import acts, asked, clock, opening, sources
from registry.models import (
    AuditEntry,
    DataCategory,
    DataExport,
    Incident,
    IncidentNote,
    IncidentPerson,
    IncidentSource,
    Processing,
    WorkCalendarOverride,
)
from registry.processing import end_processing, lock_subjects
from tests.conftest import owner_connection
from tests.factories import DAY, EMAIL, enter, person, purpose, staff
from tests.faults.parallel import all_at_once
from tests.house import member

pytestmark = pytest.mark.django_db
HOUR = DAY / 24
CANARY = "A letter with the list lay on the stairs since 22.11.2026, 14:05"
QUOTES = [
    "write to aigul@example.kz",
    "call 8 (701) 555-12-34",
    "his number is 990101500006",
    "8‑701‑555‑12‑34",
    "8.701.555.12.34",
    "21.12.2055512",
]
ADDRESS = "10.10.2026 and 11.10.2026"


@pytest.fixture
def officer():
    return staff("officer")


@pytest.fixture
def second():
    return staff("second")


@pytest.fixture
def incident(officer, now):
    return entered(officer, now=now)


def entered(by, *, now, at=None, happened=CANARY):
    categories = DataCategory.objects.filter(code__in=["email", "phone"])
    return opening.open_incident(Incident.Kind.LOSS, happened, categories, discovered_at=at or now, by=by, now=now)


def local(*moment):
    return datetime(*moment, tzinfo=timezone.get_default_timezone())


def kept(incident, question, by, now):
    seen = sources.preview_source(incident, question, by=by, now=now).found
    return sources.add_source(incident, question, seen=seen, reason="the log of the door", by=by, now=now)


def people_of(incident):
    return set(IncidentPerson.objects.filter(incident=incident).values_list("subject_id", flat=True))


def listed(by, *, built, taken=None, code="site-news"):
    return DataExport.objects.create(
        kind="masked", purpose=purpose(code), reason="a mailing", state="taken", people=1, requested_by=by,
        requested_at=built, built_at=built, taken_at=taken,
    )  # fmt: skip


def refused(statement, *values):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


# --- the term of the notice -------------------------------------------------------------------------------------------
TERMS = {
    "a minute before midnight": ((2026, 11, 23, 23, 59), date(2026, 11, 24)),
    "a minute after": ((2026, 11, 24, 0, 1), date(2026, 11, 25)),
    "on Friday": ((2026, 11, 27, 12, 0), date(2026, 11, 30)),
    "on Saturday": ((2026, 11, 28, 12, 0), date(2026, 11, 30)),
    "on Sunday, a minute before midnight": ((2026, 11, 29, 23, 59), date(2026, 11, 30)),
    "on Friday before a moved holiday": ((2026, 3, 6, 12, 0), date(2026, 3, 10)),
    "before Nauryz": ((2026, 3, 20, 12, 0), date(2026, 3, 26)),
    "on New Year's Eve": ((2026, 12, 31, 12, 0), date(2027, 1, 5)),
}


@pytest.mark.parametrize("name", TERMS)
def test_the_notice_is_due_one_working_day_after_the_discovery(officer, name):
    moment, due = TERMS[name]
    incident = entered(officer, now=local(*moment))
    assert incident.due_on == due
    assert not incident.is_overdue(due) and incident.is_overdue(due + DAY)


def test_the_term_counts_from_the_discovery_not_from_the_entry(officer):
    incident = entered(officer, at=local(2026, 11, 20, 18, 0), now=local(2026, 11, 24, 9, 0))
    assert incident.due_on == date(2026, 11, 23) and incident.is_overdue(date(2026, 11, 24))


def test_the_term_explains_itself_in_three_languages(officer):
    incident = entered(officer, now=local(2026, 3, 20, 12, 0))
    assert incident.explained("en").startswith("discovered 20.03.2026; 21.03.2026 ")
    assert len({incident.explained(language) for language in ("kk", "ru", "en")}) == 3
    assert all("26.03.2026" in incident.explained(language) for language in ("kk", "ru", "en"))


def test_a_moved_day_recounts_open_incidents_and_only_them(officer, now):
    untouched, moved = entered(officer, now=now), entered(officer, now=now)
    acts.note_sent(untouched, sent_at=now, how="post", reference="", by=officer, now=now)
    acts.close(untouched, reason="done", by=officer, now=now)
    due = moved.due_on
    WorkCalendarOverride.objects.create(day=due, kind="dayoff", reason="decree")
    assert clock.recount(now) == 1 and clock.recount(now) == 0
    moved.refresh_from_db()
    untouched.refresh_from_db()
    assert (moved.due_on, untouched.due_on) == (due + DAY, due)
    assert "decree" in moved.explained("en")
    assert AuditEntry.objects.filter(system="incidents", object_id=moved.pk).count() == 1


# --- texts name nobody ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("quote", QUOTES)
def test_a_text_that_quotes_somebody_is_refused(officer, incident, now, quote):
    with pytest.raises(ValidationError):
        entered(officer, now=now, happened=quote)
    for note in (acts.note_measure, acts.note_finding):
        with pytest.raises(ValidationError):
            note(incident, quote, at=now, by=officer, now=now)
    for act in (acts.state_no_notice, acts.close):
        with pytest.raises(ValidationError):
            act(incident, reason=quote, by=officer, now=now)
    assert Incident.objects.get().happened == CANARY and not IncidentNote.objects.exists()


def test_days_and_hours_may_stand_in_a_text(officer, now):
    assert entered(officer, now=now, happened=f"{ADDRESS} at 09:15, 12 times\nand 2026-10-12").happened.count("\n") == 1


def test_what_can_t_be_seen_and_what_is_empty_is_refused(officer, now):
    for text in ("", "  \n ", "8701\u200b5551234", "x" * 4001):
        with pytest.raises(ValidationError):
            entered(officer, now=now, happened=text)


# --- entering ---------------------------------------------------------------------------------------------------------
def test_an_incident_is_entered_with_its_audit_entry(incident, officer):
    assert incident.number.startswith("IN-") and incident.people == 0
    assert set(incident.categories.values_list("code", flat=True)) == {"email", "phone"}
    entry = AuditEntry.objects.get(object_type="registry.incident", object_id=incident.pk)
    assert (entry.actor, entry.reason) == (officer, "opened: loss") and CANARY not in entry.reason


def test_a_discovery_to_come_or_without_data_is_refused(officer, now):
    with pytest.raises(ValidationError):
        entered(officer, at=now + HOUR, now=now)
    with pytest.raises(ValidationError):
        opening.open_incident("loss", CANARY, [], discovered_at=now, by=officer, now=now)
    assert not Incident.objects.exists()


def test_what_is_learnt_later_stands_beside_what_was_entered(incident, officer, now):
    text = DataCategory.objects.exclude(code__in=["email", "phone"]).first()
    acts.note_finding(incident, "A copy was found", at=now, by=officer, now=now + HOUR, categories=[text])
    acts.note_measure(incident, "The key was changed", at=now, by=officer, now=now + HOUR, secures=True)
    assert incident.categories.filter(pk=text.pk).exists()
    assert list(incident.notes.values_list("kind", "secures")) == [("finding", False), ("measure", True)]
    with pytest.raises(ValidationError):
        acts.note_measure(incident, "later", at=now + DAY, by=officer, now=now)


# --- whose data -------------------------------------------------------------------------------------------------------
def test_what_a_member_of_the_staff_opened_is_what_the_audit_says(incident, officer, second, now):
    mine, before, others, searched = (person(now=now - DAY) for _ in range(4))
    disclosure.reveal(mine.data.get(), by=officer, reason="asked", now=now - HOUR)
    disclosure.reveal(mine.data.get(), by=officer, reason="asked again", now=now - HOUR / 2)
    disclosure.reveal(before.data.get(), by=officer, reason="asked", now=now - 3 * HOUR)
    disclosure.reveal(others.data.get(), by=second, reason="asked", now=now - HOUR)
    auditing.record("search", now=now - HOUR, actor=officer, subject_id=searched.pk)
    question = asked.of_audit(now - 2 * HOUR, now, asked.SEEN, now=now, member=officer)
    source = kept(incident, question, officer, now)
    assert people_of(incident) == {mine.pk, searched.pk}
    assert (source.found, source.added) == (2, 2)
    incident.refresh_from_db()
    assert incident.people == 2


def test_the_period_begins_at_its_first_moment_and_ends_before_its_last(incident, officer, now):
    people = {moment: person(now=now - DAY) for moment in (now - HOUR, now - HOUR / 2, now)}
    for moment, subject in people.items():
        auditing.record("reveal", now=moment, actor=officer, subject_id=subject.pk)
    question = asked.of_audit(now - HOUR, now, ["reveal"], now=now)
    kept(incident, question, officer, now)
    assert people_of(incident) == {people[now - HOUR].pk, people[now - HOUR / 2].pk}


def test_lists_a_member_of_the_staff_fetched_count_as_theirs(incident, officer, second, now):
    on_list, too_late = person(now=now - 2 * DAY), person(now=now)
    listed(officer, built=now - DAY, taken=now - HOUR)
    listed(second, built=now, taken=now - HOUR)
    question = asked.of_audit(now - 2 * HOUR, now, ["export"], now=now, member=officer)
    assert kept(incident, question, officer, now).found == 1
    assert people_of(incident) == {on_list.pk} and too_late.pk not in people_of(incident)


def test_a_list_names_whom_the_gate_let_through_when_it_was_written(incident, officer, now):
    then = now - 10 * DAY
    stayed, left, other = person(now=then - DAY), person(now=then - DAY), person("advertising", now=then - DAY)
    gone, later, again = person(now=then - DAY), person(now=then + DAY), person(email=EMAIL, now=then - DAY)
    over = person(now=then - 4000 * DAY)  # its term ended by itself
    withdraw(gone, then - HOUR)
    withdraw(again, then - HOUR)
    withdraw(left, then + HOUR)
    assert person(email=EMAIL, now=then + HOUR) == again  # consented anew
    was_open = Processing.history.as_of(then).filter(purpose=purpose(), state="open")
    wanted = set(was_open.exclude(lapses_at__lte=then).values_list("subject_id", flat=True))
    listed(officer, built=now)  # another list
    export = listed(officer, built=then)
    assert kept(incident, asked.of_list(export), officer, now).found == 2
    assert people_of(incident) == {stayed.pk, left.pk} == wanted
    assert not people_of(incident) & {other.pk, gone.pk, again.pk, later.pk, over.pk}


def withdraw(subject, at):
    lock_subjects([subject.pk])
    assert end_processing(subject, [purpose().pk], Processing.State.WITHDRAWN, now=at)


def test_a_list_that_was_never_written_names_nobody(officer, now):
    export = listed(officer, built=now)
    export.built_at = None
    with pytest.raises(ValidationError):
        asked.of_list(export)


def test_a_purpose_names_everybody_kept_at_the_discovery(officer, now):
    held, lapsed, later, other = (
        person(now=now - DAY),
        person(now=now - DAY),
        person(now=now),
        person("advertising", now=now - DAY),
    )
    withdraw(lapsed, now - HOUR)
    incident = entered(officer, at=now - HOUR / 2, now=now)
    kept(incident, asked.of_purpose(purpose(), incident), officer, now)
    independent = {
        row.subject_id
        for row in Processing.history.filter(purpose=purpose(), history_date__lte=now - HOUR / 2)
        if row.lapses_at is None or row.lapses_at > now - HOUR / 2
    } - {lapsed.pk}
    assert people_of(incident) == {held.pk} == independent
    assert not people_of(incident) & {later.pk, other.pk}


def test_references_name_their_people_and_a_wrong_one_is_not_repeated(incident, officer, now):
    one, two = person(now=now), person(now=now)
    question = asked.of_references(f" {one.reference.lower()},\n{two.reference}; {one.reference}")
    kept(incident, question, officer, now)
    assert people_of(incident) == {one.pk, two.pk}
    with pytest.raises(ValidationError) as refusal:
        asked.of_references(f"{one.reference} {EMAIL}")
    assert "Canary" not in str(refusal.value).title() and "1" in str(refusal.value)


def test_each_source_tells_what_it_found_and_what_was_new(incident, officer, now):
    one, two = person(now=now), person(now=now)
    kept(incident, asked.of_references(one.reference), officer, now)
    question = asked.of_references(f"{one.reference} {two.reference}")
    assert sources.preview_source(incident, question, by=officer, now=now) == sources.Preview(found=2, new=1)
    source = kept(incident, question, officer, now)
    assert (source.found, source.added, source.parameters) == (2, 1, dict(question.parameters))
    incident.refresh_from_db()
    assert incident.people == IncidentPerson.objects.filter(incident=incident).count() == 2


def test_looking_keeps_nothing_and_another_number_than_was_shown_is_refused(incident, officer, now):
    subject = person(now=now - DAY)
    question = asked.of_references(subject.reference)
    sources.preview_source(incident, question, by=officer, now=now)
    with pytest.raises(ValidationError):
        sources.add_source(incident, question, seen=2, reason="door", by=officer, now=now)
    incident.refresh_from_db()
    assert not IncidentPerson.objects.exists() and not IncidentSource.objects.exists() and incident.people == 0


def test_the_same_source_is_kept_once(incident, officer, now):
    question = asked.of_references(person(now=now).reference)
    kept(incident, question, officer, now)
    with pytest.raises(ValidationError):
        kept(incident, question, officer, now)
    assert incident.sources.count() == 1


def test_a_time_that_is_not_over_is_no_question(now):
    for since, until in ((now - HOUR, now + HOUR), (now, now), (now, now - HOUR)):
        with pytest.raises(ValidationError):
            asked.of_audit(since, until, ["reveal"], now=now)
    with pytest.raises(ValidationError):
        asked.of_audit(now - HOUR, now, [], now=now)


def test_the_number_of_queries_does_not_grow_with_the_people(incident, officer, now):
    def queries(count):
        references = " ".join(person(now=now).reference for _ in range(count))
        question = asked.of_references(references)
        with CaptureQueriesContext(
            connection,
        ) as seen:
            kept(incident, question, officer, now)
        return len(seen)

    assert queries(1) == queries(30)


# --- the notice and the end -------------------------------------------------------------------------------------------
def test_nobody_closes_before_the_notice_was_sent(incident, officer, now):
    with pytest.raises(ValidationError):
        acts.close(incident, reason="done", by=officer, now=now)
    refused(
        "UPDATE registry_incident SET state = 'closed', closed_at = now(), closed_by_id = %s, closing_reason = 'x'",
        officer.pk,
    )
    acts.note_sent(incident, sent_at=now, how="portal", reference="ЗТ-2026-001234", by=officer, now=now)
    assert acts.close(incident, reason="done", by=officer, now=now).state == "closed"


@pytest.mark.django_db(transaction=True)
def test_past_the_trigger_there_is_the_constraint(now):
    officer = staff("officer")
    entered(officer, now=now)
    with owner_connection() as owner, owner.transaction(force_rollback=True):
        owner.execute("ALTER TABLE registry_incident DISABLE TRIGGER incident_steps")
        with pytest.raises(psycopg.errors.CheckViolation, match="told_or_decided_by_two"), owner.transaction():
            owner.execute(
                "UPDATE registry_incident SET state = 'closed', closed_at = now(), closed_by_id = %s,"
                " closing_reason = 'x'",
                [officer.pk],
            )


def test_that_no_notice_is_due_is_decided_by_somebody_else(incident, officer, second, now):
    acts.state_no_notice(incident, reason="nobody could read it", by=officer, now=now)
    with pytest.raises(ValidationError):
        acts.close(incident, reason="agreed", by=officer, now=now)
    closing = (
        "UPDATE registry_incident SET state = 'closed', closed_at = now(), closed_by_id = %s, closing_reason = 'x'"
    )
    refused(closing, officer.pk)
    closed = acts.close(incident, reason="agreed", by=second, now=now)
    assert (closed.closed_by, closed.no_notice_by, closed.notified_at) == (second, officer, None)


def test_one_statement_can_t_state_and_close(incident, officer, second):
    refused(
        "UPDATE registry_incident SET state = 'closed', closed_at = now(), closed_by_id = %s, closing_reason = 'x',"
        " no_notice_reason = 'x', no_notice_at = now(), no_notice_by_id = %s",
        second.pk, officer.pk,
    )  # fmt: skip


def test_a_notice_is_sent_after_the_discovery_and_not_in_the_future(incident, officer, now):
    for moment in (now - HOUR, now + 2 * HOUR):
        with pytest.raises(ValidationError):
            acts.note_sent(incident, sent_at=moment, how="post", reference="", by=officer, now=now + HOUR)
    refused(
        "UPDATE registry_incident SET notified_at = %s, notified_how = 'post', notified_by_id = %s",
        now - HOUR,
        officer.pk,
    )


def test_what_was_told_and_stated_stays(incident, officer, now):
    acts.state_no_notice(incident, reason="nobody could read it", by=officer, now=now)
    with pytest.raises(ValidationError):
        acts.state_no_notice(incident, reason="another", by=officer, now=now)
    acts.note_sent(incident, sent_at=now, how="mail", reference="", by=officer, now=now)
    for act in (
        lambda: acts.note_sent(incident, sent_at=now, how="post", reference="", by=officer, now=now),
        lambda: acts.state_no_notice(incident, reason="another", by=officer, now=now),
    ):
        with pytest.raises(ValidationError):
            act()
    refused("UPDATE registry_incident SET notified_at = notified_at + interval '1 hour'")
    refused("UPDATE registry_incident SET no_notice_reason = 'another'")


@pytest.mark.parametrize(
    "change",
    [
        "discovered_at = discovered_at - interval '1 day'", "happened = 'nothing'", "kind = 'other'", "number = 'IN-1'",
        "length = 9", "entered_at = now()", "people = -1",
    ],
)  # fmt: skip
def test_what_was_entered_stays_as_it_was(incident, change):
    refused(f"UPDATE registry_incident SET {change}")


@pytest.fixture
def closed(incident, officer, now):
    kept(incident, asked.of_references(person(now=now).reference), officer, now)
    acts.note_measure(incident, "The key was changed", at=now, by=officer, now=now)
    acts.note_sent(incident, sent_at=now, how="post", reference="", by=officer, now=now)
    return acts.close(incident, reason="done", by=officer, now=now)


def test_a_closed_incident_is_frozen_for_the_operations(closed, officer, now):
    question = asked.of_references(person(now=now).reference)
    attempts = [
        lambda: acts.note_measure(closed, "more", at=now, by=officer, now=now),
        lambda: acts.note_finding(closed, "more", at=now, by=officer, now=now),
        lambda: acts.note_sent(closed, sent_at=now, how="post", reference="", by=officer, now=now),
        lambda: acts.state_no_notice(closed, reason="x", by=officer, now=now),
        lambda: acts.close(closed, reason="again", by=officer, now=now),
        lambda: sources.add_source(closed, question, seen=1, reason="x", by=officer, now=now),
    ]
    before = AuditEntry.objects.count()
    for attempt in attempts:
        with pytest.raises(ValidationError):
            attempt()
    assert AuditEntry.objects.count() == before


def test_a_closed_incident_is_frozen_for_the_database(closed, officer, now):
    subject, source = person(now=now), closed.sources.get()
    refused("UPDATE registry_incident SET state = 'open'")
    refused("UPDATE registry_incident SET closing_reason = 'other'")
    refused(
        "INSERT INTO registry_incidentperson (incident_id, subject_id, source_id) VALUES (%s, %s, %s)",
        closed.pk, subject.pk, source.pk,
    )  # fmt: skip
    refused(
        "INSERT INTO registry_incidentnote (incident_id, kind, text, at, secures, noted_at, noted_by_id)"
        " VALUES (%s, 'measure', 'x', now(), false, now(), %s)",
        closed.pk, officer.pk,
    )  # fmt: skip
    refused(
        "INSERT INTO registry_incident_categories (incident_id, datacategory_id)"
        " SELECT %s, id FROM registry_datacategory WHERE code NOT IN ('email', 'phone') LIMIT 1",
        closed.pk,
    )
    refused("DELETE FROM registry_incident")
    for table in ("incidentnote", "incidentsource", "incidentperson", "incident_categories"):
        refused(f"DELETE FROM registry_{table}")
        refused(f"UPDATE registry_{table} SET incident_id = incident_id")
        refused(f"TRUNCATE registry_{table}")


def test_people_come_from_a_source_of_their_own_incident(incident, officer, now):
    other = entered(officer, now=now)
    source = kept(other, asked.of_references(person(now=now).reference), officer, now)
    insert = "INSERT INTO registry_incidentperson (incident_id, subject_id, source_id) VALUES (%s, %s, %s)"
    refused(insert, incident.pk, person(now=now).pk, source.pk)
    refused(insert, other.pk, 10**9, source.pk)
    refused(insert, 10**9, person(now=now).pk, source.pk)


# --- two at once -----------------------------------------------------------------------------------------------------
def done(act):
    """Whether it was, or somebody was faster."""
    try:
        act()
    except ValidationError:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_two_who_act_at_once_do_it_once(now):
    officer, second = staff("officer"), staff("second")
    incident, question = entered(officer, now=now), asked.of_references(person(now=now).reference)

    def once(act):
        return sorted(all_at_once([lambda: done(lambda: act(officer)), lambda: done(lambda: act(second))]))

    sent = {"sent_at": now, "how": "post", "reference": ""}
    assert once(lambda by: sources.add_source(incident, question, seen=1, reason="door", by=by, now=now)) == [
        False,
        True,
    ]
    assert once(lambda by: acts.note_sent(incident, **sent, by=by, now=now)) == [False, True]
    assert once(lambda by: acts.close(incident, reason="done", by=by, now=now)) == [False, True]
    incident.refresh_from_db()
    assert (incident.people, incident.sources.count(), incident.state) == (1, 1, "closed")


# --- who may ----------------------------------------------------------------------------------------------------------
CAST = {role: role == roles.OFFICER for role in roles.MATRIX}


@pytest.mark.parametrize("role", CAST)
def test_only_the_responsible_person_handles_incidents(incident, officer, now, role):
    one = member("somebody", role)
    question = asked.of_references(person(now=now).reference)
    attempts = [
        lambda: entered(one, now=now),
        lambda: sources.preview_source(incident, question, by=one, now=now),
        lambda: sources.add_source(incident, question, seen=1, reason="x", by=one, now=now),
        lambda: acts.note_measure(incident, "x", at=now, by=one, now=now),
        lambda: acts.note_finding(incident, "x", at=now, by=one, now=now),
        lambda: acts.note_sent(incident, sent_at=now, how="post", reference="", by=one, now=now),
        lambda: acts.close(incident, reason="x", by=one, now=now),
    ]
    for attempt in attempts:
        if CAST[role]:
            attempt()
        else:
            with pytest.raises(PermissionDenied):
                attempt()
    refusals = AuditEntry.objects.filter(operation="refused", actor=one, reason="registry.handle_incident")
    assert refusals.count() == (0 if CAST[role] else len(attempts))


def test_without_an_appointment_nobody_handles_anything(incident, now):
    one = staff("unappointed", appointed=False)
    with pytest.raises(PermissionDenied):
        acts.state_no_notice(incident, reason="x", by=one, now=now)
    assert AuditEntry.objects.filter(operation="refused", actor=one, object_id=incident.pk).exists()


# --- the pages --------------------------------------------------------------------------------------------------------
ACT_PAGES = [
    "measure", "finding", "sent", "no_notice", "close", "source_audit", "source_list", "source_purpose", "source_references",
]  # fmt: skip


def at(name, *arguments):
    return reverse(f"admin:{name}", args=arguments)


@pytest.mark.parametrize("role", roles.MATRIX)
def test_who_sees_which_page(client, incident, role):
    enter(client, member("somebody", role))
    reads = [at("registry_incident_changelist"), at("registry_incident_change", incident.pk)]
    reads += [at("incident_people", incident.pk), at("incident_notice", incident.pk)]
    writes = [at("incident_enter"), *(at(f"incident_{name}", incident.pk) for name in ACT_PAGES)]
    sees, handles = role in {roles.OFFICER, roles.AUDITOR}, role == roles.OFFICER
    assert {client.get(page).status_code for page in reads} == {200 if sees else 403}
    assert {client.get(page).status_code for page in writes} == {200 if handles else 403}
    assert {client.post(page, {}).status_code for page in writes} == {200 if handles else 403}


def test_from_entering_to_closing_by_the_pages(client, today):
    subject = person(email=EMAIL, now=today - DAY)
    enter(client, staff("officer"))
    moment = timezone.localtime(today).strftime("%Y-%m-%dT%H:%M")
    categories = list(DataCategory.objects.filter(code="email").values_list("pk", flat=True))
    form = {"kind": "access", "discovered_at": moment, "happened": CANARY, "categories": categories}
    page = client.post(at("incident_enter"), form)["Location"]
    incident = Incident.objects.get()
    question = {"references": subject.reference, "act": "look"}
    looked = client.post(at("incident_source_references", incident.pk), question).content.decode()
    assert 'name="seen" value="1"' in looked and not IncidentSource.objects.exists()
    keep = question | {"act": "keep", "seen": "1", "reason": "the log of the door"}
    assert client.post(at("incident_source_references", incident.pk), keep)["Location"] == page
    client.post(at("incident_measure", incident.pk), {"text": "The lock was changed", "at": moment, "secures": "on"})
    early = client.post(at("incident_close", incident.pk), {"reason": "done"})
    assert early.status_code == 200 and "errorlist" in early.content.decode()
    client.post(at("incident_sent", incident.pk), {"sent_at": moment, "how": "post", "reference": "12"})
    assert client.post(at("incident_close", incident.pk), {"reason": "done"})["Location"] == page
    incident.refresh_from_db()
    assert (incident.state, incident.people, incident.notified_reference) == ("closed", 1, "12")
    shown = client.get(page).content.decode()
    assert CANARY in shown and subject.reference in shown and "Aigul" not in shown
    assert subject.reference in client.get(at("incident_people", incident.pk)).content.decode()


def test_a_quoted_address_is_refused_by_the_form_and_kept_nowhere(client, incident):
    enter(client, staff("clerk"))
    moment = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    answer = client.post(at("incident_measure", incident.pk), {"text": f"told {EMAIL}", "at": moment})
    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert not IncidentNote.objects.exists()


@pytest.mark.parametrize("page", ["incident_people", "incident_notice"])
def test_pages_that_only_show_answer_no_post(client, incident, page):
    enter(client, staff("clerk"))
    assert client.post(at(page, incident.pk)).status_code == 405


def test_the_notice_says_it_all_in_kazakh_and_russian(client, incident, officer, now):
    kept(incident, asked.of_references(person(now=now).reference), officer, now)
    acts.note_measure(incident, "The lock was changed", at=now, by=officer, now=now, secures=True)
    acts.note_finding(incident, "The list was found", at=now, by=officer, now=now)
    enter(client, officer)
    text = client.get(at("incident_notice", incident.pk)).content.decode()
    assert text.index('lang="kk"') < text.index('lang="ru"')
    for said in (incident.number, CANARY, "The lock was changed", "The list was found", "230440900088"):
        assert text.count(said) >= 2, said
    assert DataCategory.objects.get(code="email").name_ru in text


def test_the_pages_cost_the_same_for_one_and_for_many(client, incident, officer, now):
    enter(client, officer)

    def queries(page):
        with CaptureQueriesContext(connection) as seen:
            assert client.get(page).status_code == 200
        return len(seen)

    def costs():
        queries(at("registry_incident_changelist"))  # looks at the ledger now and then
        return [
            queries(at(page, incident.pk))
            for page in ("registry_incident_change", "incident_people", "incident_notice")
        ]

    kept(incident, asked.of_references(person(now=now).reference), officer, now)
    acts.note_measure(incident, "one", at=now, by=officer, now=now)
    kept(incident, asked.of_audit(now - HOUR, now, ["reveal"], now=now, member=officer), officer, now)
    kept(incident, asked.of_purpose(purpose(), incident), officer, now)
    before = costs()
    for number in range(5):
        kept(incident, asked.of_references(person(now=now).reference), officer, now)
        kept(
            incident, asked.of_audit(now - (number + 2) * HOUR, now, ["reveal"], now=now, member=officer), officer, now
        )
        acts.note_measure(incident, "more", at=now, by=staff(f"hand{number}"), now=now)
    assert costs() == before


def test_the_badge_says_how_it_stands_with_the_notice(officer):
    discovered = local(2026, 11, 23, 12, 0)
    told, late = (entered(officer, now=discovered) for _ in range(2))
    assert [badge(told, day)[0] for day in (date(2026, 11, 24), date(2026, 11, 25))] == ["soon", "bad"]
    told = acts.note_sent(
        told, sent_at=local(2026, 11, 24, 23, 59), how="post", reference="", by=officer, now=local(2026, 11, 26)
    )
    late = acts.note_sent(
        late, sent_at=local(2026, 11, 25, 0, 1), how="post", reference="", by=officer, now=local(2026, 11, 26)
    )
    assert [badge(one, date(2026, 11, 26))[0] for one in (told, late)] == ["ok", "bad"]
