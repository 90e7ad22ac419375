from datetime import date

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords


class StaffMember(AbstractUser):
    """A person who works with the registry. Deactivated when they leave, never deleted: evidence names them."""

    has_one_time_password = models.BooleanField(_("must choose a password"), default=True)

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")

    def is_appointed(self, day: date) -> bool:
        """Whether an order in force that day authorises this person to work with personal data (policy clause 29)."""
        return self.is_active and self.appointments.current(day).exists()


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def current(self, day: date) -> "AppointmentQuerySet":
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=day), valid_from__lte=day, revoked_on=None)


class Appointment(models.Model):
    """The order that authorises one person to work with personal data (policy clauses 28-29)."""

    person = models.ForeignKey(
        StaffMember, models.PROTECT, related_name="appointments", verbose_name=_("authorised person")
    )
    order_number = models.CharField(_("order number"), max_length=50)
    ordered_on = models.DateField(_("date of the order"))
    scope = models.CharField(_("scope"), max_length=200)
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    revoked_on = models.DateField(_("revoked on"), null=True, blank=True)

    objects = AppointmentQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ["-valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="appointment_ends_after_it_begins",
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.order_number}, {self.ordered_on:%d.%m.%Y}"
