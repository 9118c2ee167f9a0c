"""What people see: tables that fit, and nothing that steers a terminal."""

from typing import Any

import pytest

from keystead.cli.terminal import at, card, cell, printable, table

ROWS: list[dict[str, Any]] = [
    {"name": "Ann", "about": {"city": "Ulm"}, "tags": ["a", "b"]},
    {"name": "B" * 60, "tags": []},
]
COLUMNS = {"name": "name", "about.city": "city", "tags": "tags"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1.5, "1.5"),
        (["a", 1, None], "a, 1, -"),
        ({"a": 1}, '{"a": 1}'),
        ("2026-06-01T12:00:00.000Z", "2026-06-01 12:00:00"),
        ("\x1b[1A\x1b[2KxxT\x1b[8mAAAA\x1b[2JZ", "?[1A?[2KxxT?[8mAAAA?[2JZ"),
        ("2026-06-01T12:00:00.\x1b[KZ", "2026-06-01T12:00:00.?[KZ"),
        ("٢٠٢٦-06-01T12:00:00.000Z", "٢٠٢٦-06-01T12:00:00.000Z"),
        ("a\x1b[2J\tb\u202ec", "a?[2J?b?c"),
    ],
)
def test_a_cell(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_path_leads_to_a_value_or_nowhere() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert at({"a": 1}, "a.b") is None
    assert at({}, "a") is None


@pytest.mark.parametrize("width", [20, 30, 40, 80])
def test_a_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert table(ROWS, COLUMNS) == 2
    head, ann, other = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "city", "tags"]
    assert ann.split() == ["Ann", "Ulm", "a,", "b"]
    assert max(map(len, (head, ann, other))) <= width
    assert ("…" in other) is (width < 80)


def test_a_table_is_whole_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table(ROWS, COLUMNS)
    assert "B" * 60 in capsys.readouterr().out


def test_a_long_table_does_not_wait_for_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    rows = ({"n": number if number < 100 else capsys.readouterr().out.count("\n")} for number in range(102))
    table(rows, {"n": "n"})
    assert capsys.readouterr().out.splitlines()[-1].strip() in ("1", "101", "102")


def test_a_card_has_the_names_that_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    card({"id": "1", "options": {"mode": {"a\x1b": "b\x07"}, "none": {}}})
    assert capsys.readouterr().out.splitlines() == ["id               1", "options.mode.a?  b?", "options.none     -"]


def test_what_is_printable_stays() -> None:
    assert printable("Zoë 漢字, 1") == "Zoë 漢字, 1"
