"""Consent on paper or by telephone: two people, a sealed scan, and nothing left where nothing counts.

Broken and seen to fail in consent/decisions/desk.py: the permission and the appointment of check_may, the second person,
`unopened`, its actor and its moment, the handing over of the scan and the drop behind it, `checked_by`, the transaction
of `enter`. Elsewhere: the digest in evidence.scan, the other scans in drop_scan, the sealing, drop_scan in
answering._count_nothing, the gateway in answering._reached_at, the digest in asking.same_question, the ways in
ConfirmationQuerySet.entered, size and first bytes in registry.scans, the download in registry.admin.subjects, the
ciphertext of a scan in demands._needles; with scans opened in demands._opened an erasure does not end."""

import base64
import re
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils.translation import override

from consent import decisions, proof
from consent.decisions import Outcome, desk
from consent.models import Confirmation, ConsentRecord, LinkRequest, Receipt
from registry import demands, purging, scans
from registry.disclosure import reveal
from registry.keyring import keyring
from registry.models import (
    Appointment,
    AuditEntry,
    DataSubject,
    DatumKey,
    ErasureCertificate,
    ErasureRecord,
    LegalGround,
    OutgoingMessage,
    PersonalDatum,
    Processing,
    ProcessingPurpose,
)
from registry.processing import may_process
from registry.sealing import SealError
from tests.factories import DAY, EMAIL, MOMENT, PHONE, block, person, purpose, question, staff
from tests.factories import enter as enter_console
from tests.faults.tables import rows_written
from tests.traces import dump

pytestmark = pytest.mark.django_db
CANARY = b"signed by Aigul Canary 990101500006"
PDF = b"%PDF-1.7\n" + CANARY + bytes(range(256)) * 8
PNG, JPEG = b"\x89PNG\r\n\x1a\n" + CANARY, b"\xff\xd8\xff\xe0" + CANARY
DIGEST = sha256(PDF).hexdigest()
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # two people sign up in each test


@pytest.fixture
def clerk():
    return staff("clerk")


@pytest.fixture
def second():
    return staff("second")


def enter(by, *codes, email=EMAIL, phone=None, way="paper", scan=PDF, now=MOMENT):
    values = {name: value for name, value in {"email": email, "phone": phone}.items() if value}
    purposes = [purpose(code) for code in codes or ("site-news",)]
    scan = scan if way == "paper" else None
    return desk.enter(values, purposes, way=way, language="ru", by=by, now=now, scan=scan)


def open_all(entry, by, now=MOMENT):
    """Opens what the second person has to compare."""
    for datum in PersonalDatum.objects.filter(pk__in=desk.unopened(entry, by)).select_related("category", "key"):
        reveal(datum, by=by, reason="compared", now=now)


def check(entry, by, now=MOMENT):
    open_all(entry, by, now)
    return desk.check(entry.pk, by=by, now=now)


def scan_keys():
    return DatumKey.objects.filter(datum__category__code="scan")


def purge(now=MOMENT):
    purging.purge(now)


# --- entering -----------------------------------------------------------------------------------------------------
def test_what_is_entered_waits_and_sends_nothing(clerk):
    entry = enter(clerk, "site-news", "feedback", phone=PHONE)
    assert (entry.way, entry.answer, entry.entered_by, entry.checked_by) == ("paper", "waiting", clerk, None)
    assert entry.subject.status == DataSubject.Status.PENDING
    assert set(Processing.objects.values_list("purpose__code", flat=True)) == {"confirmation", "paper-evidence"}
    assert not OutgoingMessage.objects.exists()
    asked = entry.records.asked()
    assert {(one.channel, one.entered_by, one.document_digest) for one in asked} == {("paper", clerk, DIGEST)}
    contacts = entry.subject.data.contacts()
    assert {(one.source, one.recorded_by) for one in contacts} == {(PersonalDatum.Source.OPERATOR, clerk)}
    assert AuditEntry.objects.filter(operation="approve", actor=clerk, object_id=entry.pk).count() == 1


def test_the_digest_is_that_of_the_file_and_the_sealed_scan_is_the_file(clerk):
    entry = enter(clerk)
    datum = PersonalDatum.objects.get(pk=entry.document_id)
    assert entry.document_digest == DIGEST
    assert scans.from_text(datum.unseal(keyring().masters)) == PDF
    assert (datum.category.code, datum.recorded_by) == ("scan", clerk)


@pytest.mark.parametrize(("content", "ending"), [(PDF, "pdf"), (PNG, "png"), (JPEG, "jpg")])
def test_the_first_bytes_tell_the_kind_of_file(clerk, content, ending):
    assert enter(clerk, scan=content).document_digest == sha256(content).hexdigest()
    assert scans.ending(content) == ending


WRONG = [
    None, b"", CANARY, b"GIF89a" + CANARY, b" " + PDF, b"<html>%PDF-", b"\xff\xd8", PDF.ljust(scans.LARGEST + 1, b"x"),
]  # fmt: skip


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_another_file_or_none_is_refused_and_nothing_is_written(clerk, content):
    before = rows_written()
    with pytest.raises(ValidationError) as error:
        enter(clerk, scan=content)
    assert list(error.value.error_dict) == ["scan"] and rows_written() == before


def test_a_file_of_the_largest_size_is_taken(clerk):
    assert enter(clerk, scan=PDF.ljust(scans.LARGEST, b"x")).document_id


@pytest.mark.parametrize(
    ("values", "codes", "way", "field"),
    [
        ({}, ["site-news"], "telephone", "email"),
        ({"email": "aigul@"}, ["site-news"], "telephone", "email"),
        ({"email": EMAIL, "iin": "990101500006"}, ["site-news"], "telephone", "iin"),
        ({"email": EMAIL}, [], "telephone", "purposes"),
        ({"email": EMAIL}, ["confirmation"], "telephone", "purposes"),
        ({"email": EMAIL}, ["site-news"], "link", "way"),
        ({"email": EMAIL}, ["site-news"], "", "way"),
    ],
)
def test_what_is_refused_leaves_nothing(clerk, values, codes, way, field):
    with pytest.raises(ValidationError) as error:
        desk.enter(values, [purpose(code) for code in codes], way=way, language="kk", by=clerk, now=MOMENT)
    assert field in error.value.error_dict
    assert not DataSubject.objects.exists() and not ConsentRecord.objects.exists()


def test_a_telephone_consent_has_no_scan_and_a_number_is_enough(clerk, settings):
    settings.SMS_BACKEND = ""
    entry = enter(clerk, email=None, phone=PHONE, way="telephone")
    assert (entry.document_id, entry.document_digest) == (None, "")
    assert entry.subject.data.get().standing == PersonalDatum.Standing.CLAIMED
    with pytest.raises(ValidationError):
        desk.enter(
            {"email": EMAIL}, [purpose()], way="telephone", language="kk", by=clerk, now=MOMENT, scan=PDF
        )


def test_the_same_paper_entered_twice_waits_once(clerk):
    assert enter(clerk) == enter(clerk)
    assert enter(clerk, scan=PDF + b" ") != enter(clerk)
    assert Confirmation.objects.count() == 2


def test_where_scans_are_not_kept_no_paper_is_taken(clerk):
    ProcessingPurpose.objects.filter(code="paper-evidence").update(closes_at=MOMENT)
    with pytest.raises(ValidationError):
        enter(clerk)
    assert not DataSubject.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_scan_stands_nowhere_in_the_clear(clerk):
    needles = {CANARY, CANARY.hex().encode(), *(at(CANARY, offset) for offset in range(3))}
    sealed = dump_with(lambda: enter(clerk), needles)
    assert sealed == set()
    in_clear = dump_with(lambda: remember(PDF.hex()), needles) | dump_with(lambda: remember(scans.to_text(PDF)), needles)
    assert CANARY.hex().encode() in in_clear and len(in_clear) > 1  # it would be found


def dump_with(act, needles):
    act()
    content = dump()
    return {needle for needle in needles if needle in content}


def remember(text):
    AuditEntry.objects.bulk_create([AuditEntry(at=MOMENT, operation="use", reason=text[:300])])


def at(raw, offset):
    """What base64 makes of these bytes, wherever they begin."""
    encoded = base64.b64encode(bytes(offset) + raw)
    return encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]


# --- checking -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["paper", "telephone"])
def test_what_a_second_person_confirms_counts(clerk, second, way):
    entry = enter(clerk, "site-news", "feedback", way=way, phone=PHONE)
    assert check(entry, second) == Outcome.DONE
    entry.refresh_from_db()
    subject = entry.subject
    assert (entry.answer, entry.checked_by, subject.status) == ("confirmed", second, DataSubject.Status.ACTIVE)
    assert may_process(subject, purpose("site-news"), MOMENT) and may_process(subject, purpose("feedback"), MOMENT)
    digest = DIGEST if way == "paper" else ""
    confirmed = entry.records.filter(act="confirmed")
    assert {(one.channel, one.entered_by, one.checked_by, one.document_digest) for one in confirmed} == {
        (way, clerk, second, digest)
    }
    assert AuditEntry.objects.filter(operation="consent", actor=second, subject=subject).count() == 1
    assert OutgoingMessage.objects.get().letter == "receipt" and Receipt.objects.count() == 1
    assert Processing.objects.get(purpose__code="confirmation").state == Processing.State.CLOSED


def test_the_chain_binds_who_entered_who_checked_and_what(clerk, second):
    entry = enter(clerk)
    check(entry, second)
    asked, confirmed = ConsentRecord.objects.order_by("place")
    line = proof.content(confirmed, entry.subject.reference)
    assert (line["entered_by"], line["checked_by"], line["document"]) == (clerk.pk, second.pk, DIGEST)
    bound = [re.search('"digest":"([^"]*)"', text)[1] for text in proof.lines([asked, confirmed], entry.subject.reference)]
    assert bound == [asked.digest, confirmed.digest]


def test_checking_twice_counts_once(clerk, second):
    entry = enter(clerk)
    assert check(entry, second) == Outcome.DONE
    assert check(entry, second) == Outcome.USED
    assert ConsentRecord.objects.filter(act="confirmed").count() == 1


def test_a_number_without_a_gateway_gets_no_receipt(clerk, second, settings):
    settings.SMS_BACKEND = ""
    assert check(enter(clerk, email=None, phone=PHONE, way="telephone"), second) == Outcome.DONE
    assert not OutgoingMessage.objects.exists()


def test_who_entered_it_cannot_confirm_it(clerk):
    entry = enter(clerk)
    with pytest.raises(ValidationError):
        check(entry, clerk)
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


@pytest.mark.parametrize("table", ["consent_confirmation", "consent_consentrecord"])
def test_the_database_refuses_one_person_as_both(clerk, second, table):
    entry = enter(clerk)
    statements = {
        "consent_confirmation": "UPDATE consent_confirmation SET checked_by_id = %(by)s WHERE id = %(entry)s",
        "consent_consentrecord": """
            INSERT INTO consent_consentrecord (subject_id, purpose_id, act, at, language, channel, site, wording_id,
                third_parties, cross_border, public_sources, entered_by_id, checked_by_id, document_digest)
            SELECT subject_id, purpose_id, 'confirmed', at, language, channel, site, wording_id,
                third_parties, cross_border, public_sources, entered_by_id, %(by)s, document_digest
            FROM consent_consentrecord WHERE confirmation_id = %(entry)s
        """,
    }
    values = {"entry": entry.pk}
    with pytest.raises(IntegrityError, match="is_a_second"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statements[table], values | {"by": clerk.pk})
    with connection.cursor() as cursor:
        cursor.execute(statements[table], values | {"by": second.pk})
        assert cursor.rowcount == 1


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("answer = 'confirmed', answered_at = now()", "confirmed_desk_entry_was_checked"),
        ("entered_by_id = NULL", "is evidence"),
    ],
)
def test_the_database_knows_who_entered_and_who_checked(clerk, change, constraint):
    entry = enter(clerk)
    with pytest.raises(Exception, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE consent_confirmation SET {change} WHERE id = %s", [entry.pk])


def test_a_link_is_not_the_staffs_to_answer_nor_an_entry_anybody_elses(clerk, second):
    asked, entry = question(email="other@example.kz"), enter(clerk)
    for act in (desk.check, lambda pk, **who: desk.refuse(pk, reason="no", **who)):
        with pytest.raises(Confirmation.DoesNotExist):
            act(asked.pk, by=second, now=MOMENT)
    with pytest.raises(IntegrityError), transaction.atomic():
        decisions.confirm(entry.pk, now=MOMENT)


@pytest.mark.parametrize("opened", [set(), {"email"}, {"scan"}])
def test_who_has_not_opened_all_of_it_cannot_confirm(clerk, second, opened):
    entry = enter(clerk)
    for datum in entry.subject.data.filter(category__code__in=opened):
        reveal(datum, by=second, reason="compared", now=MOMENT)
    open_all(entry, clerk)  # somebody else's opening does not help
    with pytest.raises(ValidationError):
        desk.check(entry.pk, by=second, now=MOMENT)
    assert not ConsentRecord.objects.filter(act="confirmed").exists()


def test_what_was_opened_for_another_paper_does_not_count(clerk, second):
    first = enter(clerk)
    open_all(first, second)
    again = enter(clerk, scan=PNG, now=MOMENT + HOUR)
    assert desk.unopened(again, second) == {again.document_id, first.subject.data.contacts().get().pk}


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM registry_datumkey WHERE datum_id = %(scan)s",
        "UPDATE registry_datumkey SET wrapped = wrapped || wrapped WHERE datum_id = %(scan)s",
        "UPDATE consent_confirmation SET document_id = %(other)s WHERE id = %(entry)s",
    ],
    ids=["its key is gone", "its key is damaged", "it is another one"],
)
def test_a_scan_that_is_not_what_was_entered_proves_nothing(clerk, second, harm):
    entry, other = enter(clerk), enter(clerk, scan=PNG)
    with connection.cursor() as cursor:
        cursor.execute(harm, {"scan": entry.document_id, "other": other.document_id, "entry": entry.pk})
        assert cursor.rowcount == 1
    for datum in entry.subject.data.all():
        with suppress(SealError):
            reveal(datum, by=second, reason="compared", now=MOMENT)
    with pytest.raises(ValidationError, match="gone or damaged"), override("en"):
        desk.check(entry.pk, by=second, now=MOMENT)
    entry.subject.refresh_from_db()
    assert entry.subject.status == DataSubject.Status.PENDING


@pytest.mark.parametrize(("at", "outcome"), [(-timedelta(seconds=1), Outcome.DONE), (timedelta(0), Outcome.EXPIRED)])
def test_an_entry_can_be_checked_until_its_end(clerk, second, at, outcome):
    entry = enter(clerk)
    assert check(entry, second, entry.expires_at + at) == outcome


def test_a_changed_text_is_entered_anew(clerk, second):
    entry = enter(clerk)
    ProcessingPurpose.objects.filter(code="site-news").update(term_value=36)
    assert check(entry, second) == Outcome.CHANGED


def test_other_data_entered_since_are_entered_anew(clerk, second):
    entry = enter(clerk, phone=PHONE)
    question(phone="87015559999", now=MOMENT + HOUR)
    assert check(entry, second, MOMENT + HOUR) == Outcome.SUPERSEDED


# --- who may ------------------------------------------------------------------------------------------------------
def allowed(name, *codenames, appointed=True):
    member = staff(name, superuser=False, appointed=appointed)
    member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return member


@pytest.mark.parametrize("codenames", [[], ["check_confirmation", "view_confirmation"]])
def test_entering_wants_its_own_permission(codenames):
    with pytest.raises(PermissionDenied):
        enter(allowed("clerk", *codenames))
    assert AuditEntry.objects.get().operation == "refused" and not DataSubject.objects.exists()


@pytest.mark.parametrize("codenames", [[], ["enter_confirmation", "view_confirmation"]])
def test_checking_and_refusing_want_their_own_permission(clerk, codenames):
    entry, other = enter(clerk), allowed("second", "reveal_personaldatum", *codenames)
    open_all(entry, other)
    for act in (desk.check, lambda pk, **who: desk.refuse(pk, reason="no", **who)):
        with pytest.raises(PermissionDenied):
            act(entry.pk, by=other, now=MOMENT)
    assert AuditEntry.objects.filter(operation="refused", object_id=entry.pk, subject=entry.subject).count() == 2


@pytest.mark.parametrize("last_day", [date(2026, 11, 21), date(2026, 11, 22)])
def test_an_appointment_that_is_over_is_refused_and_noted(clerk, second, last_day):
    entry = enter(clerk)
    open_all(entry, second)
    Appointment.objects.update(valid_until=last_day)
    if last_day == date(2026, 11, 22):
        assert desk.check(entry.pk, by=second, now=MOMENT) == Outcome.DONE
        return
    acts = [
        lambda: enter(clerk, email="other@example.kz"),
        lambda: desk.check(entry.pk, by=second, now=MOMENT),
        lambda: desk.refuse(entry.pk, by=second, reason="no", now=MOMENT),
    ]
    for act in acts:
        with pytest.raises(PermissionDenied):
            act()
    assert AuditEntry.objects.filter(operation="refused", actor__in=[clerk, second]).count() == 3
    assert not ConsentRecord.objects.exclude(act="asked").exists()


# --- refusing, and what nobody checks -------------------------------------------------------------------------------
def test_what_is_refused_leaves_no_key_after_the_purge(clerk, second):
    entry = enter(clerk, phone=PHONE)
    assert desk.refuse(entry.pk, by=second, reason="another signature", now=MOMENT) == Outcome.REFUSED
    assert scan_keys().count() == 1
    purge()
    assert not DatumKey.objects.exists() and not PersonalDatum.objects.exists()
    refused = entry.records.get(act="refused")
    assert (refused.channel, refused.checked_by, refused.document_digest) == ("paper", second, DIGEST)
    assert AuditEntry.objects.filter(operation="approve", actor=second, reason="another signature").count() == 1
    assert ErasureRecord.objects.get(datum_id=entry.document_id).ground == "closed"


def test_who_entered_it_may_take_it_back(clerk):
    entry = enter(clerk)
    assert desk.refuse(entry.pk, by=clerk, reason="wrong paper", now=MOMENT) == Outcome.REFUSED
    assert desk.refuse(entry.pk, by=clerk, reason="wrong paper", now=MOMENT) == Outcome.REFUSED
    assert entry.records.get(act="refused").checked_by is None


@pytest.mark.parametrize("reason", ["", "  ", "she wrote from a@example.kz"])
def test_refusing_wants_a_reason_that_quotes_nothing(clerk, second, reason):
    entry = enter(clerk)
    with pytest.raises(ValidationError):
        desk.refuse(entry.pk, by=second, reason=reason, now=MOMENT)
    assert Confirmation.objects.get().answer == "waiting"


def test_what_nobody_checked_in_time_goes_with_its_scan(clerk, second):
    entry, kept = enter(clerk), enter(clerk, email="other@example.kz", scan=PNG)
    check(kept, second)
    later = entry.expires_at + HOUR
    assert decisions.expire_unconfirmed(later) == 1
    assert scan_keys().count() == 2
    purging.purge_batch(purging.PurgeRun.objects.create(started_at=later, as_of=later), 100)
    assert [key.datum_id for key in scan_keys()] == [Confirmation.objects.get(pk=kept.pk).document_id]
    assert entry.records.get(act="expired").channel == "job"


def test_a_refused_paper_takes_no_other_scan_with_it(clerk, second):
    wrong, right = enter(clerk), enter(clerk, scan=PNG)
    assert wrong.subject == right.subject
    desk.refuse(wrong.pk, by=second, reason="unreadable", now=MOMENT)
    purge()
    assert [key.datum_id for key in scan_keys()] == [right.document_id]
    assert check(right, second) == Outcome.DONE
    purge()
    assert [key.datum_id for key in scan_keys()] == [right.document_id]


def test_a_paper_refused_after_another_was_confirmed_goes_alone(clerk, second):
    right, wrong = enter(clerk), enter(clerk, scan=PNG)
    assert check(right, second) == Outcome.DONE
    desk.refuse(wrong.pk, by=second, reason="unreadable", now=MOMENT)
    purge()
    assert [key.datum_id for key in scan_keys()] == [right.document_id]


def test_a_later_scan_renews_no_earlier_one(clerk, second):
    first = enter(clerk)
    check(first, second)
    again = enter(clerk, scan=PNG, now=MOMENT + 30 * DAY)
    check(again, second, MOMENT + 30 * DAY)
    ends = dict(PersonalDatum.objects.filter(category__code="scan", term__until__gt=MOMENT + 60 * DAY).values_list("pk", "term__until"))
    again.refresh_from_db()
    assert ends[first.document_id] < ends[again.document_id]


# --- whose scan it is -----------------------------------------------------------------------------------------------
def test_the_scan_goes_over_to_whom_the_address_belongs(clerk, second):
    owner = person("feedback", email=EMAIL)
    entry = enter(clerk)
    assert entry.subject != owner
    assert check(entry, second) == Outcome.DONE
    was, entry = entry.document_id, Confirmation.objects.get(pk=entry.pk)
    moved = PersonalDatum.objects.get(pk=entry.document_id)
    assert (moved.subject, moved.recorded_by) == (owner, clerk)
    assert scans.from_text(moved.unseal(keyring().masters)) == PDF
    assert may_process(owner, purpose("site-news"), MOMENT)
    purge()
    entry.subject.refresh_from_db()
    assert entry.subject.status == DataSubject.Status.ERASED
    assert [key.datum_id for key in scan_keys()] == [moved.pk] != [was]


@pytest.mark.parametrize("is_known", [False, True])
def test_an_erased_persons_scan_is_destroyed(clerk, second, is_known, settings, tmp_path):
    settings.HOME = tmp_path
    owner = person("feedback", email=EMAIL) if is_known else None
    entry = enter(clerk, scan=PDF.ljust(scans.LARGEST, b"x"))
    check(entry, second)
    record = entry.records.filter(act="confirmed").get()
    assert owner is None or record.subject == owner
    assert scan_keys().exists()
    certificate = demands.demand(
        record.subject, ground=LegalGround.objects.first(), reason="asked", by=second, now=MOMENT, is_remembered=True
    )
    assert demands.finish(certificate.pk, now=MOMENT)
    purge()
    certificate = ErasureCertificate.objects.get()
    assert certificate.remains == 0 and certificate.scan["passes"][0]["unreadable"] == 0
    assert not DatumKey.objects.exists() and not PersonalDatum.objects.exists()
    assert ConsentRecord.objects.get(pk=record.pk).document_digest == sha256(PDF.ljust(scans.LARGEST, b"x")).hexdigest()


def test_a_scan_left_behind_by_an_erasure_would_be_found(clerk, second, settings, tmp_path):
    settings.HOME = tmp_path
    entry = enter(clerk)
    check(entry, second)
    sealed = PersonalDatum.objects.get(pk=entry.document_id).sealed
    LinkRequest.objects.create(index=bytes(sealed), language="kk", asked_at=MOMENT)  # somewhere it does not belong
    certificate = demands.demand(entry.subject, ground=LegalGround.objects.first(), reason="asked", by=second, now=MOMENT)
    demands.finish(certificate.pk, now=MOMENT)
    assert ErasureCertificate.objects.get().scan["passes"][0]["remains"] == {"public.consent_linkrequest.index": 1}


def test_a_blocked_persons_paper_changes_nothing(clerk, second):
    owner = person("feedback", email=EMAIL)
    block(owner)
    assert check(enter(clerk), second) == Outcome.BLOCKED
    assert not owner.data.filter(category__code="scan").exists()
    assert not ConsentRecord.objects.filter(subject=owner, purpose=purpose("site-news")).exists()


# --- the console ----------------------------------------------------------------------------------------------------
def send(client, *, scan=PDF, **fields):
    data = {"way": "paper", "email": EMAIL, "purposes": ["site-news"]} | fields
    if scan is not None:
        data["scan"] = SimpleUploadedFile("Aigul Canary.pdf", scan)
    return client.post(reverse("admin:desk_enter") + "?language=ru", data)


def decide(client, entry, act, **fields):
    return client.post(reverse("admin:desk_decide", args=[entry.pk]), {"act": act} | fields)


def entry_page(entry):
    return reverse("admin:consent_confirmation_change", args=[entry.pk])


def open_in_console(client, datum_id):
    return client.post(reverse("admin:reveal", args=[datum_id]), {"reason": "compared"})


def test_from_the_paper_to_the_consent_through_the_console(client, clerk, second):
    enter_console(client, clerk)
    assert purpose().name_ru in client.get(reverse("admin:desk_enter") + "?language=ru").content.decode()
    answer = send(client)
    entry = Confirmation.objects.get()
    assert answer["Location"] == entry_page(entry)
    assert (entry.document_digest, entry.language) == (DIGEST, "ru")
    own = client.get(entry_page(entry)).content.decode()
    assert 'value="check"' not in own and 'value="refuse"' in own

    enter_console(client, second)
    listed = client.get(reverse("admin:consent_confirmation_changelist") + "?check=waiting").content.decode()
    assert entry_page(entry) in listed
    page = client.get(entry_page(entry)).content.decode()
    assert "A•••@example.kz" in page and EMAIL not in page and DIGEST in page and 'value="check"' in page
    decide(client, entry, "check")
    assert Confirmation.objects.get().answer == "waiting"
    file = open_in_console(client, entry.document_id)
    assert file.content == PDF
    assert file["Content-Disposition"] == f'attachment; filename="scan-{entry.document_id}.pdf"'
    assert file["Content-Type"] == "application/octet-stream" and "no-store" in file["Cache-Control"]
    assert EMAIL in open_in_console(client, entry.subject.data.contacts().get().pk).content.decode()
    decide(client, entry, "check")
    assert Confirmation.objects.get().answer == "confirmed"
    done = client.get(entry_page(entry)).content.decode()
    assert 'value="check"' not in done and 'value="refuse"' not in done


def test_a_scan_is_not_opened_without_a_reason_nor_shown_in_a_page(client, clerk):
    entry = enter(clerk)
    enter_console(client, clerk)
    address = reverse("admin:reveal", args=[entry.document_id])
    answers = [client.get(address), client.post(address, {"reason": " "}), client.get(entry_page(entry))]
    answers.append(client.get(reverse("admin:registry_datasubject_change", args=[entry.subject_id])))
    assert not AuditEntry.objects.filter(operation="reveal").exists()
    assert all(answer.status_code == 200 for answer in answers)
    assert not any(CANARY in answer.content or at(CANARY, 0) in answer.content for answer in answers)


@pytest.mark.parametrize("size", [scans.LARGEST + 1, 3 * 1024 * 1024])
def test_a_file_that_is_too_large_is_answered_on_the_form(client, clerk, size):
    enter_console(client, clerk)
    answer = send(client, scan=PDF.ljust(size, b"x"))
    assert answer.status_code == 200 and list(answer.context["form"].errors) == ["scan"]
    assert not Confirmation.objects.exists() and not DataSubject.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": ""}, "email"),
        ({"email": "aigul@"}, "email"),
        ({"way": "link"}, "way"),
        ({"way": "telephone"}, "scan"),
        ({"purposes": []}, "purposes"),
        ({"purposes": ["confirmation"]}, "purposes"),
        ({"purposes": ["a\0b"]}, "purposes"),
        ({"email": "a\0@example.kz"}, "email"),
    ],
)
def test_what_is_wrong_is_said_on_the_form_and_nothing_is_kept(client, clerk, fields, wrong):
    enter_console(client, clerk)
    answer = send(client, **fields)
    assert answer.status_code == 200 and wrong in answer.context["form"].errors
    assert not DataSubject.objects.exists()


def test_ticks_are_kept_as_they_stand_on_the_paper(client, clerk):
    ProcessingPurpose.objects.filter(code__in=["site-news", "feedback"]).update(public_sources="asked")
    enter_console(client, clerk)
    send(client, purposes=["site-news", "feedback"], public_sources=["feedback"])
    assert dict(ConsentRecord.objects.values_list("purpose__code", "public_sources")) == {"site-news": False, "feedback": True}
    page = client.get(entry_page(Confirmation.objects.get())).content.decode()
    assert page.count("✓") == 1


def test_refusing_in_the_console(client, clerk, second):
    entry = enter(clerk)
    enter_console(client, second)
    decide(client, entry, "refuse")
    assert Confirmation.objects.get().answer == "waiting"
    decide(client, entry, "refuse", reason="another signature")
    assert Confirmation.objects.get().answer == "refused"


def test_a_link_shows_no_buttons_and_takes_no_decision(client, second):
    asked = question()
    enter_console(client, second)
    assert 'value="check"' not in client.get(entry_page(asked)).content.decode()
    assert decide(client, asked, "check").status_code == 404
    assert Confirmation.objects.get().answer == "waiting"


CAST = [
    ("outsider", [], True),
    ("reader", ["view_confirmation"], True),
    ("without an appointment", ["view_confirmation", "enter_confirmation", "check_confirmation"], False),
]


@pytest.mark.parametrize(("name", "codenames", "appointed"), CAST, ids=[one[0] for one in CAST])
def test_others_are_turned_away_and_it_is_noted(client, clerk, name, codenames, appointed):
    entry = enter(clerk)
    other = allowed("other", *codenames, appointed=appointed)
    enter_console(client, other)
    answers = [
        client.get(reverse("admin:desk_enter")), send(client, email="other@example.kz"),
        decide(client, entry, "check"), decide(client, entry, "refuse", reason="no"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [403] * 4
    assert AuditEntry.objects.filter(operation="refused", actor=other).count() == 4
    assert Confirmation.objects.get().answer == "waiting"


def test_the_pages_have_nothing_inline(client, clerk, second):
    entry = enter(clerk)
    enter_console(client, second)
    for address in (reverse("admin:desk_enter"), entry_page(entry), reverse("admin:consent_confirmation_changelist")):
        body = client.get(address).content.decode()
        assert not re.search(r'\sstyle="|\son\w+="|<style|<script(?![^>]*\bsrc=)(?![^>]*application/json)', body)


def test_deciding_is_a_post_with_a_known_act(client, clerk, second):
    entry = enter(clerk)
    enter_console(client, second)
    assert client.get(reverse("admin:desk_decide", args=[entry.pk])).status_code == 405
    assert decide(client, entry, "destroy").status_code == 400
