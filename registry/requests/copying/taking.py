"""Handing a copy over: looked through first, recorded, and only then given, once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from django.db import transaction

from registry import sealed_files, sms
from registry.models import CopyPackage, DataCategory, StaffMember, SubjectRequest
from registry.requests import papers
from registry.requests.copying import rows
from registry.requests.copying.rows import Operation, State
from registry.requests.steps import check_may
from registry.sealing import SealError

HAND_OVER = "registry.hand_over_copypackage"
GIVEN_IN = (SubjectRequest.State.OPEN, SubjectRequest.State.ANSWERED)
PAGE = "page"


@dataclass(frozen=True, repr=False)
class Taken:
    """A copy on its way out: its bytes, once. The file has no name any more and no key but this one; `close` it."""

    name: str
    file: BinaryIO
    key: bytes
    file_id: int

    def __iter__(self) -> Iterator[bytes]:
        parts = self.parts()
        next(parts)  # which data are in it: not given
        yield from parts

    def parts(self) -> Iterator[bytes]:
        """All of the file from its beginning. SealError."""
        self.file.seek(0)
        return sealed_files.reading(self.file, self.key, self.file_id)

    def close(self) -> None:
        self.file.close()


def fetchable(request: SubjectRequest, *, now: datetime) -> CopyPackage | None:
    """The copy this person may fetch now: for the page that offers it. `take` decides anew."""
    if not _may_be_given(request):
        return None
    ready = CopyPackage.objects.filter(request=request, state=State.READY, expires_at__gt=now)
    return ready.select_related("request").first()


def at_the_desk(request: SubjectRequest, *, now: datetime) -> CopyPackage | None:
    """The copy that staff may hand over: of a person they have seen, whom no letter with a link can reach."""
    return fetchable(request, now=now) if _is_seen(request) else None


def _is_seen(request: SubjectRequest) -> bool:
    """By a checklist, of a request that is answered by no letter with a link."""
    is_seen = request.identity == SubjectRequest.Identity.CHECKLIST
    return is_seen and request.state == SubjectRequest.State.ANSWERED and not is_reached(request)


def is_reached(request: SubjectRequest) -> bool:
    """Whether a link can be sent: to an address, or to a number if messages go to numbers at all."""
    contact = papers.contact_of(request)
    if contact is None:
        return False
    return sms.is_available() or contact.category.kind == DataCategory.Kind.EMAIL


def _may_be_given(request: SubjectRequest) -> bool:
    """Not while it is in doubt who asks, and not after a refusal."""
    is_known = request.identity != SubjectRequest.Identity.NONE
    return request.state in GIVEN_IN and is_known and not rows.is_refused(request)


def take(request: SubjectRequest, *, now: datetime, by: StaffMember | None = None) -> Taken:
    """The zip file, for whoever has proved to be the person. Cut off on its way it is gone all the same.

    `by`: who hands it over at the desk. PermissionDenied; ValidationError: none there (any more), over its time,
    damaged, in doubt who asks, or somebody a letter reaches.
    """
    if by is not None:
        check_may(by, request, now=now, permission=HAND_OVER)
    package = at_the_desk(request, now=now) if by else fetchable(request, now=now)
    if package is None:
        raise rows.gone()
    taken, numbers = _opened(package, now)
    try:
        is_given = _end(package, numbers, now, by)
    except BaseException:
        taken.close()
        raise
    rows.remove(package)
    if not is_given:
        taken.close()
        raise rows.gone()
    return taken


@transaction.atomic
def _end(package: CopyPackage, numbers: list[int], now: datetime, by: StaffMember | None) -> bool:
    """The key ends in any case; whether the copy may be given."""
    row = rows.locked(package, State.READY)
    if not _may_be_given(row.request) or (by and not _is_seen(row.request)):
        raise rows.gone()
    if rows.lost(row, numbers):
        rows.destroy(row, now, rows.ERASED)
        return False
    rows.turn(row, State.TAKEN, taken_at=now, destroyed_at=now)
    if by:
        rows.FILES.note(Operation.EXPORT, row, by, now, "copy handed over", subject_id=row.request.subject_id)
    else:
        rows.note(Operation.EXPORT, row, now, "copy fetched", system=PAGE)
    return True


def _opened(package: CopyPackage, now: datetime) -> tuple[Taken, list[int]]:
    """Everything of it was looked at: what does not open is refused before a byte is given."""
    try:
        return _looked_through(package)
    except (OSError, SealError) as error:
        rows.give_up(package, error, now)
        raise rows.gone() from None


def _looked_through(package: CopyPackage) -> tuple[Taken, list[int]]:
    key = rows.key_of(package)
    file = rows.path_of(package).open("rb")
    taken = Taken(f"{package.request.number}.zip", file, key, package.pk)
    try:
        parts = taken.parts()
        numbers = rows.numbers_of(next(parts))
        for _part in parts:
            pass
    except BaseException:
        taken.close()
        raise
    return taken, numbers
