from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.normalise import check_reason


class RetentionSettings(models.Model):
    """When the daily purge stops and asks, and what else the responsible person decides about retention. One row."""

    brake_people = models.PositiveIntegerField(
        _("stop above this many people"), default=1000, help_text=_("A purge of more people waits for a second person.")
    )
    brake_share = models.PositiveSmallIntegerField(
        _("stop above this share, per cent"), default=10, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    brake_share_from = models.PositiveIntegerField(
        _("the share counts from this many people"),
        default=20,
        help_text=_("Among few people one is a large share already."),
    )
    brake_gap_hours = models.PositiveSmallIntegerField(
        _("stop if the last purge is longer ago, hours"), default=72, validators=[MinValueValidator(25)]
    )
    approval_hours = models.PositiveSmallIntegerField(
        _("an approval holds, hours"), default=24, validators=[MinValueValidator(1)]
    )
    quarantine_days = models.PositiveSmallIntegerField(
        _("days between the approval of a rule and its effect"), default=7
    )
    smallest_cell = models.PositiveSmallIntegerField(
        _("smallest count shown"), default=5, validators=[MinValueValidator(2)]
    )
    suppression_months = models.PositiveSmallIntegerField(
        _("months to remember who must not be contacted"), default=36, validators=[MinValueValidator(1)]
    )
    superseded_days = models.PositiveSmallIntegerField(
        _("days a corrected value is kept beside the new one"), default=30
    )
    backup_days = models.PositiveSmallIntegerField(
        _("days backups are kept"), default=30, help_text=_("Printed on erasure certificates.")
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("retention settings")
        verbose_name_plural = _("retention settings")
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="retention_settings_are_one_row"),
            models.CheckConstraint(condition=Q(brake_share__range=(1, 100)), name="brake_share_is_per_cent"),
            models.CheckConstraint(condition=Q(smallest_cell__gte=2), name="a_cell_of_one_is_a_person"),
        ]

    def __str__(self) -> str:
        return str(_("retention settings"))


class RuleChange(models.Model):
    """A proposed change of one purpose's rule or data: simulated, decided by a second person, in effect later.

    Nothing changes before `effective_at`; until then it can be taken back.
    """

    RULE = ("clock", "term_value", "term_unit", "ends_on", "outcome")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("waits for a second person")
        APPROVED = "approved", _("approved, not in effect yet")
        REFUSED = "refused", _("refused")
        TAKEN_BACK = "taken_back", _("taken back")
        IN_EFFECT = "in_effect", _("in effect")

    purpose = models.ForeignKey(
        ProcessingPurpose, models.PROTECT, related_name="rule_changes", verbose_name=_("processing purpose")
    )
    clock = models.CharField(_("the term starts with"), max_length=20, choices=ProcessingPurpose.Clock)
    term_value = models.PositiveSmallIntegerField(_("term"))
    term_unit = models.CharField(_("unit of the term"), max_length=10, choices=ProcessingPurpose.TermUnit)
    ends_on = models.DateField(_("fixed date"), null=True, blank=True)
    outcome = models.CharField(_("then"), max_length=20, choices=ProcessingPurpose.Outcome)
    categories = models.ManyToManyField(DataCategory, blank=True, verbose_name=_("data it needs"))
    reason = models.CharField(_("reason"), max_length=300, validators=[check_reason])
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PROPOSED)
    simulation = models.JSONField(_("simulation"), default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    requested_at = models.DateTimeField(_("asked for at"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    approved_at = models.DateTimeField(_("decided at"), null=True)
    effective_at = models.DateTimeField(_("in effect from"), null=True)
    applied_at = models.DateTimeField(_("applied at"), null=True)

    class Meta:
        verbose_name = _("change of a retention rule")
        verbose_name_plural = _("changes of retention rules")
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [
            ("propose_rulechange", _("May propose a retention rule")),
            ("approve_rulechange", _("May approve a retention rule")),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(approved_by=F("requested_by")), name="rule_approver_is_a_second"),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "in_effect"])
                | Q(approved_by__isnull=False, approved_at__isnull=False, effective_at__isnull=False),
                name="approved_rule_names_who_and_when",
            ),
            models.CheckConstraint(
                condition=Q(clock="fixed", ends_on__isnull=False) | ~Q(clock="fixed"),
                name="proposed_fixed_term_has_its_date",
            ),
            models.UniqueConstraint(
                fields=["purpose"],
                condition=Q(state__in=["proposed", "approved"]),
                name="one_pending_change_per_purpose",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    def clean(self) -> None:
        if self.clock == ProcessingPurpose.Clock.FIXED and not self.ends_on:
            raise ValidationError({"ends_on": _("A fixed term needs its date.")})

    def category_ids(self) -> set[int]:
        return set(self.categories.values_list("pk", flat=True))

    def rule_is_set(self, category_ids: set[int]) -> bool:
        """Whether the purpose has this rule and needs these categories already."""
        is_same = all(getattr(self.purpose, field) == getattr(self, field) for field in self.RULE)
        return is_same and set(self.purpose.categories.values_list("pk", flat=True)) == category_ids


class SelfRetentionRule(models.Model):
    """How long one kind of the registry's own traces is kept: letters, previews, sessions, logs. Empty: for ever."""

    code = models.SlugField(_("code"), unique=True)
    term_value = models.PositiveSmallIntegerField(_("term"), null=True, blank=True)
    term_unit = models.CharField(
        _("unit of the term"), max_length=10, choices=ProcessingPurpose.TermUnit, default="days"
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("rule for the registry's own traces")
        verbose_name_plural = _("rules for the registry's own traces")
        ordering = ["pk"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.code
