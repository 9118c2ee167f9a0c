"""Lines of JSON that are looked at."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.json_lines import json_line

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES)
def test_a_reader_finds_the_same_and_a_terminal_nothing(value: Any) -> None:
    line = json_line(value)
    assert json.loads(line) == value
    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Zoë 漢字 😀", '"Zoë 漢字 😀"'),
        ("\x1b\x7f\x85\x9b\xad", r'"\u001b\u007f\u0085\u009b\u00ad"'),
        ("\u200b\u2028\u202e\ud800", r'"\u200b\u2028\u202e\ud800"'),
        ("\U000e0041", r'"\udb40\udc41"'),
        ('\n\t"\\', r'"\n\t\"\\"'),
    ],
)
def test_letters_stay(text: str, line: str) -> None:
    assert json_line(text) == line
