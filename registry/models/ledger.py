from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class LedgerQueue(models.Model):
    """Acts that still have to be written into the erasure ledger outside the database. Queued in the act's own
    transaction, taken away once the line is on disk: at least once.

    `numbers` are ids of data (erased) or of processing (withdrawn).
    """

    class Kind(models.TextChoices):
        ERASED = "erased"
        WITHDRAWN = "withdrawn"

    kind = models.CharField(max_length=10, choices=Kind)
    numbers = ArrayField(models.BigIntegerField())
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.pk}"


class LedgerState(models.Model):
    """How much of the ledger this database knows of: lines, bytes, and the digest of the last line. One row.

    A file that goes on with lines this database cannot confirm means that an older database was restored.
    """

    lines = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    promised = models.JSONField(default=dict)
    written_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="ledger_state_is_one_row")]

    def __str__(self) -> str:
        return f"{self.lines}"
