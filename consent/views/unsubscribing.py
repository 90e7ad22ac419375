"""Unsubscribing: the most available page there is."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt

from consent import decisions, links
from consent.models import ConsentRecord
from consent.views.page import cut_link, page
from registry import statements
from registry.models import DataSubject, Operator, ProcessingPurpose


@csrf_exempt
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """A link of any age works. POST acts, for people and for mail programs alike (RFC 8058): no redirect, no cookie.

    Whatever the body: it is looked at for the name of the channel only, and read as no form, which may fail.
    """
    try:
        subject_id, purpose_id = links.subscription_of(token)
    except links.InvalidLink:
        return cut_link(request)
    people = statements.select_beside(DataSubject, Operator, "registry_datasubject.id = %s", subject_id)
    if not people:
        return cut_link(request)
    person, operator = people[0]
    with override(person.language):
        if request.method != "POST":
            purpose = ProcessingPurpose.objects.filter(pk=purpose_id).first()
            return page(request, "unsubscribe.html", {"purpose": purpose, "done": False, "operator": operator})
        is_one_click = b"One-Click" in request.body
        channel = ConsentRecord.Channel.ONE_CLICK if is_one_click else ConsentRecord.Channel.LINK
        ended = decisions.withdraw(person, purpose_id or None, now=timezone.now(), channel=channel)
        return page(request, "unsubscribe.html", {"done": True, "ended": ended, "operator": operator})
