"""What outlives a demanded erasure until the person is answered: nobody is left who cannot be.

- A request that still waits keeps the contact of its answer, its text and its scan; of the request that the erasure
  carries out only contact and answer are needed. One that is joined to another waits no more.
- Numbers of data stand in `ErasureCertificate.spared`. They are released together, once no letter and no request waits
  for any of them, and are destroyed in the same pass (registry.demands).

Called by: registry.demands, registry.requests. Sources: Law 94-V art. 24; policy clause 19.
"""

from collections.abc import Collection

from django.db.models import Q

from registry.models import DataSubject, ErasureCertificate, OutgoingMessage, SubjectRequest


def needed_to_answer(subject: DataSubject, answering: SubjectRequest | None) -> list[int]:
    """Numbers of the data by which what this person has asked is read and answered."""
    numbers = {answering.contact_id, answering.answer_id} if answering else set()
    waiting = SubjectRequest.objects.waiting().filter(subject=subject)
    if answering:
        waiting = waiting.exclude(pk=answering.pk)
    for needed in waiting.values_list("contact_id", "text_id", "scan_id"):
        numbers.update(needed)
    return sorted(number for number in numbers if number)


def spare(request: SubjectRequest, *, asked_anew: bool) -> None:
    """An erasure is under way that this answered request waited for, or asked for anew: its answer goes with it, once
    the letter is gone. The person is locked by the caller."""
    certificate = ErasureCertificate.objects.open().filter(subject=request.subject_id).first()
    if certificate is None:
        return
    if asked_anew or request.received_at <= certificate.demanded_at:
        numbers = {*certificate.spared, request.contact_id, request.answer_id}
        certificate.spared = sorted(number for number in numbers if number)
        certificate.save(update_fields=["spared"])


def is_needed(subject_id: int, numbers: Collection[int]) -> bool:
    """Whether a letter or a request of this person still waits for some of these data."""
    letters = OutgoingMessage.objects.filter(datum_id__in=numbers, state=OutgoingMessage.State.QUEUED)
    is_read_by_one = Q(contact_id__in=numbers) | Q(text_id__in=numbers) | Q(scan_id__in=numbers)
    waiting = SubjectRequest.objects.waiting().filter(is_read_by_one, subject=subject_id)
    return letters.exists() or waiting.exists()
