"""The content of a receipt: the DPV profile of ISO/IEC TS 27560:2023 (https://w3id.org/dpv/schema/dpv-27560), in which
a receipt wraps one record a purpose. Our own terms stand under `@vocab`. docs/receipts.md maps the fields.

verify_receipt.py reads the same keys: a change of form here is a change there.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from consent import proof, wording
from consent.models import ConsentRecord, Receipt, Wording
from registry.models import DataCategory, DataSubject, Operator, Processing, Recipient
from registry.models.recipients import HOME

PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
CONTEXT = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
KINDS = {DataCategory.Kind.EMAIL.value: "pd:EmailAddress", DataCategory.Kind.PHONE.value: "pd:TelephoneNumber"}
EXPLICIT = "dpv:ExplicitlyExpressedConsent"
OPERATOR, AT_HOME = "_:operator", f"loc:{HOME}"
Json = dict[str, Any]


class Document:
    """What a receipt says, but for its number, in the active language. What it needs is loaded once for all of it."""

    def __init__(self, person: DataSubject, records: Sequence[ConsentRecord], language: str, now: datetime) -> None:
        self.person, self.records, self.language, self.now = person, records, language, now
        self.operator = Operator.objects.get()
        texts = Wording.objects.filter(pk__in=[record.wording_id for record in records]).select_related("policy")
        self.wordings: Mapping[int | None, Wording] = {text.pk: text for text in texts}
        opened = Processing.objects.filter(subject=person, purpose__in=[record.purpose_id for record in records])
        self.ends = dict(opened.values_list("purpose", "lapses_at"))
        categories = {code for text in self.wordings.values() for code in text.categories}
        self.categories = {one.code: one for one in DataCategory.objects.filter(code__in=categories)}
        recipients = {code for text in self.wordings.values() for code in text.recipients}
        named = Recipient.objects.filter(code__in=recipients).select_related("country")
        self.recipients = {one.code: one for one in named}

    def content(self) -> Json:
        return {
            "@context": CONTEXT | {"@vocab": f"tag:{self.operator.site},2026:consent-receipt#"},
            "@type": "dpv:ConsentReceipt",
            "dct:conformsTo": PROFILE + "receipt",
            "dct:created": proof.moment(self.now),
            "dct:language": self.language,
            "dct:publisher": OPERATOR,
            "dpv:hasDataSubject": self.person.reference,
            "dpv:hasEntity": [self._operator(), *map(_recipient, self.recipients.values())],
            "dpv:hasRecordOfActivity": [self._record(record) for record in self.records],
        }

    def _operator(self) -> Json:
        return {
            "@id": OPERATOR,
            "@type": ["dpv:DataController", "dpv:Organisation"],
            "dct:identifier": self.operator.bin,
            "dpv:hasAddress": self.operator.text("address"),
            "dpv:hasContact": self.operator.contact_email,
            "dpv:hasName": self.operator.text("legal_name"),
            "site": self.operator.site,
        }

    def _record(self, record: ConsentRecord) -> Json:
        return {
            "@type": "dpv:ConsentRecord",
            "chain": {"digest": record.digest, "place": record.place},
            "dct:conformsTo": PROFILE + "record",
            "dct:identifier": f"{self.person.reference}/{record.place}",
            "dpv:hasConsentControl": self._withdrawal(),
            "dpv:hasConsentStatus": self._event(record),
            "dpv:hasDataController": OPERATOR,
            "dpv:hasDataSubject": self.person.reference,
            "dpv:hasJurisdiction": AT_HOME,
            "dpv:hasLegalBasis": EXPLICIT,
            "dpv:hasNotice": _notice(record, self.wordings[record.wording_id]),
            "dpv:hasProcess": self._process(record, self.wordings[record.wording_id]),
        }

    def _process(self, record: ConsentRecord, shown: Wording) -> Json:
        recipients = self._covered(record, shown)
        return {
            "@type": "dpv:Process",
            "dpv:hasLocation": sorted({AT_HOME, *(f"loc:{one.country_id}" for one in recipients)}),
            "dpv:hasPersonalData": [_category(self.categories[code]) for code in shown.categories],
            "dpv:hasPurpose": {
                "@type": "dpv:Purpose",
                "dct:identifier": record.purpose.code,
                "dct:title": record.purpose.text("name"),
            },
            "dpv:hasRecipient": [OPERATOR, *(f"_:{one.code}" for one in recipients)],
            "dpv:hasStorageCondition": [
                {"@type": "dpv:StorageLocation", "dpv:hasLocation": AT_HOME},  # Law 94-V art. 12(2)
                {"@type": "dpv:StorageDuration", "dpv:hasDuration": wording.term(record.purpose)},
            ],
            "published": record.public_sources,
        }

    def _covered(self, record: ConsentRecord, shown: Wording) -> list[Recipient]:
        """Whom data may be given to: who was named and ticked, abroad only with the tick for that."""
        named = [one for one in self.recipients.values() if one.code in shown.recipients and record.third_parties]
        return [one for one in named if record.cross_border or not one.is_abroad]

    def _withdrawal(self) -> Json:
        """Without a link of the person's own: a receipt is shown to others."""
        return {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": _address("send_link", self.language),
            "how": _("At any time, without giving a reason. By the link in our messages, or write to: %(contact)s")
            % {"contact": self.operator.contact_email},
        }

    def _event(self, record: ConsentRecord) -> Json:
        return {
            "@type": ["dpv:ConsentGiven", EXPLICIT],
            "act": record.act,
            "dct:language": record.language,
            "dpv:hasDuration": self._duration(record),
            "dpv:hasIndicationMethod": {"code": record.channel, "dct:title": record.get_channel_display()},
            "dpv:isIndicatedAtTime": proof.moment(record.at),
            "dpv:isIndicatedBy": self._giver(record),
            "site": record.site,
            **_on_the_wall(record.at),
        }

    def _duration(self, record: ConsentRecord) -> Json:
        """The moment it ends; where that is not known yet, the words."""
        if end := self.ends.get(record.purpose_id):
            return {"@type": "dpv:UntilTimeDuration", "rdf:value": proof.moment(end), **_on_the_wall(end)}
        return {"@type": "dpv:UntilEventDuration", "rdf:value": wording.term(record.purpose)}

    def _giver(self, record: ConsentRecord) -> Json:
        if record.represented_by:
            return {"@type": "dpv:Representative", "dct:identifier": record.represented_by.reference}
        return {"@type": "dpv:DataSubject", "dct:identifier": self.person.reference}


def _recipient(recipient: Recipient) -> Json:
    return {
        "@id": f"_:{recipient.code}",
        "@type": ["dpv:Organisation", "dpv:ThirdParty"],
        "country": recipient.country.text("name"),
        "dct:identifier": recipient.bin,
        "dpv:hasLocation": f"loc:{recipient.country_id}",
        "dpv:hasName": recipient.text("name"),
    }


def _category(category: DataCategory) -> Json:
    return {
        "dct:identifier": category.code,
        "dct:title": category.text("name"),
        "skos:broader": KINDS.get(category.kind, "dpv:PersonalData"),
    }


def _notice(record: ConsentRecord, shown: Wording) -> Json:
    """The very text, and all its digest is over."""
    asked = {name: text for name in Wording.TICKS if (text := shown.tick_text(name))}
    return {
        "@type": "dpv:ConsentNotice",
        "countries": shown.countries,
        "dct:language": shown.language,
        "digest": shown.digest,
        "policy": {
            "@type": "dpv:PrivacyNotice",
            "binding_language": shown.policy.canonical,
            "digest": getattr(shown.policy, f"digest_{shown.language}"),
            "digest_kk": shown.policy.digest_kk,
            "in_force_from": proof.moment(shown.policy.effective_at),
            "number": shown.policy.number,
            "url": _address("policy_version", shown.language, shown.policy.number),
        },
        "recipients": shown.recipients,
        "text": shown.text,
        "ticks": [{"text": text, "tick": name, "ticked": getattr(record, name)} for name, text in asked.items()],
        "version": shown.version,
    }


def _on_the_wall(at: datetime) -> Json:
    """The moment by the local clock, for a machine and, in the active language, for people."""
    local = at.astimezone(ZoneInfo(settings.TIME_ZONE))
    offset = local.isoformat()[-6:]
    return {
        "local": local.isoformat(timespec="seconds"),
        "written": f"{date_format(local, 'DATETIME_FORMAT')} ({settings.TIME_ZONE}, UTC{offset})",
        "zone": settings.TIME_ZONE,
    }


def _address(page: str, language: str, *arguments: int) -> str:
    with override(language):
        return str(settings.SITE_URL) + reverse(page, args=arguments)


def read(receipt: Receipt) -> list[Json]:
    """What the signed document says of each of its consents, in their order, under names a page can use."""
    return [_flat(entry) for entry in json.loads(receipt.document)["dpv:hasRecordOfActivity"]]


def _flat(entry: Json) -> Json:
    process, notice, event = entry["dpv:hasProcess"], entry["dpv:hasNotice"], entry["dpv:hasConsentStatus"]
    control = entry["dpv:hasConsentControl"]
    return {
        "purpose": process["dpv:hasPurpose"]["dct:title"],
        "data": [category["dct:title"] for category in process["dpv:hasPersonalData"]],
        "term": process["dpv:hasStorageCondition"][1]["dpv:hasDuration"],
        "until": event["dpv:hasDuration"].get("written"),
        "at": event["written"],
        "language": notice["dct:language"],
        **{name: notice[name] for name in ("text", "ticks", "version", "digest", "policy")},
        "withdrawing": {"how": control["how"], "url": control["dpv:isExercisedAt"]},
        "chain": entry["chain"],
    }
