"""The acts on an incident: what the page of each says, its form, and the operation behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from registry.admin import incident_forms
from registry.admin.forms import ReasonForm
from registry.incidents import acts
from registry.incidents.rows import HANDLE
from registry.models import Incident, StaffMember


@dataclass(frozen=True)
class Act:
    """One act with a page of its own: what it says, its form, and the operation, given what was filled in."""

    title: str | Promise
    told: tuple[str | Promise, ...]
    button: str | Promise
    form: type[forms.Form]
    operation: Callable[..., Any]


ACTS: Mapping[str, Act] = {
    "measure": Act(
        gettext_lazy("Note a measure"),
        (gettext_lazy("Measures are printed in the notice to the authorised body."),),
        gettext_lazy("Note the measure"),
        incident_forms.MeasureForm,
        acts.note_measure,
    ),
    "finding": Act(
        gettext_lazy("Note what was learnt"),
        (gettext_lazy("What was entered first stays as it is: this stands beside it, here and in the notice."),),
        gettext_lazy("Note it"),
        incident_forms.FindingForm,
        acts.note_finding,
    ),
    "sent": Act(
        gettext_lazy("Note that the notice was sent"),
        (
            gettext_lazy("Print the notice from the page of the incident and send it first."),
            gettext_lazy("When and how it was sent can't be changed afterwards."),
        ),
        gettext_lazy("The notice was sent"),
        incident_forms.SentForm,
        acts.note_sent,
    ),
    "no_notice": Act(
        gettext_lazy("State that no notice is due"),
        (
            gettext_lazy("It counts only when somebody else closes the incident."),
            gettext_lazy("The reason can't be changed afterwards."),
        ),
        gettext_lazy("State the reason"),
        ReasonForm,
        acts.state_no_notice,
    ),
    "close": Act(
        gettext_lazy("Close the incident"),
        (gettext_lazy("Nothing of it changes any more: no note, no source, no person is added."),),
        gettext_lazy("Close this incident"),
        ReasonForm,
        acts.close,
    ),
}


def offered(incident: Incident, me: StaffMember) -> list[tuple[str, str | Promise]]:
    """Address and title of each act that is worth offering; the operations decide anew."""
    if incident.state == Incident.State.CLOSED or not me.has_perm(HANDLE):
        return []
    is_decided = incident.no_notice_by_id not in {None, me.pk}
    is_offered = {
        "sent": not incident.is_told,
        "no_notice": not incident.is_told and not incident.no_notice_by_id,
        "close": incident.is_told or is_decided,
    }
    named = [(f"admin:incident_{name}", act.title) for name, act in ACTS.items() if is_offered.get(name, True)]
    return [("admin:incident_source_audit", gettext_lazy("Add people")), *named]
