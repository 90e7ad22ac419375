"""Taking a list of people out of the registry: asked, approved, built, fetched once, destroyed.

Dangerous because a file knows no quota, no mask and no audit once it has left. The rules:

- `ask` wants the permission of the kind, an appointment in force (policy clause 29), a purpose and a reason. A readable
  list of more people than the setting allows waits for a second person, who is not the one who asked (a constraint says
  the same). One that grew over that number before it was built is not built.
- `build_waiting` writes it portion by portion (registry.lists), sealed under a key of its own that only the row holds,
  wrapped. Killed half way, the next run begins anew under a new key; what was written before is noise.
- `take` gives it to the person who asked, once. Everybody on it is looked up at the gate again; who lost the ground
  since is left out. The audit entry, the end of the key and the new state are one commit, before the first byte.
- A file never outlives its row's key. Erasing a value destroys, in its own statement (registry.erasure), the key of
  every list whose purpose concerns that person; `destroy_over` does it where a list is not fetched in time. The files
  themselves go a minute later at most: without the key they are noise.
- Every step is an audit entry about the row. What cannot be recorded does not happen.

Called by: the console; registry.tasks (destroy_over, build_waiting, every minute and when woken).
Sources: policy clauses 14, 22, 28, 29; Law 94-V art. 22. Why it is so: docs/decisions/0022-access-brake.md.
"""

from registry.exporting.asking import APPROVER, PERMISSIONS, approve, ask, cancel, refuse
from registry.exporting.building import build_waiting
from registry.exporting.ending import destroy_over
from registry.exporting.taking import Taken, take

__all__ = [
    "APPROVER",
    "PERMISSIONS",
    "Taken",
    "approve",
    "ask",
    "build_waiting",
    "cancel",
    "destroy_over",
    "refuse",
    "take",
]
