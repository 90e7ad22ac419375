"""How much of people's data the staff may open or take out, and what was taken out."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.purposes import ProcessingPurpose
from registry.models.subjects import random_reference
from registry.normalise import check_reason


class AccessSettings(models.Model):
    """The access brake: quotas and when a second person is asked. One row."""

    reveals_per_day = models.PositiveIntegerField(
        _("values one person may open in a day"), default=50, validators=[MinValueValidator(1)]
    )
    alarm_reveals = models.PositiveIntegerField(
        _("warn from this many values opened by one person in a day"), default=20, validators=[MinValueValidator(1)]
    )
    plain_export_people = models.PositiveIntegerField(
        _("a readable list of more people waits for a second person"), default=20
    )
    export_hours = models.PositiveSmallIntegerField(
        _("hours until a list that was not fetched is destroyed"), default=24, validators=[MinValueValidator(1)]
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("access settings")
        verbose_name_plural = _("access settings")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="access_settings_are_one_row")]

    def __str__(self) -> str:
        return str(_("access settings"))


def new_export_number() -> str:
    """Such as EX-7K3F-9Q2M: printed in the file and said over the telephone."""
    return random_reference("EX")


class DataExport(models.Model):
    """One list of people taken out by staff: who, for which purpose, why, how many; the file lives for hours."""

    class Kind(models.TextChoices):
        MASKED = "masked", _("masked")
        PLAIN = "plain", _("readable")

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for a second person")
        REFUSED = "refused", _("refused")
        BUILDING = "building", _("being built")
        READY = "ready", _("ready to be fetched")
        TAKEN = "taken", _("fetched")
        DESTROYED = "destroyed", _("file destroyed")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    number = models.CharField(_("number"), max_length=12, unique=True, default=new_export_number)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, verbose_name=_("processing purpose"))
    reason = models.CharField(_("what it is for"), max_length=300, validators=[check_reason])
    state = models.CharField(_("state"), max_length=10, choices=State)
    people = models.PositiveIntegerField(_("people"))
    written = models.PositiveIntegerField(_("people written"), default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    requested_at = models.DateTimeField(_("asked for at"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    approved_at = models.DateTimeField(_("decided at"), null=True)
    built_at = models.DateTimeField(_("built at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    taken_at = models.DateTimeField(_("fetched at"), null=True)
    destroyed_at = models.DateTimeField(_("file destroyed at"), null=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    wrapped = models.BinaryField(null=True)  # the key of the file; destroyed with it

    class Meta:
        verbose_name = _("list taken out")
        verbose_name_plural = _("lists taken out")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [
            ("export_masked", _("May take out masked lists")),
            ("export_plain", _("May take out readable lists")),
            ("approve_dataexport", _("May approve readable lists")),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(approved_by=F("requested_by")), name="export_approver_is_a_second"),
            models.CheckConstraint(
                condition=Q(wrapped=None) | Q(state__in=["building", "ready"]), name="export_key_goes_with_its_file"
            ),
        ]

    def __str__(self) -> str:
        return self.number
