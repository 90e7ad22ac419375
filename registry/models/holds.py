from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.operator import LegalGround
from registry.models.subjects import DataSubject, PersonalDatum
from registry.normalise import check_reason


class LegalHold(models.Model):
    """Law or an unfulfilled obligation forbids destruction of a person's data, or of one datum. Several may stand."""

    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="holds", verbose_name=_("data subject"))
    datum = models.ForeignKey(
        PersonalDatum, models.PROTECT, null=True, blank=True, related_name="holds", verbose_name=_("personal datum")
    )
    ground = models.ForeignKey(LegalGround, models.PROTECT, verbose_name=_("legal ground"))
    reason = models.CharField(_("reason"), max_length=300, validators=[check_reason])
    placed_at = models.DateTimeField(_("placed at"))
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("placed by")
    )
    until = models.DateTimeField(_("until"), null=True, blank=True)
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("released by")
    )
    release_reason = models.CharField(
        _("reason of the release"), max_length=300, blank=True, db_default="", validators=[check_reason]
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("place_legalhold", _("May place and release legal holds"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=F("placed_at")), name="hold_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    def clean(self) -> None:
        if self.datum and self.datum.subject_id != self.subject_id:
            raise ValidationError({"datum": _("This datum belongs to somebody else.")})
        if self.until and self.until <= (self.placed_at or timezone.now()):
            raise ValidationError({"until": _("A hold ends after it begins.")})
