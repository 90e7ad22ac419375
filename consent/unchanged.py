"""Whether the content of the registry that the public pages are made of is still what it was: one question, not many.

A row of PostgreSQL that was changed is another version, of another transaction (xmin) at another place (ctid), so the
versions of all rows tell whether anything was changed, by whomever. What begins or ends by the clock is told as well.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from registry import statements

Made = TypeVar("Made")
STAMP = """
    SELECT string_agg(version, ' ' ORDER BY version) FROM (
        SELECT concat('operator', xmin, ctid) AS version FROM registry_operator
        UNION ALL SELECT concat('category', xmin, ctid) FROM registry_datacategory
        UNION ALL SELECT concat('ground', xmin, ctid) FROM registry_legalground
        UNION ALL SELECT concat('country', xmin, ctid) FROM registry_country
        UNION ALL SELECT concat('recipient', xmin, ctid) FROM registry_recipient
        UNION ALL SELECT concat('needs', xmin, ctid) FROM registry_processingpurpose_categories
        UNION ALL SELECT concat('names', xmin, ctid) FROM registry_processingpurpose_recipients
        UNION ALL SELECT concat('purpose', xmin, ctid, opens_at <= %(now)s, closes_at <= %(now)s)
            FROM registry_processingpurpose
        UNION ALL SELECT concat('policy', xmin, ctid, effective_at <= %(now)s) FROM consent_policyversion
        UNION ALL SELECT concat('wordings', count(*), max(id)) FROM consent_wording
    ) content
"""


class Kept(Generic[Made]):
    """What was made of the content, by language, as long as nothing of it changes. It is shared: nobody changes it."""

    def __init__(self, make: Callable[[datetime, str], Made]) -> None:
        self._make = make
        self._made: dict[str, tuple[str, Made]] = {}

    def __call__(self, now: datetime, language: str) -> Made:
        stamp = _stamp(now)  # before it is made: what changes in between is made anew next time
        kept = self._made.get(language)
        if kept is None or kept[0] != stamp:
            kept = self._made[language] = stamp, self._make(now, language)
        return kept[1]


def _stamp(now: datetime) -> str:
    return str(statements.run(STAMP, {"now": now}).fetchone()[0])
