"""The copy of a person's data: who lets it be built, what is in it, who gets it once, and that nothing of it stays.

Broken and seen to fail: superseded values, one ground of destruction and the questions of a claim left out; a step of
anybody's told; staff and the representative named; a text unescaped, a cell that computes; a value that does not open
let through; a query a text, all audit entries in memory; reasons of steps and entries left as codes; `check_may`, the kinds and the refusal in `ask`; doubt and
refusal in `_may_be_given`; the look through all of the file; the first part given out; the seven days; the entry of
`take`; `lost` in ending; `_sweep`; the file left by give_up and by a database that fails.
"""

import csv
import io
import json
import re
import tracemalloc
import zipfile
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from consent import decisions
from consent.decisions import desk
from consent.evidence import Circumstances
from consent.mailbox import originals
from consent.models import Campaign, CampaignMember, ConsentRecord, PolicyVersion, ReceivedMail
from registry import auditing, blocking, demands, exporting, mail, previewing, purging, transfers
from registry.disclosure import reveal
from registry.incidents import asked as questions
from registry.incidents import opening as breaches
from registry.incidents import sources
from registry.models import (
    AuditEntry,
    CopyPackage,
    DataCategory,
    DataExport,
    DatumKey,
    ErasureCertificate,
    LegalGround,
    PersonalDatum,
    PersonNotice,
    Recipient,
    SubjectRequest,
    Transfer,
)
from registry.processing import lock_subjects, open_processing, refresh_due
from registry.requests import answering, copying, handling, opening, papers, verifying
from registry.requests import telling as words
from registry.requests.answering import Details
from registry.requests.copying import building, contents, parts, programs, rows
from registry.transfers import notices, telling
from tests.consent.test_campaigns import widen
from tests.consent.test_minors import midnight
from tests.factories import DAY, EMAIL, MOMENT, PHONE, hold, person, purpose, question, staff

pytestmark = pytest.mark.django_db
State, Kind, Channel = CopyPackage.State, SubjectRequest.Kind, SubjectRequest.Channel
SECOND = timedelta(seconds=1)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.HOME = tmp_path
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tmp_path / "copies"


@pytest.fixture
def clerk():
    return staff("Zhanar.Clerk")


@pytest.fixture
def second():
    return staff("Bolat.Second")


def in_work(subject, kind=Kind.ACCESS, *, now=MOMENT, text="", language="kk", **also):
    contact = subject.data.live().contacts().first()
    request = opening.receive(
        subject,
        kind,
        channel=also.pop("channel", Channel.PAGE),
        language=language,
        now=now,
        contact_id=contact.pk,
        text=text,
        **also,
    )
    if request.channel == Channel.DESK:
        verifying.check(request, ["document"], by=request.entered_by, now=now)
    else:
        verifying.confirm(request.pk, now=now)
    return SubjectRequest.objects.get(pk=request.pk)


def build(now=MOMENT):
    return copying.build_waiting(clock=lambda: now)


def ready(request, by, now=MOMENT):
    package = copying.ask(request, by=by, now=now)
    assert build(now) == 1
    return fresh(package)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def fetched(request, now=MOMENT):
    """What the person gets, as a zip file."""
    taken = copying.take(request, now=now)
    try:
        return zipfile.ZipFile(io.BytesIO(b"".join(taken)))
    finally:
        taken.close()


def copy_of(request, by, now=MOMENT):
    ready(request, by, now)
    return fetched(request, now)


def data_in(archive):
    return json.loads(archive.read("data.json"))


def entries(package, *fields):
    about = AuditEntry.objects.filter(object_type="registry.copypackage", object_id=package.pk).order_by("pk")
    return list(about.values_list(*fields))


@pytest.fixture
def aigul():
    return person(email=EMAIL, phone=PHONE, now=MOMENT - DAY)


@pytest.fixture
def request_of_aigul(aigul):
    return in_work(aigul, text="what do you know of my hens?")


# --- somebody with everything ---------------------------------------------------------------------------------------
class Someone:
    """A person about whom the registry has everything it can have, made by the operations. `mark` stands in every text."""

    def __init__(self, mark, email, code, clerk, second):
        self.mark, self.email, self.code, self.clerk, self.second = mark, email, code, clerk, second
        self.subject = self._consents(MOMENT - 60 * DAY)
        self._correct(f"{self.code} 00 01", MOMENT - 50 * DAY)
        blocking.block(self.subject, by=clerk, reason="asked", now=MOMENT - 49 * DAY)
        blocking.unblock(self.subject, by=clerk, reason="asked", now=MOMENT - 48 * DAY)
        self._at_the_desk(MOMENT - 47 * DAY)
        self._as_representative(MOMENT - 46 * DAY)
        self._mail(MOMENT - 20 * DAY)

    def come_to_the_end(self):
        """After the first purge: another number, a hold, and the wish to be forgotten that it stops."""
        self._correct(f"{self.code} 00 02", MOMENT - 9 * DAY)
        hold(self.subject)
        datum = self.subject.data.live().contacts().first()
        reveal(datum, by=self.clerk, reason="compared", now=MOMENT - 8 * DAY)
        ground = LegalGround.objects.first()
        demands.demand(
            self.subject, ground=ground, reason="asked", by=self.clerk, now=MOMENT - 2 * DAY, is_remembered=True
        )
        mail.send_due(MOMENT, clock=lambda: MOMENT)
        self.request = in_work(self.subject, text=f"=SUM({self.mark})", now=MOMENT - DAY)

    def _consents(self, now):
        came = Circumstances(f"{self.mark}-ip", f"{self.mark}-browser", "http://testserver/kk/consent/")
        values = {"email": self.email, "phone": f"{self.code} 12 34"}
        purposes = [purpose(), purpose("advertising")]
        asked = decisions.ask(values, purposes, language="kk", now=now, circumstances=came)
        decisions.confirm(asked.pk, now=now, circumstances=came)
        subject = ConsentRecord.objects.filter(confirmation=asked, act="confirmed").first().subject
        decisions.withdraw(subject, purpose("advertising"), channel="page", now=now + DAY)
        return subject

    def _correct(self, value, now):
        number = self.subject.data.live().get(category__code="phone")
        request = in_work(self.subject, Kind.RECTIFICATION, text=f"{self.mark} wrong", now=now)
        details = Details(datum=number, value=value)
        granted = SubjectRequest.Outcome.GRANTED
        answering.answer(request, granted, f"{self.mark} corrected", by=self.clerk, now=now, details=details)

    def _at_the_desk(self, now):
        scan = PNG + self.mark.encode()
        entry = desk.enter(
            {"email": self.email}, [purpose("feedback")], way="paper", language="ru", by=self.clerk, now=now, scan=scan
        )
        for datum in PersonalDatum.objects.filter(pk__in=desk.unopened(entry, self.second)):
            reveal(datum, by=self.second, reason="compared", now=now)
        desk.check(entry.pk, by=self.second, now=now)
        in_work(
            self.subject, Kind.OTHER, text=f"{self.mark} hens", now=now, channel=Channel.DESK, by=self.clerk, scan=scan
        )

    def _as_representative(self, now):
        asked = decisions.ask(
            {"email": f"child.of.{self.email}"},
            [purpose()],
            language="en",
            now=now,
            representative={"email": self.email},
            adult_at=midnight((now + 300 * DAY).date()),
        )
        decisions.confirm(asked.pk, now=now)
        decisions.represent(asked.pk, now=now)

    def _mail(self, now):
        with transaction.atomic():
            lock_subjects([self.subject.pk])
            open_processing(self.subject, papers.purpose(papers.MAIL_PURPOSE), now=now)
            kept = originals.to_text(f"Subject: {self.mark}\n\n{self.mark} again".encode(), "")
            number = papers.keep(self.subject, papers.MAIL, kept, now=now)
        arrived = {"arrived_at": now, "seen_at": now, "size": 20, "uid": self.subject.pk, "uid_validity": 1}
        of_request = {"request": self.subject.requests.first(), "datum_id": number, "state": "filed"}
        ReceivedMail.objects.create(key=self.mark.encode(), **arrived, **of_request)


def breach(people, clerk, now):
    email = DataCategory.objects.filter(code="email")
    incident = breaches.open_incident("access", "a laptop", email, discovered_at=now, by=clerk, now=now)
    named = questions.of_references(" ".join(one.subject.reference for one in people))
    sources.add_source(incident, named, seen=2, reason="looked at", by=clerk, now=now)


def give_to_a_court(people, clerk, now):
    """Everybody's address, by law; and what both made it a condition to be told."""
    court = Recipient.objects.create(
        code="court", kind="state_body", name_kk="Сот", country_id="KZ", contact_email="court@example.kz"
    )
    by_law = {"request_number": "12-4", "requested_on": date(2026, 11, 1), "article": "9(1)"}
    email = tuple(DataCategory.objects.filter(code="email"))
    asked = transfers.Asked(court, Transfer.Ground.STATE_BODY, purpose(), email, **by_law)
    given = transfers.ask(asked, file_format=Transfer.Format.CSV, reason="court", by=clerk, now=now)
    assert transfers.build_waiting(clock=lambda: now) == 1
    transfers.take(given, by=clerk, now=now).close()
    for one in people:
        telling.ask_to_be_told(one.subject, by=None, now=now)
        told = {"opened_at": now, "due_on": now.date(), "told_at": now + DAY, "told_by": clerk}
        PersonNotice.objects.create(transfer=given, subject=one.subject, **told)


@pytest.fixture
def two(clerk, second):
    """Two people with everything; what is done to both at once is done once."""
    people = [
        Someone("aigulmark", EMAIL, "8 (701) 555", clerk, second),
        Someone("olzhasmark", "Olzhas.Other@example.kz", "8 (702) 444", clerk, second),
    ]
    then = MOMENT - 12 * DAY
    export = exporting.ask(purpose(), kind=DataExport.Kind.MASKED, reason="news", by=clerk, now=then)
    exporting.build_waiting(clock=lambda: then)
    exporting.take(export, by=clerk, now=then).close()
    give_to_a_court(people, clerk, then)
    widen()
    policy = PolicyVersion.objects.first()
    campaign = Campaign.objects.create(policy=policy, mode="soft", started_at=then, started_by=clerk)
    CampaignMember.objects.bulk_create(
        CampaignMember(campaign=campaign, subject=one.subject, asked_at=then) for one in people
    )
    breach(people, clerk, then)
    previewing.keep(MOMENT - 10 * DAY, taken_at=MOMENT - 10 * DAY, by=clerk)
    purging.purge(MOMENT - 10 * DAY)
    for one in people:
        one.come_to_the_end()
    assert notices.send_due(MOMENT) == 1
    return people


TOLD_IN = {
    "registry_personaldatum": "values",
    "registry_processing": "processing",
    "registry_historicalprocessing": "processing_changes",
    "registry_subjectrequest": "requests",
    "registry_requeststep": "request_steps",
    "registry_copypackage": "copies",
    "registry_outgoingmessage": "messages",
    "registry_legalhold": "holds",
    "registry_erasurecertificate": "erasures",
    "registry_erasurerecord": "destroyed",
    "registry_rememberedidentifier": "not_to_be_contacted",
    "registry_auditentry": "audit",
    "consent_consentrecord": "consents",
    "consent_receipt": "receipts",
    "consent_confirmation": "questions",
    "consent_campaignmember": "asked_anew",
    "consent_receivedmail": "received_mail",
    "registry_incidentperson": "incidents",
    "registry_transferline": "transfers",
    "registry_recipientnotice": "notices",
    "registry_transfercondition": "transfer_condition",
    "registry_personnotice": "transfer_notices",
}
TOLD_OTHERWISE = {
    "registry_retentiondue": "one moment, told as looked_at_next",
    "registry_audienceentry": "what a program was told last; each time it was given the person is told as a transfer",
    "registry_previewline": "a working list of what was due on one day; each of its data is told with its term",
    "registry_historicallegalhold": "told inside the hold, as its changes (made by the console, none here)",
    "registry_historicaltransfercondition": "told inside the condition, as its changes",
}
MOMENTS_NOT_TOLD = {
    "next_try_at": "when the outbox tries again",
    "counted_at": "a mark of statistics: counted without the person",
    "reminded_at": "when staff were reminded",
}


def tables_about_people():
    """Table, and the condition by which its rows are one person's: by the database's own description of itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT columns.table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND (column_name = 'subject_id' OR column_name = 'request_id' AND data_type = 'bigint')"
        )
        found = cursor.fetchall()
    whose = {
        "subject_id": "subject_id = %s",
        "request_id": "request_id IN (SELECT id FROM registry_subjectrequest WHERE subject_id = %s)",
    }
    return {table: whose[column] for table, column in found}


def held_in(table, condition, subject):
    """The rows of a table about this person, as they stand in the database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE {condition}", [subject.pk])
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def untold(row, told):
    """What of the row's number and moments the copy does not say."""
    if told is None:
        return ["the row"]
    text = json.dumps(told)
    moments = {name: value for name, value in row.items() if hasattr(value, "tzinfo")}
    said = {name for name, value in moments.items() if timezone.localtime(value).isoformat() in text}
    return sorted(set(moments) - said - set(MOMENTS_NOT_TOLD))


def test_a_copy_is_complete_against_the_database(two):
    for one in two:
        copying.ask(one.request, by=one.clerk, now=MOMENT)
        tables = tables_about_people()
        held = {table: held_in(table, condition, one.subject) for table, condition in tables.items()}
        assert build() == 1
        data = data_in(fetched(one.request))
        assert set(held) == set(TOLD_IN) | set(TOLD_OTHERWISE)
        assert not [table for table in TOLD_IN if not held[table]], "nothing to tell: this proves nothing"
        for table, part in TOLD_IN.items():
            told = {row["id"]: row for row in data[part]}
            missing = {row_id(row): untold(row, told.get(row_id(row))) for row in held[table]}
            assert not {number: what for number, what in missing.items() if what}, table
            assert len(told) == len(held[table]) or part in ("consents", "questions")  # more: what was asked as a claim
        assert data["identity"][0]["reference"] == one.subject.reference and data["request"] == one.request.number
        assert data["representations"] and data["lists"] and data["recipients"]


def test_what_was_asked_before_we_knew_who_it_was_is_theirs_once_they_answered(aigul, request_of_aigul, clerk):
    answered, waiting = question("feedback", email=EMAIL), question("advertising", email=EMAIL, now=MOMENT + SECOND)
    decisions.confirm(answered.pk, now=MOMENT)
    assert aigul.pk not in {answered.subject_id, waiting.subject_id}
    data = data_in(copy_of(request_of_aigul, clerk))
    assert answered.pk in {row["id"] for row in data["questions"]}
    assert waiting.pk not in {row["id"] for row in data["questions"]}
    told = {(row["purpose"]["code"], row["act"]["code"]) for row in data["consents"]}
    assert {("feedback", "asked"), ("feedback", "confirmed")} < told and ("advertising", "asked") not in told


def row_id(row):
    return row.get("history_id") or row.get("id") or f"{row['transfer_id']}/{row['place']}"


def test_every_value_is_in_it_in_the_clear(two):
    one = two[0]
    archive = copy_of(one.request, one.clerk)
    values = data_in(archive)["values"]
    by_category = {row["category"]["code"]: row for row in values}
    told = {row["value"] for row in values if isinstance(row["value"], str)}
    assert {EMAIL, "+77015550001", "+77015550002", f"=SUM({one.mark})", f"{one.mark} corrected"} <= told
    assert by_category["technical"]["value"]["ip"] == f"{one.mark}-ip"
    old = next(row for row in values if row["value"] == "+77015550001")
    assert old["superseded_at"] and old["source"]["code"] == "subject" and old["kept_because"]
    for category, ending in (("scan", "png"), ("request-scan", "png"), ("request-mail", "eml")):
        row = by_category[category]
        assert row["file"].endswith(f".{ending}") and row["can_be_opened"]
        assert one.mark.encode() in archive.read(row["file"])


def test_the_three_forms_say_the_same(two):
    one = two[0]
    archive = copy_of(one.request, one.clerk)
    data, page = data_in(archive), archive.read("index.html").decode()
    for part in parts.in_order():
        table = list(csv.DictReader(io.StringIO(archive.read(f"csv/{part.code}.csv").decode("utf-8-sig"), newline="")))
        assert [row["id"] for row in table] == [str(row["id"]) for row in data[part.code]]
        assert f'id="{part.code}"' in page
        assert all(set(row) == set(part.headings) for row in data[part.code]), part.code
    assert page.count("<article>") + page.count("<tr>") >= sum(len(data[part.code]) for part in parts.in_order())
    assert EMAIL in page and f"{one.mark}-browser" in page and f"{one.mark} hens" in page


def everything_in(archive):
    return b"\n".join(archive.read(name) for name in archive.namelist()).lower()


def test_nobody_elses_data_is_in_it(two):
    one, other = two
    mine, theirs = copy_of(one.request, one.clerk), copy_of(other.request, other.clerk)
    canaries = [other.mark, other.email, "7024440001", "7024440002", other.subject.reference, other.request.number]
    for canary in canaries:
        assert canary.lower().encode() in everything_in(theirs)
        assert canary.lower().encode() not in everything_in(mine), canary


@pytest.mark.parametrize("name", ["Zhanar", "Bolat"])
def test_no_member_of_the_staff_is_named(two, name):
    assert name.lower().encode() not in everything_in(copy_of(two[0].request, two[0].clerk))


def test_of_a_child_and_a_representative_each_sees_only_that_there_is_the_other(two):
    one = two[0]
    child = ConsentRecord.objects.get(represented_by=one.subject).subject
    mine = copy_of(one.request, one.clerk)
    assert b"child.of" not in everything_in(mine) and child.reference.lower().encode() not in everything_in(mine)
    theirs = copy_of(in_work(child), one.clerk)
    assert data_in(theirs)["questions"][0]["representative"]["code"] == "representative"
    assert f"child.of.{EMAIL}".lower().encode() in everything_in(theirs)
    assert one.subject.reference.lower().encode() not in everything_in(theirs)


@pytest.mark.parametrize(
    ("language", "title"), [("kk", 'lang="kk"'), ("ru", 'lang="ru"'), ("en", "The copy of your data")]
)
def test_the_page_is_in_the_language_of_the_request_and_needs_nothing_else(aigul, clerk, language, title):
    page = copy_of(in_work(aigul, language=language), clerk).read("index.html").decode()
    assert title in page
    assert not [sign for sign in ("<script", "src=", "@import", "url(", "<link", "<img") if sign in page]
    assert "default-src 'none'" in page


@pytest.mark.parametrize(("language", "word"), [("kk", "жою"), ("ru", "уничтожение")])
def test_reasons_are_in_the_language_of_the_request(aigul, clerk, language, word):
    request = in_work(aigul, Kind.OTHER, text="hens", language=language)
    handling.correct_kind(request, Kind.ERASURE, by=clerk, now=MOMENT)
    handling.correct_kind(request, Kind.OTHER, by=clerk, now=MOMENT)
    handling.extend(request, 1, by=clerk, reason="in my own words", now=MOMENT)
    copy_of(fresh(request), clerk)
    archive = copy_of(fresh(request), clerk)
    data, page = data_in(archive), archive.read("index.html").decode()
    steps, entries = ([row["reason"] for row in data[part]] for part in ("request_steps", "audit"))
    assert any(word in reason for reason in steps) and any(word in reason for reason in entries)
    for code in ("other > erasure", "received", "confirmed", "copy fetched", "copy built", "asked to confirm"):
        assert code not in steps + entries and f">{code}<" not in page
    assert any(reason.startswith("in my own words") for reason in steps)


def test_every_code_of_a_reason_has_words(two):
    """What the operations note about one person, in one language: no code is left."""
    with translation.override("ru"):
        for one in two:
            entries = one.subject.audit.exclude(reason="")
            unread = {entry.reason for entry in entries if words.told_entry(entry) == entry.reason}
            own = {"asked", "looked at", "compared"}
            assert not {reason for reason in unread - own if not re.fullmatch(r"RQ-.*|TR-.*|№ .*", reason)}


def test_what_a_person_wrote_is_text_in_every_form(aigul, clerk):
    wrote = '=HYPERLINK("http://evil")<script>alert(1)</script>\n+1'
    archive = copy_of(in_work(aigul, text=wrote), clerk)
    page = archive.read("index.html").decode()
    assert "<script>" not in page and "&lt;script&gt;" in page
    cells = [
        cell for line in csv.reader(io.StringIO(archive.read("csv/requests.csv").decode("utf-8-sig"))) for cell in line
    ]
    assert f"'{wrote}".replace("\r\n", "\n") in cells
    assert data_in(archive)["requests"][0]["text"] == wrote


@pytest.mark.parametrize("cell", ["=1+1", "+77015551234", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_compute_stays_text(cell):
    assert next(csv.reader(io.StringIO(programs._line([cell]), newline="")))[0] == f"'{cell}"


def test_a_value_that_does_not_open_is_said_so_and_stops_nothing(aigul, request_of_aigul, clerk):
    DatumKey.objects.filter(datum__in=aigul.data.filter(category__code="email")).delete()
    values = {row["category"]["code"]: row for row in data_in(copy_of(request_of_aigul, clerk))["values"]}
    assert (values["email"]["value"], values["email"]["can_be_opened"]) == (None, False)
    assert values["phone"]["value"] == "+77015551234"


def test_moments_have_their_zone(request_of_aigul, clerk):
    data = data_in(copy_of(request_of_aigul, clerk))
    assert data["made_at"] == "2026-11-22T14:00:00+05:00"
    assert data["requests"][0]["received_at"] == data["made_at"]


# --- many rows ------------------------------------------------------------------------------------------------------
def looked_at(subject, times):
    AuditEntry.objects.bulk_create(
        [AuditEntry(at=MOMENT - n * SECOND, system="mail", operation="use", subject=subject) for n in range(times)],
        batch_size=5000,
    )


def test_more_rows_need_no_more_queries(aigul, request_of_aigul, clerk, monkeypatch):
    monkeypatch.setattr(opening, "PER_DAY", 100)
    counted = []
    for days in (range(10, 12), range(20, 28)):
        for day in days:
            decisions.confirm(question("feedback", email=EMAIL, now=MOMENT - day * DAY).pk, now=MOMENT - day * DAY)
            in_work(aigul, Kind.OTHER, text="hens", now=MOMENT - day * DAY)
        looked_at(aigul, 100 * len(days))
        copying.ask(request_of_aigul, by=clerk, now=MOMENT)
        with CaptureQueriesContext(connection) as queries:
            assert build() == 1
        counted.append(len(queries))
        fetched(request_of_aigul)
    assert counted[0] == counted[1]


def peak_of(act):
    """The most bytes the interpreter took at a time for this."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat(aigul, request_of_aigul, clerk):
    ready(request_of_aigul, clerk)  # what is loaded once is loaded
    assert fetched(request_of_aigul)
    looked_at(aigul, 20_000)
    copying.ask(request_of_aigul, by=clerk, now=MOMENT)
    assert peak_of(build) < 6_000_000
    assert peak_of(lambda: read_through(request_of_aigul)) < 4_000_000


def read_through(request):
    taken = copying.take(request, now=MOMENT)
    assert sum(len(part) for part in taken) > 10_000
    taken.close()


# --- who lets it be built -------------------------------------------------------------------------------------------
def test_asking_wants_the_right_and_an_appointment(request_of_aigul):
    for outsider in (staff("one", superuser=False), staff("two", appointed=False)):
        with pytest.raises(PermissionDenied):
            copying.ask(request_of_aigul, by=outsider, now=MOMENT)
        assert AuditEntry.objects.filter(operation="refused", actor=outsider).exists()
    assert not CopyPackage.objects.exists()


def test_a_copy_is_asked_for_once_at_a_time(request_of_aigul, clerk):
    package = copying.ask(request_of_aigul, by=clerk, now=MOMENT)
    for _state in ("building", "ready"):
        with pytest.raises(ValidationError):
            copying.ask(request_of_aigul, by=clerk, now=MOMENT)
        build()
    with pytest.raises(IntegrityError), transaction.atomic():
        CopyPackage.objects.create(request=request_of_aigul, state="building", asked_at=MOMENT, asked_by=clerk)
    fetched(request_of_aigul)
    assert copying.ask(request_of_aigul, by=clerk, now=MOMENT).pk > package.pk


@pytest.mark.parametrize("kind", [Kind.ERASURE, Kind.BLOCKING, Kind.RECTIFICATION])
def test_only_a_request_for_it_or_another_question_gets_a_copy(aigul, clerk, kind):
    with pytest.raises(ValidationError):
        copying.ask(in_work(aigul, kind), by=clerk, now=MOMENT)
    assert copying.ask(in_work(aigul, Kind.OTHER), by=clerk, now=MOMENT)


def test_nobody_unknown_doubted_or_refused_gets_a_copy(aigul, clerk):
    unknown = opening.receive(aigul, Kind.ACCESS, channel=Channel.PAGE, language="kk", now=MOMENT)
    with pytest.raises(ValidationError):
        copying.ask(unknown, by=clerk, now=MOMENT)
    doubted = in_work(aigul)
    verifying.doubt(doubted, by=clerk, reason="strange", now=MOMENT)
    with pytest.raises(ValidationError):
        copying.ask(doubted, by=clerk, now=MOMENT)
    refused = in_work(aigul, Kind.OTHER)
    ground = Details(LegalGround.objects.first())
    answering.answer(refused, "refused", "No.", by=clerk, now=MOMENT, details=ground)
    with pytest.raises(ValidationError):
        copying.ask(refused, by=clerk, now=MOMENT)


def test_what_can_t_be_recorded_is_not_asked(request_of_aigul, clerk, monkeypatch):
    monkeypatch.setattr(auditing, "record", down)
    with pytest.raises(auditing.NotRecorded):
        copying.ask(request_of_aigul, by=clerk, now=MOMENT)
    assert not CopyPackage.objects.exists()


def down(*arguments, **named):
    raise auditing.NotRecorded


# --- one download ---------------------------------------------------------------------------------------------------
def test_the_file_shows_nothing_and_is_gone_with_its_key_after_it_was_fetched(request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    content = rows.path_of(package).read_bytes()
    assert not [word for word in (b"Canary", b"example.kz", b"PK\x03\x04", b"hens") if word in content]
    taken = copying.take(request_of_aigul, now=MOMENT)
    assert taken.name == f"{request_of_aigul.number}.zip"
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.TAKEN, None, [])
    zipped = b"".join(taken)
    taken.close()
    assert EMAIL in zipfile.ZipFile(io.BytesIO(zipped)).read("index.html").decode()
    assert len(zipped) == package.size and package.digest


def test_it_is_fetched_once(request_of_aigul, clerk):
    package = ready(request_of_aigul, clerk)
    fetched(request_of_aigul)
    with pytest.raises(ValidationError):
        fetched(request_of_aigul)
    assert entries(package, "operation", "system", "reason", "subject")[-1] == (
        "export", "page", "copy fetched", request_of_aigul.subject_id,
    )  # fmt: skip


def test_it_is_recorded_before_the_first_byte_and_not_given_if_that_fails(request_of_aigul, clerk, monkeypatch):
    package = ready(request_of_aigul, clerk)
    with monkeypatch.context() as broken:
        broken.setattr(auditing, "record", down)
        with pytest.raises(auditing.NotRecorded), transaction.atomic():
            copying.take(request_of_aigul, now=MOMENT)
    assert fresh(package).state == State.READY
    assert fetched(request_of_aigul)


def test_after_seven_days_key_and_file_are_gone(request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    end = package.expires_at
    assert end == MOMENT + 7 * DAY
    assert (copying.destroy_over(end - SECOND), len(list(folder.iterdir()))) == (0, 1)
    assert copying.fetchable(request_of_aigul, now=end - SECOND) == package
    with pytest.raises(ValidationError):
        fetched(request_of_aigul, now=end)
    assert copying.destroy_over(end) == 1
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])
    assert entries(package, "system", "operation", "reason")[-1] == ("copies", "destroy", "not fetched in time")


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "other"])
def test_a_damaged_file_is_refused_whole(request_of_aigul, clerk, folder, damage):
    package = ready(request_of_aigul, clerk)
    path = rows.path_of(package)
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {"changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], "cut": content[:-33]}
    path.write_bytes(damaged.get(damage, b""))
    if damage == "gone":
        path.unlink()
    with pytest.raises(ValidationError):
        fetched(request_of_aigul)
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.FAILED, None, [])
    assert fresh(package).failure in {"SealError", "FileNotFoundError"}
    assert ("page",) not in entries(package, "system")


def test_while_it_is_in_doubt_who_asks_nobody_fetches(request_of_aigul, clerk):
    package = ready(request_of_aigul, clerk)
    verifying.doubt(request_of_aigul, by=clerk, reason="strange", now=MOMENT)
    with pytest.raises(ValidationError):
        fetched(fresh(request_of_aigul))
    with pytest.raises(ValidationError):
        copying.take(request_of_aigul, now=MOMENT)  # a row read before
    assert fresh(package).state == State.READY
    verifying.check(request_of_aigul, ["document"], by=clerk, now=MOMENT)
    assert fetched(fresh(request_of_aigul))


def test_a_refusal_destroys_the_copy(request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    ground = Details(LegalGround.objects.first())
    answering.answer(request_of_aigul, "refused", "No.", by=clerk, now=MOMENT, details=ground)
    with pytest.raises(ValidationError):
        fetched(fresh(request_of_aigul))
    assert copying.destroy_over(MOMENT) == 1
    assert (fresh(package).state, list(folder.iterdir())) == (State.DESTROYED, [])


def test_answered_with_the_copy_ready_or_fetched_and_not_without(aigul, clerk):
    request = in_work(aigul)
    with pytest.raises(ValidationError):
        answering.answer(request, "granted", "Here.", by=clerk, now=MOMENT)
    ready(request, clerk)
    answering.answer(request, "granted", "Here.", by=clerk, now=MOMENT)
    assert fetched(fresh(request))
    again = in_work(aigul)
    copy_of(again, clerk)
    answering.answer(again, "granted", "You have it.", by=clerk, now=MOMENT)
    assert fresh(again).state == "answered"


# --- nothing outlives the data --------------------------------------------------------------------------------------
def erase(subject, by, now=MOMENT):
    demands.demand(subject, ground=LegalGround.objects.first(), reason="asked", by=by, now=now)
    demands.finish_due(now)


def test_an_erased_persons_copy_is_given_to_nobody_and_goes_with_the_next_run(aigul, request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    answering.answer(request_of_aigul, "granted", "Fetch it.", by=clerk, now=MOMENT)
    erase(aigul, clerk)
    assert ErasureCertificate.objects.get().finished_at
    assert copying.destroy_over(MOMENT) == 1
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])
    assert entries(package, "operation", "reason")[-1] == ("destroy", "data destroyed since")


def test_before_that_run_it_is_refused_and_destroyed(aigul, request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    erase(aigul, clerk)
    with pytest.raises(ValidationError):
        fetched(request_of_aigul)
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.DESTROYED, None, [])


def test_one_value_destroyed_is_enough_and_another_persons_is_not(aigul, request_of_aigul, clerk):
    package, other = ready(request_of_aigul, clerk), person(now=MOMENT - DAY)
    erase(other, clerk)
    assert copying.destroy_over(MOMENT) == 0
    aigul.data.filter(category__code="phone").update(superseded_at=MOMENT, keep_until=MOMENT)
    refresh_due([aigul.pk])
    purging.purge(MOMENT + SECOND)
    assert copying.destroy_over(MOMENT + SECOND) == 1
    assert fresh(package).state == State.DESTROYED


def test_somebody_erased_before_it_is_built_gets_none(aigul, clerk, folder):
    request = in_work(aigul, Kind.OTHER)
    package = copying.ask(request, by=clerk, now=MOMENT)
    answering.answer(request, "granted", "Fetch it.", by=clerk, now=MOMENT)
    erase(aigul, clerk)
    assert build() == 0
    assert (fresh(package).state, list(folder.iterdir())) == (State.DESTROYED, [])
    with pytest.raises(ValidationError):
        copying.ask(fresh(request), by=clerk, now=MOMENT)


def test_files_that_no_copy_holds_are_swept_and_ready_ones_stay(request_of_aigul, clerk, folder):
    package = ready(request_of_aigul, clerk)
    (folder / "0.sealed").write_bytes(b"left")
    (folder / "0.part").write_bytes(b"left")
    copying.destroy_over(MOMENT)
    assert list(folder.iterdir()) == [rows.path_of(package)]


# --- failures -------------------------------------------------------------------------------------------------------
def test_what_fails_is_failed_by_its_type_and_the_next_one_is_built(aigul, clerk, monkeypatch, folder):
    first = copying.ask(in_work(aigul), by=clerk, now=MOMENT)
    other = copying.ask(in_work(person(now=MOMENT - DAY)), by=clerk, now=MOMENT)
    write = contents.write

    def failing(whose, add):
        if whose.subject == aigul:
            raise ValueError("Aigul.Canary")
        return write(whose, add)

    monkeypatch.setattr(building.contents, "write", failing)
    assert build() == 1
    assert (fresh(first).state, fresh(first).failure) == (State.FAILED, "ValueError")
    assert fresh(other).state == State.READY and list(folder.iterdir()) == [rows.path_of(other)]
    assert "Canary" not in repr(entries(first, "reason"))


def test_an_audit_that_fails_leaves_the_copy_as_asked(request_of_aigul, clerk, monkeypatch, folder):
    package = copying.ask(request_of_aigul, by=clerk, now=MOMENT)
    with monkeypatch.context() as broken:
        broken.setattr(auditing, "record", down)
        with pytest.raises(auditing.NotRecorded), transaction.atomic():
            build()
    assert (fresh(package).state, fresh(package).wrapped, list(folder.iterdir())) == (State.BUILDING, None, [])
    assert build() == 1


def test_no_row_and_no_entry_holds_a_value(request_of_aigul, clerk, caplog):
    package = ready(request_of_aigul, clerk)
    fetched(request_of_aigul)
    told = repr(entries(package, "reason")) + repr(CopyPackage.objects.values().get()) + caplog.text
    assert not [word for word in ("Aigul", "Canary", "5551234", "hens") if word in told]
