r"""What an erased value may look like where it was left behind. Pure functions.

A value is looked for in two steps, because a table has millions of rows: first by what every spelling of it has in
common, its letters and digits in their order (`LIKE '%ann%example%kz%'`), then, in the few rows left, by a regular
expression. PostgreSQL (`~*`) and Python (`re.IGNORECASE`) read the same one: only syntax both understand alike is used.

What would be found by chance is not looked for: an address must stand alone (`ann@b.kz` is not found in
`joann@b.kz`), a phone number is looked for by nine digits at least, an encoded form by twelve characters at least.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import idna
import phonenumbers

from registry.normalise import Normalised

SHORTEST_NUMBER = 9
SHORTEST_ENCODED = 12
LONGEST_CODE = 3  # of 7272 in Almaty people write 727 together
# Before an address: nothing, what can't be part of one, or the end of an escape (%3C, =3C, \n, \074, \u003c); then
# dots, as no address begins with one.
BEFORE = r"(?:^|[^a-z0-9._+-]|[%=][0-9a-f]{2}|\\[nrtbf]|\\[0-7]{3}|\\u[0-9a-f]{4})\.*"
AFTER = r"(?:$|[^a-z0-9])"
# What people write between the digits of a number, also escaped: spaces, brackets, dots, dashes of all kinds.
BETWEEN = "(?:[\\s()./_\u00a0\u2007\u2009\u202f\u2010-\u2015\u2212-]|%20|%28|%29|%2D|%C2%A0|=20|&nbsp;|\\\\302\\\\240)*"
Value = tuple[str, Normalised]


@dataclass(frozen=True, repr=False)
class Spelling:
    """One spelling in plain letters: `parts` stand in this order in every form of it, `pattern` tells it for sure."""

    parts: tuple[str, ...]
    pattern: str

    def search(self, text: str, lowered: str) -> bool:
        return _have_in_order(lowered, self.parts) and re.search(self.pattern, text, re.IGNORECASE) is not None


@dataclass(frozen=True, repr=False)
class Needles:
    """What to look for: holds values, for one scan only, never shown and never logged.

    `encoded` are base64 and hexadecimal forms in lower case. `sealed` are ciphertexts and wrapped keys, `indexes` blind
    indexes, `data` numbers of destroyed data.
    """

    spellings: tuple[Spelling, ...] = ()
    encoded: tuple[str, ...] = ()
    sealed: tuple[bytes, ...] = ()
    indexes: tuple[bytes, ...] = ()
    data: tuple[int, ...] = ()

    def search(self, text: str) -> bool:
        """Whether one of the values stands in this text."""
        lowered = text.lower()
        letters = lowered.translate(_ONE_ALPHABET)
        return any(form in letters for form in self.encoded) or any(
            spelling.search(text, lowered) for spelling in self.spellings
        )


_ONE_ALPHABET = str.maketrans("-_", "+/")


def needles_of(
    values: Iterable[Value],
    *,
    sealed: Iterable[bytes] = (),
    indexes: Iterable[bytes] = (),
    data: Iterable[int] = (),
) -> Needles:
    """The needles of these values, each with its kind, and of what was stored for them."""
    known = list(values)
    spellings = {spelling.pattern: spelling for value in known for spelling in _spellings(*value)}
    encoded = sorted(set(chain.from_iterable(_encoded(*value) for value in known)))
    return Needles(tuple(spellings.values()), tuple(encoded), tuple(sealed), tuple(indexes), tuple(data))


def _spellings(kind: str, value: Normalised) -> Iterator[Spelling]:
    if kind == "phone" and (number := _number(value.kept)):
        parts = _digits(number, phonenumbers.parse(value.kept))
        yield Spelling(parts, BETWEEN.join(parts))
        return
    for text in sorted({text.lower() for text in _addresses(value)}):
        yield Spelling(tuple(re.findall("[a-z0-9]+", text)), BEFORE + "".join(map(_sign, text)) + AFTER)


def _addresses(value: Normalised) -> set[str]:
    """As kept and in canonical form; `name@xn--80a1acny.kz` is also written with the letters of its language."""
    local, _, domain = value.kept.rpartition("@")
    readable = {f"{local}@{idna.decode(domain)}"} if "xn--" in domain else set()
    return {value.kept, value.canonical, *readable}


def _number(dialled: str) -> str:
    """The digits that stand in every spelling of a number: without +7, 8 or 7 before them. Empty if it has none."""
    try:
        parsed = phonenumbers.parse(dialled)
    except phonenumbers.NumberParseException:
        return ""
    national = phonenumbers.national_significant_number(parsed)
    return national if len(national) >= SHORTEST_NUMBER else f"{parsed.country_code}{national}"


def _digits(number: str, parsed: phonenumbers.PhoneNumber) -> tuple[str, ...]:
    """The code in front is written together: single digits in this order stand in most rows of bytes by chance."""
    code = min(phonenumbers.length_of_national_destination_code(parsed), LONGEST_CODE)
    return (number[:code], *number[code:]) if code else tuple(number)


def _sign(char: str) -> str:
    """A letter or digit as it is; a sign also escaped as URLs, HTML, JSON, quoted-printable and dumps of bytes do."""
    if char.isascii() and char.isalnum():
        return char
    raw = char.encode()
    forms = [
        f"\\{char}" if char.isascii() else char,  # a backslash before a letter means something else to PostgreSQL
        "".join(f"%{byte:02X}" for byte in raw),
        "".join(f"={byte:02X}" for byte in raw),
        f"&#{ord(char)};",
        f"&#x{ord(char):x};",
        rf"\\u{ord(char):04x}",
        "".join(rf"\\{byte:03o}" for byte in raw),
    ]
    return f"(?:{'|'.join(forms)})"


def _encoded(kind: str, value: Normalised) -> Iterator[str]:
    number = _number(value.kept) if kind == "phone" else ""
    for spelling in {number, value.kept, *_written(value.kept)} if number else _addresses(value):
        raw = spelling.encode()
        forms = (raw.hex(), *(_base64_at(raw, offset) for offset in range(3)))
        yield from (form.lower() for form in forms if len(form) >= SHORTEST_ENCODED)


def _written(dialled: str) -> Iterator[str]:
    number = phonenumbers.parse(dialled)
    for way in (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL):
        yield phonenumbers.format_number(number, way)


def _base64_at(raw: bytes, offset: int) -> str:
    """The characters that only depend on `raw` when it begins `offset` bytes after a multiple of three."""
    encoded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
    return encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]


def _have_in_order(text: str, parts: Iterable[str]) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
