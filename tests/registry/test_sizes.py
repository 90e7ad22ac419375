"""The size of the operator: its borders, what announces the next one, and who sees how many people there are.

Broken and seen to fail: `>=` of the announcement and `<=` of a beginning turned to `>` and `<`, the step up of restricted
data, the number in the announcement for who may not see people.
"""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from registry import banners, defaults, roles, sizes
from registry.figures import Board
from registry.models import AuditEntry, Figure, Operator, SizeClass, StaffMember
from tests.factories import MOMENT, enter, staff

SHIPPED = [SizeClass(code=code, starts_at=start) for code, start in (("small", 0), ("medium", 10001), ("large", 500000))]


def at(people, *, is_restricted=False, known=SHIPPED):
    return sizes.of(people, known, is_restricted=is_restricted)


def told(people, **also):
    """Size, the last number of it, what comes after, and whether that is announced."""
    found = at(people, **also)
    return found.size.code, found.most, found.following and found.following.code, found.is_near


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (0, ("small", 10000, "medium", False)),
        (8999, ("small", 10000, "medium", False)),
        (9000, ("small", 10000, "medium", True)),
        (10000, ("small", 10000, "medium", True)),
        (10001, ("medium", 499999, "large", False)),
        (449999, ("medium", 499999, "large", False)),
        (450000, ("medium", 499999, "large", True)),
        (499999, ("medium", 499999, "large", True)),
        (500000, ("large", None, None, False)),
        (3000000, ("large", None, None, False)),
    ],
)
def test_the_borders(people, expected):
    assert told(people) == expected


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (0, ("medium", 10000, "large", False)),
        (9000, ("medium", 10000, "large", True)),
        (10001, ("large", None, None, False)),
        (500000, ("large", None, None, False)),
    ],
)
def test_restricted_data_move_one_size_up_and_never_further_than_the_last(people, expected):
    assert told(people, is_restricted=True) == expected


@given(
    starts=st.lists(st.integers(1, 10**7), unique=True, max_size=5).map(sorted),
    people=st.integers(0, 10**7),
    is_restricted=st.booleans(),
)
def test_whatever_the_sizes_are(starts, people, is_restricted):
    known = [SizeClass(code=str(number), starts_at=start) for number, start in enumerate([0, *starts])]
    found = at(people, is_restricted=is_restricted, known=known)
    by_number = max(number for number, one in enumerate(known) if one.starts_at <= people)
    assert found.size is known[min(by_number + is_restricted, len(known) - 1)]
    if found.most is None:
        assert found.following is None and found.size is known[-1] and not found.is_near
        return
    assert people <= found.most
    beyond = at(found.most + 1, is_restricted=is_restricted, known=known)
    assert beyond.size is found.following and beyond.size is not found.size
    assert at(found.most, is_restricted=is_restricted, known=known).size is found.size


def test_without_sizes_there_is_nothing_to_say():
    assert sizes.of(5, [], is_restricted=True) is None


# --- what ships, what is shown ----------------------------------------------------------------------------------------
pytestmark_db = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytestmark_db
def test_what_ships_is_complete_and_says_that_no_lawyer_has_checked_it():
    rows = list(SizeClass.objects.all())
    assert [(row.code, row.starts_at) for row in rows] == [(one.code, one.starts_at) for one in SHIPPED]
    for row in rows:
        assert not row.is_reviewed
        assert all(getattr(row, f"{field}_{language}") for field in ("title", "duties") for language in ("kk", "ru", "en"))
    assert "10-1" in rows[-1].duties_en and "25-1" in rows[-1].duties_kk


@pytestmark_db
def test_what_the_operator_has_changed_is_left_alone():
    SizeClass.objects.filter(code="small").update(title_en="Tiny")
    assert defaults.load() == 0
    assert SizeClass.objects.get(code="small").title_en == "Tiny"


def counted(people):
    """As the job would have counted so many people."""
    Figure.objects.all().delete()
    Figure.objects.create(name="people", group="", value=people, counted_at=MOMENT)


def member(name, role, *, appointed=True):
    someone = staff(name, appointed=appointed, superuser=False)
    roles.apply(timezone.now())
    someone.groups.add(Group.objects.get(name=role))
    return StaffMember.objects.get(pk=someone.pk)


def today(reader, language="en"):
    client = Client()
    enter(client, reader)
    client.cookies["language"] = language
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    return answer


@pytestmark_db
@pytest.mark.parametrize(("people", "is_near"), [(8999, False), (9000, True), (10000, True), (10001, False)])
def test_today_says_the_size_and_announces_the_next(people, is_near):
    counted(people)
    page = today(member("officer", roles.OFFICER))
    context = page.context["size"]
    assert context["size"].code == ("small" if people <= 10000 else "medium")
    assert context["people"] == f"{people:,}"
    banner = [line.text for line, _address in page.context["banners"] if "next size" in line.text]
    assert bool(banner) is is_near
    if is_near:
        assert "9,000 of 10,000" in banner[0] or "10,000 of 10,000" in banner[0]


@pytestmark_db
def test_restricted_data_on_the_operator_s_form_move_the_size():
    counted(5)
    Operator.objects.update(has_restricted_data=True)
    page = today(member("officer", roles.OFFICER))
    assert page.context["size"]["size"].code == "medium"
    assert "restricted access" in page.content.decode()


@pytestmark_db
@pytest.mark.parametrize("reader", [("admin", roles.ADMINISTRATOR, True), ("away", roles.OFFICER, False)])
def test_who_may_not_see_people_sees_the_size_and_no_number(reader):
    counted(9876)
    name, role, appointed = reader
    page = today(member(name, role, appointed=appointed))
    (banner,) = (line.text for line, _address in page.context["banners"] if "next size" in line.text)
    assert "Small operator" in card(page) and "Medium operator" in banner
    assert "9,876" not in card(page) + banner
    assert "9,876" in card(today(member("sees", roles.OFFICER))), "this proves something"


def card(page):
    return page.content.decode().partition('aria-labelledby="size-name"')[2].partition("</section>")[0]


@pytestmark_db
@pytest.mark.parametrize(("language", "words"), [("kk", "Ірі оператор"), ("ru", "Крупный оператор"), ("en", "Large operator")])
def test_size_and_duties_in_the_reader_s_language(language, words):
    counted(700000)
    reader = member("officer", roles.OFFICER)
    with translation.override(language):
        standing = sizes.look(Board(MOMENT, {"people": {"": 700000}}))
        assert str(standing.size) == words and "10-1" in standing.size.text("duties")
        assert banners.find(reader, MOMENT, sees_people=True, standing=standing) is not None


@pytestmark_db
def test_before_anything_was_counted_nothing_is_said():
    Figure.objects.all().delete()
    page = today(member("officer", roles.OFFICER))
    assert page.context["size"] == {"size": None}
    assert sizes.look(Board()) is None


@pytestmark_db
def test_a_size_is_changed_with_history_and_an_audit_entry():
    officer, row = member("officer", roles.OFFICER), SizeClass.objects.get(code="small")
    client = Client()
    enter(client, officer)
    names = ("title_kk", "title_ru", "title_en", "duties_kk", "duties_ru", "duties_en", "starts_at")
    body = {name: getattr(row, name) for name in names} | {"title_en": "Little operator", "is_reviewed": "on"}
    before = row.history.count()
    answer = client.post(reverse("admin:registry_sizeclass_change", args=[row.pk]), body)
    row.refresh_from_db()
    assert answer.status_code == 302 and (row.title_en, row.is_reviewed, row.code) == ("Little operator", True, "small")
    assert row.history.count() == before + 1
    assert AuditEntry.objects.filter(operation="configure", object_type="registry.sizeclass", object_id=row.pk).exists()
