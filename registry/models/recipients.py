from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
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
        OWN = "own", _("the operator's own system")

    code = models.SlugField(_("code"), unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    name_kk = models.CharField(_("name in Kazakh"), max_length=200)
    name_ru = models.CharField(_("name in Russian"), max_length=200)
    name_en = models.CharField(_("name in English"), max_length=200)
    bin = models.CharField(_("BIN or registration number"), max_length=50, blank=True)
    country = models.ForeignKey(Country, models.PROTECT, verbose_name=_("country"))
    contract_number = models.CharField(_("number of the contract"), max_length=50, blank=True)
    contract_on = models.DateField(_("date of the contract"), null=True, blank=True)
    contract_until = models.DateField(
        _("last day of the contract"), null=True, blank=True, help_text=_("Empty: it has no end.")
    )
    categories = models.ManyToManyField(
        "registry.DataCategory", blank=True, verbose_name=_("data it may be given"), related_name="recipients"
    )
    contact_email = models.EmailField(_("e-mail for notices"), blank=True)
    public_key = models.CharField(
        _("public key of age"),
        max_length=100,
        blank=True,
        validators=[RegexValidator("^age1[02-9ac-hj-np-z]{58}$", _("A public key of age begins with age1."))],
        help_text=_("Files for this recipient are encrypted to it."),
    )
    review_on = models.DateField(_("look at it again on"), null=True, blank=True)

    history = HistoricalRecords(m2m_fields=[categories])

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=~Q(kind="own") | Q(country="KZ"), name="own_system_is_at_home"),
        ]

    def __str__(self) -> str:
        return self.text("name")

    @property
    def is_abroad(self) -> bool:
        return self.country_id != HOME

    @property
    def needs_cross_border_tick(self) -> bool:
        """Abroad, in a country not known to ensure the protection of personal data (Law 94-V art. 16)."""
        return self.is_abroad and not self.country.is_protecting

    def has_contract(self, day: date) -> bool:
        """Whether a contract is in force on this local date. A state body needs none, nor one's own system."""
        if self.kind in {self.Kind.STATE_BODY, self.Kind.OWN}:
            return True
        began, until = self.contract_on, self.contract_until
        return bool(self.contract_number and began and began <= day and (until is None or day <= until))

    def clean(self) -> None:
        """A number given here has the form its country gives it, as far as we know that form. One's own is at home."""
        if self.kind == self.Kind.OWN and self.is_abroad:
            raise ValidationError({"country": _("The operator's own system is in Kazakhstan.")})
        if not self.is_abroad and self.bin:
            try:
                check_bin(self.bin)
            except ValidationError as error:
                raise ValidationError({"bin": error}) from None


class RecipientKey(models.Model):
    """What a recipient's program shows to fetch a mailing list by itself. Held as its digest; said once, when made."""

    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="keys", verbose_name=_("recipient"))
    prefix = models.CharField(_("beginning of the key"), max_length=8, unique=True)
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(_("made at"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("made by"))
    expires_at = models.DateTimeField(_("works until"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True)
    used_at = models.DateTimeField(_("last used at"), null=True)

    class Meta:
        verbose_name = _("key of a recipient's program")
        verbose_name_plural = _("keys of recipients' programs")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("make_recipientkey", _("May make keys for recipients' programs"))]
        constraints = [models.CheckConstraint(condition=Q(expires_at__gt=models.F("made_at")), name="key_expires")]

    def __str__(self) -> str:
        return self.prefix
