"""The seals over the audit: what was written can't be changed unseen, not even by the owner of the database."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditSeal(models.Model):
    """One batch of audit entries, bound to the batch before it. Append-only.

    `lines`: number and tag of every entry, compressed, so that the first wrong one can be named.
    """

    first_entry = models.BigIntegerField(_("first entry"))
    last_entry = models.BigIntegerField(_("last entry"))
    count = models.PositiveIntegerField(_("entries"))
    lines = models.BinaryField()
    previous = models.BinaryField(max_length=32, unique=True)
    head = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(_("sealed at"))

    class Meta:
        verbose_name = _("seal of the audit")
        verbose_name_plural = _("seals of the audit")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("verify_audit", _("May verify the audit"))]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class AuditVerification(models.Model):
    """Somebody, or the nightly job, looked whether the audit is what was sealed."""

    class Outcome(models.TextChoices):
        INTACT = "intact", _("nothing was changed")
        CHANGED = "changed", _("an entry was changed")
        MISSING = "missing", _("an entry is missing")
        ADDED = "added", _("an entry was added")
        REWRITTEN = "rewritten", _("the seals were rewritten")

    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("asked for by")
    )
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    entries = models.PositiveBigIntegerField(_("entries looked at"), default=0)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, blank=True)
    first_bad = models.BigIntegerField(_("first wrong entry"), null=True)

    class Meta:
        verbose_name = _("verification of the audit")
        verbose_name_plural = _("verifications of the audit")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"№ {self.pk}"
