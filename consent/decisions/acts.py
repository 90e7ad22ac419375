"""Appending acts: one statement, bound to the person's chain. The person is locked by the caller."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from consent import proof
from consent.models import ConsentRecord, Wording
from registry.chain import Head
from registry.models import DataSubject, Operator, ProcessingPurpose
from registry.processing import OWN_USE, Scope


@dataclass(frozen=True)
class Line:
    """What an act is about: a purpose, the wording shown for it (None where nothing was) and the ticks."""

    purpose: ProcessingPurpose
    wording: Wording | None = None
    scope: Scope = OWN_USE


HEAD = """
    SELECT place, digest FROM consent_consentrecord WHERE subject_id = %s AND place IS NOT NULL
    ORDER BY place DESC LIMIT 1
"""
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
    site = Operator.objects.values_list("site", flat=True).get()
    in_order = sorted(lines, key=lambda line: (line.purpose.position, line.purpose.pk))
    records = [
        ConsentRecord(
            subject=person,
            purpose=line.purpose,
            act=act,
            at=now,
            language=line.wording.language if line.wording else person.language,
            channel=channel,
            site=site,
            wording=line.wording,
            **asdict(line.scope),
            **{"document_digest": "", **also},  # what the database would fill in is bound by the chain now
        )
        for line in in_order
    ]
    proof.continue_chain(records, person.reference, head_of(person))
    return ConsentRecord.objects.bulk_create(records)


def head_of(person: DataSubject) -> Head:
    """Where this person's chain ends."""
    with connection.cursor() as cursor:
        cursor.execute(HEAD, [person.pk])
        last = cursor.fetchone()
    return Head(lines=last[0], digest=last[1]) if last else Head()


def lines_of(records: Iterable[ConsentRecord]) -> list[Line]:
    """What earlier records were about, with their ticks."""
    return [Line(record.purpose, record.wording, scope_of(record)) for record in records]


def scope_of(ticked: Any) -> Scope:
    """The ticks of a record or a processing."""
    return Scope(ticked.third_parties, ticked.cross_border, ticked.public_sources)


Ticks = Mapping[str, Scope]
