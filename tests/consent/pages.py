"""Letters as they lie in the folders, and pages as a person uses them: links opened, fields filled in, buttons pressed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from registry import mail

SITE = "http://testserver"
URLENCODED = "application/x-www-form-urlencoded"
Pair = tuple[str, str]


# --- letters --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sent:
    """One letter or message: whom to, its text, the headers of a letter."""

    to: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """Every address of ours in it, those in its headers too, each once, in order."""
        return list(dict.fromkeys(re.findall(rf"{SITE}[^\s<>]*", "\n".join([self.text, *self.headers.values()]))))

    def path(self, page: str) -> str:
        """The path of its first link to a page of this name."""
        return next(path_of(url) for url in self.urls if f"/{page}/" in url)


def path_of(url: str) -> str:
    return url.removeprefix(SITE)


def deliver(now: Any) -> list[Sent]:
    """Sends what is queued, and empties both folders."""
    mail.send_due(now, clock=lambda: now)
    return [*_letters(), *_messages()]


def _letters() -> Iterator[Sent]:
    for path in sorted(settings.MAIL_FOLDER.glob("*.eml")):
        letter = message_from_bytes(path.read_bytes(), policy=default)
        path.unlink()
        yield Sent(letter["To"], letter.get_content(), dict(letter.items()))


def _messages() -> Iterator[Sent]:
    for path in sorted(settings.SMS_FOLDER.glob("*.sms")):
        to, _, text = path.read_text().partition("\n\n")
        path.unlink()
        yield Sent(to.removeprefix("To: "), text)


# --- forms ----------------------------------------------------------------------------------------------------------
@dataclass
class Form:
    """A form of a page: what would be sent as it stands, the boxes that can be ticked, the buttons."""

    action: str
    fields: list[Pair] = field(default_factory=list)
    boxes: dict[Pair, bool] = field(default_factory=dict)
    buttons: list[Pair] = field(default_factory=list)

    @property
    def ticked(self) -> set[Pair]:
        return {box for box, is_ticked in self.boxes.items() if is_ticked}

    def filled(self, *, tick: Any = (), untick: Any = (), **typed: str) -> list[Pair]:
        """What is sent without a button. A box or field the page does not have can't be filled in."""
        names = [name for name, _ in self.fields]
        assert set(typed) <= set(names) and {*tick, *untick} <= set(self.boxes)
        ticked = (self.ticked | set(tick)) - set(untick)
        fields = [(name, typed.get(name, value)) for name, value in self.fields]
        return [*fields, *(box for box in self.boxes if box in ticked)]

    def press(self, client: Client, button: Pair | None = None, **filled: Any) -> HttpResponse:
        """Presses a button, the first one by default."""
        pressed = button or self.buttons[0]
        assert pressed in self.buttons
        return post(client, self.action, [*self.filled(**filled), *([pressed] if pressed[0] else [])])


class _Forms(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.forms, self.is_inside = path, [], False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form":
            assert has["method"] == "post"
            self.is_inside = True
            self.forms.append(Form(has.get("action") or self.path))
        elif self.is_inside and tag == "input":
            pair = has["name"], has.get("value") or ""
            if has.get("type") == "checkbox":
                self.forms[-1].boxes[pair] = "checked" in has
            else:
                self.forms[-1].fields.append(pair)
        elif self.is_inside and tag == "button":
            self.forms[-1].buttons.append((has.get("name") or "", has.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = self.is_inside and tag != "form"


def forms_of(answer: HttpResponse) -> list[Form]:
    """The forms of an answered page."""
    reader = _Forms(answer.request["PATH_INFO"])
    reader.feed(answer.content.decode())
    return reader.forms


def open_form(client: Client, path: str) -> Form:
    """Opens a page; its one form."""
    (form,) = forms_of(client.get(path))
    return form


def post(client: Client, path: str, pairs: list[Pair], **headers: str) -> HttpResponse:
    return client.post(path, urlencode(pairs), URLENCODED, **headers)
