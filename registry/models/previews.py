from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.models.retention import DestructionGround, PurgeRun
from registry.models.subjects import DataSubject


class PurgePreview(models.Model):
    """What a purge would destroy, kept: to be looked at, compared with another day, and approved.

    `digest` is the SHA-256 of its list, byte for byte the exported file. What was previewed never changes (trigger);
    whoever asks, approves and carries out are three (constraints).
    """

    class State(models.TextChoices):
        KEPT = "kept", _("kept")
        WAITING = "waiting", _("waits for approval")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")
        EXPIRED = "expired", _("expired")
        DONE = "done", _("carried out")

    taken_at = models.DateTimeField(_("taken at"))
    as_of = models.DateTimeField(_("as of"))
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    subjects = models.PositiveIntegerField(_("people"), default=0)
    data = models.PositiveIntegerField(_("data"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.KEPT)
    reasons = models.CharField(_("why it waits"), max_length=100, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("asked for by")
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    approved_at = models.DateTimeField(_("decided at"), null=True)
    approval_reason = models.CharField(_("reason"), max_length=300, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    executed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("carried out by")
    )
    run = models.OneToOneField(PurgeRun, models.PROTECT, null=True, related_name="preview", verbose_name=_("purge run"))

    class Meta:
        verbose_name = _("purge preview")
        verbose_name_plural = _("purge previews")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [
            ("request_purge", _("May ask for a destruction and carry out an approved one")),
            ("approve_purge", _("May approve a destruction")),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(approved_by=F("requested_by")), name="purge_approver_is_a_second"),
            models.CheckConstraint(condition=~Q(executed_by=F("requested_by")), name="purge_executor_is_not_requester"),
            models.CheckConstraint(condition=~Q(executed_by=F("approved_by")), name="purge_executor_is_not_approver"),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(approved_by__isnull=False, approved_at__isnull=False, expires_at__isnull=False),
                name="approved_purge_names_who_and_until",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(approved_by__isnull=False, run__isnull=False),
                name="carried_out_purge_was_approved",
            ),
            models.CheckConstraint(condition=~Q(state="waiting") | ~Q(reasons=""), name="waiting_purge_says_why"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class PreviewLine(models.Model):
    """One datum of a preview: what, whose, under which rule, on what ground. No value."""

    preview = models.ForeignKey(PurgePreview, models.CASCADE, db_index=False, related_name="lines")
    subject = models.ForeignKey(DataSubject, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    datum_id = models.BigIntegerField()
    category = models.ForeignKey(DataCategory, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")
    purpose = models.ForeignKey(
        ProcessingPurpose, models.DO_NOTHING, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    rule_version = models.PositiveIntegerField(null=True)
    ground = models.CharField(max_length=12, choices=DestructionGround)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["preview", "subject", "datum_id"], name="datum_once_in_a_preview")
        ]

    def __str__(self) -> str:
        return f"{self.preview_id}/{self.datum_id}"
