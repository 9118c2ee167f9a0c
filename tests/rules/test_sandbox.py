"""Liquid in its sandbox: what it renders, and what it refuses to do, which is counted and not timed."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from liquid.exceptions import LiquidError

from keystead.errors import BadRequest
from keystead.rules.sandbox import FILTERS, MAX_SOURCE, check_source, rendered

EVIL = "<i>A</i><i onload=x>\n<i"
VARIABLES: dict[str, Any] = {
    "user": {"name": "<b>Ann</b>", "user_metadata": {"list": [1, 2, 3], "long": "x" * 1000}},
    "now": datetime(2026, 6, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("{{ user.name }}", "&lt;b&gt;Ann&lt;/b&gt;"),
        ("{{ user.name | upcase }}", "&lt;B&gt;ANN&lt;/B&gt;"),
        ("{{ user.name | append: '<i>' }}", "&lt;b&gt;Ann&lt;/b&gt;<i>"),
        ("{% assign a = user.name %}{{ a }}", "&lt;b&gt;Ann&lt;/b&gt;"),
        ("{% capture a %}{{ user.name }}{% endcapture %}{{ a }}", "&lt;b&gt;Ann&lt;/b&gt;"),
        ("{{ user.name | strip_html }}", "Ann"),
        ("{{ nobody.name }}|{{ nothing }}", "|"),
        ("{{ user.nickname | default: 'friend' }}", "friend"),
        ("{% if user.name contains 'Ann' %}yes{% else %}no{% endif %}", "yes"),
        ("{% for i in (1..3) %}{{ i }}{% endfor %}", "123"),
        ("{% for i in user.user_metadata.list reversed %}{{ i }},{% endfor %}", "3,2,1,"),
        ("{{ user.user_metadata.list | join: '-' }}", "1-2-3"),
        ("{{ 'now' | date: '%Y' }} {{ 'today' | date: '%Y' }} {{ now | date: '%d' }}", "2026 2026 01"),
        ("{{ '2020-02-03' | date: '%Y' }}", "2020"),
        ("{{ 2 | plus: 3 }} {{ '2' | times: 3 }} {{ 'x' | plus: 1 }}", "5 6 1"),
        ("{{ '1e999999999' | plus: 1 }} {{ 1e999999999 | times: 2 }}", "1 0"),
        ("{{ 999999999999999999999 | times: 9 }}", "0"),
        ("{{ 'now' | date: '%999999999Y' }}", ""),
        ("{% raw %}{{ user.name }}{% endraw %}", "{{ user.name }}"),
        ("{{ user.__class__ }}{{ user.name.__class__.__mro__ }}{{ user.keys }}{{ user.items }}", ""),
    ],
)
def test_what_it_renders(source: str, html: str) -> None:
    assert rendered(source, VARIABLES, html=True) == html


@pytest.mark.parametrize("name", sorted(FILTERS))
@pytest.mark.parametrize(
    "source",
    [
        "{{ user.name | F }}",
        "{{ user.name | F: 'A' }}",
        "{{ user.name | F: 'A', 'B' }}",
        "{{ 'AAA' | F: user.name }}",
        "{{ 'AAA' | F: 'A', user.name }}",
        "{{ 'AAA' | F: user.name, 'A' }}",
        "{{ 'A,A' | split: ',' | F: user.name }}",
        "{{ user.name | split: 'A' | F }}",
        "{{ user.name | split: 'A' | F: ' ' }}",
        "{{ user.encoded | url_decode | F }}",
        "{% assign a = user.name | F: 'A', 'B' %}{{ a | append: a | prepend: a }}",
    ],
)
def test_no_filter_undoes_the_escaping(name: str, source: str) -> None:
    variables = {"user": {"name": EVIL, "encoded": EVIL.replace("<", "%3C")}}
    with suppress(LiquidError):  # some want other arguments
        assert "<i" not in rendered(source.replace("F", name), variables, html=True)


def test_plain_text_is_not_escaped() -> None:
    assert rendered("{{ user.name }}", VARIABLES, html=False) == "<b>Ann</b>"


HOSTILE = {
    "a loop in a loop": "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
    "loops one after the other": "{% for i in (1..1000) %}{{ user.user_metadata.long }}{% endfor %}" * 40,
    "rows of a table": "{% tablerow i in (1..1000) %}{% for j in (1..999) %}x{% endfor %}{% endtablerow %}",
    "a range without end": "{% for i in (1..1000000000) %}x{% endfor %}",
    "a range that is listed whole": "{% for i in (1..1000000000) reversed %}x{% endfor %}",
    "a range whose beginning is skipped": "{% for i in (1..9999999999) offset: 9999999998 %}x{% endfor %}",
    "a range up to a variable": "{% assign n = 1000000000 %}{% for i in (1..n) %}x{% endfor %}",
    "text that doubles": "{% assign s = 'aaaaaaaa' %}" + "{% assign s = s | append: s %}" * 99,
    "text that is put in place of each letter": "{{ 'a'" + " | replace: 'a', 'aaaaaaaaaa'" * 50 + " }}",
    "text that is put between the letters": "{% assign a = 'xx' %}" + "{% assign a = a | split: '' | join: a %}" * 99,
    "captures of captures": "{% assign x = 'aaaaaaaa' %}" + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 99,
    "output without end": "{% for i in (1..999) %}" + "x" * 1000 + "{% endfor %}",
    "a list of letters": "{{ '" + "a" * 90_000 + "' | split: '' | map: 'x' }}",
    "openings": "{%" * 50_000,
    "outputs": "{{" * 50_000,
    "blanks": "{{" + " " * 50_000,
    "lines": "{%" + "\n" * 50_000,
    "blocks in blocks": "{% if a %}" * 60 + "{% endif %}" * 60,
    "brackets in brackets": "{{ " + "a[" * 20_000 + "]" * 20_000 + " }}",
    "parentheses in parentheses": "{% if " + "(" * 20_000 + "a" + ")" * 20_000 + " %}{% endif %}",
    "conditions": "{% if a " + "and a " * 15_000 + "%}{% endif %}",
    "a slice from before the beginning": "{% for i in user.user_metadata.list limit: -1 %}x{% endfor %}",
    "another template": "{% include 'x' %}",
    "another template, rendered": "{% render 'x' %}",
    "a way around escaping": "{{ user.name | safe }}",
    "a filter that does not exist": "{{ user.name | sha1 }}",
    "no end of a block": "{% if user.name %}x",
    "no end of an output": "{{ user.name",
    "an end of nothing": "{% endif %}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_what_it_refuses(source: str) -> None:
    with pytest.raises(LiquidError):
        rendered(source, VARIABLES, html=True)
    with pytest.raises(BadRequest) as refused:
        check_source(source, "body", VARIABLES)
    assert refused.value.path == "body"
    assert len(refused.value.text) < 300


def test_what_is_too_long() -> None:
    check_source("x" * MAX_SOURCE, "body", VARIABLES)
    with pytest.raises(BadRequest, match="too long"):
        check_source("x" * (MAX_SOURCE + 1), "body", VARIABLES)
