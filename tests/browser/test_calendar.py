"""Django's calendar, clock and double lists speak Kazakh and Russian, and work under the strict policy."""

import pytest
from django.urls import reverse

from tests.factories import staff

pytestmark = pytest.mark.django_db(transaction=True)
SHORT = {"kk": ["Дс", "Сс", "Ср", "Бс", "Жм", "Сб", "Жс"], "ru": ["Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"]}
MONTHS = {
    "kk": [
        "Қаңтар",
        "Ақпан",
        "Наурыз",
        "Сәуір",
        "Мамыр",
        "Маусым",
        "Шілде",
        "Тамыз",
        "Қыркүйек",
        "Қазан",
        "Қараша",
        "Желтоқсан",
    ],
    "ru": [
        "Январь",
        "Февраль",
        "Март",
        "Апрель",
        "Май",
        "Июнь",
        "Июль",
        "Август",
        "Сентябрь",
        "Октябрь",
        "Ноябрь",
        "Декабрь",
    ],
}
DAYS = {"kk": ["Кеше", "Бүгін", "Ертең"], "ru": ["Вчера", "Сегодня", "Завтра"]}
HOURS = {
    "kk": ["Қазір", "Түн жарымы", "Таңғы 6", "Талтүс", "Кешкі 6"],
    "ru": ["Сейчас", "Полночь", "6 утра", "Полдень", "6 вечера"],
}
LISTS = {
    "kk": ["Таңдауға болатындар: қажетті деректер", "Таңдалғандар: қажетті деректер"],
    "ru": ["Можно выбрать: необходимые данные", "Выбрано: необходимые данные"],
}
ALL = {
    "kk": ["Барлығын таңдау: қажетті деректер", "Барлығын алып тастау: қажетті деректер"],
    "ru": ["Выбрать все: необходимые данные", "Убрать все: необходимые данные"],
}
CANCEL = {"kk": "Болдырмау", "ru": "Отмена"}


@pytest.fixture(params=["kk", "ru"])
def language(request):
    return request.param


@pytest.fixture
def page(visit, language):
    window = visit()
    window.enter(staff())
    window.open(reverse("admin:index"))
    window.page.click(f"button[value={language}]")

    def opened(name):
        answer = window.open(reverse(f"admin:{name}"))
        assert "unsafe" not in answer.headers["content-security-policy"]
        return window.page

    return opened


def test_the_calendar_names_days_and_months_and_begins_on_monday(page, language):
    form = page("registry_legalhold_add")
    form.click("#calendarlink0")
    box = form.locator("#calendarbox0")
    assert box.locator("th").all_inner_texts() == SHORT[language]
    seen = set()
    for _month in range(12):
        seen.add(box.locator("caption").text_content().split()[0])
        box.locator(".calendarnav-next").click()
    assert seen == set(MONTHS[language])
    assert box.locator(".calendar-shortcuts").inner_text().replace("|", " ").split() == DAYS[language]
    assert box.locator(".calendar-cancel").inner_text() == CANCEL[language]
    box.locator("td a", has_text="22").click()
    assert form.input_value("#id_until_0").startswith("22.")  # day, month, year


def test_the_clock_names_its_hours(page, language):
    form = page("registry_legalhold_add")
    form.click("#clocklink0")
    assert form.locator("#clockbox0 .timelist a").all_inner_texts() == HOURS[language]
    assert form.locator("#clockbox0 .calendar-cancel").inner_text() == CANCEL[language]
    form.click("#clockbox0 .timelist li:nth-child(4) a")
    assert form.input_value("#id_until_1").startswith("12:00")


def test_a_double_list_names_what_it_moves(page, language):
    form = page("registry_processingpurpose_add")
    parts = [form.locator(f"#id_categories_{part}") for part in ("from", "to")]
    form.wait_for_selector("#id_categories_to")
    assert all(said in form.locator(".field-categories").inner_text() for said in LISTS[language])
    names = [form.locator(f".selector-{act}").first.inner_text() for act in ("chooseall", "clearall")]
    assert names == ALL[language]
    before = parts[0].locator("option").count()
    form.locator(".field-categories .selector-chooseall").click()
    assert (parts[0].locator("option").count(), parts[1].locator("option").count()) == (0, before) and before
