from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.texts import Translated
from registry.normalise import check_bin

HOME = "KZ"


class Country(Translated):
    """A country data may go to, and whether it protects personal data (Law 94-V art. 16): content, not code."""

    code = models.CharField(_("code"), max_length=2, primary_key=True, help_text=_("Two letters, ISO 3166-1."))
    name_kk = models.CharField(_("name in Kazakh"), max_length=100)
    name_ru = models.CharField(_("name in Russian"), max_length=100)
    name_en = models.CharField(_("name in English"), max_length=100)
    is_protecting = models.BooleanField(_("protects personal data"), default=False)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("country")
        verbose_name_plural = _("countries")
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=models.Q(code__regex="^[A-Z]{2}$"), name="country_code_is_iso")]

    def __str__(self) -> str:
        return self.text("name")


class Recipient(Translated):
    """A third party data may be given to (policy clauses 15-16), named in the consent that allows it."""

    class Kind(models.TextChoices):
        PARTNER = "partner", _("partner")
        PROCESSOR = "processor", _("processor")
        STATE_BODY = "state_body", _("state body")

    code = models.SlugField(_("code"), unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    name_kk = models.CharField(_("name in Kazakh"), max_length=200)
    name_ru = models.CharField(_("name in Russian"), max_length=200)
    name_en = models.CharField(_("name in English"), max_length=200)
    bin = models.CharField(_("BIN or registration number"), max_length=50, blank=True)
    country = models.ForeignKey(Country, models.PROTECT, verbose_name=_("country"))

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.text("name")

    @property
    def is_abroad(self) -> bool:
        return self.country_id != HOME

    def clean(self) -> None:
        """A number given here has the form its country gives it, as far as we know that form."""
        if not self.is_abroad and self.bin:
            try:
                check_bin(self.bin)
            except ValidationError as error:
                raise ValidationError({"bin": error}) from None
