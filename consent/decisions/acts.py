"""Appending acts: one statement, bound to the person's chain. The person is locked by the caller."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from consent import proof
from consent.models import ConsentRecord, Wording
from registry import statements
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
Act = ConsentRecord.Act
Channel = ConsentRecord.Channel


def append(
    act: ConsentRecord.Act,
    person: DataSubject,
    lines: Iterable[Line],
    channel: ConsentRecord.Channel,
    *,
    now: datetime,
    site: str = "",
    **also: Any,
) -> list[ConsentRecord]:
    """Appends one record a line, in the order of their purposes. `also`: further fields of ConsentRecord for all.
    `site`: the operator's, if the caller knows it."""
    site, head = (site, Head()) if site and person.is_new else _site_and_head(person)
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
    for record in records:
        statements.insert(record)
    return records


def _site_and_head(person: DataSubject) -> tuple[str, Head]:
    """The operator's site, and where this person's chain ends."""
    site, place, digest = statements.run(SITE_AND_HEAD, [person.pk]).fetchone()
    return site, Head(lines=place, digest=digest)


def lines_of(records: Iterable[ConsentRecord]) -> list[Line]:
    """What earlier records were about, with their ticks."""
    return [Line(record.purpose, record.wording, scope_of(record)) for record in records]


def scope_of(ticked: Any) -> Scope:
    """The ticks of a record or a processing."""
    return Scope(ticked.third_parties, ticked.cross_border, ticked.public_sources)


Ticks = Mapping[str, Scope]
