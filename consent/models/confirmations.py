from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from registry.models import DataSubject


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    def waiting(self, now: datetime) -> "ConfirmationQuerySet":
        return self.filter(answer=Confirmation.Answer.WAITING, expires_at__gt=now)

    def taken(self, pk: int) -> "Confirmation":
        """The row, locked. Its person is not: people are locked by RetentionDue, before anything of theirs."""
        return self.select_for_update(of=("self",)).select_related("subject").get(pk=pk)

    def entered(self) -> "ConfirmationQuerySet":
        """What a second member of the staff answers, and nobody else."""
        return self.filter(way__in=Confirmation.BY_STAFF)

    def overdue(self, now: datetime) -> "ConfirmationQuerySet":
        return self.filter(answer=Confirmation.Answer.WAITING, expires_at__lte=now)


class Confirmation(models.Model):
    """A question: did you ask for this? It goes to an address, a number, or a second member of the staff. It dies with
    the answer.

    A minor's question is answered twice: by the owner of the address (`owned_at`), then by the legal representative.
    """

    class Way(models.TextChoices):
        LINK = "link", _("link in a letter")
        CODE = "code", _("code by message")
        PAPER = "paper", _("signed paper")
        TELEPHONE = "telephone", _("telephone")

    BY_STAFF = (Way.PAPER, Way.TELEPHONE)

    class Answer(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CONFIRMED = "confirmed", _("confirmed")
        REFUSED = "refused", _("I did not ask for this")
        EXPIRED = "expired", _("expired")

    subject = models.ForeignKey(DataSubject, models.PROTECT, verbose_name=_("data subject"))
    way = models.CharField(_("confirmed by"), max_length=10, choices=Way, default=Way.LINK, db_default=Way.LINK)
    language = models.CharField(_("language"), max_length=2)
    attempts = models.PositiveSmallIntegerField(_("wrong codes"), default=0, db_default=0)
    representative = models.ForeignKey(
        DataSubject,
        models.PROTECT,
        null=True,
        related_name="represents",
        verbose_name=_("legal representative"),
    )
    adult_at = models.DateTimeField(_("comes of age at"), null=True)
    owned_at = models.DateTimeField(_("address confirmed at"), null=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("entered by")
    )
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("checked by")
    )
    document_id = models.BigIntegerField(_("number of the scan"), null=True)
    document_digest = models.CharField(_("digest of the scan"), max_length=64, blank=True, db_default="")
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
        permissions = [
            ("enter_confirmation", _("May enter consents given on paper or by telephone")),
            ("check_confirmation", _("May check, as a second person, consents entered by staff")),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(answer="waiting"), name="confirmation_waiting")]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer="waiting", answered_at=None) | (~Q(answer="waiting") & Q(answered_at__isnull=False)),
                name="answered_confirmation_has_its_moment",
            ),
            models.CheckConstraint(
                condition=Q(way__in=["paper", "telephone"], entered_by__isnull=False)
                | Q(way__in=["link", "code"], entered_by=None, checked_by=None, document_digest=""),
                name="desk_entry_names_who_entered_it",
            ),
            models.CheckConstraint(condition=~Q(checked_by=F("entered_by")), name="desk_checker_is_a_second"),
            models.CheckConstraint(
                condition=Q(way__in=["link", "code"]) | ~Q(answer="confirmed") | Q(checked_by__isnull=False),
                name="confirmed_desk_entry_was_checked",
            ),
            models.CheckConstraint(
                condition=~Q(way="paper") | ~Q(document_digest=""), name="paper_consent_has_its_scan"
            ),
            models.CheckConstraint(
                condition=Q(representative=None, adult_at=None)
                | Q(representative__isnull=False, adult_at__isnull=False),
                name="minor_has_a_representative",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
