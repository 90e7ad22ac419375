"""Self-retention: what is over goes, what is evidence or still needed stays.

Guarded lines broken and seen to fail: `queued` put into FINISHED_MAIL, `approved` and `waiting` into DECIDED, the
pattern of the logs widened to `*.log*`, links followed, evidence given a way to be destroyed, the error of one store let through,
the `while` of `kept_from` taken out, `__lt` turned to `__lte`, the refusal of a term for evidence."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from config.celery import app
from registry import stores, tasks, traces
from registry.jobs import LATE_AFTER
from registry.models import (
    AuditEntry,
    JobRun,
    OutgoingMessage,
    PreviewLine,
    PurgePreview,
    PurgeRun,
    RememberedIdentifier,
    SelfRetentionRule,
)
from tests.factories import DAY, MOMENT, enter, person, staff

pytestmark = pytest.mark.django_db
LONG_AGO = MOMENT - 1000 * DAY


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME = tmp_path
    (tmp_path / "log").mkdir()
    return tmp_path


def file(folder: Path, name: str, changed_at: datetime) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("x")
    os.utime(path, (changed_at.timestamp(), changed_at.timestamp()))
    return path


def rule(code: str, value: int | None, unit: str = "days") -> None:
    SelfRetentionRule.objects.filter(code=code).update(term_value=value, term_unit=unit)


def letters(state: str, queued_at: datetime = LONG_AGO, number: int = 1) -> None:
    subject = person(now=MOMENT)
    sample = OutgoingMessage.objects.first()
    OutgoingMessage.objects.filter(subject=subject).delete()
    OutgoingMessage.objects.bulk_create(
        OutgoingMessage(
            letter="receipt", about_id=1, subject=subject, datum_id=1, purpose=sample.purpose, language="kk",
            state=state, queued_at=queued_at, next_try_at=queued_at,
        )
        for _ in range(number)
    )  # fmt: skip


def preview(state: str, taken_at: datetime = LONG_AGO) -> PurgePreview:
    made = PurgePreview.objects.create(taken_at=taken_at, as_of=taken_at, digest="d", state="kept")
    PreviewLine.objects.create(preview=made, subject=person(), datum_id=1, category_id=1, ground="term_over")
    decided = {"reasons": "asked", "state": state}
    if state in {"approved", "done"}:
        decided |= {"approved_by": staff(f"second{made.pk}"), "approved_at": MOMENT, "expires_at": MOMENT}
    if state == "done":
        decided |= {"run_id": _run()}
    PurgePreview.objects.filter(pk=made.pk).update(**decided)
    return made


def _run() -> int:
    return PurgeRun.objects.create(started_at=LONG_AGO, as_of=LONG_AGO).pk


def test_every_store_has_its_rule_and_every_rule_its_store():
    assert set(traces.stores) == set(SelfRetentionRule.objects.values_list("code", flat=True))
    assert traces.without_rule() == []


def test_evidence_is_kept_for_ever_by_the_rules_that_ship():
    evidence = [code for code, store in traces.stores.items() if store.is_evidence]
    assert {"audit", "proof-of-erasure", "proof-of-consent"} <= set(evidence)
    assert not SelfRetentionRule.objects.filter(code__in=evidence, term_value__isnull=False).exists()


@pytest.mark.parametrize(("state", "left"), [("sent", 0), ("cancelled", 0), ("failed", 0), ("queued", 1)])
def test_old_letters_go_and_queued_ones_never(state, left):
    letters(state)
    assert OutgoingMessage.objects.count() == 1
    assert traces.destroy_over(MOMENT)["letters"] == 1 - left
    assert OutgoingMessage.objects.count() == left


# The term of 12 months ends at 24:00 of 22 November 2026 in Almaty: 19:00 UTC.
@pytest.mark.parametrize(
    ("now", "left"),
    [(datetime(2026, 11, 22, 18, 59, 59, tzinfo=UTC), 1), (datetime(2026, 11, 22, 19, 0, tzinfo=UTC), 0)],
)
def test_a_letter_goes_when_its_term_is_over_and_not_a_second_before(now, left):
    letters("sent", datetime(2025, 11, 22, 5, 0, tzinfo=UTC))
    traces.destroy_over(now)
    assert OutgoingMessage.objects.count() == left


@pytest.mark.parametrize(
    ("state", "left"), [("kept", 0), ("refused", 0), ("expired", 0), ("done", 0), ("waiting", 1), ("approved", 1)]
)
def test_old_previews_lose_their_lines_and_waiting_ones_keep_them(state, left):
    preview(state)
    assert PreviewLine.objects.count() == 1
    traces.destroy_over(MOMENT)
    assert PreviewLine.objects.count() == left
    assert PurgePreview.objects.count() == 1


def test_a_young_preview_keeps_its_lines():
    preview("kept", MOMENT - 80 * DAY)
    traces.destroy_over(MOMENT)
    assert PreviewLine.objects.count() == 1


def test_sessions_and_remembered_people_go_after_their_end():
    for key, end in (("over", MOMENT - 3 * DAY), ("live", MOMENT + DAY)):
        Session.objects.create(session_key=key, session_data="", expire_date=end)
        RememberedIdentifier.objects.create(
            category_id=1, index=key.encode(), subject=person(), remembered_at=LONG_AGO, until=end
        )
    traces.destroy_over(MOMENT)
    assert [session.session_key for session in Session.objects.all()] == ["live"]
    assert [bytes(one.index) for one in RememberedIdentifier.objects.all()] == [b"live"]


def test_old_files_go_and_young_ones_live_logs_links_and_others_stay(home, settings):
    mail, log = settings.MAIL_FOLDER, home / "log"
    gone = [file(mail, "a.eml", LONG_AGO), file(mail, ".b.part", LONG_AGO), file(log, "web.log.1", LONG_AGO)]
    stay = [
        file(mail, "c.eml", MOMENT), file(mail, "notes.txt", LONG_AGO), file(log, "web.log", LONG_AGO),
        file(log, "beat.log.1", MOMENT),
    ]  # fmt: skip
    link = log / "link.log.1"
    link.symlink_to(stay[2])
    assert traces.destroy_over(MOMENT) == {"letter-files": 2, "logs": 1}
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in [*stay, link])


def test_a_letter_of_the_first_moment_that_is_kept_stays():
    first = traces.kept_from(MOMENT, SelfRetentionRule.objects.get(code="letters"))
    letters("sent", first)
    traces.destroy_over(MOMENT)
    assert OutgoingMessage.objects.count() == 1
    OutgoingMessage.objects.update(queued_at=first - timedelta(microseconds=1))
    traces.destroy_over(MOMENT)
    assert OutgoingMessage.objects.count() == 0


def test_a_store_without_a_term_is_kept_for_ever():
    letters("sent")
    rule("letters", None)
    traces.destroy_over(MOMENT)
    assert OutgoingMessage.objects.count() == 1


def test_evidence_stays_whatever_its_rule_says():
    person(now=LONG_AGO)
    before = AuditEntry.objects.count()
    assert before
    rule("audit", 1)
    traces.destroy_over(MOMENT)
    assert AuditEntry.objects.count() == before


def test_portions_take_all_and_a_second_run_nothing(monkeypatch):
    monkeypatch.setattr(stores, "PORTION", 2)
    letters("sent", number=5)
    assert traces.destroy_over(MOMENT)["letters"] == 5
    assert traces.destroy_over(MOMENT).total() == 0


def test_stopped_after_a_portion_the_rest_goes_the_next_time(monkeypatch):
    monkeypatch.setattr(stores, "PORTION", 2)
    letters("sent", number=5)
    destroying = traces.stores["letters"].destroy(MOMENT)
    assert next(destroying) == 2
    destroying.close()
    assert OutgoingMessage.objects.count() == 3
    assert traces.destroy_over(MOMENT)["letters"] == 3


def test_one_store_that_fails_stops_no_other_and_fails_the_job(home, monkeypatch):
    def broken(before):
        raise OSError("aigul@example.kz")

    failing = stores.Store("letters", "x", "x", lambda: 0, lambda: None, broken)
    monkeypatch.setitem(traces.stores, "letters", failing)
    old = file(home / "log", "web.log.1", LONG_AGO)
    with pytest.raises(traces.StoreError, match=r"^letters$"):
        tasks.self_retention()
    assert not old.exists()
    assert JobRun.objects.get(name="self_retention").outcome == "failed: StoreError"


def test_the_job_runs_every_day_and_is_watched(home):
    planned = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == "registry.tasks.self_retention"]
    assert planned[0]["schedule"].hour == {22} and "self_retention" in LATE_AFTER
    file(home / "log", "web.log.1", timezone.now() - 1000 * DAY)
    tasks.self_retention()
    assert JobRun.objects.get(name="self_retention").outcome == "1 traces destroyed"


@given(
    moment=st.integers(0, 14000 * 86400).map(lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    elapsed=st.integers(0, 4000 * 86400),
    length=st.integers(0, 130),
    unit=st.sampled_from(["days", "months"]),
)
def test_what_is_over_is_what_the_terms_of_people_say(moment, elapsed, length, unit):
    chosen = SelfRetentionRule(code="x", term_value=length, term_unit=unit)
    now = moment + timedelta(seconds=elapsed)
    assert (moment < traces.kept_from(now, chosen)) == (traces.goes_at(moment, chosen) <= now)


@pytest.mark.parametrize(("queued_on", "left"), [("2026-01-28", 0), ("2026-01-31", 0), ("2026-02-01", 1)])
def test_several_days_share_the_end_of_a_short_month(queued_on, left):
    rule("letters", 1, "months")
    letters("sent", datetime.fromisoformat(f"{queued_on}T12:00+05:00"))
    traces.destroy_over(datetime.fromisoformat("2026-03-01T00:00+05:00"))
    assert OutgoingMessage.objects.count() == left


@pytest.mark.parametrize("unit", ["days", "months"])
def test_the_longest_term_that_fits_takes_nothing(unit):
    assert traces.kept_from(MOMENT, SelfRetentionRule(code="x", term_value=32767, term_unit=unit)) < MOMENT - 30000 * DAY


def test_the_page_shows_count_age_and_when_the_oldest_goes(client):
    letters("sent", datetime(2026, 11, 1, 5, 0, tzinfo=UTC), number=3)
    ages = {age.store.code: age for age in traces.ages()}
    assert (ages["letters"].count, ages["letters"].oldest) == (3, datetime(2026, 11, 1, 5, 0, tzinfo=UTC))
    enter(client, staff())
    client.cookies["language"] = "en"
    body = client.get(reverse("admin:traces")).content.decode()
    assert "<td>3</td><td>01.11.2026 10:00</td><td>02.11.2027 00:00</td>" in body
    assert "evidence, kept for ever" in body


def test_who_may_see_and_who_may_change(client):
    clerk = staff("clerk", appointed=False, superuser=False)
    enter(client, clerk)
    page, letters_rule = reverse("admin:traces"), SelfRetentionRule.objects.get(code="letters")
    change = reverse("admin:registry_selfretentionrule_change", args=[letters_rule.pk])
    assert client.get(page).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_selfretentionrule"))
    enter(client, clerk)
    assert change not in client.get(page).content.decode()
    assert client.post(change, {"term_value": 1, "term_unit": "days"}).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="change_selfretentionrule"))
    enter(client, clerk)
    assert change in client.get(page).content.decode()
    assert client.post(change, {"term_value": 1, "term_unit": "days"}).status_code == 302
    letters_rule.refresh_from_db()
    assert letters_rule.term_value == 1 and letters_rule.history.count() == 2
    assert AuditEntry.objects.filter(operation="configure", object_type="registry.selfretentionrule").count() == 1


def test_a_term_for_evidence_is_refused_and_rules_are_neither_added_nor_deleted(client):
    enter(client, staff())
    audit = SelfRetentionRule.objects.get(code="audit")
    address = reverse("admin:registry_selfretentionrule_change", args=[audit.pk])
    answer = client.post(address, {"term_value": 1, "term_unit": "days"})
    assert list(answer.context["adminform"].form.errors) == ["term_value"]
    assert client.post(address, {"term_value": "", "term_unit": "days"}).status_code == 302
    assert client.get(reverse("admin:registry_selfretentionrule_add")).status_code == 403
    assert client.get(reverse("admin:registry_selfretentionrule_delete", args=[audit.pk])).status_code == 403
