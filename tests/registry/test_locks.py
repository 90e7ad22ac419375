"""The lock every writer takes first.

Broken and seen to fail: the check for a transaction, and for people who are not there, in lock_subjects.
"""

import pytest
from django.db import transaction

from registry.models import DataSubject, RetentionDue
from registry.processing import lock_subjects
from tests.factories import person


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_there_is_nothing_to_hold_a_lock():
    subject = person()
    with pytest.raises(transaction.TransactionManagementError):
        lock_subjects([subject.pk])
    with transaction.atomic():
        lock_subjects([subject.pk])


@pytest.mark.django_db
def test_one_who_is_not_there_is_told_apart():
    subject = person()
    gone = RetentionDue.objects.latest("pk").pk + 1
    lock_subjects([])
    lock_subjects([subject.pk, subject.pk])
    with pytest.raises(DataSubject.DoesNotExist):
        lock_subjects([subject.pk, gone])
