"""What the page of an answer says before it is pressed: what will happen, and the name of the act on the button.

Called by: registry.admin.request_answer.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.admin.request_page import Kind
from registry.models import SubjectRequest
from registry.requests import already, copying

Words = str | Promise
WHAT_HAPPENS = {
    Kind.ACCESS: gettext_lazy("The person fetches the copy by the link in the letter, once, within its days."),
    Kind.RECTIFICATION: gettext_lazy(
        "A value nobody has confirmed is replaced at once; a confirmed one when the new address answers a letter."
    ),
    Kind.BLOCKING: gettext_lazy("The person is blocked: the data stay, are used for nothing, and nothing is sent."),
    Kind.UNBLOCKING: gettext_lazy("The block ends: the data may be used again as far as the consents in force allow."),
    Kind.ERASURE: gettext_lazy(
        "From this moment on nothing of this person is used. What is destroyed cannot be restored."
    ),
    Kind.WITHDRAWAL: gettext_lazy("All consents of this person end at once."),
    Kind.OBJECTION: gettext_lazy("The registry decides nothing about people by itself: the letter is the answer."),
    Kind.OTHER: gettext_lazy("Nothing is changed: the letter is the answer."),
}
BY_HAND = gettext_lazy("The copy is handed over at the desk, once, within its days: from the page of the request.")
SO_ALREADY = {
    already.ERASED: gettext_lazy(
        "Everything about this person is destroyed, or is being so: nothing is done, the letter says so."
    ),
    already.BLOCKED: gettext_lazy("The person is blocked already: nothing is done, the letter says so."),
    already.UNBLOCKED: gettext_lazy("The person is not blocked: nothing is done, the letter says so."),
}
BUTTONS = {
    Kind.ACCESS: gettext_lazy("Answer: give the copy"),
    Kind.RECTIFICATION: gettext_lazy("Correct and answer"),
    Kind.BLOCKING: gettext_lazy("Block and answer"),
    Kind.UNBLOCKING: gettext_lazy("Unblock and answer"),
    Kind.ERASURE: gettext_lazy("Destroy and answer"),
    Kind.WITHDRAWAL: gettext_lazy("End the consents and answer"),
    Kind.OBJECTION: gettext_lazy("Answer"),
    Kind.OTHER: gettext_lazy("Answer"),
}


def button(row: SubjectRequest, *, is_done: bool, was_so: str) -> Words:
    if not is_done:
        return _("Refuse and answer")
    return _("Answer") if was_so else BUTTONS[Kind(row.kind)]


def told(row: SubjectRequest, *, is_done: bool, was_so: str) -> Words:
    """What will happen, in a line."""
    if not is_done:
        return _("Nothing of what was asked is carried out.")
    if was_so:
        return SO_ALREADY[was_so]
    return BY_HAND if row.kind == Kind.ACCESS and not copying.is_reached(row) else WHAT_HAPPENS[Kind(row.kind)]
