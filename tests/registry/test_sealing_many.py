"""Opening many values by one call checks what opening one checks: place, person, kind, key, master.

Broken and seen to fail: the version of a sealed value.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import sealing
from registry.sealing import MasterKeys, SealError

MASTERS = MasterKeys.parse("\n".join(sealing.new_master(name) for name in ("k1", "k", "k12")))
CATEGORY, PERSON, DATUM = 3, 77, 4711
NUMBERS = (CATEGORY, PERSON, DATUM)


def sealed(value, masters=MASTERS, numbers=NUMBERS):
    key = sealing.new_key()
    content = sealing.seal(key, value, sealing.datum_binding(*numbers))
    return content, sealing.wrap(masters, key, sealing.key_binding(numbers[2]))


def only(name):
    return MasterKeys(name, {name: MASTERS.by_id[name]})


@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from(sorted(MASTERS.by_id))), max_size=5))
def test_it_opens_what_was_sealed_under_whichever_master(values):
    opened = sealing.opener(MASTERS)
    for value, name in values:
        assert opened(*NUMBERS, *sealed(value, only(name))) == value


@given(st.data())
def test_one_changed_bit_anywhere_closes_it(data):
    parts = list(sealed("canary@example.kz"))
    which = data.draw(st.sampled_from([0, 1]))
    place = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[place // 8] ^= 1 << place % 8
    parts[which] = bytes(changed)
    with pytest.raises(SealError):
        sealing.opener(MASTERS)(*NUMBERS, *parts)


@given(st.data())
def test_cut_anywhere_it_stays_closed(data):
    parts = list(sealed("canary@example.kz"))
    which = data.draw(st.sampled_from([0, 1]))
    parts[which] = parts[which][: data.draw(st.integers(0, len(parts[which]) - 1))]
    with pytest.raises(SealError):
        sealing.opener(MASTERS)(*NUMBERS, *parts)


@pytest.mark.parametrize("numbers", [(4, PERSON, DATUM), (CATEGORY, 78, DATUM), (CATEGORY, PERSON, 4712)])
def test_moved_to_another_row_it_stays_closed(numbers):
    content, wrapped = sealed("canary@example.kz")
    opened = sealing.opener(MASTERS)
    assert opened(*NUMBERS, content, wrapped) == "canary@example.kz"
    with pytest.raises(SealError):
        opened(*numbers, content, wrapped)


def test_another_datum_s_key_does_not_open_it():
    mine, others = sealed("canary@example.kz"), sealed("other@example.kz", numbers=(CATEGORY, PERSON, 4712))
    with pytest.raises(SealError):
        sealing.opener(MASTERS)(*NUMBERS, mine[0], others[1])


def test_without_its_master_key_it_says_which_one_is_wanted():
    with pytest.raises(SealError, match="k12"):
        sealing.opener(only("k1"))(*NUMBERS, *sealed("canary@example.kz", only("k12")))


def test_an_error_names_nothing_of_a_value():
    content, wrapped = sealed("canary@example.kz")
    with pytest.raises(SealError) as caught:
        sealing.opener(MASTERS)(*NUMBERS, content[:-1] + b"x", wrapped)
    assert str(caught.value) == sealing.CLOSED and caught.value.__suppress_context__
