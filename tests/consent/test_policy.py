"""The policy: read into blocks, published once and for all."""

import pytest
from django.test import Client

from consent.models import PolicyVersion
from consent.policy import blocks, publish
from tests.factories import MOMENT

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n", "\n\n\n\n", "\n \t\n"])
def test_paragraphs_are_told_apart_however_they_were_typed(gap):
    kinds = [block.kind for block in blocks(gap.join(["Title", "I. PART", "1. First", "2. Second", "Note"]))]
    assert kinds == ["title", "section", "clause", "clause", "note"]


def test_a_published_version_has_one_digest_whatever_the_browser_sent():
    texts = {"text_kk": "T\r\n\r\n1. A", "text_ru": "T", "text_en": "T"}
    version = publish(PolicyVersion.objects.create(number=2, effective_at=MOMENT, **texts), by=None, now=MOMENT)
    assert version.text_kk == "T\n\n1. A\n"
    assert len(version.digest_kk) == 64 and version.digest_ru == version.digest_en


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_page_holds_every_clause(language):
    page = Client().get(f"/{language}/policy/").content.decode()
    assert all(f'id="clause-{number}"' in page for number in range(1, 33))
    assert PolicyVersion.objects.get().text("digest", language) in page


def test_an_empty_post_is_no_consent(client):
    from consent import links  # noqa: PLC0415
    from tests.factories import question  # noqa: PLC0415

    asked = question()
    path = links.confirm_url(asked.pk, "kk").removeprefix("http://testserver")
    assert client.post(path).status_code == 400
    asked.refresh_from_db()
    assert asked.answer == "waiting"
