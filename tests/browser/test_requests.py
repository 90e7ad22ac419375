"""Asking about one's own data, as people meet it: each kind from the page to the letter, without scripts, in three
languages; and every page of it in every state, on a narrow phone and a desk, light and dark, with a screen reader.

Broken and seen to fail: the name of the textarea for screen readers, a button that only a script would press, a style in
a tag, the contrast of hints in the dark.
"""

import gzip
import zipfile
from email import message_from_bytes
from email.policy import default
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from consent import links
from registry import mail
from registry.models import LegalGround, PersonalDatum, StaffMember, SubjectRequest
from registry.requests import answering, copying, handling, verifying
from registry.requests.answering import Details
from tests.browser.test_public_face import (
    LANGUAGES,
    WEIGHT,
    WITH_EVERY_PAGE,
    Scene,
    _hasty,  # noqa: F401 (a fixture)
    seen,
    spoken,
)
from tests.factories import DAY, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped", "_hasty")]
Kind, Outcome = SubjectRequest.Kind, SubjectRequest.Outcome
PAGES = {}


def state(make, status=200):
    PAGES[make.__name__] = status, make
    return make


def with_status(status):
    return lambda make: state(make, status)


# --- what people and staff do ------------------------------------------------------------------------------------------
def fill_in(scene, kind="access", contact=None, details=""):
    scene.open("request/")
    scene.window.page.check(f"#kind-{kind}")
    scene.fill(contact=contact or scene.address(), details=details)


def check(scene, **more):
    fill_in(scene, **more)
    scene.press("form button")


def send(scene, **more):
    check(scene, **more)
    scene.press("button[value=send]")
    return SubjectRequest.objects.latest("pk")


def newest_letter(scene):
    """What was queued, sent; the text of the letter written last."""
    mail.send_due(timezone.now(), clock=timezone.now)
    newest = max(Path(settings.MAIL_FOLDER).glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return message_from_bytes(newest.read_bytes(), policy=default).get_content()


def follow(scene, page):
    url = next(word for word in newest_letter(scene).split() if f"/{page}/" in word)
    scene.open(url)


def in_work(scene, kind="access", contact=None):
    request = send(scene, kind=kind, contact=contact, details="…")
    assert verifying.confirm(request.pk, now=timezone.now()) == verifying.Outcome.DONE
    return SubjectRequest.objects.get(pk=request.pk)


def clerk():
    return StaffMember.objects.filter(username="clerk").first() or staff("clerk")


def answer(request, outcome=Outcome.GRANTED, **details):
    said = Details(**details)
    return answering.answer(request, outcome, "…", by=clerk(), now=timezone.now(), details=said)


def open_state(scene, request):
    scene.open(links.request_state_url(request.pk, scene.language))


# --- every page in every state -----------------------------------------------------------------------------------------
@state
def form(scene):
    scene.open("request/")


@with_status(422)
def form_with_errors(scene):
    scene.open("request/")
    scene.window.page.check("#kind-rectification")
    scene.fill(contact="aigul@")
    scene.press("form button")


@state
def answers(scene):
    check(scene, kind="rectification", details="Қате: 2001\nДұрысы: 2002")


@state
def answers_of_a_withdrawal(scene):
    check(scene, kind="withdrawal")


@state
def sent(scene):
    send(scene)


@state
def sent_again(scene):
    send(scene)
    scene.press("form button")


@state
def question(scene):
    send(scene)
    follow(scene, "confirm")


@state
def confirmed(scene):
    question(scene)
    scene.press("button[value=confirm]")


@state
def disowned(scene):
    question(scene)
    scene.press("button[value=disown]")


@state
def joined(scene):
    contact = scene.address()
    in_work(scene, contact=contact)
    send(scene, contact=contact)
    follow(scene, "confirm")
    scene.press("button[value=confirm]")


@state
def withdrawn(scene):
    send(scene, kind="withdrawal")
    follow(scene, "confirm")
    scene.press("button[value=confirm]")


@state
def lapsed(scene):
    request = send(scene)
    assert verifying.lapse(timezone.now() + 7 * DAY)
    scene.open(links.request_url(request.pk, scene.language))


@state
def state_in_work(scene):
    open_state(scene, in_work(scene))


@state
def state_in_doubt(scene):
    request = in_work(scene)
    handling.extend(request, 3, by=clerk(), reason="illness", now=timezone.now())
    verifying.doubt(request, by=clerk(), reason="another voice", now=timezone.now())
    open_state(scene, request)


@state
def state_joined(scene):
    joined(scene)
    open_state(scene, SubjectRequest.objects.latest("pk"))


@state
def state_answered(scene):
    open_state(scene, answer(in_work(scene, "blocking")))


@state
def state_refused(scene):
    open_state(scene, answer(in_work(scene), Outcome.REFUSED, ground=LegalGround.objects.get(code="access")))


@state
def state_with_a_copy(scene):
    request = in_work(scene)
    copying.ask(request, by=clerk(), now=timezone.now())
    assert copying.build_waiting(clock=timezone.now) == 1
    open_state(scene, answer(request))


@state
def state_with_a_fetched_copy(scene):
    state_with_a_copy(scene)
    request = SubjectRequest.objects.latest("pk")
    copying.take(request, now=timezone.now()).close()
    open_state(scene, request)


@with_status(410)
def state_long_ago(scene):
    request = answer(in_work(scene, "blocking"))
    with scene.patch.context() as patch:
        patch.setattr(timezone, "now", lambda: request.answered_at + 90 * DAY)
        open_state(scene, request)


def corrected(scene):
    contact = scene.address()
    scene.person(values={"email": contact})
    request = in_work(scene, "rectification", contact)
    old = request.subject.data.get(category__code="email")
    answer(request, datum=old, value=scene.address("new"))
    fresh = PersonalDatum.objects.get(subject=request.subject, category=old.category, standing="stated")
    return links.new_address_url(old.pk, fresh.pk, scene.language)


@state
def new_address(scene):
    scene.open(corrected(scene))


@state
def new_address_confirmed(scene):
    new_address(scene)
    scene.press("button")


@with_status(410)
def new_address_gone(scene):
    url = corrected(scene)
    PersonalDatum.objects.filter(standing="stated").update(superseded_at=scene.now, keep_until=scene.now)
    scene.open(url)


# --- what must hold of all of them -------------------------------------------------------------------------------------
@pytest.fixture
def folder(settings, tmp_path):
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_can_be_read_by_everybody(visit, folder, monkeypatch, language):
    window = visit(bypass_csp=True, viewport={"width": 320, "height": 700})  # axe is a script
    scene, found = Scene(window, language, monkeypatch, timezone.now()), {}
    for name, (status, make) in PAGES.items():
        make(scene)
        assert window.answer.status == status, name
        if problems := [*spoken(scene), *seen(window.page)]:
            found[name] = problems
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_light_and_works_without_scripts_cookies_and_others(visit, folder, monkeypatch, language):
    """Violations of the policy, cookies and requests to others are told by the window when it closes."""
    window = visit(java_script_enabled=False)
    scene, weights = Scene(window, language, monkeypatch, timezone.now()), {}
    for name, (status, make) in PAGES.items():
        make(scene)
        assert window.answer.status == status, name
        assert "default-src 'none'" in window.answer.headers["content-security-policy"]
        weights[name] = len(gzip.compress(window.answer.body())) + WITH_EVERY_PAGE
    assert window.context.cookies() == []
    assert {name: weight for name, weight in weights.items() if weight >= WEIGHT} == {}


# --- each kind from the page to the letter -----------------------------------------------------------------------------
def details_of(kind, request):
    """What staff choose when they carry it out."""
    if kind == Kind.RECTIFICATION:
        return {"datum": request.subject.data.get(category__code="email"), "value": f"right{request.pk}@example.kz"}
    return {"ground": LegalGround.objects.get(code="destruction")} if kind == Kind.ERASURE else {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_goes_from_the_page_to_the_letter(visit, folder, monkeypatch, kind, language):
    window = visit(java_script_enabled=False)
    scene = Scene(window, language, monkeypatch, timezone.now())
    contact = scene.address()
    subject = scene.person(values={"email": contact})
    send(scene, kind=kind, contact=contact, details="…")
    follow(scene, "confirm")
    scene.press("button[value=confirm]")
    request = SubjectRequest.objects.latest("pk")
    assert request.subject == subject and request.number in window.page.inner_text("main")
    if kind == Kind.WITHDRAWAL:
        assert request.state == "answered"
    else:
        carry_out(scene, kind, request)
    open_state(scene, request)
    assert request.number in window.page.inner_text("h1")


def carry_out(scene, kind, request):
    assert request.explained(scene.language) in scene.window.page.inner_text("main")
    if kind == Kind.ACCESS:
        copying.ask(request, by=clerk(), now=timezone.now())
        assert copying.build_waiting(clock=timezone.now) == 1
    if kind == Kind.UNBLOCKING:
        answering.blocking.block(request.subject, by=None, reason="asked", now=timezone.now())
    answer(request, **details_of(kind, request))
    mail.send_due(timezone.now(), clock=timezone.now)
    if kind == Kind.ACCESS:
        fetch(scene, request)


def fetch(scene, request):
    open_state(scene, request)
    with scene.window.page.expect_download() as coming:
        scene.window.page.click("button[value=fetch]")
    content = Path(coming.value.path()).read_bytes()
    assert zipfile.ZipFile(BytesIO(content)).testzip() is None
