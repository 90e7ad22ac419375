"""Giving data to others: asked, approved, frozen, built, handed over once, destroyed; telling recipients afterwards.

Dangerous because what has left is out of reach. The rules:

- Every transfer goes through the gate (`gate`): who may go is decided by one query, with the state that allowed it kept
  a line a person, and everybody else is counted by reason.
- `ask` wants the right, an appointment in force (policy clause 29), recipient, ground, purpose, data and a reason.
  More people than the setting allows wait for a second person. What cannot be at all is refused and recorded.
- The file is built from the lines (`building`), sealed under a key of its own that only the row holds, wrapped.
  Killed half way, the next run makes the same file again. Erasing one of its people (registry.erasure) takes its key;
  it is built anew without them.
- `take` asks the gate once more: who lost the ground since is left out, and the line says why. Entry, end of the key
  and new state are one commit, before the first byte. Once.

Called by: the console; registry.tasks (destroy_over, build_waiting, every minute and when woken).
Sources: policy clauses 8, 13-17, 23; Law 94-V art. 15, 16.
"""

from registry.transfers.asking import approve, ask, cancel, preview, refuse
from registry.transfers.building import build_waiting
from registry.transfers.ending import destroy_over
from registry.transfers.gate import Counts, covered_by
from registry.transfers.refusing import Asked
from registry.transfers.taking import Taken, take

__all__ = [
    "Asked",
    "Counts",
    "Taken",
    "approve",
    "ask",
    "build_waiting",
    "cancel",
    "covered_by",
    "destroy_over",
    "preview",
    "refuse",
    "take",
]
