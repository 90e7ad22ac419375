"""Roles: who may do what in the console. One matrix; the database holds a copy that `prepare` brings up to date.

Dangerous because a right too many is seen by nobody until it is used. The rules:

- A right stands in the matrix below or among the rights of nobody, with the reason; a test fails for one that is in
  neither. `docs/roles.md` is made from here.
- A role never opens people alone: an appointment in force is asked for as well (policy clauses 28-29).
- Nobody changes his own rights, and nobody but a superuser changes a superuser. The last one who can manage accounts
  stays.
- Asking and approving may stand in one role: that the two are two people is the operations' and the database's rule.

Called by: prepare (`apply`), the console's pages about staff.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry import auditing
from registry.models import AuditEntry, StaffMember

OPERATOR, OFFICER, AUDITOR = "Operator", "Officer", "Auditor"
INTEGRATOR, ADMINISTRATOR = "Integrator", "Administrator"

PEOPLE = (
    "datasubject", "personaldatum", "processing", "legalhold", "erasurecertificate", "outgoingmessage", "dataexport",
    "subjectrequest", "transfer", "transferline", "recipientnotice", "personnotice", "consent.confirmation",
    "consent.consentrecord", "consent.receivedmail",
)  # fmt: skip
CONTENT = (
    "operator", "sizeclass", "legalground", "deadline", "datacategory", "processingpurpose", "recipient",
    "recipientkey", "country", "replytemplate", "workcalendaroverride", "consent.policyversion", "consent.wording",
)  # fmt: skip
WORKINGS = (
    "auditentry", "auditseal", "auditverification", "purgerun", "purgepreview", "erasurerecord", "rulechange",
    "retentionsettings", "selfretentionrule", "accesssettings", "keptcount", "jobrun", "incident", "consent.campaign",
)  # fmt: skip
STAFF = ("staffmember", "appointment", "auth.group")


def rights(act: str, *models: str) -> frozenset[str]:
    """`rights("view", "operator", "auth.group")`: registry.view_operator, auth.view_group."""
    named = (model.rpartition(".") for model in models)
    return frozenset(f"{app or 'registry'}.{act}_{model}" for app, _dot, model in named)


def edit(*models: str) -> frozenset[str]:
    return rights("view", *models) | rights("add", *models) | rights("change", *models)


@dataclass(frozen=True)
class Role:
    name: Promise
    task: Promise
    rights: frozenset[str]


DESK = rights("view", *PEOPLE, *CONTENT) | {
    "registry.reveal_personaldatum",
    "registry.block_datasubject",
    "registry.handle_subjectrequest",
    "registry.rectify_personaldatum",
    "registry.hand_over_copypackage",
    "registry.export_masked",
    "registry.export_plain",
    "registry.ask_transfer",
    "registry.handle_recipientnotice",
    "registry.handle_personnotice",
    "consent.enter_confirmation",
    "consent.check_confirmation",
    "consent.resolve_receivedmail",
}
RESPONSIBLE = (
    DESK
    | rights("view", *WORKINGS, *STAFF)
    | edit("legalground", "deadline", "datacategory", "processingpurpose", "recipient", "country", "replytemplate")
    | edit("workcalendaroverride", "sizeclass", "consent.policyversion")
    | rights("change", "operator", "retentionsettings", "selfretentionrule")
    | {
        "registry.place_legalhold",
        "registry.demand_erasure",
        "registry.request_purge",
        "registry.approve_purge",
        "registry.propose_rulechange",
        "registry.approve_rulechange",
        "registry.approve_dataexport",
        "registry.approve_transfer",
        "registry.make_recipientkey",
        "registry.handle_incident",
        "consent.publish_policyversion",
        "consent.start_campaign",
    }
)
MATRIX: Mapping[str, Role] = {
    OPERATOR: Role(gettext_lazy("Operator (staff)"), gettext_lazy("Daily work with people's data"), DESK),
    OFFICER: Role(
        gettext_lazy("Responsible person"),
        gettext_lazy("Purposes, terms, policy, holds, destruction and the decisions that need a second person"),
        RESPONSIBLE,
    ),
    AUDITOR: Role(
        gettext_lazy("Auditor"),
        gettext_lazy("Sees everything but values, changes nothing, verifies the audit"),
        rights("view", *PEOPLE, *CONTENT, *WORKINGS, *STAFF) | {"registry.verify_audit"},
    ),
    INTEGRATOR: Role(
        gettext_lazy("Integrator"),
        gettext_lazy("Connects sites: sees settings, no people"),
        rights("view", *CONTENT, "jobrun"),
    ),
    ADMINISTRATOR: Role(
        gettext_lazy("Administrator"),
        gettext_lazy("Accounts, roles, appointments and the limits of access; sees no people"),
        edit("staffmember", "appointment")
        | rights("view", "auth.group", "operator", "jobrun", "accesssettings")
        | rights("change", "accesssettings"),  # by somebody whom those limits do not concern
    ),
}
# Patterns of fnmatch and why no role has these. A superuser has them, where a page uses them at all.
NOBODYS: Mapping[str, str] = {
    "*.delete_*": "nothing is deleted by hand",
    "*.*_historical*": "history is shown to who may see the thing itself",
    "*.*_logentry": "Django's own log is not kept: the audit is",
    "*.*_permission": "rights are the program's",
    "auth.add_group": "roles are the program's; a group of another name is a superuser's affair",
    "auth.change_group": "the same",
    "contenttypes.*": "Django's own",
    "sessions.*": "a session is ended on the pages of sign-in",
    "registry.add_operator": "there is one, made at the start",
    "registry.add_*settings": "there is one row, made at the start",
    "registry.add_datasubject": "people come by the form and the desk",
    "registry.change_datasubject": "people change by operations only",
    "registry.*_retentiondue": "counted by the program; has no page",
    "registry.view_rememberedidentifier": "has no page: who may be asked about is nobody's to browse",
    "registry.view_transfercondition": "has no page: the condition stands on the page of its person",
    "registry.view_requeststep": "has no page: the life of a request stands on its own page",
    "registry.view_audienceentry": "has no page: what was given stands in the transfers, by person and by recipient",
    "registry.view_copypackage": "has no page: a copy stands on the page of its request",
    "consent.view_campaignmember": "has no page: a campaign shows counts",
    "consent.view_receipt": "has no page: a receipt belongs to its person",
}


@transaction.atomic
def apply(now: datetime) -> list[str]:
    """Makes the five groups what the matrix says; the names of those that changed. Other groups are left alone.

    LookupError if the matrix names a right that does not exist.
    """
    changed = [name for name, role in MATRIX.items() if _bring_up_to_date(name, role)]
    if changed:
        reason = "roles: " + " ".join(changed)
        auditing.record(AuditEntry.Operation.CONFIGURE, now=now, system="prepare", reason=reason)
    return changed


def _bring_up_to_date(name: str, role: Role) -> bool:
    group, is_new = Group.objects.get_or_create(name=name)
    wanted = _permissions(role.rights)
    if not is_new and set(group.permissions.all()) == wanted:
        return False
    group.permissions.set(wanted)
    return True


def _permissions(codes: frozenset[str]) -> set[Permission]:
    existing = Permission.objects.select_related("content_type")
    found = {f"{one.content_type.app_label}.{one.codename}": one for one in existing}
    if missing := codes - found.keys():
        raise LookupError(f"no such right: {', '.join(sorted(missing))}")
    return {found[code] for code in codes}


def name_of(group: Group) -> str:
    """What a group is called on the screen."""
    return str(MATRIX[group.name].name) if group.name in MATRIX else group.name


def may_manage(actor: StaffMember, person: StaffMember) -> bool:
    """Whether `actor` may change this account: password, sign-in, roles. Never one's own, never a superuser's."""
    is_above = actor.is_superuser or not person.is_superuser
    return actor.pk != person.pk and is_above and actor.has_perm("registry.change_staffmember")


def rights_of(person: StaffMember) -> frozenset[str]:
    """What decides about this account's rights, in codes: flags, groups, single permissions."""
    flags = {flag for flag in ("active", "staff", "superuser") if getattr(person, f"is_{flag}")}
    single = person.user_permissions.values_list("content_type__app_label", "codename")
    return frozenset(flags | set(person.groups.values_list("name", flat=True)) | {".".join(one) for one in single})


def record_change(person: StaffMember, before: frozenset[str], *, by: StaffMember, now: datetime) -> None:
    """Notes in the audit which rights were given and taken, if any: `+Operator -Auditor`."""
    after = rights_of(person)
    told = [f"+{code}" for code in sorted(after - before)] + [f"-{code}" for code in sorted(before - after)]
    if told:
        reason = shorten(" ".join(told), 300, placeholder=" ...")
        auditing.record(AuditEntry.Operation.CONFIGURE, now=now, actor=by, about=person, reason=reason)


def check_somebody_stays(person: StaffMember, *, keeps: frozenset[str]) -> None:
    """ValidationError if this account is the last that can manage the others and would not, with what it `keeps`.

    Of superusers one stays, too. Within a transaction: two who put each other out wait for one another here.
    """
    Group.objects.select_for_update().get(name=ADMINISTRATOR)
    others = StaffMember.objects.filter(is_active=True, is_staff=True).exclude(pk=person.pk)
    works = {"active", "staff"} <= keeps
    was = rights_of(StaffMember.objects.get(pk=person.pk))
    if "superuser" in was and not (works and "superuser" in keeps) and not others.filter(is_superuser=True).exists():
        raise ValidationError(_("This is the last superuser: make another one first."))
    managing = others.filter(Q(is_superuser=True) | Q(groups__name=ADMINISTRATOR))
    if ADMINISTRATOR in was and not (works and keeps & {ADMINISTRATOR, "superuser"}) and not managing.exists():
        raise ValidationError(_("This is the last administrator: give the role to somebody else first."))
