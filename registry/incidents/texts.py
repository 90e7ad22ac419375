"""Texts about an incident are kept for ever and printed: they may have days and hours, and no address and no number.

Pure functions. A name can't be told from another word; people who write are told to name nobody.
"""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from registry.normalise import visible_text

LONGEST = 4000  # characters
FEWEST_DIGITS = 7  # of a telephone number; an IIN has 12
DAY, MONTH, YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
MOMENTS = re.compile(
    rf"(?<![\d.]){DAY}\.{MONTH}\.{YEAR}(?!\.?\d)"
    rf"|(?<![\d-]){YEAR}-{MONTH}-{DAY}(?![\d-])"
    r"|(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])"
)
NUMBERS = re.compile(r"\d[\d\s.:_()/+‐-―-]*\d")


def check_text(text: str) -> None:
    """Raises ValidationError if a text quotes an address or a number of a person, or has what can't be seen."""
    for line in text.splitlines():
        visible_text(line)
    without_days = MOMENTS.sub("•", text)
    longest = max((sum(map(str.isdigit, found)) for found in NUMBERS.findall(without_days)), default=0)
    if "@" in text or longest >= FEWEST_DIGITS:
        raise ValidationError(_("Name nobody here, and no address and no number: it is kept for ever."), code="text")


def cleaned(text: str) -> str:
    """Without white space around. ValidationError: empty, too long, or it quotes something."""
    kept = text.strip()
    if not kept:
        raise ValidationError(_("Write the text."), code="text")
    if len(kept) > LONGEST:
        raise ValidationError(_("This is too long."), code="text")
    check_text(kept)
    return kept
