"""What the database refuses, whoever asks it: the application's role and the owner of the tables.

Broken and seen to fail: the guard of one evidence table, the REVOKE of registry_make_evidence; the guards against
emptying the runs, the people and the staff were missing at first.
"""

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError, ProgrammingError
from django.utils import timezone

from consent import policy
from consent.models import PolicyVersion
from registry import holds, purging
from registry.incidents import acts, asked, sources
from registry.incidents import opening as incidents
from registry.models import (
    AccessSettings,
    Appointment,
    AuditSeal,
    CopyPackage,
    Country,
    DataCategory,
    LegalHold,
    PersonalDatum,
    PersonNotice,
    ProcessingPurpose,
    PurgeRun,
    Recipient,
    RecipientKey,
    RecipientNotice,
    ReplyTemplate,
    RetentionSettings,
    SelfRetentionRule,
    SizeClass,
    WorkCalendarOverride,
)  # fmt: skip
from registry.requests import opening
from registry.transfers import telling
from tests.browser.conftest import shipped  # noqa: F401 (a fixture: a recipient is made and goes again)
from tests.conftest import owner_connection
from tests.factories import DAY, EMAIL, MOMENT, hold, keep_until, nobody_yet, person, purpose, question, staff
from tests.house import transfer_to

pytestmark = pytest.mark.django_db

EVIDENCE = [
    "registry_auditentry", "registry_erasurerecord", "consent_consentrecord", "consent_wording",
    "registry_historicaloperator", "registry_historicallegalground", "registry_historicaldatacategory",
    "registry_historicaldeadline", "registry_historicalprocessingpurpose",
    "registry_historicalprocessingpurpose_categories", "registry_historicalprocessing", "registry_historicallegalhold",
    "registry_historicalappointment", "consent_historicalpolicyversion", "registry_historicalretentionsettings",
    "registry_historicalselfretentionrule", "registry_historicalcountry", "registry_historicalrecipient",
    "registry_historicalprocessingpurpose_recipients", "consent_receipt", "registry_auditseal",
    "registry_historicalaccesssettings", "registry_historicalreplytemplate", "registry_historicalworkcalendaroverride",
    "registry_requeststep", "registry_historicalrecipient_categories", "registry_historicaltransfercondition",
    "registry_historicalsizeclass",
]  # fmt: skip
NEVER_DELETED = [
    "registry_incident",
    "registry_datasubject",
    "registry_staffmember",
    "registry_subjectrequest",
    "registry_copypackage",
    "registry_transfer",
    "registry_recipientnotice",
    "registry_personnotice",
    "registry_transfercondition",
]


@pytest.fixture
def a_row_everywhere():
    """At least one row in every evidence table, written by the operations themselves."""
    member = staff()
    Appointment.objects.get().save()
    subject = person(email=EMAIL, now=MOMENT - DAY)
    ground = hold(subject).ground
    holds.release(LegalHold.objects.get(), by=member, reason="over", now=MOMENT)
    ground.save()
    Country.objects.all()[0].save()
    recipient = Recipient.objects.create(
        code="partner", kind="partner", name_kk="с", name_ru="с", name_en="p", country_id="KZ"
    )
    purpose().recipients.add(recipient)
    recipient.categories.set(DataCategory.objects.all()[:1])
    recipient.save()
    RetentionSettings.objects.get().save()
    SelfRetentionRule.objects.all()[0].save()
    AccessSettings.objects.get().save()
    SizeClass.objects.all()[0].save()
    telling.ask_to_be_told(subject, by=member, reason="asked", now=MOMENT)
    ReplyTemplate.objects.create(code="hello").save()
    WorkCalendarOverride.objects.create(day=MOMENT.date(), kind="dayoff", reason="decree")
    sealed = {"lines": b"x", "previous": b"0" * 32, "head": b"1" * 32, "sealed_at": MOMENT}
    AuditSeal.objects.create(first_entry=1, last_entry=1, count=1, **sealed)
    opening.receive(person(), "other", channel="page", language="kk", now=MOMENT)
    incident = an_incident(member)
    question = asked.of_references(subject.reference)
    sources.add_source(incident, question, seen=1, reason="the door", by=member, now=MOMENT)
    acts.note_measure(incident, "a lock", at=MOMENT, by=member, now=MOMENT)
    keep_until(subject, MOMENT)
    purging.purge(MOMENT)
    for table in EVIDENCE:
        assert query(f"SELECT count(*) FROM {table}"), table


def an_incident(member):
    data = DataCategory.objects.all()[:1]
    return incidents.open_incident("loss", "a letter", data, discovered_at=MOMENT, by=member, now=MOMENT)


def query(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else cursor.rowcount


def refuses(statement, *values, error=DatabaseError):
    """The database refuses, at once or when the transaction would end."""
    with pytest.raises(error) as refusal, transaction.atomic():
        query(statement, *values)
        query("SET CONSTRAINTS ALL IMMEDIATE")
    return str(refusal.value)


def columns(table):
    """Every column that can be written to."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        return [f'"{column.name}"' for column in cursor.description]


def owner_refuses(statement):
    with owner_connection() as owner, pytest.raises(psycopg.Error) as refusal:
        owner.execute(statement)
    return str(refusal.value)


# --- evidence -----------------------------------------------------------------------------------------------------
def test_no_evidence_table_is_forgotten():
    """History and proof: a new table of that kind has to be listed here, and guarded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = {row[0] for row in cursor.fetchall()}
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname IN ('evidence_row', 'evidence_table') "
            "AND tgenabled = 'A' GROUP BY tgrelid HAVING count(*) = 2"
        )
        guarded = {row[0] for row in cursor.fetchall()}
    assert guarded >= set(EVIDENCE) >= {name for name in names if "_historical" in name}


def test_the_application_can_t_change_evidence(a_row_everywhere):
    for table in EVIDENCE:
        before = query(f"SELECT count(*) FROM {table}")
        for column in columns(table):
            assert "permission denied" in refuses(f"UPDATE {table} SET {column} = {column}", error=ProgrammingError)
        assert "permission denied" in refuses(f"DELETE FROM {table}", error=ProgrammingError)
        assert "permission denied" in refuses(f"TRUNCATE {table} CASCADE", error=ProgrammingError)
        assert query(f"SELECT count(*) FROM {table}") == before


@pytest.mark.django_db(transaction=True)
def test_the_owner_can_t_change_evidence(a_row_everywhere):
    for table in EVIDENCE:
        column = columns(table)[-1]
        for act in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            assert "is evidence" in owner_refuses(act), act
            assert "is evidence" in owner_refuses(f"SET session_replication_role = replica; {act}"), act


def test_the_application_can_t_put_a_guard_aside(a_row_everywhere):
    guarded = [*EVIDENCE, *NEVER_DELETED, "registry_personaldatum", "registry_purgerun", "consent_policyversion"]
    for table in guarded:
        for change in ("DISABLE TRIGGER ALL", "DISABLE TRIGGER USER", "RENAME TO gone", "ADD COLUMN extra int"):
            refuses(f"ALTER TABLE {table} {change}", error=ProgrammingError)
        refuses(f"DROP TABLE {table} CASCADE", error=ProgrammingError)
    refuses("SET session_replication_role = replica", error=ProgrammingError)
    refuses("DROP FUNCTION registry_refuse_change() CASCADE", error=ProgrammingError)
    refuses("ALTER FUNCTION registry_refuse_change() RENAME TO gone", error=ProgrammingError)
    refuses("DROP VIEW registry_datumterm", error=ProgrammingError)
    refuses("DELETE FROM django_migrations", error=ProgrammingError)
    refuses("CREATE TABLE public.mine (id int)", error=ProgrammingError)


def test_the_application_s_role_is_what_the_tests_use():
    assert query("SELECT current_user::text") == "registry_app"
    assert not query("SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = current_user")


# --- what is frozen -------------------------------------------------------------------------------------------------
def test_a_published_policy_is_frozen():
    for column in columns("consent_policyversion"):
        refuses(f"UPDATE consent_policyversion SET {column} = {column}", error=IntegrityError)
    refuses("UPDATE consent_policyversion SET state = 'draft'", error=IntegrityError)
    refuses("DELETE FROM consent_policyversion WHERE state = 'published'", error=IntegrityError)


def test_a_draft_may_change_until_it_is_published():
    texts = {f"text_{language}": "I. text" for language in ("kk", "ru", "en")}
    draft = PolicyVersion.objects.create(number=2, effective_at=timezone.now(), **texts)
    PolicyVersion.objects.filter(pk=draft.pk).update(text_kk="other")
    policy.publish(draft, by=None, now=MOMENT)
    refuses("UPDATE consent_policyversion SET text_kk = 'third' WHERE number = 2", error=IntegrityError)


@pytest.mark.django_db(transaction=True)
def test_the_owner_can_t_change_a_published_policy():
    for statement in (
        "UPDATE consent_policyversion SET text_kk = 'other'",
        "DELETE FROM consent_policyversion",
        "TRUNCATE consent_policyversion CASCADE",
    ):
        assert "is evidence" in owner_refuses(statement)


IMMUTABLE = {
    "id": "id + 1000", "subject_id": "subject_id + 1", "category_id": "3 - category_id", "sealed": "sealed || 'x'",
    "index": "index || 'x'", "source": "'import'", "recorded_at": "recorded_at + interval '1 s'", "recorded_by_id": "1",
}  # fmt: skip


@pytest.mark.parametrize("column", IMMUTABLE)
def test_a_recorded_value_is_what_it_was(column):
    question()
    refuses(f'UPDATE registry_personaldatum SET "{column}" = {IMMUTABLE[column]}', error=IntegrityError)


def test_the_end_of_a_value_may_change():
    question()
    assert query("UPDATE registry_personaldatum SET superseded_at = now(), keep_until = now()") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("column", IMMUTABLE)
def test_a_recorded_value_is_what_it_was_for_the_owner_too(column):
    question()
    assert "is evidence" in owner_refuses(f'UPDATE registry_personaldatum SET "{column}" = {IMMUTABLE[column]}')


def test_a_finished_run_is_frozen_and_an_open_one_is_not():
    keep_until(person(now=MOMENT - DAY), MOMENT)
    purging.purge(MOMENT)
    for column in ("data", "subjects", "as_of", "started_at", "finished_at"):
        refuses(f"UPDATE registry_purgerun SET {column} = {column}", error=IntegrityError)
    refuses("DELETE FROM registry_purgerun", error=ProgrammingError)
    open_run = PurgeRun.objects.create(started_at=MOMENT, as_of=MOMENT)
    assert query("UPDATE registry_purgerun SET data = 1 WHERE id = %s", open_run.pk) == 1


def a_copy(member):
    """Of a request that was just received."""
    request = opening.receive(person(), "access", channel="page", language="kk", now=MOMENT)
    CopyPackage.objects.create(request=request, state="building", asked_at=MOMENT, asked_by=member)


def a_transfer(member):
    """One that was asked for, and something its recipient must be told."""
    subject = person(now=MOMENT - DAY)
    body = Recipient.objects.create(code="court", kind="state_body", name_kk="n", country_id="KZ")
    transfer = transfer_to(body, member, MOMENT)
    telling.ask_to_be_told(subject, by=member, reason="asked", now=MOMENT)
    PersonNotice.objects.create(transfer=transfer, subject=subject, opened_at=MOMENT, due_on=MOMENT.date())
    RecipientNotice.objects.create(
        recipient=body, subject=subject, event="blocked", opened_at=MOMENT, due_on=MOMENT.date()
    )
    moments = {"made_at": MOMENT, "expires_at": MOMENT + DAY}
    RecipientKey.objects.create(recipient=body, prefix="abcdefgh", digest="0" * 64, made_by=member, **moments)


def test_people_staff_and_requests_are_never_deleted():
    a_copy(member := staff())
    an_incident(member)
    a_transfer(member)
    for table in NEVER_DELETED:
        assert query(f"SELECT count(*) FROM {table}")
        refuses(f"DELETE FROM {table}", error=ProgrammingError)
        refuses(f"TRUNCATE {table} CASCADE", error=ProgrammingError)


@pytest.mark.django_db(transaction=True)
def test_the_owner_can_t_delete_people_staff_requests_or_a_finished_run(shipped):  # noqa: F811
    keep_until(person(now=MOMENT - DAY), MOMENT)
    a_copy(member := staff())
    an_incident(member)
    a_transfer(member)
    purging.purge(MOMENT)
    for table in [*NEVER_DELETED, "registry_purgerun"]:
        assert "is evidence" in owner_refuses(f"DELETE FROM {table}")
        assert "is evidence" in owner_refuses(f"TRUNCATE {table} CASCADE")


# --- constraints ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("standing", ["claimed", "confirmed"])
def test_one_address_identifies_one_person(standing):
    known = (question().subject if standing == "claimed" else person(email=EMAIL)).data.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        twin = nobody_yet()
        confirmed_at = MOMENT if standing == "confirmed" else None
        PersonalDatum.objects.create(
            subject=twin, category=known.category, sealed=b"", index=known.index, source="subject", standing=standing,
            recorded_at=MOMENT, confirmed_at=confirmed_at,
        )  # fmt: skip


def test_an_address_somebody_stated_may_stand_with_several_people():
    for number in range(2):
        asked = question(email=f"a{number}@example.kz", phone="87015551234")
        assert asked.subject.data.count() == 2


ROWS = {
    "an operator beside the first": "UPDATE registry_operator SET id = 2",
    "a BIN of letters": "UPDATE registry_operator SET bin = 'ABCDEFGHIJKL'",
    "a language of nobody": "UPDATE registry_datasubject SET language = 'de'",
    "a confirmed datum without its moment": "UPDATE registry_personaldatum SET confirmed_at = NULL",
    "a superseded datum without a term": "UPDATE registry_personaldatum SET superseded_at = now(), keep_until = NULL",
    "an ended processing without an end": "UPDATE registry_processing SET state = 'withdrawn', lapses_at = NULL",
    "a processing that ends before it begins": "UPDATE registry_processing SET lapses_at = began_at - interval '1 s'",
    "an answer without its moment": "UPDATE consent_confirmation SET answered_at = NULL",
    "a waiting question with an answer": "UPDATE consent_confirmation SET answer = 'waiting'",
    "a public purpose without a term": "UPDATE registry_processingpurpose SET term_value = 0 WHERE is_public",
    "a person's lock taken away": "DELETE FROM registry_datasubject",
    "a datum without its category": "UPDATE registry_personaldatum SET category_id = 999",
    "two processings for one purpose": "UPDATE registry_processing SET purpose_id = 1",
    "a purpose that is still used": "DELETE FROM registry_processingpurpose",
    "a category that is still used": "DELETE FROM registry_datacategory",
    "a value without its key's end": "DELETE FROM registry_personaldatum",
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_can_t_be_true_is_refused(name):
    person("site-news", "feedback", email=EMAIL)
    refuses(ROWS[name])


def test_a_consent_must_name_what_was_shown():
    asked = question()
    refuses(
        """INSERT INTO consent_consentrecord (subject_id, purpose_id, act, at, language, channel, site, third_parties,
        cross_border, public_sources) VALUES (%s, %s, 'given', now(), 'kk', 'page', '', false, false, false)""",
        asked.subject_id, purpose().pk, error=IntegrityError,
    )  # fmt: skip


def test_a_hold_ends_after_it_begins():
    placed = hold(person())
    refuses("UPDATE registry_legalhold SET until = placed_at WHERE id = %s", placed.pk, error=IntegrityError)


def test_a_held_value_can_t_be_deleted_behind_the_operations():
    subject = person()
    placed = hold(subject, datum=subject.data.get())
    query("DELETE FROM registry_datumkey")
    refuses("DELETE FROM registry_personaldatum WHERE id = %s", placed.datum_id, error=IntegrityError)


def test_each_change_of_a_retention_rule_counts_a_version():
    before = purpose().rule_version
    ProcessingPurpose.objects.filter(pk=purpose().pk).update(term_value=7)
    assert purpose().rule_version == before + 1
    ProcessingPurpose.objects.filter(pk=purpose().pk).update(name_kk="басқа")
    assert purpose().rule_version == before + 1


def test_destroyed_data_are_proved_once():
    keep_until(person(now=MOMENT - DAY), MOMENT)
    purging.purge(MOMENT)
    refuses(
        """INSERT INTO registry_erasurerecord (datum_id, subject_id, category_id, ground, at)
        SELECT datum_id, subject_id, category_id, ground, at FROM registry_erasurerecord""",
        error=IntegrityError,
    )
