"""The last checkpoint, by mail to the auditors: it lies in mailboxes that nobody here can change."""

import logging

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from registry.models import Operator, StaffMember
from registry.models.texts import LANGUAGES
from registry.seals import checkpoints
from registry.seals.statements import Mark, document, key_id

AUDITORS = "Auditor"
logger = logging.getLogger(__name__)


class NotMailed(Exception):
    """Some auditors did not get the checkpoint; the others have it and get it once more."""


def mail() -> int:
    """Sends the last checkpoint, without its lines, to every auditor with an address; how many. NotMailed."""
    mark = checkpoints.latest()
    if mark is None:
        return 0
    auditors = StaffMember.objects.filter(groups__name=AUDITORS, is_active=True).exclude(email="").distinct()
    failed = [auditor.pk for auditor in auditors if not _send(auditor, mark)]
    if failed:
        raise NotMailed
    return len(auditors)


def _send(auditor: StaffMember, mark: Mark) -> bool:
    operator = Operator.objects.get()
    message = EmailMessage(_subject(mark, operator), _text(mark), operator.contact_email, [auditor.email])
    message.attach(f"audit-{mark.seal}.jsonl", document(mark, with_lines=False), "application/json")
    try:
        message.send()
    except Exception as error:  # the other auditors must not wait for this mailbox
        logger.error("checkpoint %s not sent to staff member %s: %s", mark.seal, auditor.pk, type(error).__name__)
        return False
    return True


def _subject(mark: Mark, operator: Operator) -> str:
    return f"{operator.site}: audit № {mark.seal}"


def _text(mark: Mark) -> str:
    """In the three languages: a member of the staff has none of their own."""
    context = {"mark": mark, "head": mark.head.hex(), "key_id": key_id()}
    texts = []
    for language in LANGUAGES:
        with translation.override(language):
            texts.append(render_to_string("letters/checkpoint.txt", context))
    return "\n".join(texts)
