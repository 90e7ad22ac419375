"""A receipt says what was agreed to, what became of it is told truly, and anybody can check it without us.

The real script runs as an inspector runs it: in a folder of its own, with nothing of ours in reach.

Broken and seen to fail, in consent/receipts: the newer act in `_item`, ERASED in `state_of`, the open purpose and the
select_related in `items_of`, each half of the ticks in `_covered`, each of the four checks before a bundle and the fixed
date in it, the second try for a number; in the views: both answers for destroyed people, no-store, only GET. In
verify_receipt.py: every comparison by itself, both signatures, the spelling of JSON and of base64, the bounded reading,
names and twins in the zip file, the form of a signed receipt, RecursionError and TypeError.
"""

import ast
import base64
import importlib.util
import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from consent import decisions, links, receipts
from consent.models import ConsentRecord, PolicyVersion, Receipt
from consent.receipts import HistoryChanged, State, issuing, signing
from registry import purging
from registry.chain import Head, bind, canonical
from registry.keyring import keyring
from registry.models import Operator, Processing, ProcessingPurpose, Recipient
from registry.processing import OWN_USE, Scope
from tests.conftest import owner_connection
from tests.factories import DAY, EMAIL, MOMENT, PHONE, block, keep_until, person, purpose, question

pytestmark = pytest.mark.django_db
LINK = ConsentRecord.Channel.LINK
LATER = MOMENT + timedelta(hours=1)
SCRIPT = Path(settings.BASE_DIR) / "verify_receipt.py"


def receipt_of(subject):
    return Receipt.objects.select_related("subject").filter(subject=subject).latest("pk")


def agreed(*codes, **also):
    return receipt_of(person(*codes, **also))


def document(receipt):
    return json.loads(receipt.document)


def entries(receipt):
    return {
        entry["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"]: entry
        for entry in document(receipt)["dpv:hasRecordOfActivity"]
    }


def unpacked(bundle):
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def evidence(receipt, now=LATER):
    return unpacked(receipts.bundle(receipt, now=now))


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def ask_for_everything():
    """Feedback may go to a laboratory at home and one abroad, and be published, each with a tick."""
    ProcessingPurpose.objects.filter(code="feedback").update(
        third_parties="asked", cross_border="asked", public_sources="asked"
    )
    for code, country in (("lab", "KZ"), ("labor", "DE")):
        made = Recipient.objects.create(
            code=code, kind="partner", name_kk=code, name_ru=code, name_en=code.title(), country_id=country
        )
        purpose("feedback").recipients.add(made)


def give(subject, *codes, scope=OWN_USE, now=MOMENT):
    decisions.give(subject, [purpose(code) for code in codes], now=now, channel=LINK, scope=scope)
    return receipt_of(subject)


# --- what it says -------------------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_agreed_to_with_whom_when_and_how_to_end_it(settings):
    settings.SITE_URL = "https://consent.example.kz"
    subject = person("site-news", "feedback", phone=PHONE)
    receipt, operator = receipt_of(subject), Operator.objects.get()
    content, entry = document(receipt), entries(receipt)["site-news"]
    record, policy = ConsentRecord.objects.get(act="confirmed", purpose__code="site-news"), PolicyVersion.objects.get()
    assert content["dct:identifier"] == receipt.number and content["dpv:hasDataSubject"] == subject.reference
    assert content["dpv:hasEntity"][0]["dct:identifier"] == operator.bin
    assert content["dpv:hasEntity"][0]["dpv:hasName"] == operator.legal_name_kk
    assert list(entries(receipt)) == ["site-news", "feedback"]
    notice, event = entry["dpv:hasNotice"], entry["dpv:hasConsentStatus"]
    assert (notice["text"], notice["digest"], notice["version"]) == (record.wording.text, record.wording.digest, 1)
    assert (notice["policy"]["number"], notice["policy"]["digest"]) == (policy.number, policy.digest_kk)
    assert notice["policy"]["url"] == f"https://consent.example.kz/kk/policy/{policy.number}/"
    assert (event["act"], event["dpv:hasIndicationMethod"]["code"]) == ("confirmed", "link")
    assert event["dpv:isIndicatedAtTime"] == "2026-11-22T09:00:00.000000+00:00"
    assert (event["local"], event["zone"]) == ("2026-11-22T14:00:00+05:00", "Asia/Almaty")
    assert event["written"] == "22.11.2026 14:00 (Asia/Almaty, UTC+05:00)"
    assert event["dpv:hasDuration"]["local"] == "2028-11-23T00:00:00+05:00"
    assert entry["dpv:hasConsentControl"]["dpv:isExercisedAt"] == "https://consent.example.kz/kk/mine/"
    assert entry["chain"] == {"digest": record.digest, "place": record.place}
    categories = entry["dpv:hasProcess"]["dpv:hasPersonalData"]
    assert {one["skos:broader"] for one in categories} == {"pd:EmailAddress", "pd:TelephoneNumber"}


def test_it_is_written_in_the_language_of_the_consent():
    asked = question(language="ru")
    decisions.confirm(asked.pk, now=MOMENT)
    receipt = receipt_of(asked.subject)
    entry = entries(receipt)["site-news"]
    assert receipt.language == entry["dpv:hasNotice"]["dct:language"] == "ru"
    assert entry["dpv:hasProcess"]["dpv:hasPurpose"]["dct:title"] == purpose().name_ru
    policy = PolicyVersion.objects.get()
    stated = entry["dpv:hasNotice"]["policy"]
    assert (stated["digest"], stated["digest_kk"]) == (policy.digest_ru, policy.digest_kk)
    assert stated["binding_language"] == "kk"


@pytest.mark.parametrize(
    ("scope", "recipients", "places"),
    [
        (OWN_USE, [], ["loc:KZ"]),
        (Scope(third_parties=True), ["_:lab"], ["loc:KZ"]),
        (Scope(third_parties=True, cross_border=True), ["_:lab", "_:labor"], ["loc:DE", "loc:KZ"]),
        (Scope(cross_border=True), [], ["loc:KZ"]),
    ],
)
def test_it_names_only_those_recipients_that_were_ticked(scope, recipients, places):
    ask_for_everything()
    receipt = give(person(), "feedback", scope=scope)
    entry = entries(receipt)["feedback"]
    assert entry["dpv:hasProcess"]["dpv:hasRecipient"] == ["_:operator", *recipients]
    assert entry["dpv:hasProcess"]["dpv:hasLocation"] == places
    ticks = {tick["tick"]: tick["ticked"] for tick in entry["dpv:hasNotice"]["ticks"]}
    assert ticks == {
        "third_parties": scope.third_parties, "cross_border": scope.cross_border, "public_sources": False,
    }  # fmt: skip
    assert (entry["dpv:hasNotice"]["recipients"], entry["dpv:hasNotice"]["countries"]) == (["lab", "labor"], ["DE"])


def test_where_no_end_is_known_the_words_stand():
    ProcessingPurpose.objects.filter(code="site-news").update(clock="withdrawn", term_value=0)
    duration = entries(agreed())["site-news"]["dpv:hasConsentStatus"]["dpv:hasDuration"]
    assert duration["@type"] == "dpv:UntilEventDuration" and duration["rdf:value"]


def test_a_minors_receipt_names_the_representative_by_reference():
    asked = decisions.ask(
        {"email": "child@example.kz"}, [purpose()], language="kk", now=MOMENT,
        representative={"email": "parent@example.kz"}, adult_at=MOMENT + 30 * DAY,
    )  # fmt: skip
    assert decisions.confirm(asked.pk, now=MOMENT) == decisions.Outcome.PASSED_ON
    assert decisions.represent(asked.pk, now=MOMENT) == decisions.Outcome.DONE
    receipt = receipt_of(asked.subject)
    event = entries(receipt)["site-news"]["dpv:hasConsentStatus"]
    assert event["dpv:isIndicatedBy"]["dct:identifier"] == asked.representative.reference
    assert event["dpv:hasDuration"]["rdf:value"].startswith("2026-12-22")
    run_by_an_inspector_says(receipt, 0)


def test_numbers_can_be_read_out_and_a_number_taken_already_is_not_used_twice(monkeypatch):
    first = agreed()
    assert not set("ILOU") & set("".join(issuing.new_number()[3:] for _ in range(200)))
    numbers = iter([first.number, first.number, "CR-0000-0001"])
    monkeypatch.setattr(issuing, "new_number", lambda: next(numbers))
    second = agreed()
    assert second.number == document(second)["dct:identifier"] == "CR-0000-0001"


def test_the_document_is_canonical_signed_and_has_its_digest():
    receipt = agreed("site-news", "feedback", phone=PHONE)
    raw = receipt.document.encode("ascii")
    assert canonical(document(receipt)) == raw and sha256(raw).hexdigest() == receipt.digest
    load_pem_public_key(receipts.public_pem().encode()).verify(base64.b64decode(receipt.signature), raw)
    assert receipts.key_id() == sha256(receipts.public_key()).hexdigest()[:16]


def test_issuing_and_reading_the_state_cost_the_same_whatever_the_number_of_purposes():
    def cost(*codes):
        subject = person(*codes)
        records = list(ConsentRecord.objects.filter(subject=subject, act="confirmed").select_related("purpose"))
        with CaptureQueriesContext(connection) as issued:
            receipt = receipts.issue(subject, records, language="kk", now=MOMENT)
        with CaptureQueriesContext(connection) as told:
            assert receipts.state_of(receipt, MOMENT) == State.IN_FORCE
            assert receipts.state_of(receipt, MOMENT + 5000 * DAY) == State.EXPIRED
        return len(issued), len(told)

    assert cost("site-news") == cost("site-news", "feedback", "advertising")


# --- what became of it --------------------------------------------------------------------------------------------


def test_a_receipt_goes_from_in_force_to_partly_to_withdrawn():
    subject = person("site-news", "feedback", phone=PHONE)
    receipt = receipt_of(subject)
    assert receipts.state_of(receipt, MOMENT) == State.IN_FORCE
    decisions.withdraw(subject, purpose("feedback"), now=LATER, channel=LINK)
    assert receipts.state_of(receipt, LATER) == State.PARTLY
    assert [(item.state, item.since) for item in receipts.items_of(receipt, LATER)] == [
        (State.IN_FORCE, None), (State.WITHDRAWN, LATER),
    ]  # fmt: skip
    decisions.withdraw(subject, None, now=LATER, channel=LINK)
    assert receipts.state_of(receipt, LATER) == State.WITHDRAWN


def test_a_receipt_expires_with_its_term_and_is_destroyed_with_the_data():
    subject = person()
    receipt = receipt_of(subject)
    keep_until(subject, MOMENT + DAY)
    assert receipts.state_of(receipt, MOMENT + DAY - timedelta(seconds=1)) == State.IN_FORCE
    assert receipts.state_of(receipt, MOMENT + DAY) == State.EXPIRED
    assert receipts.items_of(receipt, MOMENT + DAY)[0].since == MOMENT + DAY
    purging.purge(MOMENT + DAY)
    receipt = receipt_of(subject)
    assert receipts.state_of(receipt, MOMENT + DAY) == State.DESTROYED


def test_a_purpose_that_was_closed_ends_its_consents():
    receipt = agreed()
    ProcessingPurpose.objects.filter(code="site-news").update(closes_at=LATER)
    assert receipts.state_of(receipt, MOMENT) == State.IN_FORCE
    assert receipts.state_of(receipt, LATER) == State.EXPIRED
    assert receipts.items_of(receipt, LATER)[0].since == LATER


def test_a_consent_given_again_stands_under_the_newer_receipt_only():
    subject = person("site-news", "feedback", phone=PHONE)
    first = receipt_of(subject)
    second = give(subject, "site-news", now=LATER)
    assert receipts.state_of(first, LATER) == State.PARTLY
    assert [item.is_replaced for item in receipts.items_of(first, LATER)] == [True, False]
    assert receipts.state_of(second, LATER) == State.IN_FORCE
    decisions.withdraw(subject, purpose(), now=LATER, channel=LINK)
    third = give(subject, "site-news", now=LATER + DAY)
    assert receipts.state_of(second, LATER + DAY) == State.WITHDRAWN
    assert receipts.state_of(third, LATER + DAY) == State.IN_FORCE


def test_blocking_ends_no_consent():
    subject = person()
    block(subject)
    assert not Processing.objects.live(MOMENT).filter(subject=subject).exists()
    assert receipts.state_of(receipt_of(subject), MOMENT) == State.IN_FORCE


# --- the bundle ---------------------------------------------------------------------------------------------------


def test_the_bundle_holds_no_value_of_the_person():
    subject = person("site-news", "feedback", email=EMAIL, phone=PHONE)
    values = {datum.unseal(keyring().masters) for datum in subject.data.select_related("key")}
    assert values == {EMAIL, "+77015551234"}
    files = evidence(receipt_of(subject))
    whole = b"\n".join([*(name.encode() for name in files), *files.values()]).lower()
    assert subject.reference.lower().encode() in whole
    for piece in (EMAIL, EMAIL.split("@")[0], "example.kz", PHONE, "+7 701", "77015551234", "5551234"):
        assert piece.lower().encode() not in whole, piece


def test_the_same_arguments_make_the_same_bytes():
    receipt = agreed("site-news", "feedback", phone=PHONE)
    assert receipts.bundle(receipt, now=LATER) == receipts.bundle(Receipt.objects.get(), now=LATER)
    assert receipts.bundle(receipt, now=LATER) != receipts.bundle(receipt, now=LATER + DAY)
    with zipfile.ZipFile(io.BytesIO(receipts.bundle(receipt, now=LATER))) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_name_of_a_text_is_the_digest_of_the_file():
    receipt = agreed()
    texts = {name: content for name, content in evidence(receipt).items() if name.endswith(".txt") and "/" in name}
    assert [sha256(content).hexdigest() for content in texts.values()] == [name[9:-4] for name in texts]
    assert ConsentRecord.objects.get(act="confirmed").wording.text in next(iter(texts.values())).decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "change", "named"),
    [
        ("consent_consentrecord", "UPDATE consent_consentrecord SET third_parties = true WHERE place = 2", "at place 2"),
        ("consent_consentrecord", "UPDATE consent_consentrecord SET at = at + interval '1 s' WHERE place = 1", "place 1"),
        ("consent_consentrecord", "DELETE FROM consent_consentrecord WHERE place = 1", "at place 1"),
        ("consent_wording", "UPDATE consent_wording SET text = text || '.'", "does not have its digest"),
        ("consent_receipt", "UPDATE consent_receipt SET document = replace(document, 'link', 'page')", "was signed"),
        ("consent_receipt", "UPDATE consent_receipt SET records = '{1}'", "not those it was signed for"),
    ],
)
def test_a_changed_history_gives_no_evidence_and_names_the_first_bad_record(table, change, named):
    receipt = agreed()
    receipts.bundle(receipt, now=LATER)
    with owner_connection() as owner, owner.transaction():
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.execute(change)
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        for trigger in owner.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table]
        ).fetchall():
            owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger[0]}")
    with pytest.raises(HistoryChanged, match=named):
        receipts.bundle(receipt_of(receipt.subject), now=LATER)


# --- an inspector checks it ---------------------------------------------------------------------------------------


@pytest.fixture
def inspector(tmp_path):
    """Runs the real script on files of its own, with an empty environment."""
    (tmp_path / "verify.py").write_bytes(SCRIPT.read_bytes())

    def run(content, *, pem=None, signature=None, arguments=()):
        pem = receipts.public_pem().encode() if pem is None else pem
        for name, raw in {"evidence": content, "key.pem": pem, "signature": signature}.items():
            if raw is not None:
                (tmp_path / name).write_bytes(raw)
        more = [*arguments, *(["--signature", "signature"] if signature is not None else [])]
        command = [sys.executable, "-I", "verify.py", "evidence", "--key", "key.pem", *more]
        done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


def load_script():
    spec = importlib.util.spec_from_file_location("verify_receipt", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


def failures(files, capsys):
    """What the script finds wrong, in this process: for many attempts."""
    report = script.Report()
    script.verify_bundle(files, load_pem_public_key(receipts.public_pem().encode()), report)
    said = [line[6:] for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert len(said) == report.failed
    return said


def run_by_an_inspector_says(receipt, code):
    report = script.Report()
    script.verify_bundle(evidence(receipt), load_pem_public_key(receipts.public_pem().encode()), report)
    assert report.end() == code


def test_the_script_needs_nothing_but_python_and_cryptography():
    names = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_untouched_evidence_holds(inspector):
    ask_for_everything()
    subject = person("site-news", phone=PHONE)
    receipt = give(subject, "feedback", "advertising", scope=Scope(third_parties=True))
    said = inspector(receipts.bundle(receipt, now=LATER))
    assert (said.code, said.err) == (0, "") and "HOLDS: all" in said.out and "FAIL" not in said.out
    assert all(named in said.out for named in (receipt.number, subject.reference, receipts.key_id()))
    alone = inspector(receipt.document.encode(), signature=receipts.signature_file(receipt))
    assert alone.code == 0 and "HOLDS" in alone.out


def test_the_bundle_as_it_comes_over_the_network_holds(inspector, client):
    receipt = agreed()
    token = links.token(links.RECEIPT, receipt.pk)
    pem = client.get("/receipts/key.pem").content
    assert inspector(client.get(f"/kk/receipt/{token}/evidence.zip").content, pem=pem).code == 0
    document, signature = (client.get(f"/ru/receipt/{token}/{name}.json").content for name in ("receipt", "signature"))
    assert inspector(document, signature=signature, pem=pem).code == 0


def test_what_the_person_did_later_is_said_and_is_no_fault(inspector):
    subject = person("site-news", "feedback", phone=PHONE)
    receipt = receipt_of(subject)
    decisions.withdraw(subject, purpose("feedback"), now=LATER, channel=LINK)
    give(subject, "site-news", now=LATER)
    said = inspector(receipts.bundle(receipt, now=LATER + DAY))
    assert said.code == 0
    assert "feedback: withdrawn at 2026-11-22T10:00:00.000000+00:00 (line 5)" in said.out
    assert "site-news: given again at 2026-11-22T10:00:00.000000+00:00 (line 6)" in said.out


def flipped(raw, at):
    return raw[:at] + bytes([raw[at] ^ (1 << at % 7)]) + raw[at + 1 :]


def places(files):
    """What is to be named where a byte of a file was changed."""
    lines = files["chain.jsonl"].split(b"\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    for name, raw in files.items():
        for at in range(len(raw)):
            number = sum(start <= at for start in starts)
            yield name, at, {"chain.jsonl": f"line {number} "}.get(name, "")


NAMED = {"receipt.json": "receipt.json", "signature.json": "receipt.json", "README.txt": ""}


def test_a_flipped_byte_fails_and_is_named_whatever_byte_it_is(capsys):
    ask_for_everything()
    receipt = give(person(), "feedback", scope=Scope(third_parties=True))
    files = evidence(receipt)
    assert failures(files, capsys) == []
    del files["README.txt"]
    for name, at, line in places(files):
        found = failures(files | {name: flipped(files[name], at)}, capsys)
        assert found and found[0].startswith(NAMED.get(name, name.rsplit(".", 1)[0])), (name, at, found)
        assert at == len(files[name]) - 1 or files[name][at : at + 1] == b"\n" or line in found[0], (name, at, found)


def test_a_flipped_byte_fails_in_the_hands_of_an_inspector(inspector):
    files = evidence(agreed("site-news", "feedback", phone=PHONE))
    for name, raw in files.items():
        for at in range(len(raw) // 11, len(raw), len(raw) // 3) if name != "README.txt" else ():
            said = inspector(packed(files | {name: flipped(raw, at)}))
            assert said.code == 1 and "DOES NOT HOLD" in said.out, (name, at)
            named = NAMED.get(name, name.rsplit(".", 1)[0])
            assert f"FAIL  {named}" in said.out, (name, at, said.out)


def test_another_key_or_another_receipt_does_not_pass(inspector):
    files, other = evidence(agreed()), evidence(agreed())
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = inspector(packed(files), pem=stranger)
    assert said.code == 1 and "the key given is" in said.out
    for name in ("receipt.json", "signature.json", "record.json", "chain.jsonl", "head.json"):
        assert inspector(packed(files | {name: other[name]})).code == 1, name


def test_a_chain_bound_anew_does_not_pass(capsys):
    """Whoever rewrites history can make a whole chain of it; only the signed end and the signed receipt stop them."""
    subject = person("site-news", "feedback", phone=PHONE)
    receipt = receipt_of(subject)
    decisions.withdraw(subject, None, now=LATER, channel=LINK)
    files = evidence(receipt)
    acts = [json.loads(line) for line in files["chain.jsonl"].splitlines()]

    def chain(changed):
        raw, head = b"", Head()
        for act in changed:
            line, head = bind({name: act[name] for name in act if name not in {"n", "before", "digest"}}, head)
            raw += line
        return raw

    assert chain(acts) == files["chain.jsonl"] and failures(files, capsys) == []
    without_withdrawal = failures(files | {"chain.jsonl": chain(acts[:4])}, capsys)
    assert without_withdrawal == ["chain.jsonl: has 4 lines and another end than head.json says (6 lines)"]
    earlier = [acts[0] | {"at": "2026-01-01T00:00:00.000000+00:00"}, *acts[1:]]
    found = " ".join(failures(files | {"chain.jsonl": chain(earlier)}, capsys))
    assert "another end" in found and "is not the act the receipt was signed for" in found
    third = {name: acts[2][name] for name in acts[2] if name != "digest"} | {"n": 2}  # closed up, and bound to the old
    third["digest"] = sha256(canonical(third)).hexdigest()
    raw = files["chain.jsonl"].split(b"\n")[0] + b"\n" + canonical(third) + b"\n"
    assert "line 2 does not continue" in failures(files | {"chain.jsonl": raw}, capsys)[0]


def test_a_signature_spelt_in_another_way_does_not_pass(capsys):
    """The last letter of a signature in base64 has four bits that nothing reads."""
    files = evidence(agreed())
    for name in ("signature.json", "head.json"):
        stated = json.loads(files[name])
        signature = stated["signature"]
        stated["signature"] = signature[:85] + chr(ord(signature[85]) + 1) + signature[86:]  # A, Q, g or w
        assert base64.b64decode(stated["signature"]) == base64.b64decode(signature)
        assert "not spelt as it was written" in failures(files | {name: canonical(stated)}, capsys)[0]


def signed_anew(receipt, change):
    """The two files of a receipt that the operator's own key signs after a change of its first record."""
    content = document(receipt)
    change(content["dpv:hasRecordOfActivity"][0])
    raw = canonical(content)
    receipt.digest, receipt.signature = sha256(raw).hexdigest(), signing.sign(raw)
    return {"receipt.json": raw, "signature.json": receipts.signature_file(receipt)}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda entry: entry["dpv:hasConsentStatus"].update({"dpv:isIndicatedAtTime": "2026-01-01"}), "at"),
        (lambda entry: entry["dpv:hasConsentStatus"].update(site="www.example.kz"), "site"),
        (lambda entry: entry["dpv:hasNotice"]["ticks"][0].update(ticked=False), "third_parties"),
    ],
)
def test_a_receipt_signed_to_say_what_the_chain_does_not_is_found_out(change, named, capsys):
    """The operator's own key signs it: the two must still agree."""
    ask_for_everything()
    receipt = give(person(), "feedback", scope=Scope(third_parties=True))
    found = failures(evidence(receipt) | signed_anew(receipt, change), capsys)
    assert found == [f"chain.jsonl, feedback: line 3 of the chain and the receipt do not agree on: {named}"]


@pytest.mark.parametrize("name", ["chain", "dpv:hasNotice", "dpv:hasConsentStatus", "dpv:hasProcess"])
def test_a_signed_receipt_of_another_form_is_answered_and_not_with_a_crash(name, capsys):
    receipt = agreed()
    found = failures(evidence(receipt) | signed_anew(receipt, lambda entry: entry.pop(name)), capsys)
    assert found == ["receipt.json: does not have the form it should have"]


def test_a_text_cut_into_other_parts_is_not_the_text(capsys):
    """The digest is over lines; two texts run together have the same one."""
    ask_for_everything()
    files = evidence(give(person(), "feedback"))
    name = next(name for name in files if name.startswith("wordings/") and name.endswith(".json"))
    text = json.loads(files[name])
    text["texts"] = ["\n".join(text["texts"])]
    assert "is not the one in the receipt" in failures(files | {name: canonical(text)}, capsys)[0]


def test_a_text_that_is_missing_or_surplus_is_named(capsys):
    files = evidence(agreed())
    text = next(name for name in files if name.startswith("wordings/") and name.endswith(".txt"))
    assert "is not in the bundle" in failures({name: files[name] for name in files if name != text}, capsys)[0]
    surplus = files | {f"wordings/{'0' * 64}.json": files[text]}
    assert "the receipt does not name" in failures(surplus, capsys)[0]


def bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in script.FILES:
            archive.writestr(name, b"0" * 100_000_000 if name == "receipt.json" else b"{}")
    return buffer.getvalue()


def test_a_bomb_is_not_unpacked_to_see_how_large_it_is():
    content = bomb()
    assert len(content) < 200_000
    tracemalloc.start()
    with pytest.raises(script.Unusable):
        script.unpack(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * script.LARGEST_FILE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda files: b"", "no whole zip"),
        (lambda files: b"PK\x03\x04 and so on", "no whole zip"),
        (lambda files: packed(files)[:-30], "no whole zip"),
        (lambda files: packed(files).replace(b"chain.jsonl", b"\xff\xfe\x1b[31m.\x00\x00\x00"), "zip|belong"),
        (lambda files: files["receipt.json"], "--signature"),
        (lambda files: packed({}), "chain|README"),
        (lambda files: packed({name: files[name] for name in files if name != "head.json"}), "head.json is missing"),
        (lambda files: packed(files | {"../../etc/passwd": b"x"}), "does not belong"),
        (lambda files: packed(files | {"/tmp/x": b"x"}), "does not belong"),
        (lambda files: packed(files | {"wordings/": b""}), "does not belong"),
        (lambda files: packed(files | {f"{number}.txt": b"x" for number in range(400)}), "more than any"),
        (lambda files: bomb(), "larger than any evidence"),
        (lambda files: b"\0" * (script.LARGEST_FILE + 1), "larger than any evidence"),
    ],
)
def test_what_is_no_evidence_is_refused_in_words(inspector, content, said):
    files = evidence(agreed())
    answer = inspector(content(files))
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Can't check: ") and any(part in answer.err for part in said.split("|")), answer.err


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(inspector):
    files, buffer = evidence(agreed()), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in [*files, "receipt.json"]:
            archive.writestr(name, files[name])
    answer = inspector(buffer.getvalue())
    assert answer.code == 2 and "two files of one name" in answer.err


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused_in_words(inspector, pem):
    answer = inspector(receipts.bundle(agreed(), now=LATER), pem=pem)
    assert answer.code == 2 and "no public key in PEM form" in answer.err


def test_a_key_of_another_kind_and_a_missing_file_are_refused_in_words(inspector):
    rsa = generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    answer = inspector(receipts.bundle(agreed(), now=LATER), pem=rsa)
    assert answer.code == 2 and "another kind" in answer.err
    answer = inspector(b"", arguments=["--signature", "nowhere"])
    assert answer.code == 2 and "can't be read" in answer.err


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000, b'{"a":NaN}', b"null", b"[]", b'"x"', b"{}", b'{"head":1}', b"1" * 10_000, b"\xff\xfe", b"",
        b'{"digest_kk":"","language":"","policy":1,"purpose":"","texts":1}',
    ],
)  # fmt: skip
def test_content_of_any_form_is_answered_and_not_with_a_crash(raw, capsys):
    files = evidence(agreed())
    for name in files.keys() - {"README.txt"}:
        assert failures(files | {name: raw}, capsys), name


# --- pages --------------------------------------------------------------------------------------------------------


def address(receipt, name="receipt", language="kk"):
    with override(language):
        return reverse(name, args=[links.token(links.RECEIPT, receipt.pk)])


FILES = ["receipt_document", "receipt_signature", "receipt_evidence"]


def test_the_page_shows_what_was_signed_in_the_language_of_the_address(client, today):
    receipt = agreed("site-news", "feedback", phone=PHONE, now=today)
    record = ConsentRecord.objects.filter(act="confirmed").first()
    for language in ("kk", "ru", "en"):
        answer = client.get(address(receipt, language=language))
        body = answer.content.decode()
        assert (answer.status_code, answer["Content-Language"]) == (200, language)
        for wanted in (receipt.number, receipt.subject.reference, record.wording.text, record.digest, receipt.digest):
            assert wanted in body
        assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex") and not answer.cookies
    assert links.receipt_url(receipt.pk, "en").endswith(address(receipt, language="en"))


def test_the_page_tells_the_states_apart(client, today):
    subject = person("site-news", "feedback", phone=PHONE, now=today)
    receipt = receipt_of(subject)

    def said():
        return client.get(address(receipt, language="en")).content.decode()

    assert said().count("State: in force") == 3
    decisions.withdraw(subject, purpose("feedback"), now=today, channel=LINK)
    assert "State: partly in force" in said() and "State: withdrawn" in said()
    keep_until(subject, today)
    assert "State: expired" in said()
    give(subject, "site-news", now=today)
    assert "Given anew, under another receipt:" in said()


def test_a_destroyed_persons_receipt_shows_its_number_and_its_state(client, today):
    subject = person(now=today - DAY)
    receipt = receipt_of(subject)
    assert receipt.digest in client.get(address(receipt)).content.decode()
    keep_until(subject, today - timedelta(hours=1))
    assert purging.purge(today).data == 1
    answer = client.get(address(receipt, language="en"))
    body = answer.content.decode()
    assert answer.status_code == 200 and receipt.number in body and "State: destroyed" in body
    for hidden in (subject.reference, receipt.digest, "evidence.zip", ConsentRecord.objects.first().digest):
        assert hidden not in body
    assert [client.get(address(receipt, name)).status_code for name in FILES] == [410] * 3


def test_the_files_are_the_very_bytes_and_are_kept_by_nobody(client):
    receipt = agreed()
    answers = {name: client.get(address(receipt, name)) for name in FILES}
    assert answers["receipt_document"].content == receipt.document.encode()
    assert answers["receipt_signature"].content == receipts.signature_file(receipt)
    assert unpacked(answers["receipt_evidence"].content)["receipt.json"] == receipt.document.encode()
    named = [answer["Content-Disposition"].split('"')[1] for answer in answers.values()]
    assert named == [f"{receipt.number}{suffix}" for suffix in (".json", ".signature.json", ".zip")]
    for answer in answers.values():
        assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex") and not answer.cookies


def test_only_looking_is_possible_and_only_with_a_link_of_ours(client):
    receipt = agreed()
    other_use = links.token(links.CONFIRM, receipt.pk)
    for name in ["receipt", *FILES]:
        assert client.post(address(receipt, name)).status_code == 405
        assert client.head(address(receipt, name)).status_code == 200
        assert client.get(address(receipt, name)[:-1]).status_code in {301, 404}
        for token in (other_use, links.token(links.RECEIPT, receipt.pk + 1), "x"):
            with override("kk"):
                assert client.get(reverse(name, args=[token])).status_code == 404, name
    assert client.post("/receipts/key.pem").status_code == 405


def test_the_key_is_public_and_comes_from_the_command_too(client, capsys):
    answer = client.get("/receipts/key.pem")
    assert answer.content.decode() == receipts.public_pem() and "Cache-Control" not in answer
    out, err = io.StringIO(), io.StringIO()
    call_command("receipt_key", stdout=out, stderr=err)
    assert out.getvalue() == receipts.public_pem() and receipts.key_id() in err.getvalue()
