"""Retention rules: a change is proposed, simulated, approved by a second person, and applied later; closing a purpose.

Dangerous because one number here moves the end of a million values. The rules:

- Nothing changes by saving a form. A change is proposed with its simulation, approved by somebody else, and takes
  effect after the quarantine; until then it can be taken back. The database refuses any other change of a rule in use.
- A simulation asks the one definition of "due" (the view) about other rules: its text is read from the database and
  pointed at proposed rows. It writes nothing.
- Nobody's consent is stretched: where the basis is consent a longer term holds for new consents only (Law 94-V
  art. 8(4)(3), policy clause 31). A shorter one holds for all.
- A closed purpose ends all its processing. The gate is shut and the data are due from that moment, by the view; the
  rows follow in batches, and what is left of them the next day.

Called by: the console; registry.tasks every day.
Sources: policy clauses 9, 22, 25, 29; Law 94-V art. 8, 18.
"""

from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from registry import applying, auditing
from registry.models import (
    AuditEntry,
    DataCategory,
    ProcessingPurpose,
    RetentionSettings,
    RuleChange,
    StaffMember,
)
from registry.normalise import check_given
from registry.simulating import RULE, Proposal, Report, concerned, quiet, simulate

State = RuleChange.State
SIMULATED_AT_ONCE = 20_000  # people: a few seconds


@transaction.atomic
def propose(proposal: Proposal, *, by: StaffMember, reason: str, now: datetime) -> RuleChange:
    """Asks a second person for another rule. What concerns many people is simulated by the job, before anybody can say
    yes. ValidationError, PermissionDenied."""
    _allow(by, "registry.propose_rulechange")
    check_given(reason)
    if RuleChange.objects.filter(purpose=proposal.purpose, state__in=[State.PROPOSED, State.APPROVED]).exists():
        raise ValidationError(_("Another change of this purpose waits already."))
    rule = {field: getattr(proposal, field) for field in RULE}
    change = RuleChange(purpose=proposal.purpose, reason=reason, requested_by=by, requested_at=now, **rule)
    change.clean_fields(exclude={field.name for field in RuleChange._meta.fields} - {*RULE, "reason"})
    change.clean()
    if change.rule_is_set(set(proposal.categories)):
        raise ValidationError(_("This is the rule already; nothing would change."))
    if concerned(proposal, effect(now)) <= SIMULATED_AT_ONCE:
        change.simulation = simulate(proposal, effect(now)).as_json()
    change.save()
    change.categories.set(DataCategory.objects.filter(pk__in=proposal.categories))
    _record(change, by, now, reason)
    return change


def simulate_waiting(now: datetime, report: Report = quiet) -> int:
    """Simulates what was proposed and concerned too many people to do it at once; returns how many changes."""
    waiting = list(RuleChange.objects.filter(state=State.PROPOSED, simulation={}).select_related("purpose"))
    for change in waiting:
        seen = simulate(Proposal.of(change), effect(now), report)
        RuleChange.objects.filter(pk=change.pk, state=State.PROPOSED).update(simulation=seen.as_json())
    return len(waiting)


def effect(now: datetime) -> datetime:
    """When a rule approved at `now` would take effect: after the quarantine."""
    return now + timedelta(days=RetentionSettings.objects.get().quarantine_days)


@transaction.atomic
def approve(change: RuleChange, *, by: StaffMember, reason: str, now: datetime) -> RuleChange:
    """The second person's yes; the rule takes effect after the quarantine. ValidationError, PermissionDenied."""
    change = _taken(change, by, "registry.approve_rulechange", State.PROPOSED)
    _refuse_same(change, by)
    if not change.simulation:
        raise ValidationError(_("The simulation is not ready yet."))
    return _decide(change, State.APPROVED, by, reason, now, effective_at=effect(now))


@transaction.atomic
def refuse(change: RuleChange, *, by: StaffMember, reason: str, now: datetime) -> RuleChange:
    change = _taken(change, by, "registry.approve_rulechange", State.PROPOSED)
    _refuse_same(change, by)
    return _decide(change, State.REFUSED, by, reason, now)


@transaction.atomic
def take_back(change: RuleChange, *, by: StaffMember, reason: str, now: datetime) -> RuleChange:
    """Ends a change that is not in effect yet; by whoever may propose one."""
    change = _taken(change, by, "registry.propose_rulechange", State.PROPOSED, State.APPROVED)
    if change.rule_is_set(change.category_ids()):
        raise ValidationError(_("This rule is in effect already. Propose another one."))
    check_given(reason)
    change.state = State.TAKEN_BACK
    change.save(update_fields=["state"])
    _record(change, by, now, reason)
    return change


def apply_due(now: datetime, report: Report = quiet) -> int:
    """Puts approved rules whose quarantine is over into effect, and ends what is open under closed purposes.

    Returns how many rules. Interrupted, it goes on next time.
    """
    due = RuleChange.objects.filter(state=State.APPROVED, effective_at__lte=now).order_by("effective_at")
    for change in due:
        _set_rule(change, now)
        applying.set_rule(Proposal.of(RuleChange.objects.get(pk=change.pk)), now=now, report=report)
        RuleChange.objects.filter(pk=change.pk).update(state=State.IN_EFFECT, applied_at=now)
    applying.end_closed(now, report)
    return len(due)


@transaction.atomic
def _set_rule(change: RuleChange, now: datetime) -> None:
    """The purpose gets its rule, once; new consents count by it from here on."""
    change = RuleChange.objects.select_for_update().select_related("purpose").get(pk=change.pk)
    purpose = change.purpose
    if change.rule_is_set(change.category_ids()):
        return
    if any(getattr(purpose, field) != getattr(change, field) for field in RULE):
        purpose.rule_version += 1  # as the trigger does; history must note the same number
    for field in RULE:
        setattr(purpose, field, getattr(change, field))
    purpose.categories.set(change.categories.all())
    purpose.save()
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, system="rules", about=purpose, reason=f"№ {change.pk}")


@transaction.atomic
def close_purpose(purpose: ProcessingPurpose, *, by: StaffMember, reason: str, now: datetime) -> None:
    """The purpose is achieved: nothing may be processed for it any more. Its data are due, with its own term if closing
    starts it. PermissionDenied, ValidationError (closed already)."""
    _allow(by, "registry.change_processingpurpose")
    check_given(reason)
    purpose = ProcessingPurpose.objects.select_for_update().get(pk=purpose.pk)
    if purpose.closes_at and purpose.closes_at <= now:
        raise ValidationError(_("This purpose is closed already."))
    purpose.closes_at = now
    purpose.save()
    auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=purpose, reason=reason)


def _taken(change: RuleChange, by: StaffMember, permission: str, *states: State) -> RuleChange:
    _allow(by, permission)
    taken = RuleChange.objects.select_for_update(of=("self",)).select_related("purpose").get(pk=change.pk)
    if taken.state not in states:
        raise ValidationError(_("Somebody else has decided about this meanwhile."))
    return taken


def _allow(by: StaffMember, permission: str) -> None:
    if not by.has_perm(permission):
        raise PermissionDenied


def _refuse_same(change: RuleChange, by: StaffMember) -> None:
    if change.requested_by_id == by.pk:
        raise ValidationError(_("This needs another person than the one who proposed it."))


def _decide(
    change: RuleChange, state: State, by: StaffMember, reason: str, now: datetime, **also: datetime
) -> RuleChange:
    check_given(reason)
    change.state, change.approved_by, change.approved_at = state, by, now
    change.effective_at = also.get("effective_at")
    change.save(update_fields=["state", "approved_by", "approved_at", "effective_at"])
    _record(change, by, now, reason)
    return change


def _record(change: RuleChange, by: StaffMember, now: datetime, reason: str) -> None:
    auditing.record(AuditEntry.Operation.APPROVE, now=now, actor=by, about=change, reason=reason)
