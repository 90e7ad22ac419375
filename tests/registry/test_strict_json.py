"""The reader of what programs send: what others let pass is refused by a code, and nothing of the input is told.

Broken and seen to fail: the depth, a key twice, NaN, whole numbers, numbers too large, texts that nobody can say.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.strict_json import DEEPEST, LARGEST_NUMBER, Unreadable, read

WRONG = {
    "a comma too many": (b'{"a": 1,}', "not_json"),
    "nothing": (b"", "not_json"),
    "half a text": (b'{"a": "b', "not_json"),
    "a mark of the order of bytes": (b"\xef\xbb\xbf{}", "not_json"),
    "NUL as it is": (b'"\x00"', "not_json"),
    "another code page": ('{"a": "Әсел"}'.encode("cp1251", "replace") + b"\xff", "not_utf8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16-le")[:-1], "not_json"),
    "a key twice": (b'{"a": 1, "a": 2}', "key_twice"),
    "a key twice, deeper": (b'[{"b": {"a": 1, "a": 2}}]', "key_twice"),
    "NaN": (b'{"a": NaN}', "no_number"),
    "infinity": (b"[-Infinity]", "no_number"),
    "a number no program keeps": (b"[9007199254740993]", "number_too_large"),
    "a number of a thousand digits": (b"[" + b"9" * 1000 + b"]", "number_too_large"),
    "a number too large for a double": (b"[1e999]", "number_too_large"),
    "NUL": (b'["a\\u0000b"]', "unreadable_text"),
    "half a letter": (b'["\\ud800"]', "unreadable_text"),
    "half a letter as a key": (b'{"\\udfff": 1}', "unreadable_text"),
    "too deep": (b"[" * 20 + b"]" * 20, "too_deep"),
    "far too deep": (b"[" * 5000, "too_deep"),
    "too deep in objects": (b'{"a":' * 20 + b"1" + b"}" * 20, "too_deep"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name):
    raw, code = WRONG[name]
    with pytest.raises(Unreadable) as refusal:
        read(raw, largest=10_000)
    assert (refusal.value.code, str(refusal.value)) == (code, code)


def test_as_many_bytes_as_allowed_and_one_more():
    assert read(b'"ab"', largest=4) == "ab"
    with pytest.raises(Unreadable, match="too_large"):
        read(b'"abc"', largest=4)


def test_as_deep_as_allowed_and_one_more():
    assert read(b"[" * DEEPEST + b"]" * DEEPEST, largest=100)
    with pytest.raises(Unreadable, match="too_deep"):
        read(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), largest=100)


def test_brackets_in_a_text_are_not_deep():
    assert read(b'["' + b"[{" * 50 + b'\\"[[["]', largest=1000) == ["[{" * 50 + '"[[[']


def test_the_largest_number_and_a_whole_letter_pass():
    assert read(f'[{LARGEST_NUMBER}, {-LARGEST_NUMBER}, "\\ud83d\\ude00"]'.encode(), largest=100) == [
        LARGEST_NUMBER, -LARGEST_NUMBER, "😀"
    ]  # fmt: skip


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
numbers = st.integers(-LARGEST_NUMBER, LARGEST_NUMBER) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_everything_else_is_read_as_it_was_written(value):
    assert read(json.dumps(value).encode(), largest=10**6) == value


@given(st.binary(max_size=200))
def test_no_input_fails_in_another_way(raw):
    try:
        read(raw, largest=100)
    except Unreadable as refusal:
        assert refusal.code.replace("_", "").replace("8", "").isalpha()
