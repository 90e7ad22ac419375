"""What people ask for, with its term, its life and what was handed out."""

from datetime import date, datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.certificates import ErasureCertificate
from registry.models.operator import LegalGround
from registry.models.subjects import DataSubject, random_reference
from registry.models.texts import Translated
from registry.working_days import MOST


class Deadline(Translated):
    """A term set by law: what starts it, how long, on what ground. Counting starts the day after."""

    class Unit(models.TextChoices):
        WORKING_DAYS = "working_days", _("working days")
        CALENDAR_DAYS = "calendar_days", _("calendar days")

    code = models.SlugField(_("code"), unique=True)
    title_kk = models.CharField(_("title in Kazakh"), max_length=200)
    title_ru = models.CharField(_("title in Russian"), max_length=200)
    title_en = models.CharField(_("title in English"), max_length=200)
    trigger_kk = models.CharField(_("what starts it, in Kazakh"), max_length=300)
    trigger_ru = models.CharField(_("what starts it, in Russian"), max_length=300)
    trigger_en = models.CharField(_("what starts it, in English"), max_length=300)
    length = models.PositiveSmallIntegerField(_("length"), validators=[MinValueValidator(1), MaxValueValidator(MOST)])
    unit = models.CharField(_("unit"), max_length=20, choices=Unit)
    ground = models.ForeignKey(LegalGround, models.PROTECT, verbose_name=_("legal ground"))
    is_reviewed = models.BooleanField(_("checked by a lawyer"), default=False)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("deadline")
        verbose_name_plural = _("deadlines")
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=Q(length__range=(1, MOST)), name="deadline_has_its_days")]

    def __str__(self) -> str:
        return self.text("title")


def new_request_number() -> str:
    """Such as RQ-7K3F-9Q2M: printed in letters and said over the telephone."""
    return random_reference("RQ")


class SubjectRequestQuerySet(models.QuerySet["SubjectRequest"]):
    def waiting(self) -> "SubjectRequestQuerySet":
        """Not finished: the clock runs, or is paused."""
        return self.filter(state__in=SubjectRequest.WAITING)

    def in_work(self) -> "SubjectRequestQuerySet":
        """Who asks is known; somebody on the staff must act."""
        return self.filter(state__in=SubjectRequest.IN_WORK)

    def overdue(self, day: date) -> "SubjectRequestQuerySet":
        """The last day of their term is before `day`, a local date. A paused clock runs out for nobody: one that has a
        last day ran out before its pause."""
        return self.filter(state__in=SubjectRequest.WAITING, due_on__lt=day)

    def taken(self, pk: int) -> "SubjectRequest":
        """The row, locked. Its person is not: people are locked by RetentionDue, before anything of theirs.

        Locked first and then read: joined with its person, a row handed over while we waited would not be found.
        """
        self.select_for_update().only("pk").get(pk=pk)
        return self.select_related("subject", "deadline").get(pk=pk)


class SubjectRequest(models.Model):
    """What one person asks: access, rectification, blocking, erasure ... (policy clauses 12, 19; Law 94-V art. 24).

    Holds no text: that is sealed (`text_id`, `scan_id`, `answer_id` are numbers of data). Which step may follow which
    the database knows (trigger `request_steps`); every step is a RequestStep. Term and unit are those in force when it
    was received. `due_on` is the last day, until 24:00 local; while the clock is paused null, unless that day was over
    before. `explanation` says by language how it was counted.
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("copy of the data")
        RECTIFICATION = "rectification", _("correction")
        BLOCKING = "blocking", _("blocking")
        UNBLOCKING = "unblocking", _("unblocking")
        ERASURE = "erasure", _("destruction")
        WITHDRAWAL = "withdrawal", _("withdrawal of consent")
        OBJECTION = "objection", _("objection to automated processing")
        OTHER = "other", _("another question")

    class Channel(models.TextChoices):
        PAGE = "page", _("page")
        MAIL = "mail", _("e-mail")
        DESK = "desk", _("desk")

    class State(models.TextChoices):
        UNVERIFIED = "unverified", _("waits for confirmation")
        OPEN = "open", _("in work")
        PAUSED = "paused", _("paused: identity in doubt")
        ANSWERED = "answered", _("answer given")
        JOINED = "joined", _("joined to another")
        SPAM = "spam", _("closed as spam")
        LAPSED = "lapsed", _("not confirmed in time")
        DISOWNED = "disowned", _("not sent by the person")

    class Identity(models.TextChoices):
        NONE = "none", _("not confirmed")
        LINK = "link", _("confirmed by the link")
        CHECKLIST = "checklist", _("checked at the desk")

    class Outcome(models.TextChoices):
        GRANTED = "granted", _("done")
        PARTLY = "partly", _("done in part")
        REFUSED = "refused", _("refused")

    WAITING = (State.UNVERIFIED, State.OPEN, State.PAUSED)
    IN_WORK = (State.OPEN, State.PAUSED)

    number = models.CharField(_("number"), max_length=12, unique=True, default=new_request_number)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="requests", verbose_name=_("data subject"))
    kind = models.CharField(_("kind"), max_length=15, choices=Kind)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    language = models.CharField(_("language"), max_length=2)
    state = models.CharField(_("state"), max_length=10, choices=State)
    identity = models.CharField(_("identity"), max_length=10, choices=Identity, default=Identity.NONE)
    received_at = models.DateTimeField(_("received at"))
    contact_id = models.BigIntegerField(_("number of the contact"), null=True)
    doubted = models.JSONField(_("contacts in doubt"), default=list)  # their numbers, one a doubt; 0: it had none
    text_id = models.BigIntegerField(_("number of the text"), null=True)
    scan_id = models.BigIntegerField(_("number of the scan"), null=True)
    answer_id = models.BigIntegerField(_("number of the answer"), null=True)
    deadline = models.ForeignKey(Deadline, models.PROTECT, verbose_name=_("deadline"))
    length = models.PositiveSmallIntegerField(_("length"))
    unit = models.CharField(_("unit"), max_length=20, choices=Deadline.Unit)
    extra_days = models.PositiveSmallIntegerField(_("extended by"), default=0)
    due_on = models.DateField(_("due on"), null=True)
    alarm_on = models.DateField(_("warn on"), null=True)
    explanation = models.JSONField(_("how the term was counted"), default=dict)
    reminded_at = models.DateTimeField(_("reminded at"), null=True)
    verified_at = models.DateTimeField(_("identity confirmed at"), null=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("entered by")
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("taken by")
    )
    joined_to = models.ForeignKey("self", models.PROTECT, null=True, related_name="duplicates")
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, blank=True)
    ground = models.ForeignKey(LegalGround, models.PROTECT, null=True, verbose_name=_("ground of the refusal"))
    certificate = models.ForeignKey(
        ErasureCertificate, models.PROTECT, null=True, related_name="requests", verbose_name=_("erasure certificate")
    )
    answered_at = models.DateTimeField(_("answered at"), null=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("answered by")
    )

    objects = SubjectRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [
            ("handle_subjectrequest", _("May handle requests")),
            ("rectify_personaldatum", _("May correct personal data")),
        ]
        indexes = [
            models.Index(
                fields=["due_on", "id"],
                condition=Q(state__in=["unverified", "open", "paused"]),
                name="request_queue",
            ),
            models.Index(fields=["state", "id"], name="request_of_state"),
            models.Index(fields=["received_at", "id"], name="request_in_time"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "kind"],
                condition=Q(state__in=["open", "paused"]) & ~Q(kind="other"),
                name="one_open_request_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(state="paused", alarm_on=None)
                | (~Q(state__in=["unverified", "open", "paused"]))
                | Q(state__in=["unverified", "open"], due_on__isnull=False, alarm_on__isnull=False),
                name="request_has_its_day_unless_paused",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["open", "answered"]) | ~Q(identity="none") | Q(outcome="refused"),
                name="request_in_work_is_a_known_persons",
            ),
            models.CheckConstraint(
                condition=Q(identity="none", verified_at=None)
                | (~Q(identity="none") & Q(verified_at__isnull=False)),
                name="confirmed_identity_has_its_moment",
            ),
            models.CheckConstraint(
                condition=Q(state="answered", answered_at__isnull=False) & ~Q(outcome="")
                | (~Q(state="answered") & Q(answered_at=None, outcome="")),
                name="answered_request_has_its_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="refused") | Q(ground__isnull=False, answer_id__isnull=False),
                name="refusal_has_ground_and_text",
            ),
            models.CheckConstraint(
                condition=Q(state="joined", joined_to__isnull=False) | (~Q(state="joined") & Q(joined_to=None)),
                name="joined_request_names_the_other",
            ),
            models.CheckConstraint(
                condition=~Q(channel="desk") | Q(entered_by__isnull=False), name="desk_request_names_who_entered_it"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def is_overdue(self, day: date) -> bool:
        """Whether the last day of the term is before the local date `day` and nobody has answered."""
        return self.state in self.WAITING and self.due_on is not None and self.due_on < day

    def was_in_time(self, answered_on: date) -> bool:
        """Of an answered one: whether the answer's local date was within the term."""
        return self.due_on is not None and answered_on <= self.due_on

    def explained(self, language: str) -> str:
        """How the last day was counted, in this language."""
        text: str = self.explanation.get(language) or self.explanation.get("kk", "")
        return text


class RequestStep(models.Model):
    """One step in the life of a request: what, when, by whom, why, and the last day after it. Append-only."""

    class Step(models.TextChoices):
        RECEIVED = "received", _("received")
        CONFIRMED = "confirmed", _("identity confirmed")
        DOUBTED = "paused", _("paused: identity in doubt")
        RESUMED = "resumed", _("resumed")
        EXTENDED = "extended", _("term extended")
        RECOUNTED = "recounted", _("term counted anew")
        TAKEN = "taken", _("taken")
        KIND = "kind", _("kind corrected")
        WRITTEN = "written", _("another letter, the sender not checked")
        DONE = "done", _("carried out")
        ANSWERED = "answered", _("answer given")
        JOINED = "joined", _("joined to another")
        SPAM = "spam", _("closed as spam")
        LAPSED = "lapsed", _("not confirmed in time")
        DISOWNED = "disowned", _("not sent by the person")
        REMINDED = "reminded", _("staff reminded")

    request = models.ForeignKey(SubjectRequest, models.PROTECT, related_name="steps", verbose_name=_("request"))
    step = models.CharField(_("step"), max_length=10, choices=Step)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("staff member")
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    due_on = models.DateField(_("due on"), null=True)

    class Meta:
        verbose_name = _("step of a request")
        verbose_name_plural = _("steps of requests")
        ordering = ["pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"№ {self.pk}"


class CopyPackageQuerySet(models.QuerySet["CopyPackage"]):
    def over(self, now: datetime) -> "CopyPackageQuerySet":
        """Ready, and its time is over."""
        return self.filter(state=CopyPackage.State.READY, expires_at__lte=now)


class CopyPackage(models.Model):
    """The copy of a person's data made for one request: the file is sealed, fetched once, and lives for days."""

    class State(models.TextChoices):
        BUILDING = "building", _("being built")
        READY = "ready", _("ready to be fetched")
        TAKEN = "taken", _("fetched")
        DESTROYED = "destroyed", _("file destroyed")
        FAILED = "failed", _("failed")

    request = models.ForeignKey(SubjectRequest, models.PROTECT, related_name="packages", verbose_name=_("request"))
    state = models.CharField(_("state"), max_length=10, choices=State)
    asked_at = models.DateTimeField(_("asked for at"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    built_at = models.DateTimeField(_("built at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    taken_at = models.DateTimeField(_("fetched at"), null=True)
    destroyed_at = models.DateTimeField(_("file destroyed at"), null=True)
    size = models.PositiveBigIntegerField(_("size, bytes"), default=0)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    failure = models.CharField(_("failure"), max_length=100, blank=True)
    wrapped = models.BinaryField(null=True)  # the key of the file; destroyed with it

    objects = CopyPackageQuerySet.as_manager()

    class Meta:
        verbose_name = _("copy of a person's data")
        verbose_name_plural = _("copies of people's data")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("hand_over_copypackage", _("May hand over copies of people's data at the desk"))]
        constraints = [
            models.UniqueConstraint(
                fields=["request"], condition=Q(state__in=["building", "ready"]), name="one_copy_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(wrapped=None) | Q(state__in=["building", "ready"]), name="copy_key_goes_with_its_file"
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"
