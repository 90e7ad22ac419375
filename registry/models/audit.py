from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.subjects import DataSubject


class AuditEntry(models.Model):
    """Who did what to whose data, when and why. Append-only by trigger and by role; never holds a value."""

    class Operation(models.TextChoices):
        """The closed list of operations (policy clause 22)."""

        COLLECT = "collect", _("collection")
        CONSENT = "consent", _("consent given")
        WITHDRAW = "withdraw", _("consent withdrawn")
        REVEAL = "reveal", _("opened on screen")
        USE = "use", _("used for a message")
        CHANGE = "change", _("changed")
        HOLD = "hold", _("hold placed or released")
        BLOCK = "block", _("blocked or unblocked")
        DESTROY = "destroy", _("destruction")
        APPROVE = "approve", _("approval asked, given or refused")
        SEARCH = "search", _("search")
        EXPORT = "export", _("list taken out")
        TRANSFER = "transfer", _("given to a recipient")
        REFUSED = "refused", _("refused attempt")
        CONFIGURE = "configure", _("settings changed")
        SIGN_IN = "sign_in", _("sign-in")

    at = models.DateTimeField(_("at"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("staff member"),
    )
    system = models.CharField(_("job or page"), max_length=50, blank=True)
    operation = models.CharField(_("operation"), max_length=10, choices=Operation)
    subject = models.ForeignKey(
        DataSubject,
        models.DO_NOTHING,
        null=True,
        db_index=False,
        db_constraint=False,  # a purge writes a million rows of people who can't be deleted: nothing to check
        related_name="audit",
        verbose_name=_("data subject"),
    )
    object_type = models.CharField(_("object"), max_length=50, blank=True)
    object_id = models.BigIntegerField(_("number of the object"), null=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    request_id = models.UUIDField(_("request"), null=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["at", "id"], name="audit_in_time"),
            models.Index(fields=["actor", "at", "id"], condition=models.Q(actor__isnull=False), name="audit_of_staff"),
            models.Index(fields=["operation", "at", "id"], name="audit_of_operation"),
            models.Index(
                fields=["subject", "at", "id"], condition=models.Q(subject__isnull=False), name="audit_of_person"
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
