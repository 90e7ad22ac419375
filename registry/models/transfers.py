"""Data given to others: to whom, on what ground, under whose consent at that moment, and who is told afterwards."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.incidents import Incident
from registry.models.purposes import ProcessingPurpose
from registry.models.recipients import Recipient, RecipientKey
from registry.models.subjects import DataSubject, random_reference
from registry.normalise import check_reason


def new_transfer_number() -> str:
    """Such as TR-7K3F-9Q2M: printed in the file and in notices."""
    return random_reference("TR")


class Transfer(models.Model):
    """One disclosure to one recipient (policy clauses 15-16). Its lines say who was in it; the file lives for hours.

    `left_out` counts by reason who had to stay. `categories` are codes, as they were then. Frozen by trigger but for
    its way to the end.
    """

    class Ground(models.TextChoices):
        PARTNER = "a", _("a: partner, with consent")
        STATE_BODY = "b", _("b: state body, by law")
        PROTECTION = "c", _("c: breach of the policy, protection of rights")
        STATISTICS = "d", _("d: anonymous statistics")
        OWN = "o", _("own mailing, nothing leaves the operator")

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"
        JSON = "json", "JSON"

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for a second person")
        REFUSED = "refused", _("refused")
        BUILDING = "building", _("being built")
        READY = "ready", _("ready to be fetched")
        SENDING = "sending", _("being sent to a program")
        TAKEN = "taken", _("fetched")
        DESTROYED = "destroyed", _("file destroyed")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    WITH_FILE = (State.BUILDING, State.READY)

    number = models.CharField(_("number"), max_length=12, unique=True, default=new_transfer_number)
    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="transfers", verbose_name=_("recipient"))
    country = models.CharField(_("country"), max_length=2)
    ground = models.CharField(_("ground"), max_length=1, choices=Ground)
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, null=True, verbose_name=_("processing purpose"))
    categories = models.JSONField(_("data"), default=list)
    is_cross_border = models.BooleanField(_("sent abroad"))
    request_number = models.CharField(_("number of the state body's request"), max_length=50, blank=True)
    requested_on = models.DateField(_("date of the state body's request"), null=True, blank=True)
    article = models.CharField(_("article it rests on"), max_length=200, blank=True)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, blank=True, verbose_name=_("incident"))
    reason = models.CharField(_("what it is for"), max_length=300, validators=[check_reason])
    format = models.CharField(_("format"), max_length=4, choices=Format)
    with_links = models.BooleanField(_("with links to unsubscribe"), default=False)
    key = models.ForeignKey(
        RecipientKey, models.PROTECT, null=True, related_name="transfers", verbose_name=_("fetched with the key")
    )  # of a program that fetches by itself; whoever made it stands as who asked
    state = models.CharField(_("state"), max_length=10, choices=State)
    people = models.PositiveIntegerField(_("people"))
    left_out = models.JSONField(_("left out, by reason"), default=dict)
    written = models.PositiveIntegerField(_("people written"), default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    requested_at = models.DateTimeField(_("asked for at"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    approved_at = models.DateTimeField(_("decided at"), null=True)
    built_at = models.DateTimeField(_("built at"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)
    taken_at = models.DateTimeField(_("fetched at"), null=True)
    destroyed_at = models.DateTimeField(_("file destroyed at"), null=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)
    failure = models.CharField(_("failure"), max_length=100, blank=True)
    wrapped = models.BinaryField(null=True)  # the key of the file; destroyed with it

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [
            ("ask_transfer", _("May transfer data to recipients")),
            ("approve_transfer", _("May approve transfers")),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(approved_by=F("requested_by")), name="transfer_approver_is_a_second"),
            models.CheckConstraint(
                condition=Q(wrapped=None) | Q(state__in=["building", "ready"]), name="transfer_key_goes_with_its_file"
            ),
            models.CheckConstraint(
                condition=~Q(ground="b") | ~Q(request_number="") & Q(requested_on__isnull=False) & ~Q(article=""),
                name="state_body_names_request_and_article",
            ),
            models.CheckConstraint(
                condition=~Q(ground="c") | Q(incident__isnull=False), name="protection_names_its_incident"
            ),
            models.CheckConstraint(
                condition=Q(ground="d", purpose=None, categories=[], people=0)
                | (~Q(ground="d") & Q(purpose__isnull=False) & ~Q(categories=[])),
                name="statistics_name_nobody",
            ),
            models.CheckConstraint(
                condition=~Q(ground="o") | Q(country="KZ", is_cross_border=False), name="own_mailing_stays_at_home"
            ),
            models.CheckConstraint(
                condition=Q(with_links=False) | Q(ground__in=["a", "o"]), name="links_are_for_those_who_agreed"
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(key__isnull=False, expires_at__isnull=False),
                name="programs_fetch_with_a_key",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class TransferLine(models.Model):
    """One person of a transfer, with the processing that allowed it. Append-only; only `dropped` is set, once, before
    the file is handed over: why the person is not in it after all."""

    pk = models.CompositePrimaryKey("transfer_id", "place")
    transfer = models.ForeignKey(
        Transfer, models.PROTECT, related_name="lines", db_index=False, db_constraint=False, verbose_name=_("transfer")
    )
    place = models.PositiveIntegerField()
    subject = models.ForeignKey(
        DataSubject,
        models.DO_NOTHING,
        db_constraint=False,
        related_name="transfer_lines",
        verbose_name=_("data subject"),
    )
    processing_id = models.BigIntegerField(_("number of the processing"))
    record_id = models.BigIntegerField(_("number of the consent"), null=True)
    began_at = models.DateTimeField(_("began at"))
    lapses_at = models.DateTimeField(_("lapses at"), null=True)
    third_parties = models.BooleanField(_("may be given to third parties"))
    cross_border = models.BooleanField(_("may be sent abroad"))
    dropped = models.CharField(_("not in the file because"), max_length=20, blank=True, db_default="")

    class Meta:
        verbose_name = _("line of a transfer")
        verbose_name_plural = _("lines of transfers")
        ordering = ["transfer", "place"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["transfer", "place"], condition=~Q(dropped=""), name="line_dropped")]

    def __str__(self) -> str:
        return f"№ {self.transfer_id}, {self.place}"


class RecipientNotice(models.Model):
    """What a recipient must be told about a person it was given: withdrawn, corrected, blocked, erased (clause 16)."""

    class Event(models.TextChoices):
        WITHDRAWN = "withdrawn", _("consent withdrawn")
        CORRECTED = "corrected", _("data corrected")
        BLOCKED = "blocked", _("blocked")
        UNBLOCKED = "unblocked", _("unblocked")
        ERASED = "erased", _("destroyed")

    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="notices", verbose_name=_("recipient"))
    subject = models.ForeignKey(
        DataSubject, models.PROTECT, related_name="recipient_notices", verbose_name=_("data subject")
    )
    purpose = models.ForeignKey(ProcessingPurpose, models.PROTECT, null=True, verbose_name=_("processing purpose"))
    event = models.CharField(_("what happened"), max_length=10, choices=Event)
    opened_at = models.DateTimeField(_("opened at"))
    due_on = models.DateField(_("due on"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    reminded_at = models.DateTimeField(_("reminded at"), null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("noted by")
    )

    class Meta:
        verbose_name = _("notice to a recipient")
        verbose_name_plural = _("notices to recipients")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("handle_recipientnotice", _("May handle notices to recipients"))]
        indexes = [
            models.Index(fields=["due_on", "id"], condition=Q(acknowledged_at=None), name="notice_queue"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "subject", "event"],
                condition=Q(sent_at=None),
                name="one_notice_until_it_is_sent",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None) | Q(sent_at__isnull=False), name="acknowledged_after_it_was_sent"
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class AudienceEntry(models.Model):
    """What a recipient's program was last told of one person of a purpose: in its list or not any more.

    `sequence` grows with every change of one recipient and purpose, in the order of commits: the cursor of the feed.
    `in_since` is the one with which the person came in last. `datum_id` 0: told of, and not handed out after all.
    """

    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="+", verbose_name=_("recipient"))
    purpose = models.ForeignKey(
        ProcessingPurpose, models.PROTECT, related_name="+", verbose_name=_("processing purpose")
    )
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="+", verbose_name=_("data subject"))
    sequence = models.BigIntegerField(_("cursor"))
    in_since = models.BigIntegerField(_("cursor of coming in"), db_default=0)
    is_in = models.BooleanField(_("in the list"))
    datum_id = models.BigIntegerField(_("number of the contact"), null=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("place in a mailing list")
        verbose_name_plural = _("places in mailing lists")
        ordering = ["recipient", "purpose", "sequence"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["recipient", "purpose", "subject"], name="one_place_in_a_list"),
            models.UniqueConstraint(fields=["recipient", "purpose", "sequence"], name="one_change_a_cursor"),
            models.CheckConstraint(
                condition=Q(is_in=True, datum_id__isnull=False) | Q(is_in=False, datum_id=None),
                name="who_is_out_has_no_contact",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class AudienceHorizon(models.Model):
    """How far back a mailing list is known: the highest cursor of a place that was forgotten. Kept by a trigger."""

    recipient = models.ForeignKey(Recipient, models.PROTECT, related_name="+", verbose_name=_("recipient"))
    purpose = models.ForeignKey(
        ProcessingPurpose, models.PROTECT, related_name="+", verbose_name=_("processing purpose")
    )
    sequence = models.BigIntegerField(_("cursor"))

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["recipient", "purpose"], name="one_horizon_a_list")]

    def __str__(self) -> str:
        return f"№ {self.pk}"


class TransferCondition(models.Model):
    """This person agreed on condition of being told of each transfer of theirs (Law 94-V art. 19)."""

    subject = models.OneToOneField(
        DataSubject, models.PROTECT, related_name="transfer_condition", verbose_name=_("data subject")
    )
    asked_at = models.DateTimeField(_("asked at"))
    noted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("noted by")
    )
    ended_at = models.DateTimeField(_("ended at"), null=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("condition of being told")
        verbose_name_plural = _("conditions of being told")
        ordering = ["pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"№ {self.pk}"


class PersonNotice(models.Model):
    """A person who made it a condition is to be told of one transfer of theirs.

    `is_by_hand`: no letter can go, staff tell it. Untold of whoever was erased since: nobody is left to tell.
    """

    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="person_notices", verbose_name=_("transfer"))
    subject = models.ForeignKey(
        DataSubject, models.PROTECT, related_name="person_notices", verbose_name=_("data subject")
    )
    opened_at = models.DateTimeField(_("opened at"))
    due_on = models.DateField(_("due on"))
    told_at = models.DateTimeField(_("told at"), null=True)
    told_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("told by")
    )
    is_by_hand = models.BooleanField(_("to be told by staff"), default=False)

    class Meta:
        verbose_name = _("notice to a person")
        verbose_name_plural = _("notices to people")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("handle_personnotice", _("May tell people of transfers"))]
        indexes = [
            models.Index(fields=["due_on", "id"], condition=Q(told_at=None), name="person_notice_queue"),
            models.Index(fields=["due_on", "id"], condition=Q(told_at=None, is_by_hand=True), name="told_by_hand"),
        ]
        constraints = [models.UniqueConstraint(fields=["transfer", "subject"], name="one_notice_a_transfer")]

    def __str__(self) -> str:
        return f"№ {self.pk}"
