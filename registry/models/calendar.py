from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords


class WorkCalendarOverride(models.Model):
    """One day that is a working day, or a day off, against the calendar: the Government moves days by decree."""

    class Kind(models.TextChoices):
        WORKDAY = "workday", _("working day")
        DAYOFF = "dayoff", _("day off")

    day = models.DateField(_("day"), unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    reason = models.CharField(_("reason"), max_length=200)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("moved day")
        verbose_name_plural = _("working calendar: moved days")
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day:%d.%m.%Y}"
