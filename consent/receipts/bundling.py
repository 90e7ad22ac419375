"""The evidence bundle: all that is needed to check a receipt without us, in one zip file.

receipt.json and signature.json; wordings/DIGEST.json, the parts of each text, and DIGEST.txt, the bytes its digest is
over; record.json, the acts; chain.jsonl, every act of the person up to now; head.json, where that chain ends, signed.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from consent import proof, wording
from consent.models import ConsentRecord, Receipt, Wording
from consent.receipts.document import read
from consent.receipts.signing import is_signed, key_id, sign, signature_file, signed_by
from registry.chain import canonical
from registry.models import DataSubject
from registry.models.texts import LANGUAGES

FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file knows: the same evidence is the same bytes


class HistoryChanged(Exception):
    """The rows no longer say what was signed and bound. The message names the first bad one; it holds no value."""


def bundle(receipt: Receipt, *, now: datetime) -> bytes:
    """The zip file; the same bytes for the same arguments. HistoryChanged: then there is no evidence to give."""
    _must_be_signed(receipt)
    person = receipt.subject.reference
    records = _chain_of(receipt.subject)
    lines = proof.lines(records, person)
    _must_be_bound(records, lines)
    own = {record: line for record, line in zip(records, lines, strict=True) if record.pk in receipt.records}
    _must_be_meant(receipt, own)
    head = {"at": proof.moment(now), "digest": records[-1].digest, "lines": len(lines), "person": person}
    files = {
        "README.txt": _readme(receipt),
        "chain.jsonl": "".join(f"{line}\n" for line in lines).encode("ascii"),
        "head.json": canonical({**signed_by(), "head": head, "signature": sign(canonical(head))}),
        "receipt.json": receipt.document.encode("ascii"),
        "record.json": canonical({"acts": [json.loads(line) for line in own.values()], "receipt": receipt.number}),
        "signature.json": signature_file(receipt),
    }
    return _zipped(files | _wordings(own))


def _chain_of(person: DataSubject) -> list[ConsentRecord]:
    chained = ConsentRecord.objects.filter(subject=person, place__isnull=False).order_by("place")
    return list(chained.select_related("purpose", "wording__policy", "represented_by"))


def _must_be_signed(receipt: Receipt) -> None:
    document = receipt.document.encode("ascii")
    if not is_signed(document, receipt.signature) or sha256(document).hexdigest() != receipt.digest:
        raise HistoryChanged(f"receipt {receipt.number} is not what was signed")


def _must_be_bound(records: Sequence[ConsentRecord], lines: Sequence[str]) -> None:
    for record, line in zip(records, lines, strict=True):
        act = json.loads(line)
        if (act["n"], act["digest"]) != (record.place, record.digest):
            raise HistoryChanged(f"consent record {record.pk} is not what the chain binds at place {act['n']}")


def _must_be_meant(receipt: Receipt, own: Iterable[ConsentRecord]) -> None:
    signed = {entry["chain"]["place"]: entry["chain"]["digest"] for entry in read(receipt)}
    if {record.place: record.digest for record in own} != signed:
        raise HistoryChanged(f"the acts of receipt {receipt.number} are not those it was signed for")


def _wordings(records: Iterable[ConsentRecord]) -> dict[str, bytes]:
    files = {}
    for record in records:
        if shown := record.wording:
            text = wording.digested(record.purpose.code, shown.policy, shown.language, shown.texts)
            if sha256(text).hexdigest() != shown.digest:
                raise HistoryChanged(f"the text of consent record {record.pk} does not have its digest")
            files[f"wordings/{shown.digest}.txt"] = text
            files[f"wordings/{shown.digest}.json"] = canonical(_parts(record.purpose.code, shown))
    return files


def _parts(purpose_code: str, shown: Wording) -> dict[str, object]:
    return {
        "digest_kk": shown.policy.digest_kk,
        "language": shown.language,
        "policy": shown.policy.number,
        "purpose": purpose_code,
        "texts": shown.texts,
    }


def _readme(receipt: Receipt) -> bytes:
    """How to check it, in the three languages."""
    context = {"receipt": receipt, "key_id": key_id(), "key_url": settings.SITE_URL + reverse("receipt_key")}
    texts = []
    for language in LANGUAGES:
        with override(language):
            texts.append(render_to_string("evidence.txt", context))
    return "\n".join(texts).encode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, FIXED_DATE), files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
