"""Tells the officers by mail that somebody opens unusually many values.

Once per person and day; what tells that it was sent is the audit entry written after it. A mail that fails stops
nothing and is tried again with the next run. It names a member of the staff and a count, and nobody else.

Called by: registry.tasks (every ten minutes).
Sources: policy clauses 28, 29.
"""

import logging
from collections.abc import Callable
from datetime import datetime, time

from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import localize
from django.utils.translation import gettext as _

from registry import auditing
from registry.disclosure import Alarm, alarms
from registry.models import AuditEntry, Operator, StaffMember

logger = logging.getLogger(__name__)
SYSTEM, GROUP = "alarm", "Officer"
LANGUAGES = ("kk", "ru")


def tell_officers(now: datetime) -> int:
    """Sends what was not sent today; about how many people."""
    addresses = officers()
    waiting = [alarm for alarm in alarms(now) if addresses and not _is_told(alarm, now)]
    return sum(_tell(alarm, addresses, now) for alarm in waiting)


def officers() -> list[str]:
    """The addresses of the officers who have one."""
    found = StaffMember.objects.filter(groups__name=GROUP, is_active=True).exclude(email="")
    return list(found.order_by("pk").values_list("email", flat=True))


def _is_told(alarm: Alarm, now: datetime) -> bool:
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(now), time(0)))
    entries = AuditEntry.objects.filter(operation=AuditEntry.Operation.USE, system=SYSTEM, at__gte=midnight)
    return entries.filter(object_type=StaffMember._meta.label_lower, object_id=alarm.person.pk).exists()


def _tell(alarm: Alarm, addresses: list[str], now: datetime) -> bool:
    """False if the mail did not leave."""
    subject, text = (_in_both(write, alarm) for write in (_subject, _text))
    try:
        send_mail(" · ".join(subject), "\n\n".join(text), Operator.objects.get().contact_email, addresses)
    except OSError as error:  # what smtplib raises is one too
        logger.warning("alarm about staff member %s not mailed: %s", alarm.person.pk, type(error).__name__)
        return False
    with transaction.atomic():
        auditing.record(AuditEntry.Operation.USE, now=now, system=SYSTEM, about=alarm.person, reason=str(alarm.today))
    return True


def _in_both(write: Callable[[Alarm], str], alarm: Alarm) -> list[str]:
    """Nobody knows which language an officer reads."""
    texts = []
    for language in LANGUAGES:
        with translation.override(language):
            texts.append(write(alarm))
    return texts


def _subject(alarm: Alarm) -> str:
    return _("Unusually many personal data opened")


def _text(alarm: Alarm) -> str:
    return _(
        "Staff member: %(name)s\nValues opened today: %(today)s\nOn a usual day: %(usual)s\n"
        "Who opened what and why is in the audit of the console."
    ) % {"name": alarm.person.get_username(), "today": alarm.today, "usual": localize(round(alarm.usual, 1))}
