"""What was noted in codes, in words: the reason of a step of a request, and that of an audit entry.

Steps and entries keep codes where they can, so that they can be read in any language. What somebody wrote in their own
words stays as it was written. Other packages name their codes with `name_reasons`.

Called by: the console (the life of a request), registry.requests.copying (the copy of a person's data).
"""

from collections.abc import Callable, Mapping
from functools import cache

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.certifying import REASONS
from registry.models import AuditEntry, DataCategory, RequestStep, SubjectRequest
from registry.requests import already, contacts, letters
from registry.requests.anew import ARROW
from registry.requests.verifying import CHECKS

Text = str | Promise
Step = RequestStep.Step
Kind, Outcome = SubjectRequest.Kind, SubjectRequest.Outcome
FAILED = "failed"
BETWEEN = ": "  # a code, and what belongs to it
reason_names: dict[tuple[str, str], Text] = {}  # by what the entry is about, and its code


def name_reasons(about: str, names: Mapping[str, Text]) -> None:
    """Says how these codes are read in entries about rows of this model ("app.model"; empty: about no row)."""
    reason_names.update({(about, code): name for code, name in names.items()})


name_reasons("", dict(DataCategory.Kind.choices))  # by what somebody was looked for
name_reasons("registry.erasurecertificate", REASONS)
name_reasons("registry.personaldatum", {"confirmed": gettext_lazy("confirmed")})
name_reasons("registry.transfer", {"damaged": gettext_lazy("value cannot be opened")})
name_reasons(
    "registry.subjectrequest",
    {
        contacts.CHOSEN: gettext_lazy("another contact was chosen"),
        "asked to confirm": gettext_lazy("the person was asked to confirm"),
    },
)
name_reasons(
    "registry.copypackage",
    {
        "copy built": gettext_lazy("the copy was built"),
        "copy fetched": gettext_lazy("the copy was fetched"),
        "copy handed over": gettext_lazy("the copy was handed over at the desk"),
        "not fetched in time": gettext_lazy("not fetched in time"),
        "data destroyed since": gettext_lazy("some of the data were destroyed since"),
        "request refused": gettext_lazy("the request was refused"),
    },
)
name_reasons(
    "registry.transfercondition",
    {
        "condition_made": gettext_lazy("the person asked to be told of transfers"),
        "condition_ended": gettext_lazy("the person asked to be told of transfers no more"),
    },
)
name_reasons("registry.personnotice", {"told_at": gettext_lazy("the person was told")})
name_reasons(
    "registry.recipientnotice",
    {
        "sent_at": gettext_lazy("the recipient was told"),
        "reminded_at": gettext_lazy("the recipient was reminded"),
        "acknowledged_at": gettext_lazy("the recipient has confirmed it"),
    },
)


def told(step: RequestStep) -> str:
    """The reason of a step."""
    return _of_step(Step(step.step), step.reason)


def told_entry(entry: AuditEntry) -> str:
    """The reason of an audit entry."""
    reason = entry.reason
    if entry.object_type == SubjectRequest._meta.label_lower and (step := reason.partition(BETWEEN)[0]) in Step.values:
        words = _of_step(Step(step), reason.removeprefix(step).removeprefix(BETWEEN))
        return BETWEEN.join(filter(None, [str(Step(step).label), words]))
    if entry.operation == AuditEntry.Operation.REFUSED:
        return _permission(reason) or reason
    if reason.startswith(FAILED + BETWEEN):
        return _("failed: %(name)s") % {"name": reason.removeprefix(FAILED + BETWEEN)}
    return str(reason_names.get((entry.object_type, reason), reason))


def _of_step(step: Step, reason: str) -> str:
    return WORDS.get(step, str)(reason)


def _kinds(reason: str) -> str:
    labels = dict(Kind.choices)
    return " → ".join(str(labels.get(code, code)) for code in reason.split(ARROW))


def _outcome(reason: str) -> str:
    """`granted blocked`: what was asked was so already."""
    outcome, _space, was_so = reason.partition(" ")
    names = [dict(Outcome.choices).get(outcome, outcome), already.NAMES.get(was_so, was_so)]
    return "; ".join(str(name) for name in names if name)


def _checks(reason: str) -> str:
    """`contact document words of one's own`: the codes come first."""
    words = reason.split(" ")
    codes = [word for word in words if word in CHECKS]
    own = " ".join(words[len(codes) :])
    return "; ".join([*(str(CHECKS[code]) for code in codes), *([own] if own else [])])


def _extension(reason: str) -> str:
    """Why, and the ground behind it."""
    ground, words = letters.extension_of(RequestStep(reason=reason))
    return "; ".join(filter(None, [words, ground]))


WORDS: dict[Step, Callable[[str], str]] = {
    Step.KIND: _kinds,
    Step.ANSWERED: _outcome,
    Step.CONFIRMED: _checks,
    Step.RESUMED: _checks,
    Step.EXTENDED: _extension,
}


def _permission(code: str) -> str:
    """What the refused right allows; empty: no right of ours."""
    return str(_permissions().get(code, ""))


@cache
def _permissions() -> dict[str, Text]:
    return {
        f"{model._meta.app_label}.{code}": name for model in apps.get_models() for code, name in model._meta.permissions
    }
