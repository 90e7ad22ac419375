from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.texts import LANGUAGES, Translated
from registry.normalise import check_bin


class Operator(Translated):
    """The site administration (policy clause 3): printed in every consent text, receipt and letter. One row."""

    legal_name_kk = models.CharField(_("legal name in Kazakh"), max_length=200)
    legal_name_ru = models.CharField(_("legal name in Russian"), max_length=200)
    legal_name_en = models.CharField(_("legal name in English"), max_length=200)
    bin = models.CharField(_("BIN"), max_length=12, validators=[check_bin])
    site = models.CharField(_("site"), max_length=253)
    contact_email = models.EmailField(_("contact e-mail"))
    address_kk = models.CharField(_("address in Kazakh"), max_length=300, blank=True)
    address_ru = models.CharField(_("address in Russian"), max_length=300, blank=True)
    address_en = models.CharField(_("address in English"), max_length=300, blank=True)
    responsible_person = models.CharField(_("responsible person"), max_length=200, blank=True)
    has_restricted_data = models.BooleanField(
        _("holds data of restricted access"), default=False, help_text=_("Moves the operator one size up (Law 94-V).")
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operator")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="operator_is_one_row"),
            models.CheckConstraint(condition=models.Q(bin__regex=r"^\d{12}$"), name="operator_bin_has_12_digits"),
        ]

    def __str__(self) -> str:
        return self.text("legal_name")

    @property
    def address(self) -> str:
        """In the active language."""
        return self.text("address")

    def left_open(self) -> list[str]:
        """What a consent text must say of the operator (Law 94-V art. 8(4)(1)) and is not filled in."""
        named = {language: getattr(self, f"legal_name_{language}") for language in LANGUAGES}
        names = [(_("legal name (%s)") % language, value) for language, value in named.items()]
        return [str(item) for item, value in [*names, (_("BIN"), self.bin)] if not value]

    def clean(self) -> None:
        if self.pk is None and Operator.objects.exists():
            raise ValidationError(_("The operator is described already; change that entry."))
        self.pk = 1


class LegalGround(Translated):
    """One entry of the catalogue of legal grounds: act, article, what it grounds. Law is content, not code."""

    code = models.SlugField(_("code"), unique=True)
    act_kk = models.CharField(_("act in Kazakh"), max_length=300)
    act_ru = models.CharField(_("act in Russian"), max_length=300)
    act_en = models.CharField(_("act in English"), max_length=300)
    article = models.CharField(_("article"), max_length=100, blank=True)
    title_kk = models.CharField(_("title in Kazakh"), max_length=300)
    title_ru = models.CharField(_("title in Russian"), max_length=300)
    title_en = models.CharField(_("title in English"), max_length=300)
    note = models.TextField(_("note"), blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    is_reviewed = models.BooleanField(_("checked by a lawyer"), default=False)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("legal ground")
        verbose_name_plural = _("legal grounds")
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.article} · {self.text('title')}" if self.article else self.text("title")


class SizeClass(Translated):
    """A size of operators by how many people they hold, and what follows from it: content, not code (Law 94-V)."""

    code = models.SlugField(_("code"), unique=True)
    starts_at = models.PositiveIntegerField(_("from this many people"), unique=True)
    title_kk = models.CharField(_("title in Kazakh"), max_length=200)
    title_ru = models.CharField(_("title in Russian"), max_length=200)
    title_en = models.CharField(_("title in English"), max_length=200)
    duties_kk = models.TextField(_("what follows, in Kazakh"), blank=True)
    duties_ru = models.TextField(_("what follows, in Russian"), blank=True)
    duties_en = models.TextField(_("what follows, in English"), blank=True)
    is_reviewed = models.BooleanField(_("checked by a lawyer"), default=False)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("size of an operator")
        verbose_name_plural = _("sizes of operators")
        ordering = ["starts_at"]

    def __str__(self) -> str:
        return self.text("title")
