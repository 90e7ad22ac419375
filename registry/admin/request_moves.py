"""What happens when an act on a request is pressed, and when it is worth offering. The operations decide anew.

Called by: registry.admin.request_acts, which has the pages and their words.
"""

from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry import tasks
from registry.models import CopyPackage, DataSubject, StaffMember, SubjectRequest
from registry.requests import contacts, copying, handling, verifying

Words = str | Promise
Given = dict[str, Any]  # what the form says
Who = dict[str, Any]  # who does it, and when
Kind = SubjectRequest.Kind
ASKED_ANEW = _("Corrected. It is carried out when the person has confirmed this, or when you have checked who asks.")
JOINED = _("The same request of this person is in work already: this one was joined to it.")


def take(row: SubjectRequest, given: Given, who: Who) -> None:
    handling.take(row, **who)


def kind(row: SubjectRequest, given: Given, who: Who) -> Words | None:
    is_asked_anew = handling.correct_kind(row, Kind(given["kind"]), **who)
    tasks.wake_mail()
    return ASKED_ANEW if is_asked_anew else None


def check(row: SubjectRequest, given: Given, who: Who) -> Words | None:
    outcome = verifying.check(row, given["checks"], reason=given["reason"], **who)
    tasks.wake_mail()
    return JOINED if outcome == verifying.Outcome.JOINED else None


def ask(row: SubjectRequest, given: Given, who: Who) -> None:
    handling.ask(row, **who)
    tasks.wake_mail()


def doubt(row: SubjectRequest, given: Given, who: Who) -> None:
    verifying.doubt(row, reason=given["reason"], **who)


def contact(row: SubjectRequest, given: Given, who: Who) -> None:
    contacts.use(row, given["contact"], **who)
    tasks.wake_mail()


def is_known(row: SubjectRequest, by: StaffMember) -> bool:
    return row.subject.status != DataSubject.Status.PENDING


def is_asked(row: SubjectRequest) -> bool:
    """It is not clear who asks, or they must confirm another kind."""
    return verifying.state_of(row) == verifying.Outcome.OPEN


def extend(row: SubjectRequest, given: Given, who: Who) -> None:
    handling.extend(row, given["days"], reason=given["reason"], ground=given["ground"], **who)
    tasks.wake_mail()


def may_extend(row: SubjectRequest, by: StaffMember) -> bool:
    return row.extra_days < handling.MOST_EXTRA and not row.is_overdue(timezone.localdate())


def join(row: SubjectRequest, given: Given, who: Who) -> None:
    handling.join(row, given["other"], **who)


def spam(row: SubjectRequest, given: Given, who: Who) -> None:
    handling.close_as_spam(row, reason=given["reason"], **who)


def copy(row: SubjectRequest, given: Given, who: Who) -> None:
    copying.ask(row, **who)
    tasks.wake_copies()


def lacks_copy(row: SubjectRequest, by: StaffMember) -> bool:
    """A refused one gets none; what was fetched or is over may be built anew."""
    live = (CopyPackage.State.BUILDING, CopyPackage.State.READY)
    is_wanted = row.kind == Kind.ACCESS and row.outcome != SubjectRequest.Outcome.REFUSED
    return is_wanted and not row.packages.filter(state__in=live).exists()
