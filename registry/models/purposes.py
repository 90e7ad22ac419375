from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.deadlines import end_of_day, end_of_term
from registry.models.operator import LegalGround
from registry.models.recipients import Recipient
from registry.models.texts import LANGUAGES, Translated


class DataCategory(Translated):
    """One item of the approved list of personal data (policy clause 7). What is not on it is refused everywhere."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail address")
        PHONE = "phone", _("phone number")
        TECHNICAL = "technical", _("technical data of a request")
        SCAN = "scan", _("scan of a paper")
        TEXT = "text", _("text of a request or an answer")
        MAIL = "mail", _("e-mail message")

    CONTACTS = (Kind.EMAIL, Kind.PHONE)  # what people enter; the other kinds are the registry's own evidence

    code = models.SlugField(_("code"), unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    name_kk = models.CharField(_("name in Kazakh"), max_length=100)
    name_ru = models.CharField(_("name in Russian"), max_length=100)
    name_en = models.CharField(_("name in English"), max_length=100)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, verbose_name=_("approved by")
    )
    approved_on = models.DateField(_("approved on"), null=True, blank=True)
    order_number = models.CharField(_("order number"), max_length=50, blank=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("data category")
        verbose_name_plural = _("approved list of personal data")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text("name")


class PurposeQuerySet(models.QuerySet["ProcessingPurpose"]):
    def open(self, now: datetime) -> "PurposeQuerySet":
        """Purposes under which data may be processed at `now`."""
        return self.filter(Q(opens_at=None) | Q(opens_at__lte=now), Q(closes_at=None) | Q(closes_at__gt=now))

    def asked_of_people(self, now: datetime) -> "PurposeQuerySet":
        """The purposes a consent form offers."""
        asked = self.open(now).filter(is_public=True, ground=None)
        return asked.prefetch_related("categories", "recipients__country")


class ProcessingPurpose(Translated):
    """Why data may be held (policy clauses 8, 13), which categories that needs, how long, and what happens then."""

    class Clock(models.TextChoices):
        """What starts the term. Where that has not happened yet no end is known, and the data stay."""

        CONSENT_GIVEN = "consent_given", _("consent given")
        CONSENT_WITHDRAWN = "withdrawn", _("consent withdrawn")
        LAST_CONTACT = "last_contact", _("last contact")
        FIXED = "fixed", _("fixed date")
        PURPOSE_CLOSED = "purpose_closed", _("purpose closed")
        ASKED = "asked", _("consent asked for")
        CLOSED = "closed", _("request closed")

    class TermUnit(models.TextChoices):
        DAYS = "days", _("days")
        MONTHS = "months", _("calendar months")

    class Disclosure(models.TextChoices):
        """What a consent must say about leaving the operator (Law 94-V art. 8(4)(4)-(6)). Empty: not stated yet."""

        NO = "no", _("no")
        ASKED = "asked", _("only with a tick of its own")

    class Outcome(models.TextChoices):
        DESTROY = "destroy", _("destroy")
        DEPERSONALISE = "depersonalise", _("depersonalise")

    code = models.SlugField(_("code"), unique=True)
    clause = models.CharField(_("clauses of the policy"), max_length=50, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    name_kk = models.CharField(_("name in Kazakh"), max_length=200)
    name_ru = models.CharField(_("name in Russian"), max_length=200)
    name_en = models.CharField(_("name in English"), max_length=200)
    description_kk = models.TextField(_("description in Kazakh"), blank=True)
    description_ru = models.TextField(_("description in Russian"), blank=True)
    description_en = models.TextField(_("description in English"), blank=True)
    is_public = models.BooleanField(_("asked on the consent form"), default=False)
    ground = models.ForeignKey(
        LegalGround,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("legal ground"),
        help_text=_("Empty: the basis is the person's consent."),
    )
    categories = models.ManyToManyField(DataCategory, blank=True, verbose_name=_("data it needs"))
    third_parties = models.CharField(_("given to third parties"), max_length=10, choices=Disclosure, blank=True)
    cross_border = models.CharField(_("sent abroad"), max_length=10, choices=Disclosure, blank=True)
    public_sources = models.CharField(_("published"), max_length=10, choices=Disclosure, blank=True)
    recipients = models.ManyToManyField(
        Recipient, blank=True, verbose_name=_("recipients"), help_text=_("Who data may be given to, with a tick.")
    )
    clock = models.CharField(_("the term starts with"), max_length=20, choices=Clock)
    term_value = models.PositiveSmallIntegerField(_("term"))
    term_unit = models.CharField(_("unit of the term"), max_length=10, choices=TermUnit)
    ends_on = models.DateField(
        _("fixed date"), null=True, blank=True, help_text=_("The last day; only where the term is a fixed date.")
    )
    outcome = models.CharField(_("then"), max_length=20, choices=Outcome)
    rule_version = models.PositiveIntegerField(_("version of the retention rule"), default=1, editable=False)
    opens_at = models.DateTimeField(_("open from"), null=True, blank=True)
    closes_at = models.DateTimeField(_("open until"), null=True, blank=True)

    objects = PurposeQuerySet.as_manager()
    history = HistoricalRecords(m2m_fields=[categories, recipients])

    class Meta:
        verbose_name = _("processing purpose")
        verbose_name_plural = _("processing purposes")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at=None) | Q(opens_at=None) | Q(closes_at__gt=F("opens_at")),
                name="purpose_closes_after_it_opens",
            ),
            models.CheckConstraint(
                condition=Q(is_public=False)
                | Q(term_value__gt=0)
                | Q(clock__in=["fixed", "withdrawn", "purpose_closed"]),
                name="public_purpose_has_a_term",
            ),
            models.CheckConstraint(
                condition=Q(is_public=False)
                | ~Q(third_parties="") & ~Q(cross_border="") & ~Q(public_sources="") & ~Q(name_ru="") & ~Q(name_en=""),
                name="public_purpose_leaves_nothing_open",
            ),
            models.CheckConstraint(
                condition=Q(clock="fixed", ends_on__isnull=False) | ~Q(clock="fixed"), name="fixed_term_has_its_date"
            ),
        ]

    def __str__(self) -> str:
        return self.text("name")

    def lapse(self, term_from: datetime | None) -> datetime | None:
        """The moment processing lapses whose term counts from `term_from`; None where no end is known.

        The database says the same of many rows at once: `registry_lapse` (a test holds both together).
        """
        zone = ZoneInfo(settings.TIME_ZONE)
        if self.clock == self.Clock.FIXED and self.ends_on:
            return end_of_day(self.ends_on, zone)
        return end_of_term(term_from, self.term_value, self.term_unit, zone) if term_from else None

    def left_open(self, categories: Iterable[DataCategory], recipients: Iterable[Recipient]) -> list[str]:
        """What a consent text must say (Law 94-V art. 8(4)) and this purpose leaves open; empty if nothing."""
        third_parties, abroad = list(recipients), any(recipient.is_abroad for recipient in recipients)
        asked = self.Disclosure.ASKED
        names = {str(_("name (%s)") % language): not getattr(self, f"name_{language}") for language in LANGUAGES}
        open_items = {
            _("list of data"): not list(categories),
            _("term of consent"): self.ground_id is None and self.clock == self.Clock.CLOSED,
            _("third parties"): not self.third_parties,
            _("cross-border transfer"): not self.cross_border,
            _("public sources"): not self.public_sources,
            _("recipients"): self.third_parties == asked and not third_parties,
            _("recipients abroad"): self.cross_border == asked and not abroad,
            _("cross-border transfer to the recipients abroad"): self.cross_border == self.Disclosure.NO and abroad,
        }
        return [str(item) for item, is_open in [*names.items(), *open_items.items()] if is_open]

    def starts_with_opening(self) -> bool:
        """Whether the term counts from the moment the processing is opened."""
        return self.clock in {self.Clock.CONSENT_GIVEN, self.Clock.ASKED, self.Clock.LAST_CONTACT}
