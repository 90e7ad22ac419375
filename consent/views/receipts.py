"""A receipt: its page, its signed document, the signature, the evidence. Links to it never expire."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from consent import links, receipts
from consent.models import Receipt
from consent.views.page import cut_link, page
from registry.models import DataSubject


@require_safe
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    """What was agreed to, as it was signed, and what has become of it."""
    found = _found(token)
    if found is None:
        return cut_link(request)
    if _is_destroyed(found):
        return _destroyed(request, found)
    items = receipts.items_of(found, timezone.now())
    context: dict[str, object] = {
        "receipt": found,
        "state": receipts.together(items),
        "consents": list(zip(items, receipts.read(found), strict=True)),
        "key_id": receipts.key_id(),
        "token": token,
    }
    return page(request, "receipt.html", context)


@require_safe
def receipt_document(request: HttpRequest, token: str) -> HttpResponse:
    """The very bytes the signature is under."""
    return _file(request, token, ".json", "application/json", lambda found: found.document.encode("ascii"))


@require_safe
def receipt_signature(request: HttpRequest, token: str) -> HttpResponse:
    return _file(request, token, ".signature.json", "application/json", receipts.signature_file)


@require_safe
def receipt_evidence(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    return _file(request, token, ".zip", "application/zip", lambda found: receipts.bundle(found, now=now))


@require_safe
def receipt_key(request: HttpRequest) -> HttpResponse:
    """The key that checks every receipt. Public: anybody may keep it."""
    return HttpResponse(receipts.public_pem(), content_type="application/x-pem-file")


def _found(token: str) -> Receipt | None:
    try:
        return Receipt.objects.select_related("subject").get(pk=links.receipt_of(token))
    except (links.InvalidLink, Receipt.DoesNotExist):
        return None


def _is_destroyed(found: Receipt) -> bool:
    return found.subject.status == DataSubject.Status.ERASED


def _destroyed(request: HttpRequest, found: Receipt, status: int = 200) -> HttpResponse:
    """The acts stay, as proof; they are no longer shown to whoever holds the link."""
    return page(request, "receipt.html", {"receipt": found, "state": receipts.State.DESTROYED}, status)


def _file(
    request: HttpRequest, token: str, suffix: str, content_type: str, content: Callable[[Receipt], bytes]
) -> HttpResponse:
    found = _found(token)
    if found is None:
        return cut_link(request)
    if _is_destroyed(found):
        return _destroyed(request, found, 410)
    response = HttpResponse(content(found), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{found.number}{suffix}"'
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response
