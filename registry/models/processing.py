from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.purposes import ProcessingPurpose
from registry.models.subjects import DataSubject


class ProcessingQuerySet(models.QuerySet["Processing"]):
    def ongoing(self, now: datetime) -> "ProcessingQuerySet":
        """Neither ended nor lapsed, whether or not it may be used at `now`."""
        return self.filter(Q(lapses_at=None) | Q(lapses_at__gt=now), state=Processing.State.OPEN)

    def live(self, now: datetime) -> "ProcessingQuerySet":
        """What is allowed at `now`: open, neither lapsed nor paused, person not blocked, purpose open. The one gate."""
        return self.ongoing(now).filter(
            Q(purpose__opens_at=None) | Q(purpose__opens_at__lte=now),
            Q(purpose__closes_at=None) | Q(purpose__closes_at__gt=now),
            began_at__lte=now,
            paused_at=None,
            subject__status__in=[DataSubject.Status.ACTIVE, DataSubject.Status.PENDING],
        )

    def without_an_end(self) -> "ProcessingQuerySet":
        """Open processing whose end nobody knows: what starts its term has not happened, and nothing else ends it."""
        return self.filter(state=Processing.State.OPEN, lapses_at=None, purpose__closes_at=None)


class Processing(models.Model):
    """ "This person's data are processed for this purpose." The current state, written only by registry.processing.

    `lapses_at` is the end of keeping; null means that no date is known yet, and the data stay. `term_from` is the event
    the term counts from; null means that it has not happened yet.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        WITHDRAWN = "withdrawn", _("withdrawn")
        CLOSED = "closed", _("closed")

    subject = models.ForeignKey(
        DataSubject, models.PROTECT, db_index=False, related_name="processing", verbose_name=_("data subject")
    )
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, db_index=False, verbose_name=_("processing purpose"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    began_at = models.DateTimeField(_("began at"))
    lapses_at = models.DateTimeField(_("lapses at"), null=True, blank=True)
    term_from = models.DateTimeField(_("term counts from"), null=True, blank=True)
    rule_version = models.PositiveIntegerField(_("version of the retention rule"))
    channel = models.CharField(_("channel"), max_length=10, blank=True, db_default="")
    counted_at = models.DateTimeField(_("counted without the person at"), null=True, editable=False)
    paused_at = models.DateTimeField(_("waits for a new consent since"), null=True, blank=True)
    third_parties = models.BooleanField(_("may be given to third parties"), default=False)
    cross_border = models.BooleanField(_("may be sent abroad"), default=False)
    public_sources = models.BooleanField(_("may be published"), default=False)

    objects = ProcessingQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["counted_at"])

    class Meta:
        verbose_name = _("processing")
        verbose_name_plural = _("processing")
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["purpose", "id"], name="processing_of_purpose"),
            models.Index(fields=["state", "id"], condition=~Q(state="open"), name="processing_ended"),
            models.Index(fields=["state", "id"], condition=Q(lapses_at=None), name="processing_endless"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["subject", "purpose"], name="one_processing_per_purpose"),
            models.CheckConstraint(
                condition=Q(state="open") | Q(lapses_at__isnull=False), name="ended_processing_has_an_end"
            ),
            models.CheckConstraint(
                condition=Q(lapses_at=None) | Q(lapses_at__gte=F("began_at")), name="processing_lapses_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id}/{self.purpose_id}"
