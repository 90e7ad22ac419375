"""What a person must confirm once more: a kind that ends something, put by the staff in place of what they confirmed.

Dangerous because without this one member of the staff could turn a question into a destruction. The rules:

- A kind that ends something is carried out when the person has confirmed that kind: by the link, or at the desk.
- Until then the request stays in work and its clock goes on: who asks is known, only the act is not confirmed.
- What was confirmed is read from the life of the request: the kind before the first correction since then.
- Corrected back to what was confirmed, or to what ends nothing, nothing need be confirmed.

Called by: registry.requests (verifying, handling, answering), the console, consent (what the page of a request says).
Sources: Law 94-V art. 8, 24; policy clause 19.
"""

from registry.models import RequestStep, SubjectRequest

Kind, Step = SubjectRequest.Kind, RequestStep.Step
ENDING = frozenset({Kind.ERASURE, Kind.WITHDRAWAL, Kind.BLOCKING, Kind.UNBLOCKING})
ARROW = " > "  # between the kinds in the reason of a step


def corrected(before: str, after: str) -> str:
    """The reason of the step that corrects a kind."""
    return f"{before}{ARROW}{after}"


def confirmed_as(request: SubjectRequest) -> str:
    """The kind the person confirmed last; of one corrected never since then, the kind it has. One query."""
    kind = request.kind
    turns = request.steps.filter(step__in=[Step.KIND, Step.CONFIRMED]).order_by("-pk")
    for step, reason in turns.values_list("step", "reason"):
        if step == Step.CONFIRMED:
            break
        kind = reason.partition(ARROW)[0]
    return kind


def is_asked(request: SubjectRequest) -> bool:
    """Whether this request in work waits for its person to confirm its kind. At most one query."""
    is_about_it = request.state == SubjectRequest.State.OPEN and request.kind in ENDING
    return is_about_it and confirmed_as(request) != request.kind
