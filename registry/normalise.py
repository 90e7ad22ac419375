"""One canonical form per kind of value; the only place that knows spellings. Pure functions.

Every door (form, import, mail, desk) comes through `normalise`. Look-alike letters are never merged, `+tag` stays
distinct, characters that cannot be seen are refused.
"""

import unicodedata
from dataclasses import dataclass

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from email_validator import EmailNotValidError, validate_email

REGION = "KZ"
LONGEST = 320  # RFC 3696 erratum 1690: 64 for the local part, 255 for the domain
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # control, format, surrogate, private, unassigned
WEIGHTS = (range(1, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))


@dataclass(frozen=True, repr=False)
class Normalised:
    """`kept` goes under seal, `canonical` into the blind index, `masked` on screens."""

    kept: str
    canonical: str
    masked: str


def normalise(kind: str, raw: str) -> Normalised:
    """The canonical form of one value; ValidationError in the reader's language if it has none."""
    text = visible_text(raw)
    if len(text) > LONGEST:
        raise ValidationError(_("This is too long."), code="too_long")
    match kind:
        case "email":
            return _email(text)
        case "phone":
            return _phone(text)
    raise ValidationError(_("Data of this kind cannot be accepted."), code="kind")


def visible_text(raw: str) -> str:
    """NFC without outer white space; text with control, invisible or unreadable characters is refused."""
    text = unicodedata.normalize("NFC", raw).strip()
    if any(unicodedata.category(char) in UNSEEN or char == "\N{REPLACEMENT CHARACTER}" for char in text):
        raise ValidationError(_("Remove characters that cannot be seen or read."), code="invisible")
    return text


def _email(text: str) -> Normalised:
    try:
        # Reserved test domains pass: rehearsals use them, and mail to them cannot leave. A local part in other letters
        # than ASCII does not: few mail servers take it (RFC 6531), and a letter would go astray.
        address = validate_email(text, check_deliverability=False, test_environment=True, allow_smtputf8=False)
    except EmailNotValidError:
        address = None
    if address is None or address.ascii_domain is None or "." not in address.ascii_domain:
        raise ValidationError(_("Enter an e-mail address, like name@example.kz"), code="email")
    domain = address.ascii_domain.lower()
    local = address.local_part
    lowered = unicodedata.normalize("NFC", local.lower())  # lowering may leave letters that compose
    return Normalised(f"{local}@{domain}", f"{lowered}@{domain}", f"{local[0]}•••@{address.domain}")


def _phone(text: str) -> Normalised:
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        number = None
    has_more = any(char.isalpha() for char in text) or (number is not None and number.extension)
    if number is None or has_more or not phonenumbers.is_valid_number(number):
        raise ValidationError(_("Enter a phone number, like +7 (701) 234-56-78"), code="phone")
    dialled = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Normalised(dialled, dialled, mask_phone(dialled))


def mask_phone(dialled: str) -> str:
    """`+77015551234` as `+7 701 •••-••-34`; numbers of other lengths keep four digits in front."""
    if dialled.startswith("+7") and len(dialled) == 12:
        return f"{dialled[:2]} {dialled[2:5]} •••-••-{dialled[-2:]}"
    return f"{dialled[:4]} ••• {dialled[-2:]}"


def check_reason(text: str) -> None:
    """Raises ValidationError if a reason quotes an address or a number: reasons are kept for ever."""
    if "@" in text or sum(char.isdigit() for char in text) >= 7:
        raise ValidationError(_("Name no address and no number here: a reason is kept for ever."), code="reason")


def check_given(reason: str) -> None:
    """Raises ValidationError unless a reason is given and quotes nothing."""
    if not reason.strip():
        raise ValidationError(_("Give a reason."), code="reason")
    check_reason(reason)


def check_bin(number: str) -> None:
    """Raises ValidationError unless this is a BIN or IIN: 12 digits, check digit (Orders 423 and 521 of 2023)."""
    if not (number.isascii() and number.isdigit() and len(number) == 12 and int(number)):
        raise ValidationError(_("A BIN has 12 digits."), code="bin")
    digits = [int(char) for char in number]
    sums = (sum(digit * weight for digit, weight in zip(digits, weights, strict=False)) % 11 for weights in WEIGHTS)
    expected = next((total for total in sums if total < 10), None)
    if digits[11] != expected:
        raise ValidationError(_("The check digit of this BIN is wrong."), code="bin")
