"""What a letter asks and in which language, by simple rules. A guess: staff correct the kind, the person confirms.

The words stand in words.toml. Pure functions.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

WORDS = Path(__file__).with_name("words.toml")
KAZAKH, CYRILLIC = re.compile("[әіңғүұқөһ]"), re.compile("[а-яё]")
NUMBER = re.compile(r"\bRQ-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b")
UNSUBSCRIBE = re.compile(r"\s*unsubscribe\s+([A-Za-z0-9_-]{20,200})\s*", re.IGNORECASE)
OTHER = "other"


def kind(subject: str, text: str) -> str:
    """The code of the one kind the words speak of, else "other". What is quoted from another letter does not count."""
    words = _plain(f"{subject}\n{own_words(text)}")
    found = set()
    for phrase, meant in _phrases():
        if phrase in words:
            found.add(meant)
            words = words.replace(phrase, " ")
    return found.pop() if len(found) == 1 else OTHER


def own_words(text: str) -> str:
    """Without quoted lines and without what stands under the line of a signature."""
    lines = re.split(r"^-- ?$", text, maxsplit=1, flags=re.MULTILINE)[0].splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(">"))


def language(text: str, usual: str) -> str:
    """kk, ru or en by the letters; `usual` where there are none."""
    letters = text.lower()
    if KAZAKH.search(letters):
        return "kk"
    if CYRILLIC.search(letters):
        return "ru"
    return "en" if re.search("[a-z]", letters) else usual


def number(subject: str) -> str:
    """The number of the request the subject names, or empty."""
    named = NUMBER.search(subject.upper())
    return named[0] if named else ""


def unsubscription(subject: str) -> str:
    """The token in the subject of a letter that a mail program writes to unsubscribe, or empty."""
    asked = UNSUBSCRIBE.fullmatch(subject)
    return asked[1] if asked else ""


def _plain(text: str) -> str:
    """Words between single spaces, one in front."""
    words = re.findall(r"\w+", text.lower().replace("ё", "е"))
    return " " + " ".join(words)


@cache
def _phrases() -> list[tuple[str, str]]:
    """Each phrase with its kind, the longest first."""
    kinds = tomllib.loads(WORDS.read_text(encoding="utf-8"))["kinds"]
    phrases = [(_plain(phrase), meant) for meant, spoken in kinds.items() for phrase in spoken]
    return sorted(phrases, key=lambda one: -len(one[0]))
