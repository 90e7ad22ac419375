"""Role x address x method x row, over every address of the console.

The tables below say who gets in; everybody else is refused, and an address in no table fails the test by its name. The
canary's values stand in three answers only: of showing a value, the text of a request and a letter, to whoever may.

Guarded lines broken and seen to fail: the appointment taken out of AppointedOnly and refuse_unappointed; the permission
taken out of the pages about previews and of the form of showing; a document that answers POST; `lookup_allowed`; the
refused look at a history not recorded."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from consent.models import PolicyVersion, ReceivedMail
from registry import roles
from registry.models import AuditEntry
from tests.factories import enter
from tests.house import ASKED, CANARIES, House, build, member

pytestmark = pytest.mark.django_db

# O operator, F officer, A auditor, I integrator, M administrator; X all five roles, but the appointment has ended;
# N appointed, without a role.
CAST = {
    "O": [roles.OPERATOR], "F": [roles.OFFICER], "A": [roles.AUDITOR], "I": [roles.INTEGRATOR],
    "M": [roles.ADMINISTRATOR], "X": list(roles.MATRIX), "N": [],
}  # fmt: skip
ALL = "OFAIMXN"

# list: who sees it, who adds, who changes. Deleting: nobody.
LISTS = {
    "auth_group": ("FAMX", "", ""),
    "consent_campaign": ("FAX", "", ""),
    "consent_confirmation": ("OFA", "", ""),
    "consent_consentrecord": ("OFA", "", ""),
    "consent_policyversion": ("OFAIX", "FX", "FX"),
    "consent_receivedmail": ("OFA", "", ""),
    "consent_wording": ("OFAIX", "", ""),
    "registry_accesssettings": ("FAMX", "", "MX"),
    "registry_appointment": ("FAMX", "MX", "MX"),
    "registry_auditentry": ("FA", "", ""),
    "registry_auditseal": ("FAX", "", ""),
    "registry_auditverification": ("FAX", "", ""),
    "registry_country": ("OFAIX", "FX", "FX"),
    "registry_datacategory": ("OFAIX", "FX", "FX"),
    "registry_dataexport": ("OFA", "", ""),
    "registry_datasubject": ("OFA", "", ""),
    "registry_deadline": ("OFAIX", "FX", "FX"),
    "registry_erasurecertificate": ("OFA", "", ""),
    "registry_erasurerecord": ("FA", "", ""),
    "registry_incident": ("FA", "", ""),
    "registry_jobrun": ("FAIMX", "", ""),
    "registry_legalground": ("OFAIX", "FX", "FX"),
    "registry_legalhold": ("OFA", "F", ""),
    "registry_operator": ("OFAIMX", "", "FX"),
    "registry_outgoingmessage": ("OFA", "", ""),
    "registry_personnotice": ("OFA", "", ""),
    "registry_processing": ("OFA", "", ""),
    "registry_processingpurpose": ("OFAIX", "FX", "FX"),
    "registry_purgepreview": ("FA", "", ""),
    "registry_purgerun": ("FAX", "", ""),
    "registry_recipientnotice": ("OFA", "", ""),
    "registry_recipient": ("OFAIX", "FX", "FX"),
    "registry_replytemplate": ("OFAIX", "FX", "FX"),
    "registry_retentionsettings": ("FAX", "", "FX"),
    "registry_rulechange": ("FAX", "", ""),
    "registry_selfretentionrule": ("FAX", "", "FX"),
    "registry_sizeclass": ("OFAIX", "FX", "FX"),
    "registry_staffmember": ("FAMX", "MX", "MX"),
    "registry_subjectrequest": ("OFA", "", ""),
    "registry_transfer": ("OFA", "", ""),
    "registry_workcalendaroverride": ("OFAIX", "FX", "FX"),
}
ACTIONS = {"consent_policyversion": {"publish": "FX"}, "registry_legalhold": {"release": "F"}}

# any other address: who may GET, who may POST.
PAGES = {
    "index": (ALL, ALL),
    "app_list": ("OFAIMX", "OFAIMX"),
    "audit_verification": ("FAX", "AX"),
    "authenticator": (ALL, ALL),
    "authenticator_remove": ("", ""),  # somebody else's
    "autocomplete": ("FAMX", ""),
    "block_subject": ("OF", "OF"),
    "campaign_start": ("FX", "FX"),
    "campaign_stop": ("", "FX"),
    "control_report": ("FA", ""),
    "counts": ("FAX", "FAX"),
    "demand_erasure": ("F", "F"),
    "desk_decide": ("", "OF"),
    "desk_enter": ("OF", "OF"),
    "enrol": (ALL, ALL),
    "export_ask": ("OF", "OF"),
    "export_ask_plain": ("OF", "OF"),
    "export_decide": ("OFA", "F"),  # GET leads to the list's page
    "export_take": ("OFA", ""),  # it is somebody else's
    "factor": (ALL, ALL),
    "find": ("OFA", "OFA"),
    "findings": ("OFAIX", "OFAIX"),
    "forget_filter": ("", "OFA"),  # ends at the list it belonged to
    "incident_close": ("F", "F"),
    "incident_enter": ("F", "F"),
    "incident_finding": ("F", "F"),
    "incident_measure": ("F", "F"),
    "incident_no_notice": ("F", "F"),
    "incident_notice": ("FA", ""),
    "incident_people": ("FA", ""),
    "incident_sent": ("F", "F"),
    "incident_source_audit": ("F", "F"),
    "incident_source_list": ("F", "F"),
    "incident_source_purpose": ("F", "F"),
    "incident_source_references": ("F", "F"),
    "jsi18n": (ALL, ""),
    "login": (ALL, ALL),
    "logout": ("", ""),  # ends at the sign-in, as it should
    "mail_read": ("OF", "OF"),
    "mail_resolve": ("", "OF"),
    "my_sign_in": (ALL, ALL),
    "notice_note": ("OFA", "OF"),  # GET leads to the notice's page
    "passkey_add": ("", ALL),
    "passkey_ask": (ALL, ALL),
    "passkey_ask_again": ("", ALL),
    "passkey_ask_to_add": ("", ALL),
    "passkey_check": (ALL, ALL),
    "passkey_check_again": ("", ALL),
    "passkey_remove": ("", ""),
    "password_change": (ALL, ALL),
    "password_change_done": (ALL, ""),
    "person_notice_note": ("OFA", "OF"),  # GET leads to the notice's page
    "place_hold": ("F", "F"),
    "purge_compare": ("FA", "FA"),
    "purge_decide": ("", "F"),
    "purge_export": ("", "FA"),
    "purge_keep": ("", "F"),
    "purge_now": ("FA", "FA"),
    "purpose_close": ("FX", "FX"),
    "recovery_codes": (ALL, ALL),
    "release_hold": ("F", "F"),
    "request_answer": ("OF", "OF"),
    "request_ask": ("OF", "OF"),
    "request_check": ("OF", "OF"),
    "request_contact": ("OF", "OF"),
    "request_copy": ("OF", "OF"),
    "request_doubt": ("OF", "OF"),
    "request_enter": ("OF", "OF"),
    "request_enter_for": ("OF", "OF"),
    "request_enter_new": ("OF", "OF"),
    "request_extend": ("OF", "OF"),
    "request_hand_over": ("OF", "OF"),
    "request_join": ("OF", "OF"),
    "request_kind": ("OF", "OF"),
    "request_letter": ("", ""),  # it is not answered yet
    "request_scan": ("OF", "OF"),
    "request_spam": ("OF", "OF"),
    "request_take": ("OF", "OF"),
    "request_text": ("OF", "OF"),
    "reveal": ("OF", "OF"),
    "recipient_key_make": ("F", "F"),
    "recipient_key_revoke": ("F", "F"),
    "rule_decide": ("", "FX"),
    "rule_propose": ("FX", "FX"),
    "save_filter": ("", "OFA"),
    "sessions_end": ("", ALL),
    "set_language": (ALL, ALL),
    "sign_in_reset": ("MX", "MX"),
    "step_up": (ALL, ALL),
    "telling_condition": ("OF", "OF"),
    "traces": ("FAX", "FAX"),
    "transfer_ask": ("OF", "OF"),
    "transfer_decide": ("OFA", "F"),  # GET leads to its page
    "transfer_statistics": ("OF", "OF"),
    "transfer_take": ("OFA", ""),  # it is somebody else's
    "unblock_subject": ("OF", "OF"),
    "view_on_site": ("", ""),
}
QUERY = {"autocomplete": "?app_label=registry&model_name=appointment&field_name=person"}
SHOWN = {("reveal", "POST"), ("request_text", "POST"), ("mail_read", "POST")}
BODY = {
    "desk_decide": {"act": "refuse", "reason": "wrong paper"},
    "export_decide": {"act": "approve"},
    "find": {"term": CANARIES[0]},
    "login": {"username": "nobody", "password": "nothing"},
    "notice_note": {"act": "told"},
    "transfer_decide": {"act": "approve"},
    "mail_read": {"reason": "asked"},
    "purge_decide": {"act": "approve", "reason": "checked"},
    "request_enter": {"term": CANARIES[0]},
    "request_scan": {"reason": "asked"},
    "request_text": {"reason": "asked"},
    "reveal": {"reason": "asked"},
    "rule_decide": {"act": "approve", "reason": "checked"},
    "save_filter": {"name": "late", "query": "status__exact=active"},
}


def addresses(patterns: list[Any], before: str = "") -> Iterator[tuple[str, URLPattern, str]]:
    """Name, pattern and route of every address under /admin/."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, route)
        elif route.startswith("admin/") and pattern.name:
            yield pattern.name, pattern, route


ADDRESSES = {name: pattern for name, pattern, _route in addresses(get_resolver().url_patterns)}


def expected(name: str) -> tuple[str, str]:
    """Who may GET and who may POST."""
    if name in PAGES:
        return PAGES[name]
    page, _under, kind = name.removesuffix("_simple_history").rpartition("_")
    if name.endswith("_simple_history"):
        page, kind = name.removesuffix("_simple_history"), "simple_history"
    if page not in LISTS:
        return ALL, ALL  # in no table: the first test names it
    sees, adds, changes = LISTS[page]
    return {
        "changelist": (sees, sees),
        "add": (adds, adds),
        "change": (sees, changes),
        "history": (sees, sees),
        "simple_history": (sees, ""),
        "delete": ("", ""),
    }[kind]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def house() -> House:
    return build(timezone.now())


def someone(letter: str) -> Any:
    person = member(f"cast-{letter}", *CAST[letter])
    if letter == "X":
        person.appointments.update(valid_until=timezone.localdate() - timezone.timedelta(days=1))
    return person


def arguments(name: str, house: House) -> list[Any]:
    """What stands in the address: the numbers of real rows."""
    page, _under, kind = name.rpartition("_")
    if name.endswith("_simple_history"):
        row = house.rows[apps.get_model(*name.removesuffix("_simple_history").split("_", 1))]
        return [row.pk, row.history.first().pk]
    if page in LISTS:
        row = house.rows[apps.get_model(*page.split("_", 1))]
        return [] if kind in {"changelist", "add"} else [row.pk]
    return [
        _argument(one, house) for one in ADDRESSES[name].pattern.converters or ADDRESSES[name].pattern.regex.groupindex
    ]


def _argument(parameter: str, house: House) -> Any:
    own = {"subject_id": house.subject.pk, "datum_id": house.datum.pk, "hold_id": house.hold.pk}
    others = {"page": "registry_datasubject", "app_label": "registry", "content_type_id": 1, "object_id": 1, "url": "x"}
    known = own | others | {"policy_id": PolicyVersion.objects.published().first().pk}
    if parameter in known:
        return known[parameter]
    kinds = {
        "preview_id": "purgepreview", "purpose_id": "processingpurpose", "change_id": "rulechange",
        "filter_id": "savedfilter", "request_id": "subjectrequest", "pk": "staffmember", "export_id": "dataexport", "incident_id": "incident",
        "person_id": "staffmember", "transfer_id": "transfer", "notice_id": "recipientnotice",
        "recipient_id": "recipient", "key_id": "recipientkey",
        "person_notice_id": "personnotice",
    }  # fmt: skip
    if parameter == "mail_id":
        return house.rows[ReceivedMail].pk
    app, model = ("registry", kinds[parameter]) if parameter in kinds else ("consent", parameter.removesuffix("_id"))
    return house.rows[apps.get_model(app, model)].pk


def is_refused(answer: Any) -> bool:
    """403, 404, 405 at the end of the way, or a way that leads to signing in."""
    away = ("/admin/login", "/admin/sign-in/factor", "/admin/sign-in/again")
    return answer.status_code in {403, 404, 405} or any(step[0].startswith(away) for step in answer.redirect_chain)


class Walker:
    """One of the cast, asking without leaving a trace: each answer is undone."""

    def __init__(self, person: Any) -> None:
        self.client = Client(raise_request_exception=False)
        enter(self.client, person)
        self.key = self.client.session.session_key

    def ask(self, method: str, address: str, body: dict[str, Any] | None = None) -> Any:
        self.client.cookies["session"] = self.key
        before = transaction.savepoint()
        try:
            return getattr(self.client, method.lower())(address, body or {} if method == "POST" else None, follow=True)
        finally:
            transaction.savepoint_rollback(before)


def test_every_address_is_in_a_table_and_every_line_has_an_address():
    lists = {f"{model._meta.app_label}_{model._meta.model_name}" for model in site._registry}
    assert set(LISTS) == lists
    others = {name for name in ADDRESSES if name.removesuffix("_simple_history").rpartition("_")[0] not in LISTS}
    assert {name for name in others if not name.endswith("_simple_history")} == set(PAGES)


@pytest.mark.parametrize("letter", CAST)
def test_who_gets_in_where(house, letter):
    house.rows[apps.get_model("registry.savedfilter")].__class__.objects.update(person=(person := someone(letter)))
    walker, wrong, leaks = Walker(person), [], []
    for name in ADDRESSES:
        address = reverse(f"admin:{name}" if name != "set_language" else name, args=arguments(name, house))
        for method, may in zip(("GET", "POST"), expected(name), strict=True):
            answer = walker.ask(method, address + QUERY.get(name, ""), BODY.get(name))
            if is_refused(answer) is (letter in may) or answer.status_code >= 500:
                wrong.append(f"{name} {method} {letter}: {answer.status_code} {answer.redirect_chain}")
            if (name, method) not in SHOWN and any(canary in text_of(answer) for canary in CANARIES):
                leaks.append(f"{name} {method}")
    assert not wrong, "\n".join(wrong)
    assert not leaks, leaks


def text_of(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode(errors="replace")


@pytest.mark.parametrize("letter", CAST)
def test_a_value_opens_to_whoever_may_and_to_nobody_else(house, letter):
    answer = Walker(someone(letter)).ask("POST", reverse("admin:reveal", args=[house.datum.pk]), {"reason": "asked"})
    assert (CANARIES[0] in text_of(answer)) is (letter in PAGES["reveal"][1])


@pytest.mark.parametrize("letter", CAST)
def test_the_text_of_a_request_opens_to_whoever_may_and_to_nobody_else(house, letter):
    address = reverse("admin:request_text", args=arguments("request_text", house))
    answer = Walker(someone(letter)).ask("POST", address, {"reason": "asked"})
    assert (ASKED in text_of(answer)) is (letter in PAGES["request_text"][1])


def test_other_methods_get_no_further(house):
    walker, wrong, letter = Walker(someone("N")), [], "N"
    for name in ADDRESSES:
        address = reverse(f"admin:{name}" if name != "set_language" else name, args=arguments(name, house))
        for method in ("PUT", "DELETE"):
            answer = walker.ask(method, address + QUERY.get(name, ""))
            if letter not in expected(name)[0] and not is_refused(answer):
                wrong.append(f"{name} {method} {letter}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("letter", CAST)
def test_who_is_offered_which_action(letter):
    request = RequestFactory().get("/admin/")
    request.user = someone(letter)
    offered = {
        (page, action) for page, admin in _admins() for action in admin.get_actions(request) if action in _own(page)
    }
    wanted = {(page, action) for page, acts in ACTIONS.items() for action, may in acts.items() if letter in may}
    assert offered == wanted
    assert {action for _page, admin in _admins() for action in admin.get_actions(request)} <= set().union(
        *map(_own, LISTS)
    )


def _admins() -> list[tuple[str, Any]]:
    return [(f"{model._meta.app_label}_{model._meta.model_name}", admin) for model, admin in site._registry.items()]


def _own(page: str) -> set[str]:
    return set(ACTIONS.get(page, ()))


# --- questions in the address --------------------------------------------------------------------------------------

NASTY = (
    "data__index__startswith", "sealed__gte", "key__wrapped__gte", "password__startswith", "actor__password__startswith",
    "session__pk__startswith", "no_such_column", "id__gte", "reason__contains", "reference__startswith",
)  # fmt: skip


def test_a_list_answers_no_question_but_its_filters(house):
    walker = Walker(house.root)
    lists = [reverse(f"admin:{page}_changelist") for page in LISTS]
    answers = {f"{page}?{question}=a": 0 for page in lists for question in NASTY}
    answers = {address: walker.ask("GET", address).status_code for address in answers}
    assert {address: status for address, status in answers.items() if status != 400} == {}


def test_a_popup_refers_to_no_secret_column(house):
    walker = Walker(house.root)
    for page, field in (("staffmember", "password"), ("datasubject", "status"), ("auditentry", "reason")):
        address = reverse(f"admin:registry_{page}_changelist")
        assert walker.ask("GET", f"{address}?_popup=1&_to_field=id").status_code == 200
        assert walker.ask("GET", f"{address}?_popup=1&_to_field={field}").status_code == 400


def test_the_filters_a_list_shows_do_work(house):
    walker = Walker(house.root)
    for page, admin in _admins():
        request = RequestFactory().get("/admin/")
        request.user = house.root
        for spec in admin.get_changelist_instance(request).filter_specs:
            for name in spec.expected_parameters():
                answer = walker.ask("GET", f"{reverse(f'admin:{page}_changelist')}?{name}=1")
                assert answer.status_code in {200, 302}, (page, name)


# --- without an appointment ----------------------------------------------------------------------------------------

ABOUT_PEOPLE = ("changelist", "change", "history")


@pytest.mark.parametrize("kind", ABOUT_PEOPLE)
def test_without_an_appointment_the_attempt_is_recorded(house, kind):
    client, person = Client(), someone("X")
    enter(client, person)
    name = f"registry_datasubject_{kind}"
    assert client.get(reverse(f"admin:{name}", args=arguments(name, house))).status_code == 403
    assert AuditEntry.objects.filter(operation="refused", actor=person).count() == 1
