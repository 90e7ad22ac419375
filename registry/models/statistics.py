from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.purposes import ProcessingPurpose


class KeptCount(models.Model):
    """What depersonalising leaves of people: how many, by purpose, month, language and channel. Nothing of anybody.

    `slot` only keeps two purges from waiting for each other; a count is the sum over the slots.
    """

    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, db_index=False, verbose_name=_("processing purpose"))
    month = models.DateField(_("month"))
    language = models.CharField(_("language"), max_length=2)
    channel = models.CharField(_("channel"), max_length=10, blank=True)
    slot = models.PositiveSmallIntegerField(default=0)
    people = models.PositiveIntegerField(_("people"))

    class Meta:
        verbose_name = _("kept count")
        verbose_name_plural = _("kept counts")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "month", "language", "channel", "slot"], name="one_kept_count_per_cell"
            ),
            models.CheckConstraint(condition=models.Q(month__day=1), name="kept_count_is_of_a_month"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
