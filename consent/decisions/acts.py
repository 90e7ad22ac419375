"""Appending acts: one statement, bound to the person's chain. The person is locked by the caller."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from consent import proof
from consent.models import ConsentRecord, Wording
from registry.chain import Head
from registry.models import DataSubject, ProcessingPurpose
from registry.processing import OWN_USE, Scope


@dataclass(frozen=True)
class Line:
    """What an act is about: a purpose, the wording shown for it (None where nothing was) and the ticks."""

    purpose: ProcessingPurpose
    wording: Wording | None = None
    scope: Scope = OWN_USE


SITE_AND_HEAD = """
    SELECT operator.site, coalesce(last.place, 0), coalesce(last.digest, '') FROM registry_operator operator
    LEFT JOIN LATERAL (
        SELECT place, digest FROM consent_consentrecord WHERE subject_id = %s AND place IS NOT NULL
        ORDER BY place DESC LIMIT 1
    ) last ON true
"""
APPENDED = [field for field in ConsentRecord._meta.concrete_fields if not field.primary_key]
APPEND = "INSERT INTO consent_consentrecord ({columns}) VALUES ({values}) RETURNING id"
Act = ConsentRecord.Act
Channel = ConsentRecord.Channel


def append(
    act: ConsentRecord.Act,
    person: DataSubject,
    lines: Iterable[Line],
    channel: ConsentRecord.Channel,
    *,
    now: datetime,
    **also: Any,
) -> list[ConsentRecord]:
    """Appends one record a line, in the order of their purposes. `also`: further fields of ConsentRecord for all."""
    site, head = _site_and_head(person)
    in_order = sorted(lines, key=lambda line: (line.purpose.position, line.purpose.pk))
    records = [
        ConsentRecord(
            subject=person,
            purpose=line.purpose,
            act=str(act),
            at=now,
            language=line.wording.language if line.wording else person.language,
            channel=str(channel),
            site=site,
            wording=line.wording,
            **asdict(line.scope),
            **{"document_digest": "", **also},  # what the database would fill in is bound by the chain now
        )
        for line in in_order
    ]
    proof.continue_chain(records, person.reference, head)
    _insert(records)
    return records


def _insert(records: Iterable[ConsentRecord]) -> None:
    columns, values = ", ".join(field.attname for field in APPENDED), ", ".join(["%s"] * len(APPENDED))
    with connection.cursor() as cursor:
        for record in records:
            kept = [getattr(record, field.attname) for field in APPENDED]
            cursor.execute(APPEND.format(columns=columns, values=values), kept)
            (record.pk,) = cursor.fetchone()
            record._state.adding = False


def _site_and_head(person: DataSubject) -> tuple[str, Head]:
    """The operator's site, and where this person's chain ends."""
    with connection.cursor() as cursor:
        cursor.execute(SITE_AND_HEAD, [person.pk])
        site, place, digest = cursor.fetchone()
    return site, Head(lines=place, digest=digest)


def lines_of(records: Iterable[ConsentRecord]) -> list[Line]:
    """What earlier records were about, with their ticks."""
    return [Line(record.purpose, record.wording, scope_of(record)) for record in records]


def scope_of(ticked: Any) -> Scope:
    """The ticks of a record or a processing."""
    return Scope(ticked.third_parties, ticked.cross_border, ticked.public_sources)


Ticks = Mapping[str, Scope]
