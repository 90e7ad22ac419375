"""The policy: the version in force, its archive, and what changed between two versions (policy clauses 1, 31, 32)."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from consent import wording
from consent.models import PolicyVersion
from consent.policy import blocks
from consent.views.page import page
from registry.models import ProcessingPurpose


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    version = PolicyVersion.objects.in_force(now)
    language = get_language() or "kk"
    purposes = ProcessingPurpose.objects.open(now).filter(is_public=True).prefetch_related("categories")
    context: dict[str, object] = {
        "version": version,
        "blocks": blocks(version.text("text", language)),
        "digest": getattr(version, f"digest_{language}"),
        "purposes": [(purpose, wording.term(purpose)) for purpose in purposes],
    }
    return page(request, "policy.html", context)
