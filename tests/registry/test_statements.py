"""Plain statements: what they write is what `save()` writes, and the database plans them once for a session.

Broken and seen to fail: the number of a new row; a value the database fills in; the cursor that prepares; what is
written at once written one by one, written in spite of an error, or the second part of it lost; a function among it not
called; the watched way.
"""

from datetime import UTC, datetime
from threading import Thread

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from consent.models import Confirmation
from registry import statements
from registry.models import DataSubject, Operator

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 3, 5, 9, tzinfo=UTC)
FIND = "SELECT id FROM registry_datasubject WHERE reference = %s"
PLANNED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM registry_datasubject%%'"


def new_person(**also):
    return DataSubject(language="kk", status=DataSubject.Status.ACTIVE, created_at=MOMENT, **also)


def values_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def question(subject):
    return Confirmation(subject=subject, language="kk", way=Confirmation.Way.CODE, asked_at=MOMENT, expires_at=MOMENT)


def test_a_row_is_written_as_save_would():
    plain, saved = new_person(), new_person()
    statements.insert(plain)
    saved.save()
    asked = [question(plain), question(plain)]
    statements.insert(asked[0])
    asked[1].save()
    for one, other in ((plain, saved), asked):
        assert one.pk and not one._state.adding
        held, usual = (values_of(type(one).objects.get(pk=row.pk)) for row in (one, other))
        own = {"id", "reference"}
        assert {**held, **dict.fromkeys(own)} == {**usual, **dict.fromkeys(own)}
    assert Confirmation.objects.get(pk=asked[0].pk).document_digest == ""


def test_rows_are_numbered_in_their_order():
    rows = [new_person() for _ in range(50)]
    statements.insert(*rows)
    assert [row.reference for row in DataSubject.objects.order_by("pk")] == [row.reference for row in rows]
    assert [row.pk for row in rows] == list(DataSubject.objects.order_by("pk").values_list("pk", flat=True))
    with statements.at_once():
        statements.insert(*(later := [new_person() for _ in range(50)]))
        statements.insert()
    assert [row.reference for row in DataSubject.objects.order_by("pk")[50:]] == [row.reference for row in later]


def test_a_row_is_read_as_a_model_would():
    subject = new_person()
    statements.insert(subject)
    (found,) = statements.select(DataSubject, "id = %s", subject.pk)
    assert values_of(found) == values_of(DataSubject.objects.get(pk=subject.pk))
    assert statements.select(DataSubject, "id = %s", subject.pk + 1) == []


def test_rows_of_two_models_are_read_side_by_side():
    statements.insert(subject := new_person())
    ((person, operator),) = statements.select_beside(DataSubject, Operator, "registry_datasubject.id = %s", subject.pk)
    assert values_of(person) == values_of(DataSubject.objects.get(pk=subject.pk))
    assert values_of(operator) == values_of(Operator.objects.get())
    assert statements.select_beside(DataSubject, Operator, "registry_datasubject.id = %s", subject.pk + 1) == []


def test_what_the_database_refuses_is_an_error_as_everywhere():
    subject = new_person()
    statements.insert(subject)
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.insert(new_person(reference=subject.reference))


def test_asked_again_and_again_it_is_planned_once():
    for _ in range(7):
        statements.run(FIND, ["DS-NONE"])
    with connection.cursor() as cursor:
        cursor.execute(PLANNED, [])
        assert cursor.fetchone() == (1,)


def test_whoever_watches_statements_sees_them():
    seen = []
    with connection.execute_wrapper(lambda execute, sql, *others: seen.append(sql) or execute(sql, *others)):
        statements.run(FIND, ["DS-NONE"])
    assert seen == [FIND]


def test_in_a_transaction_that_is_lost_nothing_is_asked():
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            statements.run(FIND, ["DS-NONE"])


def test_where_statements_are_logged_its_text_is_there():
    with CaptureQueriesContext(connection) as log:
        statements.run(FIND, ["DS-NONE"])
    assert [query["sql"] for query in log] == ["SELECT id FROM registry_datasubject WHERE reference = 'DS-NONE'"]


# --- at once ----------------------------------------------------------------------------------------------------------
def names():
    return set(DataSubject.objects.values_list("reference", flat=True))


def test_what_is_written_at_once_is_one_statement_at_the_end():
    first, second = new_person(pk=-1), new_person(pk=-2)
    with CaptureQueriesContext(connection) as log:
        with statements.at_once():
            statements.insert(first)
            with statements.at_once():
                statements.insert(second)
                statements.write("UPDATE registry_operator SET site = %s", ["elsewhere.kz"])
            assert len(log) == 0
        assert len(log) == 1
    assert names() == {first.reference, second.reference}
    assert Operator.objects.get().site == "elsewhere.kz"
    assert values_of(DataSubject.objects.get(pk=-1)) == values_of(first)


def test_a_function_among_it_is_called():
    """PostgreSQL leaves out what is selected and not read."""
    with statements.at_once():
        statements.insert(subject := new_person(pk=-3))
        statements.write("SELECT set_config('registry.called', %s, true)", ["yes"])
        statements.write("SELECT set_config('registry.too', %s, true)", ["yes"])
    called = "SELECT current_setting('registry.called'), current_setting('registry.too')"
    assert statements.run(called, []).fetchone() == ("yes", "yes")
    assert names() == {subject.reference}


def test_what_is_left_with_an_error_is_not_written():
    with pytest.raises(ValueError, match="stop"), statements.at_once():
        statements.insert(new_person())
        raise ValueError("stop")
    assert names() == set()
    statements.insert(after := new_person())
    assert after.pk, "the next one is written by itself again"


def test_one_refusal_is_a_refusal_of_all():
    held = new_person()
    statements.insert(held)
    with pytest.raises(IntegrityError), transaction.atomic(), statements.at_once():
        statements.insert(new_person())
        statements.insert(new_person(reference=held.reference))
    assert names() == {held.reference}


def test_a_row_with_a_number_keeps_it():
    statements.insert(subject := new_person(pk=-5))
    assert (subject.pk, DataSubject.objects.get().pk) == (-5, -5)


def test_others_write_as_they_did_meanwhile():
    """In another thread nothing is gathered."""
    with statements.at_once():
        seen = []
        other = Thread(target=lambda: seen.append(statements._gathered.get()))
        other.start()
        other.join()
    assert seen == [None]
