"""The sealed audit: nobody, not even the owner of the database, changes what was written without being noticed.

form: what a digest is over. writing: the seals. statements: what is said of a seal outside, signed. checkpoints: a file
of them; mailing: the last one, to the auditors. verifying: names the first wrong entry. docs/audit.md: how to look
without us.
"""

from registry.seals.checkpoints import begin_anew, write
from registry.seals.mailing import mail
from registry.seals.statements import CheckpointError, key_from_pem, public_pem
from registry.seals.verifying import Result, broken, request, run, verify
from registry.seals.writing import Unsettled, seal

__all__ = [
    "CheckpointError",
    "Result",
    "Unsettled",
    "begin_anew",
    "broken",
    "key_from_pem",
    "mail",
    "public_pem",
    "request",
    "run",
    "seal",
    "verify",
    "write",
]
