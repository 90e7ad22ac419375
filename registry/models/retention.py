from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.certificates import ErasureCertificate
from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.models.subjects import DataSubject, PersonalDatum


class DestructionGround(models.TextChoices):
    """Why a value had to go (Law 94-V art. 18)."""

    TERM_OVER = "term_over", _("term is over")
    WITHDRAWN = "withdrawn", _("consent withdrawn")
    CLOSED = "closed", _("purpose achieved or request refused")
    UNCONFIRMED = "unconfirmed", _("never confirmed")
    SUPERSEDED = "superseded", _("replaced by a newer value")
    NO_PURPOSE = "no_purpose", _("no purpose needs it")
    ON_DEMAND = "on_demand", _("demanded by the person")


class DatumTerm(models.Model):
    """Until when a datum is kept and why: the one definition of "due", a database view over purposes and holds.

    Read by the preview, the dry run, the purge and "why is this still here?".
    """

    datum = models.OneToOneField(
        PersonalDatum, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="term"
    )
    subject = models.ForeignKey(DataSubject, models.DO_NOTHING, db_constraint=False, related_name="+")
    category = models.ForeignKey(DataCategory, models.DO_NOTHING, db_constraint=False, related_name="+")
    purpose = models.ForeignKey(ProcessingPurpose, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    rule_version = models.IntegerField(null=True)
    ground = models.CharField(max_length=12, choices=DestructionGround)
    until = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "registry_datumterm"
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.datum_id}"


class PurgeRun(models.Model):
    """One run of the retention engine. Frozen by trigger once it is finished."""

    started_at = models.DateTimeField(_("started at"))
    as_of = models.DateTimeField(_("as of"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    subjects = models.PositiveIntegerField(_("people looked at"), default=0)
    data = models.PositiveIntegerField(_("data destroyed"), default=0)

    class Meta:
        verbose_name = _("purge run")
        verbose_name_plural = _("purge runs")
        ordering = ["-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"№ {self.pk}"


class ErasureRecord(models.Model):
    """Proof that one datum was destroyed. Append-only; holds no value and no index."""

    datum_id = models.BigIntegerField(_("number of the datum"), unique=True)
    subject = models.ForeignKey(
        DataSubject, models.DO_NOTHING, db_constraint=False, related_name="erasures", verbose_name=_("data subject")
    )
    category = models.ForeignKey(
        DataCategory, models.PROTECT, db_index=False, db_constraint=False, verbose_name=_("data category")
    )
    purpose = models.ForeignKey(
        ProcessingPurpose,
        models.PROTECT,
        null=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("processing purpose"),
    )
    rule_version = models.PositiveIntegerField(_("version of the retention rule"), null=True)
    ground = models.CharField(_("ground"), max_length=12, choices=DestructionGround)
    run = models.ForeignKey(PurgeRun, models.PROTECT, null=True, db_constraint=False, verbose_name=_("purge run"))
    certificate = models.ForeignKey(
        ErasureCertificate,
        models.PROTECT,
        null=True,
        db_constraint=False,
        related_name="records",
        verbose_name=_("erasure certificate"),
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("erasure record")
        verbose_name_plural = _("erasure records")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["ground", "id"], condition=~models.Q(ground="term_over"), name="erasure_rare_ground")
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
