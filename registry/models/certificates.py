from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models.operator import LegalGround
from registry.models.subjects import DataSubject
from registry.normalise import check_reason


class ErasureCertificateQuerySet(models.QuerySet["ErasureCertificate"]):
    def open(self) -> "ErasureCertificateQuerySet":
        """Demands that are not done yet: just asked for, or some data are still held."""
        return self.filter(finished_at=None)


class ErasureCertificate(models.Model):
    """A demanded erasure of one person, from the demand to the act: what went, what stays, what was looked through.

    What went are its ErasureRecords. `scan` holds names of places and counts, never a value (Law 94-V art. 18, policy
    clause 19). Frozen by trigger once it is finished.
    """

    subject = models.ForeignKey(
        DataSubject, models.PROTECT, related_name="certificates", verbose_name=_("data subject")
    )
    ground = models.ForeignKey(LegalGround, models.PROTECT, verbose_name=_("legal ground"))
    reason = models.CharField(_("reason"), max_length=300, validators=[check_reason])
    is_remembered = models.BooleanField(
        _("must not be contacted again"),
        default=False,
        help_text=_("Remembers the addresses under a key of their own, so that nobody writes to them by mistake."),
    )
    demanded_at = models.DateTimeField(_("demanded at"))
    demanded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("entered by")
    )
    spared = models.JSONField(_("kept until the answer is sent"), default=list)  # numbers of data
    scan = models.JSONField(_("what was looked through"), default=dict)
    remains = models.PositiveIntegerField(_("places where something was found"), default=0)
    failure = models.CharField(_("failure"), max_length=100, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    objects = ErasureCertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure certificate")
        verbose_name_plural = _("erasure certificates")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("demand_erasure", _("May erase a person on demand"))]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(finished_at=None), name="one_open_erasure_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
