"""Checks a consent receipt and its evidence without the registry and without a network.

    python verify_receipt.py evidence.zip --key receipts.pem
    python verify_receipt.py receipt.json --signature signature.json --key receipts.pem

It needs Python 3.11 and the package `cryptography`, and nothing of the registry: it states the registry's rules again
on its own, so that a mistake there is not repeated here. Take the key from the operator yourself (/receipts/key.pem on
the operator's consent site): a key that came with the evidence proves nothing.

Every check is a line: OK, FAIL, or a note. The script ends with 0 if all holds, 1 if something does not, 2 if what it
was given can't be read. Evidence is read as coming from an enemy: small files only, nothing is written.
"""

import argparse
import base64
import binascii
import hashlib
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

LARGEST_FILE = 8 * 1024 * 1024  # bytes, packed or not
LARGEST_BUNDLE = 32 * 1024 * 1024  # bytes, unpacked
MOST_FILES = 300
FILES = {"README.txt", "chain.jsonl", "head.json", "receipt.json", "record.json", "signature.json"}
WORDING = re.compile(r"wordings/[0-9a-f]{64}\.(json|txt)")
TICKS = ("third_parties", "cross_border", "public_sources")
GIVING = ("given", "confirmed")
Json = dict[str, Any]


class Unusable(Exception):
    """What was given can't be read as what it should be: nothing is said about whether it is true."""


class Wrong(Exception):
    """Something does not hold. The message continues the name of the file."""


class Report:
    def __init__(self) -> None:
        self.checks = self.failed = 0

    def check(self, name: str, claim: str, action: Callable[..., Any], *arguments: Any) -> Any:
        """What the action returns, None if the claim does not hold. Content of another form than ours does not."""
        self.checks += 1
        try:
            result = action(*arguments)
        except Wrong as reason:
            return self._fail(name, str(reason))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return self._fail(name, "does not have the form it should have")
        say("OK  ", name, claim)
        return result

    def _fail(self, name: str, reason: str) -> None:
        self.failed += 1
        say("FAIL", name, reason)

    def end(self) -> int:
        if self.failed:
            sys.stdout.write(f"\nDOES NOT HOLD: {self.failed} of {self.checks} checks failed.\n")
            return 1
        sys.stdout.write(f"\nHOLDS: all {self.checks} checks passed.\n")
        return 0


def say(kind: str, name: str, text: str) -> None:
    """What came out of a file may hold anything, control sequences of a terminal too."""
    line = "".join(char if char.isprintable() else "?" for char in f"{kind}  {name}: {text}")
    sys.stdout.write(line.encode(sys.stdout.encoding or "ascii", "replace").decode(sys.stdout.encoding or "ascii"))
    sys.stdout.write("\n")


# --- the form of things -------------------------------------------------------------------------------------------


def canonical(content: Any) -> bytes:
    """The one spelling of JSON that digests and signatures are over: sorted keys, no spaces, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def parsed(raw: bytes) -> Json:
    try:
        content = json.loads(raw.decode("ascii"))
        is_canonical = canonical(content) == raw
    except (ValueError, RecursionError):
        raise Wrong("is damaged: it is no JSON") from None
    if not is_canonical or not isinstance(content, dict):
        raise Wrong("is damaged: it is not spelt as it was written")
    return content


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def key_id(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw))[:16]


def must_be_signed(content: bytes, stated: Json, key: Ed25519PublicKey) -> None:
    if stated["algorithm"] != "Ed25519":
        raise Wrong("names another kind of signature than Ed25519")
    if stated["key"] != key_id(key):
        raise Wrong(f"names the key {str(stated['key'])[:16]}, and the key given is {key_id(key)}")
    try:
        signature = base64.b64decode(stated["signature"], validate=True)
        if base64.b64encode(signature).decode() != stated["signature"]:
            raise Wrong("holds a signature that is not spelt as it was written")
        key.verify(signature, content)
    except (binascii.Error, InvalidSignature):
        raise Wrong("has a signature that does not fit: the content or the signature was changed") from None


# --- the checks ---------------------------------------------------------------------------------------------------


def check_receipt(document: bytes, signature: bytes, key: Ed25519PublicKey) -> Json:
    try:
        stated = parsed(signature)
    except Wrong as reason:
        raise Wrong(f"can't be checked, signature.json {reason}") from None
    must_be_signed(document, stated, key)
    if set(stated) != {"algorithm", "key", "sha256", "signature"} or stated["sha256"] != sha256(document):
        raise Wrong("does not have the digest that signature.json names")
    receipt = parsed(document)
    if receipt["@type"] != "dpv:ConsentReceipt":
        raise Wrong("is signed, and is no consent receipt")
    must_be_known(receipt)
    return receipt


def must_be_known(receipt: Json) -> None:
    """KeyError or TypeError where a signed receipt has a form this script does not know."""
    _ = receipt["dct:identifier"], receipt["dpv:hasDataSubject"]
    for entry in receipt["dpv:hasRecordOfActivity"]:
        _ = parts(entry), stated_act(entry), term(entry), int(entry["chain"]["place"])


def parts(entry: Json) -> Json:
    """What the digest of a text is over, as the receipt says it."""
    notice = entry["dpv:hasNotice"]
    return {
        "digest_kk": notice["policy"]["digest_kk"],
        "language": notice["dct:language"],
        "policy": notice["policy"]["number"],
        "purpose": entry["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"],
        "texts": [notice["text"], *(tick["text"] for tick in notice["ticks"])],
    }


def digested(text: Json) -> bytes:
    head = [text["purpose"], str(text["policy"]), text["digest_kk"], text["language"]]
    return "\n".join([*head, *text["texts"]]).encode()


def check_text(entry: Json) -> None:
    if sha256(digested(parts(entry))) != entry["dpv:hasNotice"]["digest"]:
        raise Wrong("the text and its ticks do not have the digest the receipt names")


def check_wording(entry: Json, files: dict[str, bytes]) -> None:
    digest = entry["dpv:hasNotice"]["digest"]
    for name in (f"wordings/{digest}.json", f"wordings/{digest}.txt"):
        if name not in files:
            raise Wrong(f"{name} is not in the bundle")
    text = parsed(files[f"wordings/{digest}.json"])
    if sha256(digested(text)) != digest:
        raise Wrong("the text in the .json file does not have the digest in its name")
    if sha256(files[f"wordings/{digest}.txt"]) != digest:
        raise Wrong("the text in the .txt file does not have the digest in its name")
    if text != parts(entry):
        raise Wrong("the text is not the one in the receipt")


def check_surplus(entries: list[Json], files: dict[str, bytes]) -> None:
    named = {entry["dpv:hasNotice"]["digest"] for entry in entries}
    if {name[9:73] for name in files if WORDING.fullmatch(name)} - named:
        raise Wrong("a text lies in the bundle that the receipt does not name")


def check_chain(raw: bytes, person: str) -> list[Json]:
    if not raw.endswith(b"\n"):
        raise Wrong("ends in the middle of a line")
    acts: list[Json] = []
    before = ""
    for number, line in enumerate(raw[:-1].split(b"\n"), start=1):
        act = check_line(line, number, before)
        if act["person"] != person:
            raise Wrong(f"line {number} is about another person than the receipt")
        acts.append(act)
        before = act["digest"]
    return acts


def check_line(line: bytes, number: int, before: str) -> Json:
    try:
        act = parsed(line)
    except Wrong as reason:
        raise Wrong(f"line {number} {reason}") from None
    bound = {name: value for name, value in act.items() if name != "digest"}
    if act.get("digest") != sha256(canonical(bound)):
        raise Wrong(f"line {number} was changed: it does not have its own digest")
    if act.get("n") != number or act.get("before") != before:
        raise Wrong(f"line {number} does not continue the line before: something was changed, added or taken out")
    return act


def check_head(raw: bytes, key: Ed25519PublicKey, person: str) -> Json:
    stated = parsed(raw)
    head: Json = stated["head"]
    must_be_signed(canonical(head), stated, key)
    if set(stated) != {"algorithm", "head", "key", "signature"} or set(head) != {"at", "digest", "lines", "person"}:
        raise Wrong("is signed, and does not have the form of the end of a chain")
    if head["person"] != person:
        raise Wrong("is about another person than the receipt")
    return head


def check_end(acts: list[Json], head: Json) -> None:
    if head["lines"] != len(acts) or head["digest"] != acts[-1]["digest"]:
        raise Wrong(f"has {len(acts)} lines and another end than head.json says ({head['lines']} lines)")


def check_act(entry: Json, acts: list[Json]) -> Json:
    place: int = entry["chain"]["place"]
    if not 1 <= place <= len(acts) or acts[place - 1]["digest"] != entry["chain"]["digest"]:
        raise Wrong(f"line {place} of the chain is not the act the receipt was signed for")
    act = acts[place - 1]
    if act["act"] not in GIVING:
        raise Wrong(f"line {place} of the chain is no consent")
    for name, value in stated_act(entry).items():
        if act[name] != value:
            raise Wrong(f"line {place} of the chain and the receipt do not agree on: {name}")
    return act


def stated_act(entry: Json) -> Json:
    """What the receipt says of an act, under the names the chain has for it."""
    event, notice = entry["dpv:hasConsentStatus"], entry["dpv:hasNotice"]
    giver = event["dpv:isIndicatedBy"]
    ticked = {tick["tick"]: tick["ticked"] for tick in notice["ticks"]}
    return {
        "act": event["act"],
        "at": event["dpv:isIndicatedAtTime"],
        "channel": event["dpv:hasIndicationMethod"]["code"],
        "language": event["dct:language"],
        "purpose": entry["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"],
        "represented_by": giver["dct:identifier"] if giver["@type"] == "dpv:Representative" else "",
        "site": event["site"],
        "wording": notice["digest"],
        **{tick: ticked.get(tick, False) for tick in TICKS},
    }


def check_record(raw: bytes, receipt: Json, acts: list[Json]) -> None:
    places = [entry["chain"]["place"] for entry in receipt["dpv:hasRecordOfActivity"]]
    expected = {"acts": [acts[place - 1] for place in sorted(places)], "receipt": receipt["dct:identifier"]}
    if raw != canonical(expected):
        raise Wrong("does not hold the acts of the receipt as they stand in the chain")


# --- from files to an answer --------------------------------------------------------------------------------------


def verify_receipt(document: bytes, signature: bytes, key: Ed25519PublicKey, report: Report) -> Json | None:
    """The receipt, None if it is not what was signed: then all else has nothing to be compared with."""
    say("note", "key", f"number {key_id(key)}: compare it with the one the operator names")
    claim = "signed with this key, unchanged"
    receipt: Json | None = report.check("receipt.json", claim, check_receipt, document, signature, key)
    if receipt is None:
        return None
    say("note", "receipt.json", f"number {receipt['dct:identifier']}, person {receipt['dpv:hasDataSubject']}")
    for entry in receipt["dpv:hasRecordOfActivity"]:
        stated = stated_act(entry)
        name = f"receipt.json, {stated['purpose']}"
        report.check(name, "the text and its ticks have the digest the receipt names", check_text, entry)
        say("note", stated["purpose"], f"{stated['act']} at {stated['at']}, term: {term(entry)}")
    return receipt


def term(entry: Json) -> str:
    return str(entry["dpv:hasConsentStatus"]["dpv:hasDuration"]["rdf:value"])


def verify_bundle(files: dict[str, bytes], key: Ed25519PublicKey, report: Report) -> None:
    receipt = verify_receipt(files["receipt.json"], files["signature.json"], key, report)
    if receipt is None:
        say("note", "all other files", "not looked at: they are compared with the receipt")
        return
    entries, person = receipt["dpv:hasRecordOfActivity"], receipt["dpv:hasDataSubject"]
    for entry in entries:
        name = f"wordings/{entry['dpv:hasNotice']['digest']}"
        report.check(name, "the text has its digest and is the one in the receipt", check_wording, entry, files)
    report.check("wordings/", "holds no text the receipt does not name", check_surplus, entries, files)
    claim = "every act of the person, each bound to the one before"
    acts = report.check("chain.jsonl", claim, check_chain, files["chain.jsonl"], person)
    head = report.check("head.json", "signed with this key, unchanged", check_head, files["head.json"], key, person)
    if acts and head:
        report.check("chain.jsonl", "ends where head.json says", check_end, acts, head)
        say("note", "head.json", f"{head['lines']} acts up to {head['at']}; it says nothing of what came after")
    if acts:
        verify_acts(receipt, files["record.json"], acts, report)


def verify_acts(receipt: Json, record: bytes, acts: list[Json], report: Report) -> None:
    report.check("record.json", "holds the acts of the receipt as the chain does", check_record, record, receipt, acts)
    for entry in receipt["dpv:hasRecordOfActivity"]:
        name = f"chain.jsonl, {stated_act(entry)['purpose']}"
        act = report.check(name, "the act stands in the chain as the receipt says", check_act, entry, acts)
        if act and not report.failed:
            note_later_acts(act, acts)


def note_later_acts(act: Json, acts: list[Json]) -> None:
    """Not a fault: what the person did afterwards."""
    said = {"withdrawn": "withdrawn", "given": "given again", "confirmed": "given again"}
    for later in acts[act["n"] :]:
        if later["purpose"] == act["purpose"] and later["act"] in said:
            say("note", act["purpose"], f"{said[later['act']]} at {later['at']} (line {later['n']})")


def read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise Unusable(f"{path} can't be read ({getattr(error, 'strerror', error)})") from None
    if len(content) > LARGEST_FILE:
        raise Unusable(f"{path} is larger than any evidence ({LARGEST_FILE} bytes)")
    return content


def read_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable(f"{path} is no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Unusable(f"{path} is a key of another kind than Ed25519")
    return key


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Only ours, each once, none larger than it may be, whatever it says of its size."""
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            must_be_ours(archive.infolist())
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    files[entry.filename] = file.read(LARGEST_FILE + 1)
                if len(files[entry.filename]) > LARGEST_FILE or sum(map(len, files.values())) > LARGEST_BUNDLE:
                    raise Unusable(f"{entry.filename} is larger than any evidence")
    except (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
        raise Unusable("the evidence is no whole zip file; a receipt alone needs --signature") from None
    return files


def must_be_ours(entries: Sequence[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MOST_FILES:
        raise Unusable(f"the bundle holds {len(names)} files, more than any evidence")
    if odd := [name for name in names if name not in FILES and not WORDING.fullmatch(name)]:
        raise Unusable(f"the bundle holds a file that does not belong there: {ascii(odd[0])[:80]}")
    if len(set(names)) < len(names):
        raise Unusable("the bundle holds two files of one name")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise Unusable("the bundle is packed in a way evidence is not")
    if missing := sorted(FILES - set(names)):
        raise Unusable(f"this is no evidence bundle: {missing[0]} is missing")


def verify(given: argparse.Namespace, report: Report) -> None:
    key, content = read_key(given.key), read(given.evidence)
    if given.signature:
        verify_receipt(content, read(given.signature), key, report)
    else:
        verify_bundle(unpack(content), key, report)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks a consent receipt and its evidence, offline.")
    parser.add_argument("evidence", type=Path, help="evidence.zip, or receipt.json with --signature")
    parser.add_argument("--key", type=Path, required=True, help="the operator's public key, PEM")
    parser.add_argument("--signature", type=Path, help="signature.json, where the receipt comes alone")
    report = Report()
    try:
        verify(parser.parse_args(arguments), report)
    except Unusable as reason:
        sys.stderr.write(f"Can't check: {reason}\n")
        return 2
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
