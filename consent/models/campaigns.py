from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from consent.models.policies import PolicyVersion
from registry.models import DataSubject


class Campaign(models.Model):
    """Asking people anew after a wider policy (clause 31): a letter with a link to each of them, once.

    Soft: a notice, the old consent goes on as it was. Hard: processing for what became wider waits until they answer.
    `wider` names, by code of the purpose, what its old consents do not cover.
    """

    class Mode(models.TextChoices):
        SOFT = "soft", _("notice: processing goes on under the old consent")
        HARD = "hard", _("processing waits until the person was asked and answered")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("everybody was asked")
        STOPPED = "stopped", _("stopped")

    policy = models.ForeignKey(
        PolicyVersion, models.PROTECT, related_name="campaigns", verbose_name=_("policy version")
    )
    mode = models.CharField(_("mode"), max_length=4, choices=Mode)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    wider = models.JSONField(_("what became wider"), default=dict)
    looked_until = models.BigIntegerField(_("looked at people up to number"), default=0)
    started_at = models.DateTimeField(_("started at"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("started by")
    )
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("asking anew")
        verbose_name_plural = _("asking anew")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("start_campaign", _("May ask people anew"))]
        constraints = [
            models.UniqueConstraint(fields=["policy"], condition=Q(state="running"), name="one_running_campaign"),
            models.CheckConstraint(
                condition=Q(state="running", finished_at=None) | ~Q(state="running") & Q(finished_at__isnull=False),
                name="finished_campaign_has_its_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class CampaignMember(models.Model):
    """One person asked anew, once."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="members", verbose_name=_("asking anew"))
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="asked_anew", verbose_name=_("data subject"))
    asked_at = models.DateTimeField(_("asked at"))
    answered_at = models.DateTimeField(_("answered at"), null=True)

    class Meta:
        verbose_name = _("person asked anew")
        verbose_name_plural = _("people asked anew")
        ordering = ["-pk"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["campaign", "subject"], name="asked_anew_once")]

    def __str__(self) -> str:
        return f"№ {self.pk}"
