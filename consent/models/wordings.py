from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from consent.models.policies import PolicyVersion
from registry.models import ProcessingPurpose


class Wording(models.Model):
    """The exact text a person was shown for one purpose, kept once per digest. Append-only.

    Each tick of its own has its own text, empty where it is not asked. `recipients`, `countries` and `categories` are
    the codes of what the text names: what a consent to it covers, and no more.
    """

    TICKS = ("third_parties", "cross_border", "public_sources")

    digest = models.CharField(_("digest"), max_length=64, unique=True)
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, verbose_name=_("processing purpose"))
    policy = models.ForeignKey(PolicyVersion, models.PROTECT, verbose_name=_("policy version"))
    language = models.CharField(_("language"), max_length=2)
    version = models.PositiveIntegerField(_("version"), default=1, db_default=1)
    text = models.TextField(_("text"))
    third_parties_text = models.TextField(_("text of the tick for third parties"), blank=True, db_default="")
    cross_border_text = models.TextField(_("text of the tick for sending abroad"), blank=True, db_default="")
    public_sources_text = models.TextField(_("text of the tick for publishing"), blank=True, db_default="")
    categories = ArrayField(models.SlugField(), default=list, verbose_name=_("data categories"), db_default=[])
    recipients = ArrayField(models.SlugField(), default=list, verbose_name=_("recipients"), db_default=[])
    countries = ArrayField(models.CharField(max_length=2), default=list, verbose_name=_("countries"), db_default=[])

    class Meta:
        verbose_name = _("wording shown")
        verbose_name_plural = _("wordings shown")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.purpose.code} {self.language} {self.version}"

    @property
    def texts(self) -> list[str]:
        """The text and those of its ticks that are asked, as they are shown."""
        return [self.text, *(text for name in self.TICKS if (text := self.tick_text(name)))]

    def tick_text(self, name: str) -> str:
        """The text of one of TICKS, empty where it is not asked."""
        text: str = getattr(self, f"{name}_text")
        return text
