"""Recipients are told what happened to the people they were given, once, and until they confirm.

Broken and seen to fail: the dropped line, the purpose of a withdrawal, the moment of the reminder.
"""

import pytest
from django.core import mail as postbox
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from consent import decisions
from consent.models import ConsentRecord
from registry import blocking, demands, transfers
from registry.models import LegalGround, RecipientNotice
from registry.transfers import notices, statistics
from tests.factories import DAY, person, purpose, staff
from tests.registry.test_transfers import BOTH, gave, partner, send, take_all  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def given(partner, today):  # noqa: F811
    """Two people the partner was given yesterday."""
    partner.contact_email = "partner@example.kz"
    partner.save()
    people, by = [gave(BOTH, now=today - DAY) for _ in range(2)], staff("sender")
    take_all(send(partner, by, today - DAY), by, today - DAY)
    return people


def opened():
    return list(RecipientNotice.objects.order_by("pk").values_list("subject", "event"))


def test_each_event_is_told_once(given, today):
    first, second = given
    decisions.withdraw(first, None, now=today, channel=ConsentRecord.Channel.LINK)
    decisions.withdraw(first, None, now=today, channel=ConsentRecord.Channel.LINK)
    blocking.block(second, by=None, reason="asked", now=today)
    assert opened() == [(first.pk, "withdrawn"), (second.pk, "blocked")]
    demands.demand(first, ground=LegalGround.objects.first(), reason="asked", by=staff(), now=today)
    assert opened()[-1] == (first.pk, "erased")


def test_nobody_is_told_about_who_was_never_given(given, today):
    other = person(now=today)
    decisions.withdraw(other, None, now=today, channel=ConsentRecord.Channel.LINK)
    assert opened() == []


def test_a_withdrawal_for_another_purpose_concerns_no_recipient_of_this_one(given, today):
    subject = given[0]
    decisions.give(subject, [purpose("advertising")], now=today)
    decisions.withdraw(subject, purpose("advertising"), now=today, channel=ConsentRecord.Channel.LINK)
    assert opened() == []


def test_who_was_left_out_at_the_last_moment_is_not_told_about(partner, today):  # noqa: F811
    by, stays, leaves = staff("sender"), gave(BOTH, now=today - DAY), gave(BOTH, now=today - DAY)
    transfer = send(partner, by, today - DAY)
    transfers.build_waiting(clock=lambda: today - DAY)
    decisions.withdraw(leaves, None, now=today - DAY, channel=ConsentRecord.Channel.LINK)
    transfer.refresh_from_db()
    transfers.take(transfer, by=by, now=today - DAY).close()
    for subject in (stays, leaves):
        demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=today)
    assert opened() == [(stays.pk, "erased")]


def test_one_letter_a_recipient_and_one_reminder(given, today):
    for subject in given:
        decisions.withdraw(subject, None, now=today, channel=ConsentRecord.Channel.LINK)
    assert notices.send_due(today) == 1
    (letter,) = postbox.outbox
    assert letter.to == ["partner@example.kz"] and all(one.reference in letter.body for one in given)
    assert "@example" not in letter.body
    assert notices.send_due(today + DAY) == 0
    assert notices.send_due(today + 15 * DAY) == 1 and notices.send_due(today + 30 * DAY) == 0


def test_reminders_stop_when_the_recipient_confirms(given, today):
    by = staff()
    decisions.withdraw(given[0], None, now=today, channel=ConsentRecord.Channel.LINK)
    (notice,) = RecipientNotice.objects.all()
    with pytest.raises(ValidationError):
        notices.acknowledge(notice, by=by, now=today)
    notices.send_due(today)
    with pytest.raises(PermissionDenied):
        notices.acknowledge(notice, by=staff("outsider", superuser=False), now=today)
    notices.acknowledge(notice, by=by, now=today)
    assert notices.send_due(today + 15 * DAY) == 0


def test_the_due_day_is_a_working_day(given, today):
    decisions.withdraw(given[0], None, now=today, channel=ConsentRecord.Channel.LINK)
    assert RecipientNotice.objects.get().due_on > timezone.localdate(today)


def test_statistics_are_a_transfer_of_nobody(partner, today):  # noqa: F811
    handed = statistics.hand_over(partner, file_format="json", reason="research", by=staff(), now=today)
    assert (handed.transfer.people, handed.transfer.ground, handed.transfer.lines.count()) == (0, "d", 0)
    assert b"cells" in handed.content
