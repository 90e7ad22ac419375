"""The erasure ledger: its form, its writer, and what it says when something is wrong with it.

Broken and seen to fail: the binding to the line before (`before`, `n`), the lock of chain.alone, the cutting of a torn line
and of what a full disk left, `ends_with` of recovery.inspect, the confirmation of further lines, _refuse_to_forget, the
moment and the queueing of a withdrawal.
"""

import hashlib
import json
import resource
import stat
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from consent import decisions
from registry import chain, erasure, ledger, recovery
from registry.chain import START, LedgerError
from registry.models import ErasureRecord, LedgerQueue, LedgerState, Processing
from registry.recovery import MARGIN, Recovering
from tests.factories import DAY, EMAIL, MOMENT, PHONE, hold, keep_until, person, purpose
from tests.traces import spellings

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(settings):
    return settings.LEDGER_FILE


@pytest.fixture(autouse=True)
def _look_at_once():
    recovery.forget()
    yield
    recovery.forget()


def erase(*people, now=MOMENT):
    data = [pk for subject in people for pk in subject.data.values_list("pk", flat=True)]
    return erasure.erase(data, ground="on_demand", now=now, actor_id=None, system="test")


def withdraw(subject, now=MOMENT):
    return decisions.withdraw(subject, None, now=now, channel="link")


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def acts(path):
    return [line for line in lines(path) if line["kind"] != "mark"]


# --- the form -----------------------------------------------------------------------------------------------------
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)
ACTS = st.dictionaries(st.text().filter(lambda name: name not in chain.BINDING), VALUES, min_size=1)


@given(st.lists(ACTS, min_size=1, max_size=5))
def test_whatever_is_bound_can_be_followed(acts):
    head = followed = START
    for act in acts:
        raw, head = chain.bind(act, head)
        assert raw.isascii() and raw.count(b"\n") == 1 and raw.endswith(b"\n")
        found, followed = chain.follow(raw, followed)
        assert (found, followed) == (act, head)
    assert head.lines == len(acts)


@given(ACTS, st.data())
def test_no_changed_byte_can_be_followed(act, data):
    raw, _ = chain.bind(act, START)
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:place] + bytes([raw[place] ^ data.draw(st.integers(1, 255))]) + raw[place + 1 :]
    with pytest.raises(LedgerError, match="line 1 "):
        chain.follow(changed, START)


def test_the_canonical_form_is_this():
    raw, head = chain.bind({"kind": "withdrawn", "at": "2026", "person": "ә"}, START)
    assert raw == (
        b'{"at":"2026","before":"","digest":"%s","kind":"withdrawn","n":1,"person":"\\u04d9"}\n' % head.digest.encode()
    )
    everything_else = b'{"at":"2026","before":"","kind":"withdrawn","n":1,"person":"\\u04d9"}'
    assert head.digest == hashlib.sha256(everything_else).hexdigest()


@pytest.mark.parametrize("text", [b"\n", b"[]\n", b"{}\n", b"nonsense\n", b"[" * 100_000 + b"\n", b'{"n":NaN}\n', b"\xff\n"])
def test_what_is_no_line_is_refused(text):
    with pytest.raises(LedgerError):
        chain.follow(text, START)


# --- writing ------------------------------------------------------------------------------------------------------
def test_an_erasure_and_a_withdrawal_stand_in_the_ledger_without_a_value(path):
    gone, left = person(email=EMAIL, phone=PHONE), person("feedback")
    datum = gone.data.get(category__code="email")
    ledger.write(MOMENT)
    erase(gone)
    withdraw(left, MOMENT + DAY)
    ledger.write(MOMENT + DAY)
    erased, withdrawn = [line for line in acts(path) if line.get("datum") == datum.pk or line["kind"] == "withdrawn"]
    assert erased | {"n": 0, "before": "", "digest": ""} == {
        "kind": "erased", "at": "2026-11-22T09:00:00.000000+00:00", "person": gone.reference, "datum": datum.pk,
        "category": "email", "purpose": "site-news", "rule": purpose().rule_version, "ground": "on_demand",
        "n": 0, "before": "", "digest": "",
    }  # fmt: skip
    assert withdrawn | {"n": 0, "before": "", "digest": ""} == {
        "kind": "withdrawn", "at": "2026-11-23T09:00:00.000000+00:00", "person": left.reference, "purpose": "feedback",
        "n": 0, "before": "", "digest": "",
    }  # fmt: skip
    everything = path.read_bytes().lower()
    assert not [needle for kind, typed in [("email", EMAIL), ("phone", PHONE)] for needle in spellings(kind, typed)
                if len(needle) > 6 and needle.lower() in everything]  # fmt: skip


def test_the_folder_and_the_file_are_closed_to_others(path):
    ledger.write(MOMENT)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_written_is_off_the_queue_and_acknowledged(path):
    erase(person())
    assert LedgerQueue.objects.exists()
    ledger.write(MOMENT)
    state = LedgerState.objects.get()
    assert not LedgerQueue.objects.exists()
    assert [line["n"] for line in lines(path)] == [1, 2]
    assert (state.lines, state.size, state.digest) == (2, path.stat().st_size, lines(path)[-1]["digest"])
    assert chain.verify(path) == chain.Head(state.lines, state.size, state.digest)


def test_nothing_to_write_writes_nothing(path):
    erase(person())
    assert ledger.write(MOMENT) == 2
    before = path.read_bytes()
    assert ledger.write(MOMENT + MINUTE) == 0
    assert path.read_bytes() == before


def test_later_acts_continue_the_chain(path):
    ledger.write(MOMENT)
    for _ in range(3):
        erase(person())
        assert ledger.write(MOMENT) == 1
    assert chain.verify(path).lines == 4


def test_the_first_writing_holds_what_was_erased_before_there_was_a_ledger(path):
    gone, left = person(), person()
    erase(gone)
    withdraw(left)
    LedgerQueue.objects.all().delete()
    ledger.write(MOMENT)
    assert [(line["kind"], line["person"]) for line in acts(path)] == [
        ("erased", gone.reference), ("withdrawn", left.reference)
    ]  # fmt: skip


def test_a_queue_in_portions_is_written_whole_and_in_order(path, monkeypatch):
    ledger.write(MOMENT)
    monkeypatch.setattr(ledger, "PORTION", 3)
    people = [person() for _ in range(8)]
    for subject in people[:6]:
        erase(subject)
    erase(*people[6:])
    assert ledger.write(MOMENT) == 8
    assert [line["person"] for line in acts(path)] == [subject.reference for subject in people]


def test_a_failed_act_leaves_nothing_for_the_ledger():
    subject = person()
    hold(subject)
    assert erase(subject) == 0
    assert not LedgerQueue.objects.exists()
    keep_until(subject, MOMENT)
    assert withdraw(subject, MOMENT + DAY) == []  # it had lapsed
    assert not LedgerQueue.objects.exists()


def test_a_withdrawal_that_a_slow_clock_dates_before_the_consent_is_noted_at_the_consent():
    subject = person()
    withdraw(subject, MOMENT - MINUTE)
    assert LedgerQueue.objects.get().at == MOMENT


@pytest.mark.parametrize("clock", ["consent_given", "withdrawn"])
def test_a_rebuilt_withdrawal_stands_at_its_moment(path, clock):
    subject = person()
    withdraw(subject, MOMENT + DAY)
    if clock == "withdrawn":
        Processing.objects.filter(state="withdrawn").update(lapses_at=MOMENT + 30 * DAY)
    ledger.rebuild(MOMENT + 2 * DAY)
    expected = MOMENT + (DAY if clock == "consent_given" else 2 * DAY)  # never later than now
    assert acts(path)[0]["at"] == expected.isoformat(timespec="microseconds")


# --- marks --------------------------------------------------------------------------------------------------------
def marks(path):
    return [line for line in lines(path) if line["kind"] == "mark"]


def test_the_first_line_promises_how_far_numbers_go(path):
    subject = person()
    ledger.write(MOMENT)
    promised = marks(path)[0]["sequences"]
    assert promised["registry_datasubject_id_seq"] >= subject.pk + MARGIN
    assert {name for name in promised if name.startswith("registry_")} > {"registry_personaldatum_id_seq"}


def test_marks_are_rare(path):
    for day in range(3):
        person()
        ledger.write(MOMENT + day * DAY / 4)
    assert len(marks(path)) == 1
    ledger.write(MOMENT + DAY)  # a day later, and numbers have moved
    assert len(marks(path)) == 2
    ledger.write(MOMENT + 3 * DAY)  # nothing has moved since
    assert len(marks(path)) == 2


def test_a_sequence_half_way_to_its_promise_gets_a_new_one(path):
    ledger.write(MOMENT)
    state = LedgerState.objects.get()
    state.promised["sequences"]["registry_datasubject_id_seq"] -= MARGIN // 2 + 1
    state.save()
    ledger.write(MOMENT + MINUTE)
    assert len(marks(path)) == 2


# --- what can be wrong --------------------------------------------------------------------------------------------
@pytest.fixture
def written(path):
    """A ledger with a mark and four erasures, all acknowledged."""
    for _ in range(4):
        erase(person())
    ledger.write(MOMENT)
    return path


@pytest.mark.parametrize("torn", [b"{", b'{"at":"2026-11', b"\0" * 5000])
def test_a_line_that_was_cut_off_is_removed(written, torn):
    whole = written.read_bytes()
    written.write_bytes(whole + torn)
    assert recovery.compare().lines == 5
    erase(person())
    assert ledger.write(MOMENT) == 1
    assert written.read_bytes().startswith(whole)
    assert chain.verify(written).lines == 6


def tamper_change(raw):
    return raw.replace(b'"ground":"on_demand"', b'"ground":"withdrawn"', 1)


def tamper_cut(raw):
    kept = raw.splitlines(keepends=True)
    return b"".join(kept[:2] + kept[3:])


def tamper_swap(raw):
    first, second, third, *rest = raw.splitlines(keepends=True)
    return b"".join([first, third, second, *rest])


def tamper_twice(raw):
    first, *rest = raw.splitlines(keepends=True)
    return b"".join([first, first, *rest])


def tamper_anew(raw):
    """A changed line with the right number, the right predecessor and a digest of its own."""
    kept = raw.splitlines(keepends=True)
    act, _ = chain.follow(kept[0], START)
    head = chain.follow(kept[1], chain.bind(act, START)[1])[1]
    changed = chain.follow(kept[2], head)[0] | {"person": "DS-2222-2222"}
    return b"".join([*kept[:2], chain.bind(changed, head)[0], *kept[3:]])


def tamper_space(raw):
    return raw.replace(b'":', b'": ', 1)


TAMPERS = [(tamper_change, 2), (tamper_cut, 3), (tamper_swap, 2), (tamper_twice, 2), (tamper_anew, 4), (tamper_space, 1)]


@pytest.mark.parametrize(("tamper", "line"), TAMPERS)
def test_a_chain_that_was_touched_names_its_first_bad_line(written, tamper, line):
    assert chain.verify(written).lines == 5
    written.write_bytes(tamper(written.read_bytes()))
    with pytest.raises(LedgerError, match=f"line {line} "):
        chain.verify(written)


def gone(path):
    path.unlink()


def shorter(path):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def another(path):
    raw = path.read_bytes()
    path.write_bytes(raw[:-10] + b"0123456" + raw[-3:])


def longer_elsewhere(path):
    path.write_bytes(path.read_bytes() + chain.bind({"kind": "erased"}, START)[0])


@pytest.mark.parametrize("fault", [gone, shorter, another, longer_elsewhere])
def test_a_ledger_that_does_not_fit_is_not_written_to_and_the_message_says_what_to_do(written, fault):
    fault(written)
    before = written.read_bytes() if written.exists() else None
    erase(person())
    with pytest.raises(LedgerError, match="ledger --rebuild"):
        ledger.write(MOMENT)
    assert LedgerQueue.objects.count() == 1
    assert (written.read_bytes() if written.exists() else None) == before


@pytest.mark.parametrize("fault", [gone, shorter, another, longer_elsewhere])
def test_a_rebuilt_ledger_is_whole_and_the_old_file_is_kept(written, fault):
    fault(written)
    erase(person())
    assert ledger.rebuild(MOMENT) == 6
    assert chain.verify(written).lines == 6
    assert {line["datum"] for line in acts(written)} == set(ErasureRecord.objects.values_list("datum_id", flat=True))
    assert not LedgerQueue.objects.exists()
    assert len(list(written.parent.glob("*.old"))) == (fault is not gone)
    assert ledger.write(MOMENT) == 0


def test_a_ledger_that_knows_more_than_the_database_is_not_rebuilt(written):
    head = chain.verify(written)
    chain.append(written, [{"kind": "withdrawn", "at": MOMENT.isoformat(), "person": "DS-2", "purpose": "x"}], head)
    before = written.read_bytes()
    with pytest.raises(Recovering):
        ledger.rebuild(MOMENT)
    with pytest.raises(Recovering):
        ledger.write(MOMENT)
    assert written.read_bytes() == before


@pytest.mark.parametrize("change", [{"datum": 10**9}, {"person": "DS-2222-2222"}, {"kind": "of a newer version"}])
def test_an_erasure_is_confirmed_by_its_own_record_only(written, change):
    line = acts(written)[0]
    chain.append(written, [{name: line[name] for name in line if name not in chain.BINDING}], chain.verify(written))
    assert recovery.compare().lines == 6
    chain.append(written, [{name: line[name] for name in line if name not in chain.BINDING} | change], chain.verify(written))
    with pytest.raises(Recovering):
        recovery.compare()


def test_lines_that_were_written_and_not_acknowledged_are_adopted(written):
    before = LedgerState.objects.get()
    erase(person())
    withdraw(person())
    ledger.write(MOMENT)
    before.save()  # as after a kill between file and database
    assert recovery.compare().lines == 7
    erase(person())
    assert ledger.write(MOMENT) == 1
    assert chain.verify(written).lines == 8
    assert LedgerState.objects.get().lines == 8


def test_a_mark_that_was_not_acknowledged_is_adopted(path):
    person()
    ledger.write(MOMENT)
    LedgerState.objects.all().delete()
    assert recovery.compare().lines == 1
    assert ledger.write(MOMENT) >= 0


@pytest.fixture
def small_disk():
    """No file of this process may grow past two kilobytes beyond `grow`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing_and_erasing_goes_on(written, small_disk, caplog):
    from registry import tasks  # noqa: PLC0415

    whole = written.read_bytes()
    erase(*[person() for _ in range(30)])
    small_disk(len(whole) + 1500)
    with pytest.raises(LedgerError):
        tasks.write_ledger()
    assert "can't be written" in caplog.text and "waits" in caplog.text
    assert LedgerQueue.objects.count() == 1
    assert erase(person()) == 1
    small_disk(resource.RLIM_INFINITY)
    assert written.read_bytes() == whole
    assert ledger.write(MOMENT) == 31
    assert chain.verify(written).lines == 36


def test_a_folder_that_cannot_be_made_is_said_and_nothing_is_lost(settings, tmp_path):
    (tmp_path / "file").touch()
    settings.LEDGER_FILE = tmp_path / "file" / "ledger.jsonl"
    erase(person())
    with pytest.raises(LedgerError, match="can't be"):
        ledger.write(MOMENT)
    assert LedgerQueue.objects.exists()


# --- the command --------------------------------------------------------------------------------------------------
def command(*arguments):
    out = StringIO()
    try:
        call_command("ledger", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def test_the_command_verifies(written):
    erase(person(), person())
    code, text = command()
    assert code == 0
    assert str(written) in text and "5 lines" in text and "verified" in text and "2 acts wait" in text
    assert chain.verify(written).digest in text


def test_the_command_names_the_first_bad_line(written):
    written.write_bytes(tamper_cut(written.read_bytes()))
    code, text = command()
    assert code == 1
    assert "line 3 " in text and "verified" not in text


def test_the_command_notices_a_whole_ledger_of_something_else(written):
    head = chain.append(written.with_name("other"), [{"kind": "mark", "sequences": {}}], START)
    written.write_bytes(written.with_name("other").read_bytes().ljust(head.size))
    code, text = command()
    assert (code, "--rebuild" in text) == (1, True)


def test_the_command_rebuilds(written):
    gone(written)
    assert command()[0] == 1
    assert command("--rebuild")[0] == 0
    assert command()[0] == 0


def test_the_command_does_not_rebuild_over_what_the_database_does_not_know(written):
    chain.append(written, [{"kind": "mark", "sequences": {"new_seq": 10 * MARGIN}}], chain.verify(written))
    with pytest.raises(CommandError, match="replay_erasures"):
        call_command("ledger", "--rebuild", stdout=StringIO())
