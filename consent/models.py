"""What was asked, answered and published. Consent holds no personal value: it refers to a subject."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models import DataSubject, ProcessingPurpose
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
                condition=Q(state="draft") | Q(published_at__isnull=False) & ~Q(digest_kk=""),
                name="published_policy_has_its_digest",
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.number}"


class Wording(models.Model):
    """The exact text a person was shown for one purpose, kept once per digest. Append-only."""

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, verbose_name=_("processing purpose"))
    policy = models.ForeignKey(PolicyVersion, models.PROTECT, verbose_name=_("policy version"))
    language = models.CharField(_("language"), max_length=2)
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("wording shown")
        verbose_name_plural = _("wordings shown")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.digest[:12]


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    def waiting(self, now: datetime) -> "ConfirmationQuerySet":
        return self.filter(answer=Confirmation.Answer.WAITING, expires_at__gt=now)

    def taken(self, pk: int) -> "Confirmation":
        """The row, locked. Its person is not: people are locked by RetentionDue, before anything of theirs."""
        return self.select_for_update(of=("self",)).select_related("subject").get(pk=pk)

    def overdue(self, now: datetime) -> "ConfirmationQuerySet":
        return self.filter(answer=Confirmation.Answer.WAITING, expires_at__lte=now)


class Confirmation(models.Model):
    """A question sent to an address: did you ask for this? The link in the letter dies with the answer."""

    class Answer(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CONFIRMED = "confirmed", _("confirmed")
        REFUSED = "refused", _("I did not ask for this")
        EXPIRED = "expired", _("expired")

    subject = models.ForeignKey(DataSubject, models.PROTECT, verbose_name=_("data subject"))
    language = models.CharField(_("language"), max_length=2)
    asked_at = models.DateTimeField(_("asked at"))
    expires_at = models.DateTimeField(_("expires at"))
    answer = models.CharField(_("answer"), max_length=10, choices=Answer, default=Answer.WAITING)
    answered_at = models.DateTimeField(_("answered at"), null=True)

    objects = ConfirmationQuerySet.as_manager()

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["expires_at"], condition=Q(answer="waiting"), name="confirmation_waiting")]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer="waiting", answered_at=None) | (~Q(answer="waiting") & Q(answered_at__isnull=False)),
                name="answered_confirmation_has_its_moment",
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class ConsentRecordQuerySet(models.QuerySet["ConsentRecord"]):
    def asked(self) -> "ConsentRecordQuerySet":
        asked = self.filter(act=ConsentRecord.Act.ASKED)
        return asked.select_related("purpose", "wording").order_by("purpose__position", "pk")


class ConsentRecord(models.Model):
    """Proof of one act (Law 94-V art. 25(2)(5)). Append-only by trigger and by role; the last one by number stands."""

    class Act(models.TextChoices):
        ASKED = "asked", _("asked for")
        GIVEN = "given", _("given")
        CONFIRMED = "confirmed", _("confirmed")
        WITHDRAWN = "withdrawn", _("withdrawn")
        REFUSED = "refused", _("refused")
        EXPIRED = "expired", _("expired")
        NOTICE_SHOWN = "notice_shown", _("notice shown")

    class Channel(models.TextChoices):
        PAGE = "page", _("page")
        LINK = "link", _("link in a letter")
        ONE_CLICK = "one_click", _("one-click unsubscribing")
        DESK = "desk", _("desk")
        JOB = "job", _("scheduled job")

    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="consents", verbose_name=_("data subject"))
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, verbose_name=_("processing purpose"))
    act = models.CharField(_("act"), max_length=12, choices=Act)
    at = models.DateTimeField(_("at"))
    language = models.CharField(_("language"), max_length=2)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    site = models.CharField(_("site"), max_length=253, blank=True)
    wording = models.ForeignKey(Wording, models.PROTECT, null=True, verbose_name=_("wording shown"))
    confirmation = models.ForeignKey(
        Confirmation, models.PROTECT, null=True, related_name="records", verbose_name=_("confirmation")
    )
    third_parties = models.BooleanField(_("may be given to third parties"), default=False)
    cross_border = models.BooleanField(_("may be sent abroad"), default=False)
    public_sources = models.BooleanField(_("may be published"), default=False)

    objects = ConsentRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent records")
        ordering = ["-pk"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(wording__isnull=False) | ~Q(act__in=["asked", "given", "confirmed"]),
                name="consent_names_what_was_shown",
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
