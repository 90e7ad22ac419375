"""What an erased person leaves under another reference: claims of their address that nobody keeps any more.

Whoever asks by page is a claimant until the link is pressed; then the request goes over, and the claim stays for the
next purge (registry.requests.verifying). An erasure does not wait for that: what is over of such claimants goes with
it, and stands in its act. A claim that something keeps, such as a question that waits for its answer, stays.

Called by: registry.demands.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from registry.models import DataSubject, PersonalDatum
from registry.processing import lock_subjects

Standing = PersonalDatum.Standing


def claimants_of(data: Iterable[PersonalDatum]) -> QuerySet[DataSubject]:
    """Pending people who claim one of these values."""
    indexes = [bytes(datum.index) for datum in data if datum.standing == Standing.CONFIRMED]
    claims = PersonalDatum.objects.live().filter(index__in=indexes, standing=Standing.CLAIMED)
    return DataSubject.objects.filter(status=DataSubject.Status.PENDING, pk__in=claims.values("subject"))


def lock_with_claimants(subject_id: int) -> None:
    """This person and whoever claims an address of theirs: all at once, in one order for all."""
    contacts = PersonalDatum.objects.contacts().filter(subject=subject_id).only("index", "standing")
    lock_subjects({subject_id, *claimants_of(contacts).values_list("pk", flat=True)})


def left_over(data: Iterable[PersonalDatum], *, now: datetime) -> list[PersonalDatum]:
    """Of whoever claims one of these values everything that nothing keeps any more at `now`."""
    over = PersonalDatum.objects.filter(subject__in=claimants_of(data), term__until__lte=now)
    return list(over.select_related("category", "key").order_by("pk"))
