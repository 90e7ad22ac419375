from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models.purposes import ProcessingPurpose
from registry.models.subjects import DataSubject


class OutgoingMessage(models.Model):
    """A letter to be sent: the outbox. Holds ids only; address and text are put together when it is sent."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENT = "sent", _("sent")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    letter = models.CharField(_("letter"), max_length=20)
    about_id = models.BigIntegerField(_("number of the object"))
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="messages", verbose_name=_("data subject"))
    datum_id = models.BigIntegerField(_("number of the datum"))
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, verbose_name=_("processing purpose"))
    language = models.CharField(_("language"), max_length=2)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    queued_at = models.DateTimeField(_("queued at"))
    next_try_at = models.DateTimeField(_("next try at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    last_error = models.CharField(_("last error"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outbox")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="queued"), name="outbox_queue"),
            models.Index(fields=["state", "id"], condition=~Q(state="sent"), name="outbox_not_sent"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class JobRun(models.Model):
    """When a periodic job last began and ended, and what it counted. One row per job; the watchdog reads it."""

    name = models.CharField(_("job"), max_length=50, primary_key=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    succeeded_at = models.DateTimeField(_("last success"), null=True)
    outcome = models.CharField(_("outcome"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["name"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
