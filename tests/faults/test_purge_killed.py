"""A purge of 10,000 people killed again and again, and two purges at once. Real processes, real kill -9.

Broken and seen to fail: FOR UPDATE SKIP LOCKED of purging.TAKE, the transaction of purge_batch.
"""

import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, connections
from django.utils import timezone

from registry import approving, purging
from registry.models import (
    AuditEntry,
    DataSubject,
    DatumKey,
    ErasureRecord,
    PersonalDatum,
    PurgeRun,
    RetentionDue,
    RetentionSettings,
)
from tests.conftest import owner_connection
from tests.factories import DAY, MOMENT, staff

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
PEOPLE, KILLS, BATCH = 10_000, 20, 50
SMALL = 10  # people: a run of this batch is far from its end when its first batches are seen
PATIENCE = 60  # seconds

# Every person has an e-mail; every second one a phone too. Two of three have lapsed; of those every tenth is under a
# hold, every eleventh blocked, and every seventh gave a second consent that still keeps the e-mail and not the phone.
CROWD = """
INSERT INTO registry_datasubject (id, reference, language, status, created_at)
    SELECT n, 'DS-' || n, 'kk', CASE WHEN n %% 11 = 0 THEN 'blocked' ELSE 'active' END, %(began)s
    FROM generate_series(1, %(people)s) n;
INSERT INTO registry_personaldatum
    (id, subject_id, category_id, sealed, index, source, standing, recorded_at, confirmed_at)
    SELECT n * 2 + phone, n,
        (SELECT id FROM registry_datacategory WHERE code = CASE phone WHEN 1 THEN 'phone' ELSE 'email' END),
        decode(md5(n::text) || md5(phone::text), 'hex'), sha256((n * 2 + phone)::text::bytea), 'subject',
        CASE phone WHEN 1 THEN 'stated' ELSE 'confirmed' END, %(began)s,
        CASE phone WHEN 0 THEN %(began)s::timestamptz END
    FROM generate_series(1, %(people)s) n, generate_series(0, 1) phone WHERE phone = 0 OR n %% 2 = 0;
INSERT INTO registry_datumkey (datum_id, wrapped) SELECT id, sealed FROM registry_personaldatum;
INSERT INTO registry_processing
    (subject_id, purpose_id, state, began_at, lapses_at, rule_version, third_parties, cross_border, public_sources)
    SELECT n, (SELECT id FROM registry_processingpurpose WHERE code = 'site-news'), 'open', %(began)s,
        CASE WHEN n %% 3 = 0 THEN %(later)s ELSE %(now)s END, 1, false, false, false
    FROM generate_series(1, %(people)s) n;
INSERT INTO registry_processing
    (subject_id, purpose_id, state, began_at, lapses_at, rule_version, third_parties, cross_border, public_sources)
    SELECT n, (SELECT id FROM registry_processingpurpose WHERE code = 'feedback'), 'open', %(began)s, %(later)s, 1,
        false, false, false
    FROM generate_series(7, %(people)s, 7) n;
INSERT INTO registry_legalhold (subject_id, ground_id, reason, placed_at)
    SELECT n, (SELECT min(id) FROM registry_legalground), 'court', %(began)s FROM generate_series(10, %(people)s, 10) n;
ANALYZE registry_datasubject, registry_personaldatum, registry_datumkey, registry_processing, registry_legalhold;
INSERT INTO registry_retentiondue (subject_id, due_at)
    SELECT subject.id, min(term.until) FROM registry_datasubject subject
    LEFT JOIN registry_datumterm term ON term.subject_id = subject.id GROUP BY subject.id;
ANALYZE registry_retentiondue;
"""  # fmt: skip


def is_kept(datum_id):
    """Whether the crowd's datum must stay, told from its number alone: not by the code under test."""
    person, is_phone = divmod(datum_id, 2)
    has_time = person % 3 == 0 or person % 10 == 0 or person % 11 == 0
    return has_time or (person % 7 == 0 and not is_phone)


@pytest.fixture
def crowd(request):
    """The numbers of all data of many people. The phone is no longer needed for feedback while the test runs."""
    with owner_connection() as owner:
        phone = "(SELECT id FROM registry_datacategory WHERE code = 'phone')"
        feedback = "(SELECT id FROM registry_processingpurpose WHERE code = 'feedback')"
        owner.execute(
            "DELETE FROM registry_processingpurpose_categories "
            f"WHERE processingpurpose_id = {feedback} AND datacategory_id = {phone}"
        )
        people = getattr(request, "param", PEOPLE)
        values = {"people": people, "began": MOMENT - 30 * DAY, "now": MOMENT, "later": MOMENT + DAY}
        with owner.cursor() as cursor:
            for statement in CROWD.split(";\n")[:-1]:
                cursor.execute(statement, values)
        yield {row[0] for row in owner.execute("SELECT id FROM registry_personaldatum")}
        owner.execute(
            "INSERT INTO registry_processingpurpose_categories (processingpurpose_id, datacategory_id) "
            f"VALUES ({feedback}, {phone})"
        )


PURGE = MOMENT.isoformat()


def in_test_database(url):
    """The same server and role, the database of the tests."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rpartition("/")[0] + "/" + connection.settings_dict["NAME"]))


class Purger:
    """tests/faults/purger.py in a process of its own, with the application's role."""

    def __init__(self):
        given = [name for name in ("DATABASE_URL", "DATABASE_APP_URL") if name in os.environ]
        addresses = {name: in_test_database(os.environ[name]) for name in given}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.purger"], cwd=ROOT, env={**os.environ, **addresses}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, batch=BATCH, what=PURGE):
        """Begins a purge, or carries out what was "approved", and returns the id of its process."""
        self.process.stdin.write(f"{what} {batch}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self, process):
        """kill -9, waited for."""
        try:
            os.kill(process, 9)
        except ProcessLookupError:
            pytest.fail("the purge had ended before it was killed: it needs more people or a smaller batch")
        assert self.end() == -9

    def end(self):
        """Waits for the purge: 0 when it is done, -9 when it was killed."""
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)


@pytest.fixture
def purgers():
    made = [Purger(), Purger()]
    assert [purger.process.stdout.readline() for purger in made] == ["ready\n"] * 2
    yield made
    for purger in made:
        purger.close()


def check_all_or_nothing(crowd):
    """Between any two batches: what is there has its key, what is gone has its proof, nothing is in between."""
    present = set(PersonalDatum.objects.values_list("pk", flat=True))
    proved = list(ErasureRecord.objects.values_list("datum_id", flat=True))
    assert set(DatumKey.objects.values_list("pk", flat=True)) == present
    assert len(proved) == len(set(proved))
    assert set(proved) == crowd - present
    assert not {datum for datum in proved if is_kept(datum)}
    assert sum(PurgeRun.objects.values_list("data", flat=True)) == len(proved)
    half = [person for person in {datum // 2 for datum in proved} if person_is_half_gone(person, present, crowd)]
    assert not half
    return len(proved)


def person_is_half_gone(person, present, crowd):
    return any(datum in present and datum in crowd and not is_kept(datum) for datum in (person * 2, person * 2 + 1))


def check_end(crowd):
    """All that had to go is gone and proved once; all that had to stay is there."""
    assert set(PersonalDatum.objects.values_list("pk", flat=True)) == {datum for datum in crowd if is_kept(datum)}
    check_all_or_nothing(crowd)
    gone = {datum // 2 for datum in crowd if not is_kept(datum)}
    told = list(AuditEntry.objects.filter(operation="destroy").values_list("subject_id", flat=True))
    assert (len(told), set(told)) == (len(gone), gone)
    empty = gone - {datum // 2 for datum in crowd if is_kept(datum)}
    assert set(DataSubject.objects.filter(status="erased").values_list("pk", flat=True)) == empty
    assert not RetentionDue.objects.due(MOMENT).exists()
    again = purging.purge(MOMENT)
    assert (again.subjects, again.data) == (0, 0)
    assert ErasureRecord.objects.count() == len(crowd) - PersonalDatum.objects.count()


def wait_until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.001)


def wait_for_progress(data=1, seconds=math.inf):
    """Until that many more are gone than at the call, or until so much time has passed."""
    enough, over = PersonalDatum.objects.count() - data, time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > over or PersonalDatum.objects.count() <= enough, "data are being destroyed")


def test_a_purge_killed_twenty_times_leaves_nobody_half_gone(crowd, purgers):
    seed = random.randrange(10**6)
    chance, progress, longest = random.Random(seed), [0], 0.05
    for _ in range(KILLS):
        process = purgers[0].start()
        wait_for_progress(data=3 * BATCH, seconds=chance.uniform(0, longest))
        purgers[0].kill(process)
        wait_for_its_connection_to_end()
        progress.append(check_all_or_nothing(crowd))
        longest *= 1.3 if progress[-1] == progress[-2] else 0.8  # some kills before the first commit, some after it
    print(f"seed {seed}: data gone after each kill: {progress}")
    assert 0 < progress[-1] < sum(not is_kept(datum) for datum in crowd), "the kills must hit a purge under way"
    assert PurgeRun.objects.filter(finished_at=None).exists()
    purgers[0].start()
    assert purgers[0].end() == 0
    check_end(crowd)


def wait_for_its_connection_to_end():
    """A server process notices the death of its client when it next speaks to it: until then it may still commit."""
    wait_until(lambda: not connections_at_work(), "a killed purge lets go of its transaction")


def connections_at_work():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND usename = current_user AND (state <> 'idle' OR backend_xid IS NOT NULL)"
        )
        return cursor.fetchone()[0]


def start_together(purgers, batch):
    """Two purges let go at one moment: neither can be over before the other has begun. The ids of their processes."""
    with owner_connection() as owner, owner.transaction():
        owner.execute("LOCK TABLE registry_purgerun IN SHARE MODE")
        processes = [purger.start(batch=batch) for purger in purgers]
        wait_until(lambda: waiting_for_a_lock(owner) == len(purgers), "both purges are about to begin")
    return processes


def waiting_for_a_lock(owner):
    owner.execute("SELECT pg_stat_clear_snapshot()")  # one transaction sees one moment otherwise
    waiting = "wait_event_type = 'Lock' AND datname = current_database()"
    return owner.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}").fetchone()[0]


@pytest.mark.parametrize("crowd", [3000], indirect=True)
def test_two_purges_at_once_share_the_people(crowd, purgers):
    start_together(purgers, batch=100)
    assert [purger.end() for purger in purgers] == [0, 0]
    first, second = PurgeRun.objects.order_by("pk").values_list("data", flat=True)
    print(f"the first took {first}, the second {second}")
    assert first and second
    check_end(crowd)


@pytest.mark.parametrize("crowd", [3000], indirect=True)
def test_a_purge_killed_beside_another_one_leaves_its_people_to_it(crowd, purgers):
    victim, _survivor = start_together(purgers, batch=SMALL)
    wait_until(lambda: PurgeRun.objects.filter(data__gt=0).count() == 2, "both purges have destroyed something")
    purgers[0].kill(victim)
    assert purgers[1].end() == 0
    wait_for_its_connection_to_end()
    check_all_or_nothing(crowd)
    purging.purge(MOMENT)
    check_end(crowd)


# --- an approved run ------------------------------------------------------------------------------------------------
@pytest.fixture
def approval(crowd):
    """Everything due is on a list that a second person approved."""
    RetentionSettings.objects.update(brake_people=0)
    preview = approving.daily(MOMENT).waiting
    approving.approve(preview, preview.digest, by=staff(), reason="looked through", now=timezone.now())
    yield preview
    RetentionSettings.objects.update(brake_people=1000)


@pytest.mark.parametrize("crowd", [3000], indirect=True)
def test_an_approved_run_killed_five_times_ends_as_one(crowd, approval, purgers):
    for _ in range(5):
        process = purgers[0].start(batch=SMALL, what="approved")
        wait_for_progress()
        purgers[0].kill(process)
        wait_for_its_connection_to_end()
        gone = check_all_or_nothing(crowd)
    assert 0 < gone < sum(not is_kept(datum) for datum in crowd), "the kills must hit a run under way"
    purgers[0].start(what="approved")
    assert purgers[0].end() == 0
    approval.refresh_from_db()
    assert (approval.state, approval.run.data, PurgeRun.objects.count()) == ("done", approval.data, 1)
    check_end(crowd)


@pytest.mark.parametrize("crowd", [3000], indirect=True)
def test_two_at_once_carry_out_one_approval_once(crowd, approval, purgers):
    connections["default"].close()
    for purger in purgers:
        purger.start(batch=100, what="approved")
    assert [purger.end() for purger in purgers] == [0, 0]
    assert PurgeRun.objects.get().data == approval.data
    check_end(crowd)
