from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models import SubjectRequest


class MailboxState(models.Model):
    """How far the contact mailbox was read, and when the last time. One row; none: it was never read."""

    uid_validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True)  # the last time it was read to the end
    tried_at = models.DateTimeField()
    last_error = models.CharField(max_length=100, blank=True)  # its type only

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="mailbox_is_one_row")]

    def __str__(self) -> str:
        return f"{self.last_uid}"


class ReceivedMailQuerySet(models.QuerySet["ReceivedMail"]):
    def finished(self) -> "ReceivedMailQuerySet":
        """Nothing is left to be done about them, and they are not in the mailbox any more: a message that still lies
        there would be new without its row."""
        resolved = Q(state=ReceivedMail.State.QUARANTINED, resolved_at__isnull=False)
        return self.filter(Q(state__in=ReceivedMail.DECIDED) | resolved, left_at__isnull=False)

    def to_look_at(self) -> "ReceivedMailQuerySet":
        """In quarantine, and nobody has looked yet."""
        return self.filter(state=ReceivedMail.State.QUARANTINED, resolved_at=None)


class ReceivedMail(models.Model):
    """One message of the contact mailbox: where it lies there and what became of it. No address, subject or text.

    `key` tells a message seen before, wherever it lies now (consent.mailbox.parsing). `datum_id` is the number of the
    sealed message; it may be destroyed since.
    """

    class State(models.TextChoices):
        TRIED = "tried", _("to be tried again")
        FILED = "filed", _("filed")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        IGNORED = "ignored", _("ignored")
        QUARANTINED = "quarantined", _("in quarantine")

    class Why(models.TextChoices):
        AUTOMATIC = "automatic", _("automatic reply")
        LIST = "list", _("mailing list")
        REPORT = "report", _("delivery report")
        OWN = "own", _("our own letter")
        TOO_MANY = "too-many", _("too many requests of this person today")
        TOO_LARGE = "too-large", _("too large")
        UNREADABLE = "unreadable", _("could not be read")

    DECIDED = (State.FILED, State.UNSUBSCRIBED, State.IGNORED)

    key = models.BinaryField(max_length=32, unique=True)
    uid = models.BigIntegerField(_("number in the mailbox"))
    uid_validity = models.BigIntegerField()
    arrived_at = models.DateTimeField(_("arrived at"))
    seen_at = models.DateTimeField(_("read at"))
    size = models.PositiveBigIntegerField(_("size, bytes"))
    state = models.CharField(_("state"), max_length=12, choices=State)
    why = models.CharField(_("reason"), max_length=10, choices=Why, blank=True)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    request = models.ForeignKey(
        SubjectRequest, models.PROTECT, null=True, related_name="mails", verbose_name=_("belongs to request")
    )
    datum_id = models.BigIntegerField(_("number of the message"), null=True)
    left_at = models.DateTimeField(_("left the mailbox at"), null=True)
    resolved_at = models.DateTimeField(_("resolved at"), null=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("resolved by")
    )

    objects = ReceivedMailQuerySet.as_manager()

    class Meta:
        verbose_name = _("received e-mail")
        verbose_name_plural = _("received e-mails")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("resolve_receivedmail", _("May settle e-mail in quarantine"))]
        indexes = [
            models.Index(fields=["uid_validity", "uid"], name="mail_in_mailbox"),
            models.Index(fields=["state", "id"], condition=~Q(state="filed"), name="mail_not_filed"),
            models.Index(fields=["id"], condition=Q(state="quarantined", resolved_at=None), name="mail_to_look_at"),
            models.Index(fields=["uid_validity", "uid"], condition=Q(left_at=None), name="mail_still_there"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="filed") | Q(request__isnull=False), name="filed_mail_has_request"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["ignored", "quarantined"]) | ~Q(why=""), name="mail_put_aside_says_why"
            ),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolved_by=None)
                | Q(state="quarantined", resolved_at__isnull=False, resolved_by__isnull=False),
                name="only_quarantine_is_resolved",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    def is_at(self, uid_validity: int, uid: int) -> bool:
        return (self.uid_validity, self.uid) == (uid_validity, uid)

    def may_leave(self, stays: timedelta | None, now: datetime) -> bool:
        """Whether the mailbox need not keep it: settled, or it has lain there for its time (None: until settled)."""
        return self.resolved_at is not None or (stays is not None and self.seen_at + stays <= now)
