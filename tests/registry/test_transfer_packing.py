"""How people lie in a part of a sealed file: whoever is left out is left out whole, and nobody else is touched.

Broken and seen to fail: the dropped kept, the others dropped.
"""

from hypothesis import given
from hypothesis import strategies as st

from registry.transfers import packing

PEOPLE = st.dictionaries(st.integers(1, 2**32 - 1), st.binary(max_size=40), max_size=30)


@given(PEOPLE, st.data())
def test_what_is_kept_is_everybody_but_the_dropped_in_order(people, data):
    dropped = data.draw(st.frozensets(st.sampled_from(sorted(people)) if people else st.nothing()))
    dropped |= data.draw(st.frozensets(st.integers(1, 100)))  # also of other parts
    part = packing.pack(people, list(people.values()))
    assert packing.kept(part, dropped) == b"".join(one for place, one in people.items() if place not in dropped)
    assert packing.places_in(iter([part, b""])) == list(people)


def test_the_empty_last_part_of_a_file_holds_nobody():
    assert packing.kept(b"", frozenset({1})) == b""
