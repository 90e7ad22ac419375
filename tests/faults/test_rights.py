"""Two administrators who put each other out at the same moment: one of them stays.

Broken and seen to fail: the lock of `roles.check_somebody_stays`."""

from threading import Event

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from registry import roles
from registry.models import StaffMember
from tests.faults.parallel import start
from tests.house import member

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 1.5  # seconds for the second to get past, if it could


@transaction.atomic
def deactivate(person: StaffMember, is_under_way: Event, wait_for: Event) -> None:
    roles.check_somebody_stays(person, keeps=frozenset({"staff", roles.ADMINISTRATOR}))
    StaffMember.objects.filter(pk=person.pk).update(is_active=False)
    is_under_way.set()
    wait_for.wait(PATIENCE)


def test_two_who_put_each_other_out_do_not_leave_nobody():
    first, second = member("first", roles.ADMINISTRATOR), member("second", roles.ADMINISTRATOR)
    one, other = Event(), Event()
    earlier = start(deactivate, second, one, other)
    one.wait(10)
    later = start(deactivate, first, other, one)
    earlier.finish()
    with pytest.raises(ValidationError):
        later.finish()
    assert set(StaffMember.objects.filter(is_active=True)) == {first}
