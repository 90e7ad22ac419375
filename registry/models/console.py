"""What the console keeps for its own pages: counted figures, filters people saved, texts they reply with."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.texts import Translated


class Figure(models.Model):
    """One number of the page Today, counted by a job: with millions of people a page counts nothing itself.

    `group` splits a figure: a month, a number of days, a country, a state.
    """

    name = models.CharField(max_length=30)
    group = models.CharField(max_length=40, blank=True)
    value = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["name", "group"], name="figure_is_counted_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.group}".strip()


class SavedFilter(models.Model):
    """A list's filter, saved under a name by one member of the staff. What the list's filters say, never a value."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="saved_filters")
    page = models.CharField(max_length=60)
    name = models.CharField(_("name"), max_length=50)
    query = models.CharField(max_length=500)

    class Meta:
        default_permissions = ()
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["person", "page", "name"], name="filter_names_are_unique")]

    def __str__(self) -> str:
        return self.name


class ReplyTemplate(Translated):
    """A text staff reply with, in three languages."""

    code = models.SlugField(_("code"), unique=True)
    title_kk = models.CharField(_("title in Kazakh"), max_length=200)
    title_ru = models.CharField(_("title in Russian"), max_length=200)
    title_en = models.CharField(_("title in English"), max_length=200)
    text_kk = models.TextField(_("text in Kazakh"))
    text_ru = models.TextField(_("text in Russian"))
    text_en = models.TextField(_("text in English"))

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("reply template")
        verbose_name_plural = _("reply templates")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.text("title")
