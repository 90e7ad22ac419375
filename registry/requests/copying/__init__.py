"""The copy of a person's data: asked for, built, handed over once, destroyed.

Dangerous because one file holds everything about one person, readable. The rules:

- Only for a request in work or answered whose person is known: `ask` wants the right to handle requests and an
  appointment in force (policy clause 29). One live copy a request (a constraint says the same).
- It holds what is held about this one person and nobody else's data. Staff are "staff": the number of the audit entry
  tells whoever must know who that was (docs/copies.md says why). Of another person, such as a representative, only that
  there is one.
- What it holds are `parts`: each names itself with `add`, so what is kept anew is added where it is kept. A test goes
  through every table that names a person and fails if one has no part.
- `build_waiting` writes it in portions, of one moment of the database, sealed under a key of its own. The key is noted,
  wrapped, when the file is whole: killed half way there is only noise, and the next run begins anew.
- `take` looks through all of it, then, in one transaction, ends the key, notes who took it and gives it: one download.
  At the desk a member of the staff takes it for a person they have seen and no letter reaches: the same once, the same
  seven days, with a right of its own.
- Nothing outlives the data: the file names which data are in it (its first part, never given). One of them destroyed
  since, and the copy goes with the next run of `destroy_over`, at most a minute later; until then nobody gets it.

Called by: the console (ask, take), the page of a request (take), registry.tasks (destroy_over, build_waiting, every
minute and when woken). Other packages add their parts.
Sources: policy clauses 12, 14, 17, 27; Law 94-V art. 24.
"""

from registry.requests.copying import asked, ended, given, held, used  # noqa: F401 (they add the registry's own parts)
from registry.requests.copying.asking import ask
from registry.requests.copying.building import build_waiting
from registry.requests.copying.ending import destroy_over
from registry.requests.copying.parts import add
from registry.requests.copying.taking import HAND_OVER, Taken, at_the_desk, fetchable, is_reached, take

__all__ = [
    "HAND_OVER",
    "Taken",
    "add",
    "ask",
    "at_the_desk",
    "build_waiting",
    "destroy_over",
    "fetchable",
    "is_reached",
    "take",
]
