from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.purposes import DataCategory
from registry.models.subjects import DataSubject


class RememberedIdentifier(models.Model):
    """Memory without a value: an address that must not be contacted again. Answers only to who presents the address.

    `index` is made with a key of its own (never the search key), so it meets nothing else in this database.
    """

    category = models.ForeignKey(DataCategory, models.PROTECT, verbose_name=_("data category"))
    index = models.BinaryField(max_length=32, unique=True)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="remembered", verbose_name=_("data subject"))
    remembered_at = models.DateTimeField(_("remembered at"))
    until = models.DateTimeField(_("until"), db_index=True)

    class Meta:
        verbose_name = _("remembered identifier")
        verbose_name_plural = _("people who must not be contacted")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"№ {self.pk}"
