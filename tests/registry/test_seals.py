"""The sealed audit: whatever the owner of the database does to it, the first wrong entry is named.

Broken and seen to fail: a seal that reaches further than its last entry; the file continued from its last line, and only
where the database knows it; the signature, the digest of the lines, the order of the lines; the head, the continuity and
the lines of a seal, seals compared with the file, those on the way noticed, the names of the file used; an entry below 1; a
column left out of the digest; a letter not tried again, and sent every hour; the nightly job without the file.
"""

import json
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import DatabaseError, ProgrammingError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import auditing, keyring, seals, tasks
from registry.models import AuditEntry, AuditSeal, AuditVerification, JobRun
from registry.seals import checkpoints, form, statements
from registry.seals.mailing import NotMailed
from tests.conftest import APPLICATION, OWNER, connect_as
from tests.factories import DAY, MOMENT, staff

pytestmark = pytest.mark.django_db(transaction=True)
Outcome = AuditVerification.Outcome


@pytest.fixture
def path(settings):
    return settings.CHECKPOINTS_FILE


@pytest.fixture(autouse=True)
def _small_seals(monkeypatch):
    monkeypatch.setattr(form, "BATCH", 10)
    monkeypatch.setattr(form, "PORTION", 7)  # seals and portions don't end together


def write(number=1, now=MOMENT):
    """That many entries."""
    member = AuditEntry.objects.model.actor.field.related_model.objects.first() or staff()
    for place in range(number):
        auditing.record("reveal", now=now, actor=member, subject_id=place, reason="қоңырау “call”\n\t\x7f")


@pytest.fixture
def sealed(path):
    """35 entries under four seals, with their checkpoints outside; two that are not sealed yet."""
    write(35)
    assert seals.seal(MOMENT) == 35
    assert seals.write(path) == 4
    write(2)
    return sorted(AuditEntry.objects.values_list("pk", flat=True))[:35]


@pytest.fixture
def short(sealed, tmp_path):
    """A checkpoint as the auditors get it by mail."""
    kept = tmp_path / "mail.jsonl"
    kept.write_bytes(statements.document(checkpoints.latest(), with_lines=False))
    assert kept.stat().st_size < 1000
    return kept


@contextmanager
def undone():
    """As whoever owns the database and puts its triggers aside; afterwards all is as it was."""
    connect_as(OWNER)
    try:
        with transaction.atomic(), connection.cursor() as owner:
            for table in ("registry_auditentry", "registry_auditseal"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield owner
            transaction.set_rollback(True)
    finally:
        connect_as(APPLICATION)


def rechain(owner):
    """Throws all seals away and writes new ones that fit the rows as they are now."""
    owner.execute("DELETE FROM registry_auditseal")
    owner.execute("ALTER SEQUENCE registry_auditseal_id_seq RESTART")
    seals.seal(MOMENT)


def found(path=None):
    result = seals.verify(path)
    return result.outcome, result.first_bad


# --- sealing --------------------------------------------------------------------------------------------------------
def test_every_entry_comes_under_one_seal_and_each_seal_is_bound_to_the_one_before(sealed):
    made = list(AuditSeal.objects.order_by("pk"))
    assert [one.count for one in made] == [10, 10, 10, 5]
    assert [bytes(one.previous) for one in made] == [form.START, *(bytes(one.head) for one in made[:-1])]
    assert [one.first_entry for one in made] == [1, *(one.last_entry + 1 for one in made[:-1])]
    named = [number for one in made for number, _tag in form.unpack(bytes(one.lines))]
    assert named == sealed


def test_nothing_new_makes_no_seal(sealed):
    assert seals.seal(MOMENT) == 2
    assert seals.seal(MOMENT + DAY) == 0
    assert AuditSeal.objects.count() == 5


def test_the_audit_as_it_was_written_is_intact(sealed, path):
    assert seals.verify(path) == seals.Result(entries=35, unsealed=2, reach=sealed[-1])
    assert seals.verify() == seals.Result(entries=35, unsealed=2)


def test_an_empty_audit_is_intact(path):
    assert seals.seal(MOMENT) == 0
    assert seals.verify() == seals.Result()
    with pytest.raises(seals.CheckpointError, match="can't be read"):
        seals.verify(path)


def test_the_digest_is_over_every_column():
    """A new column that nobody seals could be changed unseen."""
    for field in AuditEntry._meta.concrete_fields:
        assert field.column in form.ENTRIES, field.column


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)), st.uuids() | st.none())  # noqa: DTZ001
def test_the_digest_can_be_made_without_postgresql(reason, at, request_id):
    number = auditing.record("hold", now=at, system="тест", reason=reason, request_id=request_id)
    moment = (at - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
    columns = [number, moment, None, "тест", "hold", None, "", None, reason, request_id and str(request_id)]
    expected = sha256(json.dumps(columns, ensure_ascii=False).encode()).digest()
    assert list(form.entries(number - 1, number)) == [(number, expected)]


# --- what the owner of the database may do --------------------------------------------------------------------------
def edit(owner, ids):
    owner.execute("UPDATE registry_auditentry SET reason = 'another' WHERE id = %s", [ids[16]])
    return Outcome.CHANGED, ids[16]


def delete(owner, ids):
    owner.execute("DELETE FROM registry_auditentry WHERE id = %s", [ids[16]])
    return Outcome.MISSING, ids[16]


def swap(owner, ids):
    owner.execute(
        "UPDATE registry_auditentry a SET reason = b.reason, at = b.at, subject_id = b.subject_id "
        "FROM registry_auditentry b WHERE (a.id, b.id) IN ((%s, %s), (%s, %s))",
        [ids[12], ids[27], ids[27], ids[12]],
    )
    return Outcome.CHANGED, ids[12]


def swap_numbers(owner, ids):
    for old, new in ((ids[12], -1), (ids[27], ids[12]), (-1, ids[27])):
        owner.execute("UPDATE registry_auditentry SET id = %s WHERE id = %s", [new, old])
    return Outcome.CHANGED, ids[12]


def back_date(owner, ids):
    owner.execute("UPDATE registry_auditentry SET at = at - interval '1 microsecond' WHERE id = %s", [ids[20]])
    return Outcome.CHANGED, ids[20]


def date_beyond_all_time(owner, ids):
    owner.execute("UPDATE registry_auditentry SET at = 'infinity' WHERE id = %s", [ids[20]])
    return Outcome.CHANGED, ids[20]


def blame_another(owner, ids):
    owner.execute("UPDATE registry_auditentry SET actor_id = NULL WHERE id = %s", [ids[0]])
    return Outcome.CHANGED, ids[0]


def cut_the_tail(owner, ids):
    owner.execute("DELETE FROM registry_auditentry WHERE id >= %s", [ids[30]])
    return Outcome.MISSING, ids[30]


def cut_the_head(owner, ids):
    owner.execute("DELETE FROM registry_auditentry WHERE id <= %s", [ids[14]])
    return Outcome.MISSING, ids[0]


COPY = "INSERT INTO registry_auditentry (id, at, operation, system, object_type, reason) VALUES (%s, now(), 'hold', '', '', '')"


def slip_one_in_before_all(owner, ids):
    owner.execute(COPY, [0])
    return Outcome.ADDED, 0


TAMPERINGS = [
    edit, delete, swap, swap_numbers, back_date, date_beyond_all_time, blame_another, cut_the_tail, cut_the_head,
    slip_one_in_before_all,
]  # fmt: skip


def each_tampering(sealed):
    """Every one of them, tried and undone."""
    for tamper in TAMPERINGS:
        with undone() as owner:
            yield owner, tamper.__name__, tamper(owner, sealed)


def test_the_first_wrong_entry_is_named(sealed, path):
    assert found() == found(path) == (Outcome.INTACT, None)
    for _owner, name, expected in each_tampering(sealed):
        assert (name, found()) == (name, expected)
        assert (name, found(path)) == (name, expected)
    assert found() == found(path) == (Outcome.INTACT, None)


def test_the_first_wrong_entry_is_named_when_everything_was_chained_anew(sealed, path, monkeypatch):
    for portion in (10, 13, 4):
        monkeypatch.setattr(form, "BATCH", portion)
        for owner, name, expected in each_tampering(sealed):
            rechain(owner)
            assert found() == (Outcome.INTACT, None)  # why the file has to lie outside
            assert (name, portion, found(path)) == (name, portion, expected)


def test_a_short_checkpoint_vouches_for_all_before_it_and_the_seals_name_the_entry(sealed, short):
    assert seals.verify(short) == seals.Result(entries=35, unsealed=2, reach=sealed[-1])
    for _owner, name, expected in each_tampering(sealed):
        assert (name, found(short)) == (name, expected)


def test_a_short_checkpoint_says_honestly_that_it_knows_no_closer(sealed, short):
    for owner, name, (_, wrong) in each_tampering(sealed):
        rechain(owner)
        result = seals.verify(short)
        assert result.outcome in {Outcome.REWRITTEN, Outcome.MISSING}, name
        assert (result.first_bad, result.last_bad) == (1, sealed[-1]) and wrong <= sealed[-1]


def test_an_earlier_short_checkpoint_narrows_it_down(sealed, short):
    write(20)
    seals.seal(MOMENT)
    with short.open("ab") as file:
        file.write(statements.document(checkpoints.latest(), with_lines=False))
    wrong = sealed[-1] + 12
    with undone() as owner:
        owner.execute("UPDATE registry_auditentry SET reason = 'another' WHERE id = %s", [wrong])
        rechain(owner)
        result = seals.verify(short)
    assert (result.outcome, result.reach) == (Outcome.REWRITTEN, sealed[-1])
    assert sealed[-1] < result.first_bad <= wrong <= result.last_bad


# --- gaps, and what happens to the seals themselves --------------------------------------------------------------------
def draw_a_number():
    """As a transaction that was rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('registry_auditentry_id_seq')")
        return cursor.fetchone()[0]


def test_an_entry_in_a_gap_is_named(path):
    write(3)
    inside = draw_a_number()
    write(3)
    between = draw_a_number()
    seals.seal(MOMENT)
    write(3)
    behind = draw_a_number()
    seals.seal(MOMENT)
    seals.write(path)
    assert found(path) == (Outcome.INTACT, None)
    for gap in (inside, between, behind):
        with undone() as owner:
            owner.execute(COPY, [gap])
            assert found() == found(path) == (Outcome.ADDED, gap)
            rechain(owner)
            assert found(path) == (Outcome.ADDED, gap)


LAST = "DELETE FROM registry_auditseal WHERE id = (SELECT max(id) FROM registry_auditseal)"


def test_seals_cut_off_are_noticed_outside(sealed, path, short):
    with undone() as owner:
        owner.execute(LAST)
        assert found() == (Outcome.INTACT, None)
        assert found(path) == (Outcome.REWRITTEN, sealed[30])
        assert found(short) == (Outcome.REWRITTEN, sealed[0])
        cut_the_tail(owner, sealed)
        assert found() == (Outcome.INTACT, None)
        assert found(path) == (Outcome.MISSING, sealed[30])
        assert found(short) == (Outcome.MISSING, sealed[0])
        owner.execute("DELETE FROM registry_auditentry")
        owner.execute("DELETE FROM registry_auditseal")
        assert found(path) == found(short) == (Outcome.MISSING, sealed[0])


CHANGES = [
    "lines = '\\x00'", "sealed_at = sealed_at - interval '1 day'", "count = count + 1", "head = sha256(head)",
    "previous = sha256(previous)", "first_entry = first_entry + 1", "last_entry = last_entry - 1",
    "lines = (SELECT lines FROM registry_auditseal LIMIT 1)",
]  # fmt: skip
SEEN_BY_THE_FILE_ONLY = {CHANGES[1], CHANGES[2]}
SECOND = "(SELECT min(id) + 1 FROM registry_auditseal)"


def test_a_seal_that_was_changed_or_taken_out_is_noticed(sealed, path):
    changes = [f"UPDATE registry_auditseal SET {change} WHERE id = {SECOND}" for change in CHANGES]
    for change in [*changes, f"DELETE FROM registry_auditseal WHERE id = {SECOND}"]:
        with undone() as owner:
            owner.execute(change)
            outcome, first = found(path)
            assert outcome == Outcome.REWRITTEN and sealed[10] <= first <= sealed[19], change
            is_seen = not any(one in change for one in SEEN_BY_THE_FILE_ONLY)
            assert (found()[0] == Outcome.INTACT) != is_seen, change


def test_a_seal_put_between_two_others_is_noticed(path):
    write(5)
    seals.seal(MOMENT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('registry_auditseal_id_seq')")
        free = cursor.fetchone()[0]
    write(5)
    seals.seal(MOMENT)
    seals.write(path)
    with undone() as owner:
        columns = "first_entry, last_entry, count, lines, sealed_at"
        owner.execute(
            f"INSERT INTO registry_auditseal (id, {columns}, previous, head) "
            f"SELECT %s, first_entry, last_entry - 1, 0, lines, sealed_at, sha256(head), head FROM registry_auditseal "
            "WHERE id = %s",
            [free, free + 1],
        )
        assert found() == found(path) == (Outcome.REWRITTEN, 6)


# --- the file --------------------------------------------------------------------------------------------------------
def test_the_file_is_closed_to_others_and_holds_one_signed_line_a_seal(sealed, path):
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [line["total"] for line in lines] == [10, 20, 30, 35]
    assert {line["operator"] for line in lines} == {"230440900088"}
    assert "call" not in path.read_text("ascii")


def test_the_file_is_only_added_to(sealed, path):
    before = path.read_bytes()
    assert seals.write(path) == 0
    seals.seal(MOMENT)
    assert seals.write(path) == 1
    assert path.read_bytes().startswith(before) and path.read_bytes() != before


def test_a_line_that_was_cut_off_is_written_again(sealed, path):
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"audit')
    assert found(path) == (Outcome.INTACT, None)
    seals.seal(MOMENT)
    assert seals.write(path) == 1
    assert path.read_bytes().startswith(whole + b'{"algorithm"')
    path.write_bytes(whole[:-40])
    assert seals.write(path) == 2
    assert seals.verify(path).reach == AuditSeal.objects.first().last_entry


def test_a_file_that_goes_on_otherwise_is_left_alone(sealed, path):
    before = path.read_bytes()
    with undone() as owner:
        owner.execute(LAST)
        seals.seal(MOMENT)
        with pytest.raises(seals.CheckpointError, match="go on otherwise"):
            seals.write(path)
        assert path.read_bytes() == before
        assert seals.begin_anew(path, MOMENT) == 4
        assert path.with_name("audit.jsonl.20261122T090000.old").read_bytes() == before
        assert found(path) == (Outcome.INTACT, None)


def test_a_file_that_can_t_be_written_leaves_the_seal(path):
    write(3)
    path.parent.parent.mkdir(exist_ok=True)
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(seals.CheckpointError):
        tasks.seal_audit()
    assert AuditSeal.objects.get().count == 3
    assert JobRun.objects.get(name="seal_audit").succeeded_at is None
    path.parent.unlink()
    tasks.seal_audit()
    assert JobRun.objects.get(name="seal_audit").outcome == "0 entries sealed, 1 checkpoints written"


def forged(path, number, **changes):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = json.dumps(json.loads(lines[number]) | changes).encode() + b"\n"
    path.write_bytes(b"".join(lines))


FORGERIES = [
    {"total": 1}, {"at": "2020"}, {"lines": "eA=="}, {"lines_sha256": ""}, {"operator": "1"}, {"head": "00" * 32},
    {"signature": "AAAA"}, {"signature": 1}, {"lines": "@"}, {"kind": "other"}, {"more": 1},
]  # fmt: skip
NONSENSE = [b"\n", b"[]\n", b"{}\n", b"nonsense\n", b"[" * 100_000 + b"\n", b"\xff\n", b"1\n"]


def test_a_line_that_was_changed_is_refused_by_its_number(sealed, path):
    whole = path.read_bytes()
    for changes in FORGERIES:
        path.write_bytes(whole)
        forged(path, 2, **changes)
        with pytest.raises(seals.CheckpointError, match=f"line 3 of {path}"):
            seals.verify(path)
    for raw in NONSENSE:
        path.write_bytes(raw)
        with pytest.raises(seals.CheckpointError, match="line 1 of"):
            seals.verify(path)


def test_lines_in_another_order_or_twice_are_refused(sealed, path):
    lines = path.read_bytes().splitlines(keepends=True)
    for order in ([0, 2, 1, 3], [0, 1, 1, 2]):
        path.write_bytes(b"".join(lines[place] for place in order))
        with pytest.raises(seals.CheckpointError, match="not behind"):
            seals.verify(path)


def test_a_file_that_lacks_lines_still_vouches_for_the_others(sealed, path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] + lines[3])
    assert seals.verify(path) == seals.Result(entries=35, unsealed=2, reach=sealed[-1])
    with undone() as owner:
        owner.execute("UPDATE registry_auditentry SET reason = 'x' WHERE id IN (%s, %s)", [sealed[15], sealed[33]])
        rechain(owner)
        assert found(path) == (Outcome.CHANGED, sealed[15])


def test_another_key_is_not_believed(sealed, path, monkeypatch):
    ring = keyring.keyring()
    other = keyring.Keyring(ring.masters, ring.index, ring.links, ring.memory, ring.receipts, bytes(32))
    monkeypatch.setattr(statements, "keyring", lambda: other)
    with pytest.raises(seals.CheckpointError, match=r"line 1 of .* is not signed by this key"):
        seals.verify(path)


# --- the command -----------------------------------------------------------------------------------------------------
def audit(*arguments):
    out, ended = StringIO(), 0
    try:
        call_command("audit", *map(str, arguments), stdout=out, stderr=StringIO(), no_color=True)
    except SystemExit as end:
        ended = end.code
    return ended, out.getvalue()


def test_the_command_seals_verifies_and_names_the_entry(sealed, path, tmp_path):
    assert audit("seal") == (0, "2 entries sealed\n1 checkpoints written\n")
    assert audit("checkpoint", "--out", tmp_path / "stick" / "kept.jsonl")[0] == 0
    assert (tmp_path / "stick" / "kept.jsonl").read_bytes().count(b"\n") == 5
    ended, text = audit("verify", "--checkpoint", tmp_path / "stick" / "kept.jsonl")
    assert (ended, "nothing was changed; 0 entries" in text) == (0, True)
    with undone() as owner:
        edit(owner, sealed)
        rechain(owner)
        ended, text = audit("verify", "--checkpoint", tmp_path / "stick" / "kept.jsonl")
    assert (ended, f"entry {sealed[16]} was changed" in text) == (1, True)


def test_a_kept_key_verifies_without_the_master_key(sealed, path, tmp_path, monkeypatch):
    kept = tmp_path / "audit.pem"
    kept.write_text(audit("key")[1])
    assert kept.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    monkeypatch.setattr(statements, "keyring", lambda: pytest.fail("the master key was asked for"))
    assert audit("verify", "--checkpoint", path, "--key", kept)[0] == 0
    for text in ("", "nonsense"):
        kept.write_text(text)
        with pytest.raises(CommandError, match="no public key"):
            audit("verify", "--checkpoint", path, "--key", kept)


def test_a_file_that_is_not_there_is_an_error_and_no_verdict(sealed, tmp_path):
    with pytest.raises(CommandError, match="can't be read"):
        audit("verify", "--checkpoint", tmp_path / "nothing")


# --- the application's role --------------------------------------------------------------------------------------------
def test_the_application_can_t_change_the_evidence(sealed):
    for statement in ("UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}", "ALTER TABLE {} DISABLE TRIGGER ALL"):
        for table in ("registry_auditentry", "registry_auditseal"):
            with connection.cursor() as cursor, pytest.raises(ProgrammingError):
                cursor.execute(statement.format(table))
    assert found() == (Outcome.INTACT, None)


def test_a_finished_verification_stays(sealed):
    done = seals.run(MOMENT, clock=lambda: MOMENT)
    for act in (lambda: AuditVerification.objects.update(outcome="intact"), done.delete):
        with pytest.raises(DatabaseError):
            act()


# --- verifications -------------------------------------------------------------------------------------------------------
def test_the_nightly_verification_says_what_it_found_until_a_later_one_finds_nothing(sealed, path):
    tasks.verify_audit()
    assert seals.broken() is None
    assert AuditVerification.objects.get().entries == 35
    with undone() as owner:
        edit(owner, sealed)
        tasks.verify_audit()
        bad = seals.broken()
        assert (bad.outcome, bad.first_bad) == (Outcome.CHANGED, sealed[16])
        rechain(owner)
        tasks.verify_audit()  # the file outside is asked
        assert seals.broken().first_bad == sealed[16]
    tasks.verify_audit()
    assert seals.broken() is None


def test_what_somebody_asked_for_is_done_once(sealed):
    asked = seals.request(staff("auditor"), MOMENT)
    assert seals.request(staff("other"), MOMENT) == asked
    tasks.verify_audit()
    asked.refresh_from_db()
    assert (asked.outcome, asked.by.username) == (Outcome.INTACT, "auditor")
    assert AuditVerification.objects.count() == 1


def test_a_file_that_can_t_be_trusted_fails_the_job(sealed, path):
    forged(path, 1, total=1)
    with pytest.raises(seals.CheckpointError):
        tasks.verify_audit()
    assert JobRun.objects.get(name="verify_audit").outcome == "failed: CheckpointError"


# --- by mail ---------------------------------------------------------------------------------------------------------------
@pytest.fixture
def auditors(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    group, _ = Group.objects.get_or_create(name="Auditor")
    for name, address in (("one", "one@example.kz"), ("two", "two@example.kz"), ("without", "")):
        member = staff(name)
        member.email = address
        member.save()
        member.groups.add(group)
    gone = staff("gone")
    gone.email, gone.is_active = "gone@example.kz", False
    gone.save()
    gone.groups.add(group)


def test_every_auditor_gets_the_last_checkpoint_once_a_day(sealed, auditors, tmp_path):
    tasks.mail_checkpoint()
    assert sorted(letter.to for letter in mail.outbox) == [["one@example.kz"], ["two@example.kz"]]
    name, content, _kind = mail.outbox[0].attachments[0]
    kept = tmp_path / name
    kept.write_bytes(content)
    assert found(kept) == (Outcome.INTACT, None)
    assert checkpoints.latest().head.hex() in mail.outbox[0].body
    tasks.mail_checkpoint()
    assert len(mail.outbox) == 2


def test_a_letter_that_did_not_go_is_tried_again_and_logged_without_its_address(sealed, auditors, monkeypatch, caplog):
    send = mail.EmailMessage.send
    monkeypatch.setattr(
        mail.EmailMessage, "send", lambda self, **_: (self.to == ["one@example.kz"] and 1 / 0) or send(self)
    )
    with pytest.raises(NotMailed):
        tasks.mail_checkpoint()
    assert [letter.to for letter in mail.outbox] == [["two@example.kz"]]
    assert "ZeroDivisionError" in caplog.text and "example.kz" not in caplog.text
    monkeypatch.setattr(mail.EmailMessage, "send", send)
    tasks.mail_checkpoint()
    assert ["one@example.kz"] in [letter.to for letter in mail.outbox]


def test_nothing_sealed_and_nobody_to_tell_is_no_failure():
    tasks.mail_checkpoint()
    assert JobRun.objects.get(name="mail_checkpoint").outcome == "0 sent"
