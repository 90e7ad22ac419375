"""The residual scan: looks for erased values everywhere this registry could have left them.

Dangerous because it holds values in the clear while it runs, and because a scan that finds nothing by mistake is a
false certificate. The rules:

- It runs inside the transaction that erased: it sees what was deleted as deleted, and a killed process leaves neither.
- Every table of every schema is looked through once, by what the catalogue says now: a table that comes later too.
- What it could not look through it names (`unseen`). It never reports a place it did not see as clean.
- Other packages add places of theirs with `also_looks`.
- Results are names of places and counts. No value, no name of a file, reaches a result, a log or an exception; the
  database gets the values in a setting of the transaction and not in the text of a statement.

Called by: registry.demands. Why it looks the way it does: docs/decisions/0011-residual-scan.md.
Sources: Law 94-V art. 18, policy clause 19.
"""

from collections.abc import Callable

from registry.scanning import broker, files, letters, sessions, tables
from registry.scanning.letters import carrying as letters_carrying
from registry.scanning.letters import texts as texts_of_letter
from registry.scanning.needles import Needles, needles_of
from registry.scanning.results import Scan, place_names

__all__ = ["Needles", "Scan", "also_looks", "letters_carrying", "name_of", "needles_of", "scan", "texts_of_letter"]

Look = Callable[[Needles], Scan]
looks: list[Look] = [tables.look, sessions.look, letters.look, files.look, broker.look]


def also_looks(look: Look) -> Look:
    """Adds a place. `look` raises nothing: what it could not see it names as unseen."""
    looks.append(look)
    return look


def scan(needles: Needles) -> Scan:
    """What remains of what these needles tell; in the caller's transaction, in constant memory."""
    seen = Scan()
    for look in looks:
        seen.add(look(needles))
    return seen


def name_of(place: str) -> str:
    """The place in the active language; of a column of the database its own name."""
    return str(place_names.get(place, place))
