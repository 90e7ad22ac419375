"""The residual scan: looks for erased values everywhere this registry could have left them.

Dangerous because it holds values in the clear while it runs, and because a scan that finds nothing by mistake is a
false certificate. The rules:

- It runs inside the transaction that erased: it sees what was deleted as deleted, and a killed process leaves neither.
- Every table of every schema is looked through once, by what the catalogue says now: a table that comes later too.
- What it could not look through it names (`unseen`). It never reports a place it did not see as clean.
- Results are names of places and counts. No value, no name of a file, reaches a result, a log or an exception; the
  database gets the values in a setting of the transaction and not in the text of a statement.

Called by: registry.demands. Why it looks the way it does: docs/decisions/0011-residual-scan.md.
Sources: Law 94-V art. 18, policy clause 19.
"""

from registry.scanning import broker, files, letters, sessions, tables
from registry.scanning.letters import carrying as letters_carrying
from registry.scanning.needles import Needles, needles_of
from registry.scanning.results import Scan

__all__ = ["Needles", "Scan", "letters_carrying", "needles_of", "scan"]


def scan(needles: Needles) -> Scan:
    """What remains of what these needles tell; in the caller's transaction, in constant memory."""
    seen = Scan()
    for place in (tables, sessions, letters, files, broker):
        seen.add(place.look(needles))
    return seen
