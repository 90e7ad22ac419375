from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.texts import Translated


class PolicyVersionQuerySet(models.QuerySet["PolicyVersion"]):
    def published(self) -> "PolicyVersionQuerySet":
        return self.filter(state=PolicyVersion.State.PUBLISHED)

    def in_force(self, now: datetime) -> "PolicyVersion":
        """The newest published version whose day has come; before the first one's day, the first.

        Raises PolicyVersion.DoesNotExist while nothing is published.
        """
        newest_first = self.published().filter(effective_at__lte=now).order_by("-effective_at", "-number")
        return newest_first.first() or self.published().earliest("effective_at")


class PolicyVersion(Translated):
    """The privacy policy as published (policy clauses 1, 31, 32). Frozen by trigger once it is."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")

    number = models.PositiveIntegerField(_("number"), unique=True)
    text_kk = models.TextField(_("text in Kazakh"))
    text_ru = models.TextField(_("text in Russian"))
    text_en = models.TextField(_("text in English"))
    digest_kk = models.CharField(_("digest of the Kazakh text"), max_length=64, blank=True, editable=False)
    digest_ru = models.CharField(_("digest of the Russian text"), max_length=64, blank=True, editable=False)
    digest_en = models.CharField(_("digest of the English text"), max_length=64, blank=True, editable=False)
    canonical = models.CharField(
        _("binding text"), max_length=2, choices=[("kk", "kk"), ("ru", "ru"), ("en", "en")], default="kk"
    )
    effective_at = models.DateTimeField(_("in force from"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT, editable=False)
    published_at = models.DateTimeField(_("published at"), null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, verbose_name=_("published by")
    )

    objects = PolicyVersionQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("policy version")
        verbose_name_plural = _("policy versions")
        ordering = ["-number"]
        permissions = [("publish_policyversion", _("May publish the policy"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="draft")
                | Q(published_at__isnull=False) & ~Q(digest_kk="") & ~Q(digest_ru="") & ~Q(digest_en=""),
                name="published_policy_has_its_digests",
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.number}"
