"""Where letters about a request go: one contact, chosen anew by a clerk when the first will not do.

Dangerous because whoever reads there may confirm the request and fetches what was asked for. The rules:

- Only a contact the same person has confirmed, and that is in force. A typed one never.
- Never one that was in doubt in this request, nor another row of the same value.
- A request that waits to know who asks sends its question there at once. In work, later letters go there.

Called by: the console. Sources: Law 94-V art. 24; policy clause 19.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from registry import auditing
from registry.models import AuditEntry, PersonalDatum, StaffMember, SubjectRequest
from registry.requests import opening
from registry.requests.steps import State, check_may, locked

CHOSEN = "contact chosen"  # in the audit


def choices(request: SubjectRequest) -> QuerySet[PersonalDatum]:
    """What a clerk may choose from, in the order of a form."""
    in_doubt = PersonalDatum.objects.filter(pk__in=request.doubted)
    theirs = PersonalDatum.objects.live().contacts().filter(
        subject=request.subject_id, standing=PersonalDatum.Standing.CONFIRMED
    )
    others = theirs.exclude(pk=request.contact_id or 0).exclude(index__in=in_doubt.values("index"))
    return others.order_by("category__kind", "pk")


def use(request: SubjectRequest, datum: PersonalDatum, *, by: StaffMember, now: datetime) -> None:
    """From now on letters go there. PermissionDenied; ValidationError: not one of `choices`, or the request is over."""
    check_may(by, request, now=now)
    with transaction.atomic():
        row = locked(request)
        chosen = choices(row).filter(pk=datum.pk).first()
        if chosen is None:
            raise ValidationError(_("Only another contact that this person has confirmed will do."), code="contact")
        row.contact_id = chosen.pk
        row.save(update_fields=["contact_id"])
        operation, whose = AuditEntry.Operation.CHANGE, row.subject_id
        auditing.record(operation, now=now, actor=by, subject_id=whose, about=row, reason=CHOSEN)
        if row.state in {State.UNVERIFIED, State.PAUSED}:
            opening.ask_to_confirm(row, now=now)
