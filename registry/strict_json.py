"""The one reader of JSON that programs send: what is read means the same to everybody, or is refused. Pure functions.

Refused, each with a code and with nothing of the input: more bytes than allowed, deeper than DEEPEST, no UTF-8, no
JSON, a key twice in one object, NaN and Infinity, whole numbers beyond 2^53, numbers too large for a double, NUL and
lone surrogates in a text. Python's reader lets these pass, or fails on them in another place.

Called by: consent.api. Sources: RFC 8259, RFC 7493 (I-JSON).
"""

import json
import math
import re
from typing import Any

DEEPEST = 16
LARGEST_NUMBER = 2**53
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
UNSAYABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """Not what may be sent. `code` says why; nothing of the input is in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read(raw: bytes, *, largest: int) -> Any:
    """What the text says. Unreadable. `largest`: bytes."""
    if len(raw) > largest:
        raise Unreadable("too_large")
    if _depth(raw) > DEEPEST:
        raise Unreadable("too_deep")
    try:
        found = json.loads(
            raw.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_int=_whole, parse_float=_number
        )
    except UnicodeDecodeError:
        raise Unreadable("not_utf8") from None
    except (ValueError, RecursionError):
        raise Unreadable("not_json") from None
    _check_texts(found)
    return found


def _depth(raw: bytes) -> int:
    """How deep brackets stand in one another, texts left out; an upper bound where it is no JSON."""
    deepest = depth = 0
    for sign in TEXT.sub(b"", raw):
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("key_twice")
    return found


def _constant(_text: str) -> float:
    raise Unreadable("no_number")


def _whole(text: str) -> int:
    if len(text) > len(str(-LARGEST_NUMBER)) or abs(int(text)) > LARGEST_NUMBER:
        raise Unreadable("number_too_large")
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(float(text)):
        raise Unreadable("number_too_large")
    return float(text)


def _check_texts(found: Any) -> None:
    if isinstance(found, str):
        if UNSAYABLE.search(found):
            raise Unreadable("unreadable_text")
    elif isinstance(found, list):
        for one in found:
            _check_texts(one)
    elif isinstance(found, dict):
        for name, one in found.items():
            _check_texts(name)
            _check_texts(one)
