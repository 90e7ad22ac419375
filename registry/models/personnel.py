from datetime import date, timedelta

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords


class StaffMember(AbstractUser):
    """A person who works with the registry. Deactivated when they leave, never deleted: evidence names them."""

    has_one_time_password = models.BooleanField(_("must choose a password"), default=True)
    rights_version = models.PositiveIntegerField(default=1, editable=False)  # counted by triggers

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """A session ends with the password, the second factors and the rights it began with."""
        bound = f"{self.password}/{self.rights_version}"
        return salted_hmac("registry.models.StaffMember", bound, secret=secret, algorithm="sha256").hexdigest()

    def is_appointed(self, day: date) -> bool:
        """Whether an order in force that day authorises this person to work with personal data (policy clause 29)."""
        return self.is_active and self.appointments.current(day).exists()


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def current(self, day: date) -> "AppointmentQuerySet":
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=day), valid_from__lte=day, revoked_on=None)

    def ending(self, day: date) -> "AppointmentQuerySet":
        """In force, over within two weeks, and its person has no other that goes on."""
        last = day + Appointment.WARNED
        goes_on = Q(valid_until=None) | Q(valid_until__gt=last)
        others = Appointment.objects.filter(goes_on, person=OuterRef("person"), valid_from__lte=last, revoked_on=None)
        ends = self.current(day).filter(~Exists(others), valid_until__lte=last, person__is_active=True)
        return ends.order_by("valid_until")


class Appointment(models.Model):
    """The order that authorises one person to work with personal data (policy clauses 28-29)."""

    class State(models.TextChoices):
        CURRENT = "current", _("in force")
        ENDING = "ending", _("ends soon")
        FUTURE = "future", _("not in force yet")
        ENDED = "ended", _("ended")
        REVOKED = "revoked", _("revoked")

    WARNED = timedelta(days=14)  # before the last day

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

    def state(self, day: date) -> State:
        if self.revoked_on:
            return self.State.REVOKED
        if self.valid_from > day:
            return self.State.FUTURE
        if self.valid_until and self.valid_until < day:
            return self.State.ENDED
        is_ending = self.valid_until and self.valid_until <= day + self.WARNED
        return self.State.ENDING if is_ending else self.State.CURRENT
