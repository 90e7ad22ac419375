"""What a template marks as the same for every reader is made once for each language, and can hold nobody's own words.

Broken and seen to fail: the look at what stands in it, the language.
"""

import pytest
from django.template import Context, Engine, TemplateSyntaxError
from django.utils.translation import override

from registry.templatetags import pages

TAGS = "{% load i18n static pages %}"
SAME = "{% fixed %}<a href=\"{% url 'policy' %}\">{% translate 'Privacy policy' %}</a>{% endfixed %} {{ whose }}"


def template(text):
    libraries = {"i18n": "django.templatetags.i18n", "static": "django.templatetags.static", "pages": pages.__name__}
    return Engine(libraries=libraries).from_string(TAGS + text)


def test_it_is_made_once_for_each_language_and_the_rest_for_each_reader(monkeypatch):
    made, page, asked = template(SAME), {}, ["kk", "ru", "kk"]
    for number, language in enumerate(asked):
        with override(language):
            page[number] = made.render(Context({"whose": number}))
    assert page[0].endswith("0") and page[2] == page[0][:-1] + "2"
    assert "/kk/policy/" in page[0] and "/ru/policy/" in page[1]
    (node,) = made.nodelist.get_nodes_by_type(pages.FixedNode)
    assert set(node.made) == {"kk", "ru"}
    monkeypatch.setitem(node.made, "kk", "kept")
    with override("kk"):
        assert made.render(Context({"whose": 3})) == "kept 3"


@pytest.mark.parametrize(
    "own",
    [
        "{{ address }}",
        "{% translate address %}",
        "{% translate 'Hello' as greeting %}",
        "{% blocktranslate %}Address: {{ address }}{% endblocktranslate %}",
        "{% url 'again' token %}",
        "{% url name %}",
        "{% static path %}",
        "{% if address %}known{% endif %}",
        "{% translate 'a'|add:address %}",
        "{% include 'problems.html' %}",
    ],
)
def test_what_may_be_one_reader_s_is_refused(own):
    with pytest.raises(TemplateSyntaxError):
        template("{% fixed %}text " + own + "{% endfixed %}")
