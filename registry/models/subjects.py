import secrets
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry import sealing, statements
from registry.models.purposes import DataCategory

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0 O 1 I: references are read out on the phone
TELEPHONE = 7  # digits (registry.normalise.check_reason)


def random_reference(prefix: str) -> str:
    """Such as `DS-7K3F-9Q2M` (40 bits). Never so many digits that it looks like a telephone number: reasons name it."""
    letters = "1" * 8
    while sum(map(str.isdigit, letters)) >= TELEPHONE:
        letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{prefix}-{letters[:4]}-{letters[4:]}"


def new_reference() -> str:
    return random_reference("DS")


class DataSubject(models.Model):
    """A person. Holds no personal value, and stays after erasure: evidence refers to it."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waits for confirmation")
        ACTIVE = "active", _("active")
        BLOCKED = "blocked", _("blocked")
        ERASED = "erased", _("erased")

    reference = models.CharField(_("reference"), max_length=12, unique=True, default=new_reference, editable=False)
    language = models.CharField(_("language"), max_length=2, choices=[("kk", "kk"), ("ru", "ru"), ("en", "en")])
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(_("created at"))
    is_new = False  # made in this very transaction: nobody can have asked or told anything about them
    claim: "PersonalDatum | None" = None  # of a new person: what they entered to be asked at
    numbers: Sequence[int] = ()  # of a new person: such as no datum has yet

    class Meta:
        verbose_name = _("data subject")
        verbose_name_plural = _("data subjects")
        ordering = ["-pk"]
        permissions = [("block_datasubject", _("May block and unblock people"))]
        indexes = [models.Index(fields=["status", "id"], condition=~Q(status="active"), name="subject_not_active")]
        constraints = [models.CheckConstraint(condition=Q(language__in=["kk", "ru", "en"]), name="subject_language")]

    def __str__(self) -> str:
        return self.reference


class RetentionDueQuerySet(models.QuerySet["RetentionDue"]):
    def due(self, now: datetime) -> "RetentionDueQuerySet":
        return self.filter(due_at__lte=now).order_by("due_at")


class RetentionDue(models.Model):
    """When the purge must look at a person next (null: no reason to look), and the lock every writer takes first."""

    subject = models.OneToOneField(DataSubject, models.PROTECT, primary_key=True, related_name="retention_due")
    due_at = models.DateTimeField(null=True)

    objects = RetentionDueQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="retention_due_queue")]

    def __str__(self) -> str:
        return f"{self.subject_id}"


class PersonalDatumQuerySet(models.QuerySet["PersonalDatum"]):
    def live(self) -> "PersonalDatumQuerySet":
        return self.filter(superseded_at=None)

    def contacts(self) -> "PersonalDatumQuerySet":
        """What people entered about themselves, not the registry's own evidence about them."""
        return self.filter(category__kind__in=DataCategory.CONTACTS)

    def identifying(self, index: bytes) -> "PersonalDatumQuerySet":
        """The live confirmed identifier with this blind index: at most one, by constraint."""
        return self.live().filter(index=index, standing=PersonalDatum.Standing.CONFIRMED)


class PersonalDatum(models.Model):
    """One sealed value. Immutable: a correction adds a row and supersedes the old one, so rows are the history.

    Loading a row opens nothing: `sealed` is ciphertext and the key lies in DatumKey.
    """

    class Source(models.TextChoices):
        SUBJECT = "subject", _("the person")
        PUBLIC = "public", _("public source")
        IMPORT = "import", _("import")
        OPERATOR = "operator", _("operator")

    class Standing(models.TextChoices):
        CLAIMED = "claimed", _("waits for confirmation")
        CONFIRMED = "confirmed", _("confirmed")
        STATED = "stated", _("not checked")

    subject = models.ForeignKey(
        DataSubject, models.PROTECT, db_index=False, related_name="data", verbose_name=_("data subject")
    )
    category = models.ForeignKey(DataCategory, models.PROTECT, db_index=False, verbose_name=_("data category"))
    sealed = models.BinaryField()
    index = models.BinaryField(max_length=32, db_index=True)
    source = models.CharField(_("source"), max_length=10, choices=Source)
    standing = models.CharField(_("standing"), max_length=10, choices=Standing)
    recorded_at = models.DateTimeField(_("recorded at"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, db_index=False, verbose_name=_("recorded by")
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    superseded_at = models.DateTimeField(_("superseded at"), null=True)
    keep_until = models.DateTimeField(_("own term"), null=True)

    objects = PersonalDatumQuerySet.as_manager()

    class Meta:
        verbose_name = _("personal datum")
        verbose_name_plural = _("personal data")
        default_permissions = ("view",)
        permissions = [("reveal_personaldatum", _("May open personal data"))]
        indexes = [
            models.Index(fields=["subject", "category"], include=["standing", "superseded_at"], name="data_of_subject"),
        ]  # read alone, person by person: who of a million has a value
        constraints = [
            models.UniqueConstraint(
                fields=["index", "standing"],
                condition=Q(superseded_at=None, standing__in=["claimed", "confirmed"]),
                name="one_person_per_identifier",
            ),
            models.CheckConstraint(
                condition=Q(standing="confirmed", confirmed_at__isnull=False)
                | (~Q(standing="confirmed") & Q(confirmed_at=None)),
                name="datum_confirmed_has_its_moment",
            ),
            models.CheckConstraint(
                condition=Q(superseded_at=None) | Q(keep_until__isnull=False), name="superseded_datum_has_a_term"
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    def __repr__(self) -> str:
        return f"<PersonalDatum {self.pk}>"

    def seal(self, value: str, masters: sealing.MasterKeys) -> None:
        """Saves this new row with `value` sealed under a key of its own, and the key wrapped beside it."""
        self.pk = self._next_number()  # the ciphertext is bound to it
        key = sealing.new_key()
        self.sealed = sealing.seal(key, value, self._binding())
        wrapped = sealing.wrap(masters, key, sealing.key_binding(self.pk))
        with statements.at_once():
            statements.insert(self)
            statements.insert(DatumKey(datum=self, wrapped=wrapped))

    def _next_number(self) -> int:
        """A new person came with numbers for their first values."""
        numbers = self.subject.numbers or statements.run(NEXT_NUMBER, []).fetchone()
        self.subject.numbers = numbers[1:]
        return int(numbers[0])

    def unseal(self, masters: sealing.MasterKeys) -> str:
        """The value; only registry.disclosure shows it to people. SealError if it does not open."""
        held = getattr(self, "key", None)
        if held is None:
            raise sealing.SealError("the key of this value is gone")
        key = sealing.unwrap(masters, bytes(held.wrapped), sealing.key_binding(self.pk))
        return sealing.unseal(key, bytes(self.sealed), self._binding())

    def _binding(self) -> bytes:
        return sealing.datum_binding(self.category_id, self.subject_id, self.pk)


NEXT_NUMBER = "SELECT nextval('registry_personaldatum_id_seq')"


class DatumKey(models.Model):
    """The wrapped key of one datum. Deleting this row destroys the value everywhere its ciphertext ever went."""

    datum = models.OneToOneField(PersonalDatum, models.PROTECT, primary_key=True, related_name="key")
    wrapped = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.datum_id}"


class SealingKey(models.Model):
    """A named key wrapped by a master key: the blind index, the links, the memory of erased people, the signatures
    under receipts and under checkpoints of the audit, and the canary that tells a right master key."""

    class Name(models.TextChoices):
        CANARY = "canary"
        INDEX = "index"
        LINKS = "links"
        MEMORY = "memory"
        RECEIPTS = "receipts"
        CHECKPOINTS = "checkpoints"

    name = models.CharField(max_length=20, choices=Name, primary_key=True)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
