from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from consent.models.confirmations import Confirmation
from consent.models.wordings import Wording
from registry.models import DataSubject, ProcessingPurpose


class ConsentRecordQuerySet(models.QuerySet["ConsentRecord"]):
    def asked(self) -> "ConsentRecordQuerySet":
        asked = self.filter(act=ConsentRecord.Act.ASKED)
        return asked.select_related("purpose", "wording").order_by("purpose__position", "pk")


class ConsentRecord(models.Model):
    """Proof of one act (Law 94-V art. 25(2)(5)). Append-only by trigger and by role; the last one by number stands.

    The acts of one person are a chain: `place` counts from 1, `digest` binds the act to the one before
    (consent.proof says how). `evidence_id` is the number of the datum that holds IP address, user agent and form
    address; it may be destroyed since.
    """

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
        CODE = "code", _("code by message")
        PAPER = "paper", _("signed paper")
        TELEPHONE = "telephone", _("telephone")
        DESK = "desk", _("desk")
        JOB = "job", _("scheduled job")

    subject = models.ForeignKey(
        DataSubject, models.PROTECT, db_index=False, related_name="consents", verbose_name=_("data subject")
    )
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, db_index=False, verbose_name=_("processing purpose"))
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

    represented_by = models.ForeignKey(
        DataSubject, models.PROTECT, null=True, related_name="+", verbose_name=_("legal representative")
    )
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("entered by"),
    )
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("checked by"),
    )
    document_digest = models.CharField(_("digest of the scan"), max_length=64, blank=True, db_default="")
    evidence_id = models.BigIntegerField(_("number of the technical data"), null=True)
    place = models.PositiveIntegerField(_("place in the chain"), null=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True, db_default="")

    objects = ConsentRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent records")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["purpose", "id"], name="consent_of_purpose"),
            models.Index(fields=["act", "id"], condition=~Q(act__in=["asked", "confirmed"]), name="consent_rare_act"),
            models.Index(
                fields=["purpose", "subject", "-place"],
                include=["wording", "id"],
                condition=Q(act__in=["given", "confirmed"], place__isnull=False),
                name="consent_in_force",
            ),  # read alone, person by person: the last consent of a million people
            models.Index(
                fields=["channel", "id"], condition=Q(channel__in=["paper", "telephone"]), name="consent_desk"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(wording__isnull=False) | ~Q(act__in=["asked", "given", "confirmed"]),
                name="consent_names_what_was_shown",
            ),
            models.UniqueConstraint(fields=["subject", "place"], name="one_chain_per_person"),
            models.CheckConstraint(
                condition=~Q(channel__in=["paper", "telephone"]) | Q(entered_by__isnull=False),
                name="desk_act_names_who_entered_it",
            ),
            models.CheckConstraint(
                condition=~Q(channel__in=["paper", "telephone"], act="confirmed") | Q(checked_by__isnull=False),
                name="confirmed_desk_act_was_checked",
            ),
            models.CheckConstraint(
                condition=~Q(channel="paper") | ~Q(document_digest=""), name="paper_act_has_its_scan"
            ),
            models.CheckConstraint(condition=~Q(checked_by=F("entered_by")), name="desk_act_checker_is_a_second"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class Receipt(models.Model):
    """A signed statement of what was agreed to, given to the person (ISO/IEC TS 27560). Append-only, holds no value.

    `document` is the canonical JSON the signature stands under; consent.receipts writes and checks it.
    """

    number = models.CharField(_("number"), max_length=12, unique=True)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="receipts", verbose_name=_("data subject"))
    language = models.CharField(_("language"), max_length=2)
    issued_at = models.DateTimeField(_("issued at"))
    document = models.TextField(_("document"))
    digest = models.CharField(_("digest"), max_length=64)
    signature = models.CharField(_("signature"), max_length=88)
    records = ArrayField(models.BigIntegerField(), verbose_name=_("consent records"))

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.number
