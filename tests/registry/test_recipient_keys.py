"""Keys of recipients' programs: who makes them, what is kept of them, who is let in, and the page they are shown on.

Broken and seen to fail: the moments of a key and its end by revoking, the digest compared, the year, the right of who makes
one, both limits of tries, the second step on both pages, the trigger that keeps a key as it was.
"""

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from consent import limits
from registry import roles
from registry.audience import keys
from registry.models import AuditEntry, DataCategory, Recipient, RecipientKey, StaffSession
from tests.factories import DAY, enter, purpose, staff

pytestmark = pytest.mark.django_db
DOORS = ["/api/v1/audience/site-news/", "/api/v1/suppression/site-news/"]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def mailer(kind="own", **also):
    made = Recipient.objects.create(
        code=also.pop("code", "mailer"), kind=kind, name_kk="Тарату", name_ru="Рассылка", name_en="Mailer",
        country_id="KZ", **also,
    )  # fmt: skip
    made.categories.set(DataCategory.objects.filter(code="email"))
    return made


@pytest.fixture
def by():
    return staff("maker")


@pytest.fixture
def own():
    return mailer()


def make(recipient, by, now, days=30):
    return keys.make(recipient, last_day=timezone.localdate(now) + timedelta(days=days), by=by, now=now)


def shown(text, door=DOORS[0], **also):
    return Client(**also).get(door, headers={"authorization": f"Bearer {text}"})


# --- made and kept ---------------------------------------------------------------------------------------------------
def test_a_key_is_said_once_and_kept_as_its_digest(own, by, today):
    key, text = make(own, by, today)
    prefix, secret = text.split(".")
    assert (key.prefix, key.digest) == (prefix, hashlib.sha256(secret.encode()).hexdigest())
    assert keys.FORM.fullmatch(text) and len(secret) == 43  # 32 bytes
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM registry_recipientkey")
        assert secret not in str(cursor.fetchall())
    entry = AuditEntry.objects.get(object_type="registry.recipientkey")
    assert (entry.operation, entry.actor, entry.reason) == ("configure", by, "key made for mailer")


def test_the_same_secret_is_made_for_nobody_else(own, by, today):
    assert len({make(own, by, today)[1] for _number in range(20)}) == 20


@pytest.mark.parametrize(("days", "is_made"), [(-1, False), (0, True), (365, True), (367, False)])
def test_a_key_ends_within_a_year(own, by, today, days, is_made):
    if is_made:
        key, _text = make(own, by, today, days)
        assert timezone.localdate(key.expires_at) == timezone.localdate(today) + timedelta(days=days + 1)
        return
    with pytest.raises(ValidationError):
        make(own, by, today, days)
    assert not RecipientKey.objects.exists()


def test_a_state_body_gets_none(by, today):
    with pytest.raises(ValidationError):
        make(mailer("state_body"), by, today)


def test_making_and_revoking_want_the_right_and_an_appointment(own, by, today):
    key, _text = make(own, by, today)
    without_right, without_order = staff("clerk", superuser=False), staff("boss", appointed=False)
    for person in (without_right, without_order):
        with pytest.raises(PermissionDenied):
            make(own, person, today)
        with pytest.raises(PermissionDenied):
            keys.revoke(key, by=person, now=today)
    assert AuditEntry.objects.filter(operation="refused").count() == 4
    assert RecipientKey.objects.get().revoked_at is None


def test_what_a_key_is_can_t_be_changed(own, by, today):
    key, _text = make(own, by, today)
    for change in ("digest = 'x'", "expires_at = now() + interval '9 years'", "recipient_id = recipient_id + 1"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE registry_recipientkey SET {change}")
    keys.revoke(key, by=by, now=today)
    with pytest.raises(DatabaseError), transaction.atomic():
        RecipientKey.objects.update(revoked_at=None)
    with pytest.raises(ValidationError):
        keys.revoke(key, by=by, now=today)


# --- let in, or not --------------------------------------------------------------------------------------------------
def test_a_key_opens_its_door_and_is_noted(own, by, today):
    _key, text = make(own, by, today)
    answer = shown(text)
    assert answer.status_code == 200 and b'"end":true' in b"".join(answer.streaming_content)
    assert not answer.cookies and answer["Cache-Control"] == "no-store"
    assert RecipientKey.objects.get().used_at >= today
    assert AuditEntry.objects.filter(reason="first use of the day").count() == 1
    b"".join(shown(text).streaming_content)
    assert AuditEntry.objects.filter(reason="first use of the day").count() == 1


def wrong(own, by, now):
    """Everything that is no key, or none any more, by name."""
    _good, text = make(own, by, now)
    ended, ended_text = make(own, by, now - 3 * DAY, days=1)
    revoked, revoked_text = make(own, by, now)
    keys.revoke(revoked, by=by, now=now)
    prefix, secret = text.split(".")
    return {
        "unknown": f"{'z' * 8}.{secret}",
        "wrong": f"{prefix}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        "another's secret": f"{ended.prefix}.{secret}",
        "ended": ended_text,
        "revoked": revoked_text,
        "cut": text[:-1],
        "longer": text + "A",
        "empty": "",
        "no text at all": "\xff\x00",
        "of SQL": "' OR 1=1 --",
        "with a space": text.replace(".", " ."),
    }


@pytest.mark.parametrize("door", DOORS)
def test_all_wrong_keys_get_the_same_answer(own, by, today, door):
    answers = {name: shown(text, door) for name, text in wrong(own, by, today).items()}
    told = {(answer.status_code, answer.content, answer["WWW-Authenticate"]) for answer in answers.values()}
    assert told == {(401, b'{"error": "key"}', "Bearer")}
    assert {answer["Cache-Control"] for answer in answers.values()} == {"no-store"}


def test_the_moments_at_which_a_key_ends(own, by, today):
    key, text = make(own, by, today, days=0)
    second = timedelta(seconds=1)
    assert keys.holder(text, key.expires_at - second) == key
    assert keys.holder(text, key.expires_at) is None
    assert keys.holder(text, key.made_at - second) is None
    keys.revoke(key, by=by, now=today)
    assert keys.holder(text, today) is None


def test_a_key_in_another_place_is_none(own, by, today):
    _key, text = make(own, by, today)
    client = Client()
    assert client.get(DOORS[0], {"key": text}).status_code == 401
    assert client.get(DOORS[0], headers={"authorization": text}).status_code == 401
    assert client.get(DOORS[0], headers={"authorization": f"Basic {text}"}).status_code == 401
    assert client.get(DOORS[0], headers={"authorization": f"bearer {text}"}).status_code == 200


def test_no_method_but_the_one(own, by, today):
    _key, text = make(own, by, today)
    for method in ("post", "put", "delete", "head", "options"):
        answer = getattr(Client(enforce_csrf_checks=True), method)(
            DOORS[0], headers={"authorization": f"Bearer {text}"}
        )
        assert (answer.status_code, answer["Allow"]) == (405, "GET"), method


def test_a_purpose_that_is_none_is_said_to_whoever_has_a_key(own, by, today):
    _key, text = make(own, by, today)
    answer = shown(text, "/api/v1/audience/nothing/")
    assert (answer.status_code, answer.json()) == (404, {"error": "no_such_purpose"})
    assert shown("no", "/api/v1/audience/nothing/").status_code == 401


# --- how often -------------------------------------------------------------------------------------------------------
def few(monkeypatch, *, whole=False, **counts):
    """So few tries, of one kind each."""
    for name, count in counts.items():
        known, action = getattr(limits, name), "api_whole" if name == "BY_TARGET" and whole else "api"
        monkeypatch.setattr(limits, name, {**known, action: limits.Limit(count, timedelta(minutes=10))})


def test_one_try_too_many_with_a_key(own, by, today, monkeypatch):
    few(monkeypatch, BY_TARGET=2)
    (_key, text), (_other, other) = make(own, by, today), make(own, by, today)
    assert [shown(text).status_code for _try in range(3)] == [200, 200, 429]
    answer = shown(text)
    assert answer.json() == {"error": "too_many"} and 0 < int(answer["Retry-After"]) <= 600
    assert shown(other).status_code == 200


def test_one_whole_list_too_many_with_a_key(own, by, today, monkeypatch):
    """Each leaves a line for everybody in it; changes since a cursor go on."""
    few(monkeypatch, whole=True, BY_TARGET=2)
    _key, text = make(own, by, today)
    assert [shown(text, door).status_code for door in (*DOORS, *DOORS)] == [200, 200, 429, 429]
    assert shown(text, f"{DOORS[0]}?since=1").status_code == 410  # looked at


def test_whoever_guesses_is_stopped_before_a_key_is_looked_at(own, by, today, monkeypatch):
    few(monkeypatch, BY_NETWORK=2)
    _key, text = make(own, by, today)
    assert [shown("guess").status_code for _try in range(3)] == [401, 401, 429]
    assert shown(text).status_code == 429
    assert shown(text, REMOTE_ADDR="10.1.2.3").status_code == 200


# --- the pages -------------------------------------------------------------------------------------------------------
@pytest.fixture
def console(client, by):
    enter(client, by)
    return client


def page(name, *arguments):
    return reverse(f"admin:{name}", args=arguments)


def test_a_key_is_made_on_its_recipients_page_and_shown_once(console, own, today):
    day = f"{timezone.localdate(today) + timedelta(days=30):%Y-%m-%d}"
    answer = console.post(page("recipient_key_make", own.pk), {"last_day": day})
    key = RecipientKey.objects.get()
    text = next(word for word in answer.content.decode().split("<code>") if word.startswith(key.prefix))[:52]
    assert keys.holder(text, timezone.now()) == key and "no-store" in answer["Cache-Control"]
    again = console.get(page("registry_recipient_change", own.pk)).content.decode()
    assert key.prefix in again and text[9:] not in again


def test_a_day_too_late_is_told_and_makes_none(console, own, today):
    day = f"{timezone.localdate(today) + timedelta(days=400):%Y-%m-%d}"
    assert console.post(page("recipient_key_make", own.pk), {"last_day": day}).status_code == 200
    assert not RecipientKey.objects.exists()


def test_both_acts_want_a_fresh_second_step(console, own, by, today):
    key, text = make(own, by, today)
    StaffSession.objects.update(verified_at=today - DAY)
    for address in (page("recipient_key_make", own.pk), page("recipient_key_revoke", own.pk, key.pk)):
        for answer in (console.get(address), console.post(address, {})):
            assert answer.status_code == 302 and answer["Location"].startswith(page("step_up"))
    assert keys.holder(text, today) == key


def test_a_key_is_revoked_on_its_page(console, own, by, today):
    key, text = make(own, by, today)
    address = page("recipient_key_revoke", own.pk, key.pk)
    assert console.get(address).status_code == 200 and keys.holder(text, today)
    assert console.post(address).status_code == 302
    assert keys.holder(text, timezone.now()) is None
    assert console.get(page("recipient_key_revoke", own.pk + 1, key.pk)).status_code == 404


def test_the_integrator_sees_keys_and_makes_none(client, own, by, today):
    key, _text = make(own, by, today)
    person = staff("site", superuser=False)
    person.groups.set(Group.objects.filter(name=roles.INTEGRATOR))
    enter(client, person)
    answer = client.get(page("registry_recipient_change", own.pk)).content.decode()
    assert key.prefix in answer and page("recipient_key_make", own.pk) not in answer
    assert client.get(page("recipient_key_make", own.pk)).status_code == 403


def test_a_purpose_names_no_system_of_ones_own(console, own):
    partner = mailer("partner", code="partner")
    address = page("registry_processingpurpose_change", purpose().pk)
    field = console.get(address).context["adminform"].form.fields["recipients"]
    assert partner in field.queryset and own not in field.queryset


def test_an_own_system_is_at_home(by):
    with pytest.raises(ValidationError):
        Recipient(code="x", kind="own", country_id="DE").clean()
    with pytest.raises(DatabaseError), transaction.atomic():
        Recipient.objects.create(code="x", kind="own", country_id="DE")
