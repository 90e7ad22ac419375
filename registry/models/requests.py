from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.operator import LegalGround
from registry.models.texts import Translated


class Deadline(Translated):
    """A term set by law: what starts it, how long, on what ground. Counting starts the day after."""

    class Unit(models.TextChoices):
        WORKING_DAYS = "working_days", _("working days")
        CALENDAR_DAYS = "calendar_days", _("calendar days")

    code = models.SlugField(_("code"), unique=True)
    title_kk = models.CharField(_("title in Kazakh"), max_length=200)
    title_ru = models.CharField(_("title in Russian"), max_length=200)
    title_en = models.CharField(_("title in English"), max_length=200)
    trigger_kk = models.CharField(_("what starts it, in Kazakh"), max_length=300)
    trigger_ru = models.CharField(_("what starts it, in Russian"), max_length=300)
    trigger_en = models.CharField(_("what starts it, in English"), max_length=300)
    length = models.PositiveSmallIntegerField(_("length"))
    unit = models.CharField(_("unit"), max_length=20, choices=Unit)
    ground = models.ForeignKey(LegalGround, models.PROTECT, verbose_name=_("legal ground"))
    is_reviewed = models.BooleanField(_("checked by a lawyer"), default=False)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("deadline")
        verbose_name_plural = _("deadlines")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text("title")
