"""Whose data: a question is counted and shown, then kept with its answer and its people, by one statement each.

- The same question asked later gives the same answer: periods are over, lists are written, a purpose is looked at as it
  was at the discovery. Only what the registry recorded can be found: a search with several answers names nobody.
- `keep` writes only what was shown: another number meanwhile, and nothing is written.
- A list holds whoever the gate let through when it was written. Who was blocked just then can't be told afterwards and
  is counted too: rather one too many.

Called by: the console. Source: Rules 481/НҚ p. 4.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from registry.incidents import rows
from registry.incidents.asked import Kind, Question
from registry.models import Incident, IncidentSource, StaffMember
from registry.normalise import check_given

QUESTIONS = {
    Kind.AUDIT: """
        SELECT entry.subject_id FROM registry_auditentry entry
        WHERE entry.at >= %(since)s::timestamptz AND entry.at < %(until)s::timestamptz
            AND entry.operation = ANY(%(operations)s) AND entry.subject_id IS NOT NULL
            AND (%(member)s::bigint IS NULL OR entry.actor_id = %(member)s)
        UNION
        SELECT listed.subject_id FROM registry_dataexport export
        CROSS JOIN LATERAL registry_people_on_list(export.purpose_id, export.built_at) listed
        WHERE 'export' = ANY(%(operations)s)
            AND export.taken_at >= %(since)s::timestamptz AND export.taken_at < %(until)s::timestamptz
            AND (%(member)s::bigint IS NULL OR export.requested_by_id = %(member)s)
    """,
    Kind.LIST: """
        SELECT listed.subject_id FROM registry_dataexport export
        CROSS JOIN LATERAL registry_people_on_list(export.purpose_id, export.built_at) listed
        WHERE export.number = %(list)s
    """,
    Kind.PURPOSE: """
        SELECT was.subject_id FROM registry_processing_as_of(%(purpose)s, %(at)s::timestamptz) was
        WHERE was.began_at <= %(at)s::timestamptz AND (was.lapses_at IS NULL OR was.lapses_at > %(at)s::timestamptz)
    """,
    Kind.REFERENCES: "SELECT id AS subject_id FROM registry_datasubject WHERE reference = ANY(%(references)s)",
}
COUNT = """
    WITH asked AS MATERIALIZED ({question})
    SELECT count(*), count(*) FILTER (WHERE known.subject_id IS NULL) FROM asked
    LEFT JOIN registry_incidentperson known
        ON known.incident_id = %(incident)s AND known.subject_id = asked.subject_id
"""
KEEP = """
    WITH asked AS MATERIALIZED ({question}),
    source AS (SELECT nextval(pg_get_serial_sequence('registry_incidentsource', 'id')) AS id),
    added AS (
        INSERT INTO registry_incidentperson (incident_id, subject_id, source_id)
        SELECT %(incident)s, asked.subject_id, source.id FROM asked, source
        ON CONFLICT (incident_id, subject_id) DO NOTHING RETURNING 1
    )
    INSERT INTO registry_incidentsource
        (id, incident_id, kind, parameters, reason, found, added, added_at, added_by_id)
    SELECT source.id, %(incident)s, %(kind)s, %(parameters)s::jsonb, %(reason)s, (SELECT count(*) FROM asked),
        (SELECT count(*) FROM added), %(now)s, %(by)s
    FROM source RETURNING id
"""


@dataclass(frozen=True)
class Preview:
    """How many people a question names, and how many of them no earlier source has named."""

    found: int
    new: int


def preview_source(incident: Incident, question: Question, *, by: StaffMember, now: datetime) -> Preview:
    """Counts; writes nothing. PermissionDenied."""
    rows.check_may(by, incident, now=now)
    with connection.cursor() as cursor:
        cursor.execute(*_statement(COUNT, incident, question))
        return Preview(*cursor.fetchone())


def add_source(
    incident: Incident, question: Question, *, seen: int, reason: str, by: StaffMember, now: datetime
) -> IncidentSource:
    """Keeps the question with its answer, and its people. `seen`: how many people were shown.

    PermissionDenied; ValidationError: closed, kept already, or another number than was shown. Then nothing is written.
    """
    rows.check_may(by, incident, now=now)
    check_given(reason)
    with transaction.atomic():
        row = rows.locked(incident)
        if row.sources.filter(kind=question.kind, parameters=dict(question.parameters)).exists():
            raise ValidationError(_("This source is kept already."), code="kept")
        source = _keep(row, question, reason.strip(), by, now)
        if source.found != seen:
            raise ValidationError(_("The number of people has changed: look again."), code="seen")
        Incident.objects.filter(pk=row.pk).update(people=F("people") + source.added)
        rows.note(row, f"source {source.kind} {source}: {source.found} people", by=by, now=now)
    return source


def _keep(incident: Incident, question: Question, reason: str, by: StaffMember, now: datetime) -> IncidentSource:
    statement, values = _statement(KEEP, incident, question)
    parameters = json.dumps(question.parameters)
    row = {"kind": question.kind, "parameters": parameters, "reason": reason, "now": now, "by": by.pk}
    with connection.cursor() as cursor:
        cursor.execute(statement, values | row)
        return IncidentSource.objects.get(pk=cursor.fetchone()[0])


def _statement(frame: str, incident: Incident, question: Question) -> tuple[str, dict[str, Any]]:
    return frame.format(question=QUESTIONS[question.kind]), {**question.parameters, "incident": incident.pk}
