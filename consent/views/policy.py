"""The policy: the version in force, its archive, and what changed between two versions (policy clauses 1, 31, 32)."""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from consent.comparison import compare
from consent.models import PolicyVersion
from consent.policy import blocks, in_short
from consent.views.page import page


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    in_force = PolicyVersion.objects.in_force(now)
    return _policy_page(request, in_force, in_force, now)


@require_safe
def policy_version(request: HttpRequest, number: int) -> HttpResponse:
    now = timezone.now()
    return _policy_page(request, _published(number), PolicyVersion.objects.in_force(now), now)


def _policy_page(
    request: HttpRequest, version: PolicyVersion, in_force: PolicyVersion, now: datetime
) -> HttpResponse:
    """The text as published. What it comes to in short is what holds now, so only the version in force says it."""
    language = _language_of(version)
    title, *paragraphs = blocks(version.text("text", language))
    coming = PolicyVersion.objects.published().filter(effective_at__gt=now).exclude(pk=version.pk)
    context: dict[str, object] = {
        "version": version,
        "in_force": in_force,
        "is_early": version.effective_at > now,
        "coming": coming.order_by("effective_at", "number").first() if version == in_force else None,
        "title": title,
        "blocks": paragraphs,
        "text_language": language,
        "digest": version.text("digest", language),
        "binding": dict(settings.LANGUAGES)[version.canonical],
        "facts": in_short(now) if version == in_force else [],
    }
    return page(request, "policy.html", context)


def _published(number: int) -> PolicyVersion:
    return get_object_or_404(PolicyVersion.objects.published(), number=number)


def _language_of(version: PolicyVersion) -> str:
    """The language of the page, if the version has a text in it; else Kazakh."""
    language = get_language() or "kk"
    return language if getattr(version, f"text_{language}").strip() else "kk"


@require_safe
def policy_versions(request: HttpRequest) -> HttpResponse:
    """Every published version, the newest first, each with the one before it."""
    now = timezone.now()
    texts = [f"text_{language}" for language in ("kk", "ru", "en")]
    published = list(PolicyVersion.objects.published().order_by("-effective_at", "-number").defer(*texts))
    rows = [
        {"version": one, "before": before, "digest": one.text("digest"), "is_early": one.effective_at > now}
        for one, before in zip(published, [*published[1:], None], strict=True)
    ]
    return page(request, "policy_versions.html", {"rows": rows, "in_force": PolicyVersion.objects.in_force(now)})


@require_safe
def policy_comparison(request: HttpRequest, old: int, new: int) -> HttpResponse:
    """What changed from one published version to another, in the language of the page."""
    before, after = _published(old), _published(new)
    context: dict[str, object] = {
        "before": before,
        "after": after,
        "versions": [(one, one.text("digest")) for one in (before, after)],
        "binding": dict(settings.LANGUAGES)[after.canonical],
        "changes": compare(before.text("text"), after.text("text")),
    }
    return page(request, "policy_comparison.html", context)
