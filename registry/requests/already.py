"""What is asked for is so already: nothing is left to do, so the answer is that it is done, and the letter says so.

A second erasure of somebody whose data are being destroyed, a blocking of somebody blocked. Only a refusal was possible
without this, and a refusal needs a ground in law that there is none for.

- Nothing is held, or nothing but what answers the person: that is what "gone" means. What a hold keeps, what is blocked
  and what the person has consented to anew is still held.
- Whoever answers is shown this before, and it is asked again under the lock (registry.requests.answering).

Called by: registry.requests (letters, answering), the console. Sources: Law 94-V art. 18, 24; policy clause 19.
"""

from django.utils.translation import gettext_lazy

from registry.models import DataSubject, ErasureCertificate, LegalHold, Processing, SubjectRequest
from registry.requests import papers

Kind, Status = SubjectRequest.Kind, DataSubject.Status
ERASED, BLOCKED, UNBLOCKED = "erased", "blocked", "unblocked"  # as the reply templates are called: already-...
NAMES = {
    ERASED: gettext_lazy("nothing was held any more"),
    BLOCKED: gettext_lazy("it was blocked already"),
    UNBLOCKED: gettext_lazy("it was not blocked"),
}
ABOUT_DATA = {Kind.ACCESS, Kind.RECTIFICATION, Kind.BLOCKING}


def why(request: SubjectRequest) -> str:
    """ERASED, BLOCKED or UNBLOCKED; empty: there is something to do. At most four queries."""
    status = DataSubject.objects.values_list("status", flat=True).get(pk=request.subject_id)
    if request.kind == Kind.ERASURE and _is_under_way(request.subject_id, status):
        return ERASED
    if request.kind in ABOUT_DATA and _is_gone(request.subject_id, status):
        return ERASED
    if request.kind == Kind.BLOCKING and status == Status.BLOCKED:
        return BLOCKED
    if request.kind == Kind.UNBLOCKING and status != Status.BLOCKED:
        return UNBLOCKED
    return ""


def _is_under_way(subject_id: int, status: str) -> bool:
    """Destroyed, or demanded and used for nothing: what holds keep goes by itself when they end."""
    if status == Status.ERASED:
        return True
    answering = [papers.PURPOSE, papers.MAIL_PURPOSE]
    used = Processing.objects.filter(subject=subject_id, state=Processing.State.OPEN)
    is_open = ErasureCertificate.objects.open().filter(subject=subject_id).exists()
    return is_open and not used.exclude(purpose__code__in=answering).exists()


def _is_gone(subject_id: int, status: str) -> bool:
    """Under way, and nothing keeps anything."""
    held = LegalHold.objects.filter(subject=subject_id, released_at=None)
    return status != Status.BLOCKED and _is_under_way(subject_id, status) and not held.exists()
