"""To which request of a person another letter of theirs belongs. Only to one that is not finished, and theirs."""

from collections.abc import Collection

from consent.mailbox import guessing
from consent.mailbox.parsing import Letter
from registry import mail
from registry.models import DataSubject, OutgoingMessage, SubjectRequest
from registry.requests import answering, opening

OURS = (opening.CONFIRM, opening.OPENED, answering.LETTER)  # letters whose `about_id` is a request
LETTERS = 100  # of one person, the latest


def find_thread(person: DataSubject, kind: SubjectRequest.Kind, letter: Letter) -> SubjectRequest | None:
    """The one the letter answers or names; else one of the same kind that waits; else None.

    Another question is a question of its own, unless nobody has confirmed the first one yet.
    """
    waiting = SubjectRequest.objects.waiting().filter(subject=person).select_related("subject").order_by("pk")
    named = waiting.filter(number=guessing.number(letter.subject)).first()
    answered = waiting.filter(pk__in=_answered(person, letter.references)).last()
    same = waiting.filter(kind=kind)
    if kind == SubjectRequest.Kind.OTHER:
        same = same.filter(state=SubjectRequest.State.UNVERIFIED)
    return named or answered or same.first()


def _answered(person: DataSubject, references: Collection[str]) -> list[int]:
    """The requests about which we sent the letters it refers to; what was joined leads to the other."""
    if not references:
        return []
    letters = OutgoingMessage.objects.filter(subject=person, letter__in=OURS).order_by("-pk")[:LETTERS]
    numbers = [one.about_id for one in letters if mail.message_id(one) in references]
    joined = SubjectRequest.objects.filter(pk__in=numbers, joined_to__isnull=False).select_related("joined_to")
    return numbers + [one.joined_to.pk for one in joined if one.joined_to]
