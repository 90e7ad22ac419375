"""Appending acts: one statement, bound to the person's chain. The person is locked by the caller."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent import proof
from consent.models import ConsentRecord, Wording
from registry import statements
from registry.chain import START, Head
from registry.models import DataSubject, ProcessingPurpose
from registry.processing import OWN_USE, Scope


@dataclass(frozen=True)
class Line:
    """What an act is about: a purpose, the wording shown for it (None where nothing was) and the ticks."""

    purpose: ProcessingPurpose
    wording: Wording | None = None
    scope: Scope = OWN_USE


@dataclass(frozen=True)
class Past:
    """What the next act of a person is appended to: the end of their chain, at the operator's site; and the numbers of
    the purposes they ever agreed to, whatever their basis is by now."""

    site: str
    head: Head = START
    agreed: frozenset[int] = frozenset()


PAST = """
    SELECT operator.site, coalesce(last.place, 0), coalesce(last.digest, ''), ARRAY(
        SELECT purpose_id FROM consent_consentrecord WHERE subject_id = %(person)s AND act IN ('given', 'confirmed')
    )
    FROM registry_operator operator LEFT JOIN LATERAL (
        SELECT place, digest FROM consent_consentrecord WHERE subject_id = %(person)s AND place IS NOT NULL
        ORDER BY place DESC LIMIT 1
    ) last ON true
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
    past: Past | None = None,
    **also: Any,
) -> list[ConsentRecord]:
    """Appends one record a line, in the order of their purposes. `also`: further fields of ConsentRecord for all.
    `past`: if the caller has looked already, under the lock."""
    past = past or past_of(person)
    in_order = sorted(lines, key=lambda line: (line.purpose.position, line.purpose.pk))
    records = [
        ConsentRecord(
            subject=person,
            purpose=line.purpose,
            act=str(act),
            at=now,
            language=line.wording.language if line.wording else person.language,
            channel=str(channel),
            site=past.site,
            wording=line.wording,
            **vars(line.scope),
            **{"document_digest": "", **also},  # what the database would fill in is bound by the chain now
        )
        for line in in_order
    ]
    proof.continue_chain(records, person.reference, past.head)
    statements.insert(*records)
    return records


def past_of(person: DataSubject) -> Past:
    site, place, digest, agreed = statements.run(PAST, {"person": person.pk}).fetchone()
    return Past(site, Head(lines=place, digest=digest), frozenset(agreed))


def lines_of(records: Iterable[ConsentRecord]) -> list[Line]:
    """What earlier records were about, with their ticks."""
    return [Line(record.purpose, record.wording, scope_of(record)) for record in records]


def scope_of(ticked: Any) -> Scope:
    """The ticks of a record or a processing."""
    return Scope(ticked.third_parties, ticked.cross_border, ticked.public_sources)


Ticks = Mapping[str, Scope]
