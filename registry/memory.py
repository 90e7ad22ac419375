"""Memory without values: who must not be contacted again.

Only a keyed index is kept, under a key of its own, so it meets nothing else in the database and answers only to who
presents the address. It goes after its own term; a consent by that person ends it at once (policy clause 19).

Called by: registry.demands (remembers), registry.registration (forgets).
"""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from registry.deadlines import end_of_term
from registry.keyring import keyring
from registry.models import DataCategory, DataSubject, RememberedIdentifier, RetentionSettings


def remember(subject: DataSubject, values: Iterable[tuple[DataCategory, str]], *, now: datetime) -> int:
    """Remembers each canonical value of its category; one that is remembered already gets a new term. How many."""
    months = RetentionSettings.objects.get().suppression_months
    until = end_of_term(now, months, "months", ZoneInfo(settings.TIME_ZONE))
    rows = {
        keyring().memory_index(category.code, canonical): category for category, canonical in values
    }  # two data may hold one value
    remembered = RememberedIdentifier.objects.bulk_create(
        [
            RememberedIdentifier(index=index, category=category, subject=subject, remembered_at=now, until=until)
            for index, category in rows.items()
        ],
        update_conflicts=True,
        unique_fields=["index"],
        update_fields=["subject", "remembered_at", "until"],
    )
    return len(remembered)


def is_suppressed(category_code: str, canonical: str, *, now: datetime) -> bool:
    """Whether nobody may write to this address. A memory whose term is over does not answer."""
    index = keyring().memory_index(category_code, canonical)
    return RememberedIdentifier.objects.filter(index=index, until__gt=now).exists()


def forget(category_code: str, canonical: str) -> bool:
    """The person agreed to be contacted again."""
    index = keyring().memory_index(category_code, canonical)
    return RememberedIdentifier.objects.filter(index=index).delete()[0] > 0


def over(now: datetime) -> QuerySet[RememberedIdentifier]:
    """The memories whose term is over."""
    return RememberedIdentifier.objects.filter(until__lte=now)
