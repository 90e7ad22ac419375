"""No step of what is done about one person looks through everybody, however few people there are in a test.

Each statement is explained with sequential scans put off: what still reads a table of people without a condition of an
index would read millions. Seen to fail: `_has_agreed` asked with OR over a join, which took 1.5 s among three million.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consent import decisions, linking
from consent.models import ConsentRecord
from registry import blocking, demands, holds, mail, searching
from registry.models import LegalGround, LegalHold, SubjectRequest
from registry.requests import answering, opening, verifying
from registry.requests.answering import Details
from tests.conftest import owner_connection
from tests.factories import EMAIL, person, purpose, question, staff

pytestmark = pytest.mark.django_db
BIG = {
    "registry_datasubject", "registry_retentiondue", "registry_personaldatum", "registry_datumkey", "registry_processing",
    "registry_historicalprocessing", "registry_auditentry", "registry_erasurerecord", "registry_outgoingmessage",
    "registry_subjectrequest", "registry_requeststep",
    "consent_consentrecord", "consent_confirmation", "consent_receipt", "consent_campaignmember",
}  # fmt: skip
RESIDUAL = "current_setting('registry."  # an erasure looks through everything for what is left, and means to
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


@pytest.fixture(autouse=True)
def _never_counted(django_db_setup):
    """Of a table that was counted and is small the planner takes any index. Of one never counted it expects some pages.
    Each time: the database counts by itself, too."""
    with owner_connection() as connection:
        for table in sorted(BIG):
            connection.execute("SELECT pg_clear_relation_stats('public', %s)", [table])


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


def is_bound(scan: dict[str, Any], partial: set[str]) -> bool:
    """Whether an index leads to the rows: by a condition, or by holding nothing but them."""
    inner = [scan, *scan.get("Plans", ())]
    return any("Index Cond" in one or one.get("Index Name") in partial or one["Node Type"] == "BitmapOr" for one in inner)


def read_through(statements: list[str]) -> list[tuple[str, str]]:
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        partial = {row[0] for row in cursor.fetchall()}
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in filter(STATEMENT.match, statements):
            if RESIDUAL in statement:
                continue
            cursor.execute("EXPLAIN (FORMAT JSON) " + statement.replace("%", "%%"), [])
            (plan,) = cursor.fetchone()[0]
            tables = [scan for scan in scans(plan["Plan"]) if scan["Relation Name"] in BIG]
            found += [(scan["Relation Name"], statement[:300]) for scan in tables if not is_bound(scan, partial)]
    return found


def asked(now):
    question(email=EMAIL, now=now)
    question(email=EMAIL, now=now)


def confirmed(now):
    decisions.confirm(question(email=EMAIL, phone="87015551234", now=now).pk, now=now)
    decisions.confirm(question("advertising", email=EMAIL, now=now).pk, now=now)


def refused(now):
    decisions.refuse(question(email=EMAIL, now=now).pk, now=now)


def withdrawn(now):
    decisions.withdraw(person(now=now), None, now=now, channel=ConsentRecord.Channel.LINK)


def blocked(now):
    subject, by = person(now=now), staff()
    blocking.block(subject, by=by, reason="asked", now=now)
    blocking.unblock(subject, by=by, reason="asked", now=now)


def held(now):
    by = staff()
    hold = LegalHold(subject=person(now=now), ground=LegalGround.objects.first(), reason="court")
    holds.release(holds.place(hold, by=by, now=now), by=by, reason="over", now=now)


def erased(now):
    demands.demand(person(now=now), ground=LegalGround.objects.first(), reason="asked", by=staff(), now=now)
    demands.finish_due(now)


def searched(now):
    searching.find(EMAIL, by=staff(), now=now)


def linked(now):
    person(email=EMAIL, now=now)
    linking.ask_for_link("email", EMAIL.lower(), language="kk", now=now)
    linking.send_links(now)


def sent(now):
    person(now=now)
    assert mail.send_due(now, clock=timezone.now) == 2


def requested(now):
    subject, by = person(now=now), staff()
    contact = subject.data.live().get()
    for kind in (SubjectRequest.Kind.OTHER, SubjectRequest.Kind.ERASURE):
        request = opening.receive(
            subject, kind, channel="page", language="kk", now=now, contact_id=contact.pk, text="hens"
        )
        verifying.confirm(request.pk, now=now)
        request.refresh_from_db()
        answering.answer(request, "granted", "Done.", by=by, now=now, details=Details(LegalGround.objects.first()))
    verifying.lapse(now)


@pytest.mark.parametrize(
    "act", [asked, confirmed, refused, withdrawn, blocked, held, erased, searched, linked, sent, requested]
)
def test_no_statement_reads_everybody(act, today):
    person("site-news", "feedback", now=today)
    assert purpose().pk
    with CaptureQueriesContext(connection) as queries:
        act(today)
    assert len(queries) > 3
    assert read_through([query["sql"] for query in queries]) == []
