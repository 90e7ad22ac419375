"""The limit: unsubscribing, asking for consent and the policy page as a WSGI application written by hand, psycopg only.

It leaves the same rows: attempts counted, the person locked, values sealed under keys of their own, processing with its
history, acts chained, audit, ledger queue, outbox, the moment of the next purge; one transaction that waits for the disk.
What it gives up: whatever the benchmark does not ask for (other categories and languages, ticks, minors, people who were
asked before), forms with errors, templates, security headers, the sealed state, recovery, and telling a worker that a
letter waits.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import struct
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from psycopg.rows import dict_row

from benchmarks.support import by_hand_sql as sql
from benchmarks.support.databases import connect
from registry import sealing
from registry.chain import Head, bind

ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LANGUAGE = "kk"
TRIES = {"network": (60, timedelta(minutes=10)), "target": (10, timedelta(hours=1))}
TICKS = {"third_parties": False, "cross_border": False, "public_sources": False}
NOBODY = {"represented_by": "", "entered_by": None, "checked_by": None, "document": ""}
Row = dict[str, Any]
Form = dict[str, str]

own = threading.local()


class Refused(Exception):
    """The status to answer with."""


def connection() -> psycopg.Connection[Row]:
    """One for each thread, kept."""
    if not hasattr(own, "connection"):
        own.connection = connect(os.environ["DATABASE_APP_URL"])
        own.connection.row_factory = dict_row
    return own.connection


def ask(statement: str, **values: object) -> list[Row]:
    return connection().execute(statement, values).fetchall()


def run(statement: str, values: Row) -> None:
    connection().execute(statement, values)


@cache
def masters() -> sealing.MasterKeys:
    return sealing.MasterKeys.parse(os.environ["MASTER_KEYS"])


@cache
def keys() -> dict[str, bytes]:
    rows = ask("SELECT name, wrapped FROM registry_sealingkey")
    return {row["name"]: sealing.unwrap(masters(), row["wrapped"], row["name"].encode()) for row in rows}


def application(request: Row, start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        status, text = HTTPStatus.OK, answer(request)
    except Refused as refused:
        status, text = refused.args[0], ""
    body = text.encode()
    head = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", head)
    return [body]


def answer(request: Row) -> str:
    path, now = request["PATH_INFO"], datetime.now(UTC)
    if path.startswith("/u/"):
        return unsubscribe(path.split("/")[2], form_of(request), now)
    if path == "/kk/consent/":
        return consent(form_of(request), request, now)
    return policy(now) if path == "/kk/policy/" else "ok"


def form_of(request: Row) -> Form:
    body = request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0))
    return {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}


def page(title: str, *paragraphs: str) -> str:
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return f"<!doctype html><html lang=kk><title>{escape(title)}</title><h1>{escape(title)}</h1>{text}</html>"


# --- unsubscribing ------------------------------------------------------------------------------------------------
def unsubscribe(token: str, form: Form, now: datetime) -> str:
    person_id, purpose_id = numbers_of(b"unsubscribe", token, 2)
    if form.get("List-Unsubscribe") != "One-Click":
        raise Refused(HTTPStatus.BAD_REQUEST)
    with connection().transaction():
        person = ask(sql.TAKE_PERSON, person=person_id)[0]
        agreed = ask(sql.AGREED, person=person_id, purpose=purpose_id, now=now)
        if not agreed:
            return page("You have already unsubscribed.")
        withdraw({**person, **agreed[0], "person": person_id, "purpose": purpose_id, "now": now})
    return page("Done", agreed[0]["name_kk"])


def withdraw(values: Row) -> None:
    act = {"act": "withdrawn", "channel": "one_click", "wording": "", "confirmation": None, "language": values["language"]}
    values |= chained(act, values, Head(lines=values["place"], digest=values["digest"]))
    values |= {"system": "one_click", "operation": "withdraw"}
    for statement in (sql.END, sql.FOR_THE_LEDGER, sql.WITHDRAWN, sql.ANSWERED, sql.AUDIT, sql.REFRESH_DUE):
        run(statement, values)


def chained(act: Row, values: Row, head: Head) -> Row:
    who = {"person": values["reference"], "purpose": values["code"], "site": values["site"]}
    at = values["now"].isoformat(timespec="microseconds")
    _, behind = bind({**who, **act, **NOBODY, **TICKS, "at": at}, head)
    return {"place": behind.lines, "digest": behind.digest}


# --- consent ------------------------------------------------------------------------------------------------------
def consent(form: Form, request: Row, now: datetime) -> str:
    """The question to an address that nobody entered before."""
    visitor = ip_address(request["HTTP_X_FORWARDED_FOR"].rpartition(",")[2].strip())
    count("network", visitor.packed, now)
    (shown,) = numbers_of(b"form", form["shown"], 1)
    age = now - datetime.fromtimestamp(shown / 1000, UTC)
    address = form["email"].strip()
    if form.get("website") or not timedelta(seconds=1) <= age < timedelta(days=1) or not ADDRESS.fullmatch(address):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY)
    local, _, domain = address.partition("@")
    typed, canonical = f"{local}@{domain.lower()}", address.lower()
    count("target", canonical.encode(), now)
    said = {"ip": str(visitor), "user_agent": request["HTTP_USER_AGENT"], "form_url": "http://127.0.0.1/kk/consent/"}
    with connection().transaction():
        question = keep({"typed": typed, "canonical": canonical, "said": said, "code": form["purposes"], "now": now})
    return page("Check your mail", f"{local[0]}•••@{domain}", token(b"again", question))


def count(what: str, who: bytes, now: datetime) -> None:
    key = hmac.digest(keys()["links"], f"attempt\0{what} consent\0".encode() + who, hashlib.sha256)
    most, window = TRIES[what]
    if ask(sql.COUNT_ATTEMPT, key=key, now=now, window=window)[0]["count"] > most:
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS)


def keep(values: Row) -> int:
    """Everything that is written about a new person; the number of the question."""
    index = sealing.blind_index(keys()["index"], "email", values["canonical"])
    run(sql.WAIT_FOR_EQUALS, {"lock": int.from_bytes(index[:8], signed=True)})
    if ask(sql.CLAIMED, index=index):
        raise Refused(HTTPStatus.CONFLICT)
    offers = ask(sql.OFFER, code=values["code"], language=LANGUAGE, now=values["now"])
    if not offers:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY)
    letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
    values |= offers[0] | {"reference": f"DS-{letters[:4]}-{letters[4:]}", "language": LANGUAGE, "index": index}
    values["person"] = ask(sql.NEW_PERSON, **values)[0]["id"]
    values |= sealed("claim", values["typed"], values["email"], values)
    values |= sealed("evidence", json.dumps(values["said"], ensure_ascii=False), values["technical"], values)
    values |= {"evidence_index": secrets.token_bytes(32), "system": "page", "operation": "collect"}
    for statement in (sql.NEW_DUE, sql.NEW_DATA, sql.NEW_KEYS, sql.AUDIT, sql.OPEN):
        run(statement, values)
    question: int = ask(sql.NEW_QUESTION, **values)[0]["id"]
    values["question"] = question
    act = {"act": "asked", "channel": "page", "wording": values["shown"], "confirmation": question, "language": LANGUAGE}
    values |= chained(act, values, Head())
    for statement in (sql.ASKED, sql.REFRESH_DUE, sql.LETTER):
        run(statement, values)
    return question


def sealed(name: str, value: str, category: int, values: Row) -> Row:
    """The value of the datum `name` under a new key, and the key wrapped."""
    key, datum = sealing.new_key(), values[name]
    return {
        f"sealed_{name}": sealing.seal(key, value, sealing.datum_binding(category, values["person"], datum)),
        f"wrapped_{name}": sealing.wrap(masters(), key, sealing.key_binding(datum)),
    }


# --- policy -------------------------------------------------------------------------------------------------------
def policy(now: datetime) -> str:
    in_force, held_for = ask(sql.POLICY, now=now)[0], ask(sql.HELD_FOR, now=now)
    short = [" ".join(str(value) for value in purpose.values() if value) for purpose in held_for]
    who = [in_force["legal_name_kk"], in_force["bin"], in_force["contact_email"], in_force["digest_kk"]]
    return page(f"№ {in_force['number']}", *who, *short, *in_force["text_kk"].split("\n\n"))


# --- tokens -------------------------------------------------------------------------------------------------------
def token(use: bytes, *numbers: int) -> str:
    sealed_numbers = AESSIV(keys()["links"]).encrypt(struct.pack(f">{len(numbers)}q", *numbers), [use])
    return base64.urlsafe_b64encode(sealed_numbers).rstrip(b"=").decode()


def numbers_of(use: bytes, text: str, how_many: int) -> tuple[int, ...]:
    try:
        content = AESSIV(keys()["links"]).decrypt(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), [use])
        return struct.unpack(f">{how_many}q", content)
    except (InvalidTag, ValueError, struct.error):
        raise Refused(HTTPStatus.NOT_FOUND) from None
