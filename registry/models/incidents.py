"""The register of breaches of the security of personal data: what happened, whose data, what was done, who was told."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from registry.models.purposes import DataCategory
from registry.models.requests import Deadline
from registry.models.subjects import DataSubject, random_reference
from registry.normalise import check_reason


def new_incident_number() -> str:
    """Such as IN-7K3F-9Q2M: printed in the notice and said over the telephone."""
    return random_reference("IN")


class IncidentQuerySet(models.QuerySet["Incident"]):
    def open(self) -> "IncidentQuerySet":
        return self.filter(state=Incident.State.OPEN)

    def untold(self) -> "IncidentQuerySet":
        """Open, and the authorised body has no notice of it yet."""
        return self.open().filter(notified_at=None)

    def taken(self, pk: int) -> "Incident":
        """The row, locked."""
        return self.select_for_update(of=("self",)).select_related("deadline").get(pk=pk)


class Incident(models.Model):
    """One breach (Law 94-V art. 25(2)(8), Rules 481/НҚ p. 4). Names nobody: whose data it was is in IncidentPerson.

    Term and unit are those in force when it was entered. `due_on` is the last day for the notice, until 24:00 local.
    What was entered stays; what is learnt later is a note. Closed it is frozen (trigger `incident_steps`).
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("unauthorised access")
        DISCLOSURE = "disclosure", _("disclosure")
        LOSS = "loss", _("loss")
        CHANGE = "change", _("unlawful change")
        DESTRUCTION = "destruction", _("unlawful destruction")
        OTHER = "other", _("other breach")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    class Way(models.TextChoices):
        POST = "post", _("by post")
        PORTAL = "portal", _("through a state portal")
        MAIL = "mail", _("by e-mail")

    number = models.CharField(_("number"), max_length=12, unique=True, default=new_incident_number)
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    discovered_at = models.DateTimeField(_("discovered at"))
    entered_at = models.DateTimeField(_("entered at"))
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("entered by")
    )
    happened = models.TextField(_("what happened"))
    categories = models.ManyToManyField(DataCategory, verbose_name=_("data concerned"))
    people = models.PositiveIntegerField(_("people concerned"), default=0)
    deadline = models.ForeignKey(Deadline, models.PROTECT, verbose_name=_("deadline"))
    length = models.PositiveSmallIntegerField(_("length"))
    unit = models.CharField(_("unit"), max_length=20, choices=Deadline.Unit)
    due_on = models.DateField(_("notice due on"))
    alarm_on = models.DateField(_("warn on"))
    explanation = models.JSONField(_("how the term was counted"), default=dict)
    notified_at = models.DateTimeField(_("notice sent at"), null=True)
    notified_how = models.CharField(_("how the notice was sent"), max_length=10, choices=Way, blank=True)
    notified_reference = models.CharField(_("number of the notice"), max_length=100, blank=True)
    notified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("sent by")
    )
    no_notice_reason = models.CharField(
        _("why no notice is due"), max_length=300, blank=True, validators=[check_reason]
    )
    no_notice_at = models.DateTimeField(_("stated at"), null=True)
    no_notice_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("stated by")
    )
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("closed by")
    )
    closing_reason = models.CharField(_("result"), max_length=300, blank=True, validators=[check_reason])

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("handle_incident", _("May handle incidents"))]
        indexes = [
            models.Index(fields=["due_on", "id"], condition=Q(state="open"), name="incident_queue"),
            models.Index(fields=["state", "id"], name="incident_of_state"),
            models.Index(fields=["kind", "id"], name="incident_of_kind"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(discovered_at__lte=F("entered_at")), name="incident_is_known_when_entered"
            ),
            models.CheckConstraint(
                condition=Q(notified_at=None, notified_how="", notified_reference="", notified_by=None)
                | Q(notified_at__gte=F("discovered_at"), notified_by__isnull=False) & ~Q(notified_how=""),
                name="notice_says_when_how_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(no_notice_reason="", no_notice_at=None, no_notice_by=None)
                | Q(no_notice_at__isnull=False, no_notice_by__isnull=False) & ~Q(no_notice_reason=""),
                name="no_notice_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at=None, closed_by=None, closing_reason="")
                | Q(state="closed", closed_at__isnull=False, closed_by__isnull=False) & ~Q(closing_reason=""),
                name="closed_incident_says_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(state="open")
                | Q(notified_at__isnull=False)
                | Q(no_notice_by__isnull=False) & ~Q(closed_by=F("no_notice_by")),
                name="closed_incident_was_told_or_decided_by_two",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_told(self) -> bool:
        return self.notified_at is not None

    def is_overdue(self, day: date) -> bool:
        """Whether the last day for the notice is before the local date `day` and none was sent or ruled out."""
        return self.state == self.State.OPEN and not self.is_told and self.due_on < day

    def explained(self, language: str) -> str:
        """How the last day was counted, in this language."""
        text: str = self.explanation.get(language) or self.explanation.get("kk", "")
        return text


class IncidentNote(models.Model):
    """What was done about it, or learnt later: when, and who wrote it down. Append-only.

    `at`: the moment of the measure itself, or of learning. `secures`: with this the data were out of danger.
    """

    class Kind(models.TextChoices):
        MEASURE = "measure", _("measure taken")
        FINDING = "finding", _("learnt later")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="notes", verbose_name=_("incident"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    text = models.TextField(_("text"))
    at = models.DateTimeField(_("at"))
    secures = models.BooleanField(_("secured people's data"), default=False)
    noted_at = models.DateTimeField(_("noted at"))
    noted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("noted by"))

    class Meta:
        verbose_name = _("note on an incident")
        verbose_name_plural = _("notes on incidents")
        ordering = ["at", "pk"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(at__lte=F("noted_at")), name="incident_note_is_of_the_past"),
            models.CheckConstraint(condition=Q(secures=False) | Q(kind="measure"), name="only_a_measure_secures"),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class IncidentSource(models.Model):
    """Where some of the people concerned were found: the question with its parameters and its answer. Append-only.

    `found`: how many people this source names; `added`: of those, how many no earlier source had named. `parameters`
    has ids, numbers, references and moments, and nobody's value.
    """

    class Kind(models.TextChoices):
        AUDIT = "audit", _("the audit")
        LIST = "list", _("a list taken out")
        PURPOSE = "purpose", _("everybody held for a purpose")
        REFERENCES = "references", _("named references")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="sources", verbose_name=_("incident"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    parameters = models.JSONField(_("parameters"), default=dict)
    reason = models.CharField(_("reason"), max_length=300, validators=[check_reason])
    found = models.PositiveIntegerField(_("people found"))
    added = models.PositiveIntegerField(_("of those new"))
    added_at = models.DateTimeField(_("added at"))
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("added by"))

    class Meta:
        verbose_name = _("source of an incident's people")
        verbose_name_plural = _("sources of incidents' people")
        ordering = ["pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.pk}"


class IncidentPerson(models.Model):
    """Somebody whose data the incident concerns, and the source that named them first. Append-only.

    A million rows come with one statement; what they refer to is checked for all of them together by a trigger
    (`people_of_an_open_incident`), not one by one.
    """

    incident = models.ForeignKey(
        Incident, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+", verbose_name=_("incident")
    )
    subject = models.ForeignKey(
        DataSubject,
        models.DO_NOTHING,
        db_constraint=False,
        related_name="incidents",
        verbose_name=_("data subject"),
    )
    source = models.ForeignKey(IncidentSource, models.DO_NOTHING, db_index=False, db_constraint=False, related_name="+")

    class Meta:
        verbose_name = _("person of an incident")
        verbose_name_plural = _("people of incidents")
        ordering = ["incident_id", "subject_id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["incident", "subject"], name="once_in_an_incident"),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.subject_id}"
