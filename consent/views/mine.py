"""My consents: everything a person agreed to, on one page, by a link; and the page that sends the link."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import BadRequest, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, links, wording
from consent.forms import LinkForm
from consent.linking import ask_for_link
from consent.models import ConsentRecord, Receipt, Wording
from consent.tasks import wake_links
from consent.views.circumstances import circumstances
from consent.views.limiting import limited, limited_target
from consent.views.page import cut_link, page
from registry.models import DataSubject, Processing, ProcessingPurpose
from registry.processing import Scope
from registry.transfers import telling

Channel = ConsentRecord.Channel


@dataclass(frozen=True)
class Row:
    """One purpose on the page: what stands now, and what is offered."""

    purpose: ProcessingPurpose
    processing: Processing | None
    last: ConsentRecord | None
    agreed: Wording | None
    offered: wording.Text | None

    @property
    def is_wider(self) -> bool:
        """Whether the text in force names more than the one agreed to: then it is asked anew."""
        return bool(self.processing and self.offered and self.agreed and wording.widens(self.offered, self.agreed))

    @property
    def text(self) -> str:
        """What was agreed to while that stands, else what is offered."""
        if self.processing and self.agreed:
            return self.agreed.text
        return self.offered.text if self.offered else ""

    @property
    def ticks(self) -> list[tuple[str, str, bool]]:
        """Name, text and state of each tick of its own."""
        if self.processing and self.agreed:
            texts = {name: self.agreed.tick_text(name) for name in Wording.TICKS}
        else:
            texts = self.offered.ticks if self.offered else {}
        return [(name, text, bool(getattr(self.processing, name, False))) for name, text in texts.items() if text]


@csrf_exempt
def mine(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    try:
        person = DataSubject.objects.get(pk=links.person_of(token, now))
    except links.ExpiredLink:
        return page(request, "link_expired.html", {}, 410)
    except (links.InvalidLink, DataSubject.DoesNotExist):
        return cut_link(request)
    note = ""
    if request.method == "POST":
        note = _save(request, person, now)
        person.refresh_from_db()
    return _mine_page(request, person, now, note)


def _save(request: HttpRequest, person: DataSubject, now: datetime) -> str:
    """Only a pressed button counts: an empty POST withdraws nothing."""
    button = request.POST.get("answer", "")
    try:
        if button == "withdraw_all":
            decisions.withdraw(person, None, now=now, channel=Channel.LINK)
        elif button == "save":
            _save_all(request, person, now)
        else:
            raise BadRequest("no answer")
    except DataSubject.DoesNotExist:
        return ""
    except (decisions.Unseen, ValidationError):
        return "changed"
    return "saved"


@transaction.atomic
def _save_all(request: HttpRequest, person: DataSubject, now: datetime) -> None:
    """The choice among the purposes and, where the page offered it, the condition of being told: both or neither."""
    decisions.choose(
        person,
        _wanted(request),
        seen=set(request.POST.getlist("seen")),
        anew=request.POST.getlist("anew"),
        now=now,
        language=get_language() or "kk",
        circumstances=circumstances(request),
    )
    if "tell_offered" in request.POST:
        turn = telling.ask_to_be_told if "tell" in request.POST else telling.end_condition
        turn(person, by=None, now=now)


def _wanted(request: HttpRequest) -> dict[str, Scope]:
    """By code of the purpose. An unticked purpose is withdrawn, whatever else is ticked for it.

    Who agrees to a new text is asked for its ticks anew: the old ones named less.
    """
    anew = set(request.POST.getlist("anew"))
    codes = sorted(set(request.POST.getlist("purposes")))
    return {code: _ticked(request, code, "anew_" if code in anew else "") for code in codes}


def _ticked(request: HttpRequest, code: str, prefix: str) -> Scope:
    return Scope(**{name: code in request.POST.getlist(prefix + name) for name in Wording.TICKS})


def _mine_page(request: HttpRequest, person: DataSubject, now: datetime, note: str) -> HttpResponse:
    rows = _rows(person, now, get_language() or "kk") if decisions.is_known(person) else []
    is_blocked, is_minor = person.status == DataSubject.Status.BLOCKED, decisions.is_minor(person, now)
    receipts = Receipt.objects.filter(subject=person).order_by("-pk")[:20] if rows else []
    is_told = bool(rows) and telling.stands(person)
    context: dict[str, object] = {
        "person": person,
        "is_told": is_told,
        "rows": rows,
        "note": note,
        "is_blocked": is_blocked,
        "is_minor": is_minor,
        "may_give": not (is_blocked or is_minor),
        "holds_any": any(row.processing for row in rows),
        "receipts": [(receipt, links.token(links.RECEIPT, receipt.pk)) for receipt in receipts],
    }
    return page(request, "mine.html", context, 409 if note == "changed" else 200)


def _rows(person: DataSubject, now: datetime, language: str) -> list[Row]:
    """What the person ever decided on, then what is offered beside it. A constant number of queries."""
    offered = wording.offer(now, language).texts
    deciding = [ConsentRecord.Act.GIVEN, ConsentRecord.Act.CONFIRMED, ConsentRecord.Act.WITHDRAWN]
    decided = ConsentRecord.objects.filter(subject=person, act__in=deciding).order_by("pk")
    acts = list(decided.select_related("purpose", "wording"))
    last = {act.purpose_id: act for act in acts}
    agreed = {act.purpose_id: act.wording for act in acts if act.wording}
    ongoing = Processing.objects.ongoing(now).filter(subject=person, purpose__in=list(last)).select_related("purpose")
    held = {processing.purpose_id: processing for processing in ongoing}
    purposes = {act.purpose_id: act.purpose for act in acts}
    purposes |= {text.purpose.pk: text.purpose for text in offered.values()}
    rows = [
        Row(one, held.get(pk), last.get(pk), agreed.get(pk), offered.get(one.code)) for pk, one in purposes.items()
    ]
    return sorted(rows, key=lambda row: (row.purpose.position, row.purpose.pk))


@csrf_exempt
@limited("link")
def send_link(request: HttpRequest) -> HttpResponse:
    """The answer tells nobody whether we know the address: page and work are the same."""
    now = timezone.now()
    form = LinkForm(request.POST if request.method == "POST" else None, now=now)
    if not form.is_bound:
        return page(request, "send_link.html", {"form": form, "sent": False})
    if not form.is_trap_sprung:
        if not form.is_valid():
            return page(request, "send_link.html", {"form": form, "sent": False}, 422)
        too_often = limited_target(request, "link", form.cleaned_data["contact"][1])
        if too_often:
            return too_often
        ask_for_link(*form.cleaned_data["contact"], language=get_language() or "kk", now=now)
        wake_links()
    return page(request, "send_link.html", {"form": form, "sent": True})
