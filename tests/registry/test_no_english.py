"""No page of the console says a word in another language: every address of it is opened in Kazakh and in Russian, every
form is sent empty, every action is chosen. Read is what a person sees or hears: text, and the attributes that are shown or
read aloud. What somebody entered in another language is no leak, nor what stands under a `lang` of its own.

Seen to fail: titles, buttons, labels, placeholders, aria-labels and messages not translated yet, the codes of the audit shown
as they are, the overlay taken out of the settings, an address of which nothing says what stands in it."""

import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.db import models, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from consent import campaigns
from consent.decisions import desk
from consent.models import Campaign, Confirmation, PolicyVersion, ReceivedMail
from consent.policy import publish
from registry import (
    approving,
    audience,
    blocking,
    demands,
    disclosure,
    exporting,
    figures,
    holds,
    previewing,
    purging,
    rules,
    transfers,
)
from registry.audience import keys
from registry.incidents import opening as entering
from registry.models import (
    DataExport,
    DataSubject,
    Incident,
    LegalGround,
    LegalHold,
    PersonalDatum,
    PersonNotice,
    ProcessingPurpose,
    PurgePreview,
    Recipient,
    RecipientKey,
    RecipientNotice,
    ReplyTemplate,
    RetentionSettings,
    RuleChange,
    SavedFilter,
    StaffMember,
    SubjectRequest,
    Transfer,
    WorkCalendarOverride,
)
from registry.requests import opening, papers, verifying
from registry.simulating import Proposal
from registry.transfers import notices, telling
from tests.consent.test_campaigns import widen
from tests.consent.test_languages import FOREIGN, NAMES
from tests.consent.test_policy import draft
from tests.factories import DAY, PHONE, enter, keep_until, person, purpose, staff
from tests.house import transfer_to

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("language", ["kk", "ru"])]

SPOKEN = ("title", "aria-label", "aria-description", "placeholder", "alt", "label")
SILENT = {"script", "style", "textarea", "code", "kbd"}
VOID = {"input", "br", "hr", "img", "link", "meta", "col", "source", "wbr"}
ENTERED = re.compile(r"(_en|_kk|_ru|^text|^code|^username|^name|^context|^reference|^query|^reason|^scope)$")
# What stands in an address, and what it is the number of.
NUMBERED = {
    "subject_id": DataSubject, "purpose_id": ProcessingPurpose, "preview_id": PurgePreview, "change_id": RuleChange,
    "datum_id": PersonalDatum, "hold_id": LegalHold, "policy_id": PolicyVersion, "campaign_id": Campaign,
    "request_id": SubjectRequest, "mail_id": ReceivedMail, "incident_id": Incident, "confirmation_id": Confirmation, "filter_id": SavedFilter, "export_id": DataExport, "pk": StaffMember,
    "transfer_id": Transfer, "notice_id": RecipientNotice, "recipient_id": Recipient, "key_id": RecipientKey, "person_notice_id": PersonNotice,
}  # fmt: skip
TYPED = {"page": "registry_datasubject", "kind": "authenticator"}
LEFT_OUT = {"logout", "view_on_site", "app_list"}  # opened below; leads elsewhere; our index has no such page
# Codes, formats, keys and products: the same word in every language. Django's icons say "True" and "False".
CODES = re.compile(
    r"\b(?:PDF|PNG|JPEG|CSV|JSON|XLSX|[Aa]ge1?|ISO|SHA-256|TOTP|QR|Control|Command|Mac|kk|ru|en|True|False"
    r"|[A-Z]{2}-[0-9A-Z]{4}-[0-9A-Z]{4}|[a-z]+(?:[-_.][a-z0-9]+)+)\b"
)


class Reader(HTMLParser):
    """What is seen or heard of a page in this language."""

    def __init__(self, language):
        super().__init__()
        self.language, self.open, self.words = language, [], []

    @property
    def is_silent(self):
        return any(silent for _tag, silent in self.open)

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        silent = tag in SILENT or attrs.get("lang", self.language) != self.language
        if not silent and not self.is_silent:
            self.words += [attrs[name] for name in SPOKEN if name in attrs]
            self.words += [attrs.get("value", "")] if attrs.get("type") in {"submit", "button", "reset"} else []
        if tag not in VOID:
            self.open.append((tag, silent))

    def handle_endtag(self, tag):
        while any(tag == one for one, _ in self.open) and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        self.words += [] if self.is_silent else [data]


def cleaned(words):
    return " ".join(CODES.sub(" ", NAMES.sub(" ", words)).split())


def entered(language):
    """What people typed, in any language: names, titles and texts that are kept once in each."""
    found = set()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.CharField | models.TextField) and ENTERED.search(field.name):
                texts = model._default_manager.exclude(**{field.name: None}).values_list(field.name, flat=True)
                found |= set(map(cleaned, texts))
    return sorted((text for text in found if text and re.search(FOREIGN[language], text, re.I)), key=len, reverse=True)


class Walk:
    """Somebody who opens pages in one language and notes what stands there in another."""

    def __init__(self, member, language):
        self.client = Client(headers={"accept-language": language})
        enter(self.client, member)
        self.language, self.entered = language, entered(language)
        self.leaks, self.seen = defaultdict(list), 0

    def read(self, answer, address):
        if answer.content and answer.headers["Content-Type"].startswith("text/html"):
            reader = Reader(self.language)
            reader.feed(answer.content.decode())
            assert sum(map(len, reader.words)) > 100, address  # a page was read
            self.seen += answer.status_code == 200
            for words in map(str.strip, reader.words):
                if self.is_foreign(words):
                    self.leaks[" ".join(words.split())].append(address)

    def is_foreign(self, words):
        words = cleaned(words)
        if re.search(FOREIGN[self.language], words, re.IGNORECASE):
            for known in self.entered:
                words = words.replace(known, " ")
        return re.search(FOREIGN[self.language], words, re.IGNORECASE)

    def get(self, address):
        with transaction.atomic():
            self.read(self.client.get(address, follow=True), address)

    def post(self, address, data):
        """What it does is undone: the next page finds everything as it was."""
        with transaction.atomic():
            self.read(self.client.post(address, data, follow=True), f"POST {address}")
            transaction.set_rollback(True)

    def report(self):
        return "\n".join(
            f"{words!r}, {len(where)} times, such as {where[0]}" for words, where in sorted(self.leaks.items())
        )


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def officer():
    return staff("1001")


@pytest.fixture
def full(officer, today):
    """A registry in the middle of everything; what is typed here is in no language."""
    subject = person("site-news", "advertising", phone=PHONE, now=today - DAY)
    gone, waits, held, shut = (person(now=today - 9 * DAY) for _ in range(4))
    keep_until(gone, today - 2 * DAY)
    purging.purge(today - DAY)
    keep_until(waits, today - DAY)
    RetentionSettings.objects.update(brake_people=1)
    previewing.keep(today, taken_at=today, by=officer)
    approving.daily(today)
    ground = LegalGround.objects.all()[0]
    holds.place(LegalHold(subject=held, ground=ground, reason="№ 1"), by=officer, now=today)
    demands.demand(held, ground=ground, reason="№ 2", by=officer, now=today)
    blocking.block(shut, by=officer, reason="№ 3", now=today)
    desk.enter({"email": "a@example.kz"}, [purpose()], way="telephone", language="kk", by=officer, now=today)
    rule = {field: getattr(purpose(), field) for field in RuleChange.RULE} | {"term_value": 12}
    categories = tuple(purpose().categories.values_list("pk", flat=True))
    rules.propose(Proposal(purpose(), categories=categories, **rule), by=officer, reason="№ 4", now=today)
    widen()
    campaigns.start(publish(draft(today), by=None, now=today), "soft", by=officer, now=today)
    draft(today + DAY, number=3)
    ReplyTemplate.objects.create(
        code="a", **{f"{part}_{name}": "№" for part in ("title", "text") for name in ("kk", "ru", "en")}
    )
    WorkCalendarOverride.objects.create(day=today.date(), kind="workday", reason="№ 5")
    SavedFilter.objects.create(person=officer, page="registry_datasubject", name="№ 6", query="status=active")
    disclosure.reveal(subject.data.all()[0], by=officer, reason="№ 7", now=today)
    exporting.ask(purpose(), kind="plain", reason="№ 8", by=officer, now=today)
    asked = {"channel": "desk", "language": "kk", "text": "№ 9", "scan": b"%PDF-", "by": officer, "now": today}
    verifying.check(opening.receive(subject, "access", **asked), ["document"], by=officer, now=today)
    hand_over(subject, officer, today)
    data = subject.data.all()[0].category
    entering.open_incident("loss", "№ 11", [data], discovered_at=today - DAY, by=officer, now=today)
    kept = papers.keep(subject, papers.MAIL, "№ 12", now=today)
    moments, request = {"arrived_at": today, "seen_at": today}, subject.requests.all()[0]
    ReceivedMail.objects.create(
        key=b"k" * 32, uid=1, uid_validity=1, size=1, state="filed", request=request, datum_id=kept, **moments
    )
    figures.count(today)
    return subject


def hand_over(subject, officer, today):
    """One transfer that is fetched, one that is still being built, and what its recipient must be told."""
    body = Recipient.objects.create(code="court", kind="state_body", name_kk="№", country_id="KZ")
    given = transfer_to(body, officer, today)
    transfers.build_waiting(clock=lambda: today)
    given.refresh_from_db()
    transfers.take(given, by=officer, now=today).close()
    transfer_to(body, officer, today)
    notices.open_for([subject.pk], notices.Event.WITHDRAWN, now=today)
    own = Recipient.objects.create(code="mailer", kind="own", name_kk="№", country_id="KZ")
    own.categories.set(subject.data.values_list("category", flat=True))
    key, _text = keys.make(own, last_day=timezone.localdate(today), by=officer, now=today)
    b"".join(audience.opened(key, purpose(), 0, clock=lambda: today))
    telling.ask_to_be_told(subject, by=officer, reason="№ 13", now=today)
    PersonNotice.objects.create(transfer=given, subject=subject, opened_at=today, due_on=today.date())


def pages_of_lists():
    """The pages that every list has, with two rows of each."""
    for model, model_admin in site._registry.items():
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield from (reverse(f"{base}_changelist"), reverse(f"{base}_add"))
        for row in model._default_manager.all()[:2]:
            yield from (reverse(f"{base}_{page}", args=[row.pk]) for page in ("change", "history", "delete"))
            if isinstance(model_admin, SimpleHistoryAdmin) and (old := row.history.first()):
                yield reverse(f"{base}_simple_history", args=[row.pk, old.pk])


def other_pages():
    """The pages of our own and those of signing in; whoever adds one says above what stands in its address."""
    lists = tuple(f"{model._meta.app_label}_{model._meta.model_name}_" for model in site._registry)
    for pattern in own_patterns(site.urls[0]):
        if pattern.name and pattern.name not in LEFT_OUT and not pattern.name.startswith(lists):
            yield reverse(f"admin:{pattern.name}", kwargs={name: given(name) for name in pattern.pattern.converters})


def own_patterns(patterns):
    for pattern in patterns:
        yield from own_patterns(pattern.url_patterns) if hasattr(pattern, "url_patterns") else [pattern]


def given(name):
    return TYPED.get(name) or NUMBERED[name]._default_manager.order_by("-pk").values_list("pk", flat=True)[0]


def test_every_page_of_the_lists(full, officer, language):
    walk = Walk(officer, language)
    for address in pages_of_lists():
        walk.get(address)
    assert walk.seen > 100
    assert not walk.leaks, walk.report()


def test_every_other_page_and_every_form_sent_empty(full, officer, language):
    walk = Walk(officer, language)
    for address in other_pages():
        walk.get(address)
        walk.post(address, {})
    assert walk.seen > 30
    assert not walk.leaks, walk.report()


def test_every_form_of_the_lists_sent_empty(full, officer, language):
    walk = Walk(officer, language)
    for address in pages_of_lists():
        if address.endswith(("/add/", "/change/")):
            walk.post(address, {})
    assert walk.seen > 30
    assert not walk.leaks, walk.report()


def test_every_action(full, officer, language):
    walk = Walk(officer, language)
    request = RequestFactory().get("/admin/")
    request.user = officer
    for model, model_admin in site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        row = model._default_manager.first()
        for action in model_admin.get_actions(request):
            walk.post(address, {"action": action, "_selected_action": [row.pk if row else 0], "index": 0})
            walk.post(address, {"action": action, "index": 0})
    assert walk.seen > 2
    assert not walk.leaks, walk.report()


def test_whoever_may_not_is_told_so(full, language):
    walk = Walk(staff("1003", appointed=False, superuser=False), language)
    for address in ("/admin/", "/admin/registry/datasubject/", "/admin/registry/operator/1/change/", "/admin/nowhere/"):
        walk.get(address)
    assert not walk.leaks, walk.report()


def test_signing_in(full, officer, language):
    walk = Walk(officer, language)
    walk.client.logout()
    walk.get("/admin/")
    walk.post("/admin/login/", {"username": "1001", "password": "no"})
    walk.post("/admin/login/", {})
    walk.client.force_login(officer)  # and no second factor yet
    for address in other_pages():
        if not re.search(r"/\d+/", address):
            walk.get(address)
            walk.post(address, {})
    walk.read(walk.client.post("/admin/logout/", follow=True), "/admin/logout/")
    assert walk.seen > 5
    assert not walk.leaks, walk.report()
