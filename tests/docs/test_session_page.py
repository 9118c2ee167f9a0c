"""The page about sessions shows the table that the program runs from."""

from pathlib import Path

from keystead.rules.revocation import FATE, NOTES, SWITCHES, Artefact, Fate, Outcome, SessionOptions
from keystead.rules.tenant_settings import TenantMembers

PAGE = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")
LETTERS = {text: letter for letter, text in NOTES.items()}


def cell(fate: Fate) -> str:
    """Return a cell as the page writes it."""
    if fate.outcome is Outcome.CASCADES:
        return "gone"
    if fate.outcome is Outcome.LIVES:
        return f"\N{EN DASH} {LETTERS[fate.because]}"
    word = f"{fate.scope}{'?' if fate.optional else ''}"
    return word if fate.outcome is Outcome.ENDS else f"{word} {LETTERS[fate.because]}"


def test_the_revocation_table_is_the_one_that_runs() -> None:
    head = [f"| | {' | '.join(Artefact)} |", "|---" * (len(Artefact) + 1) + "|"]
    rows = [f"| {event} | {' | '.join(cell(row[each]) for each in Artefact)} |" for event, row in FATE.items()]
    assert "\n".join([*head, *rows]) + "\n" in PAGE


def test_every_row_says_which_call_it_is() -> None:
    told = PAGE.partition("| row | is |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in told] == [str(event) for event in FATE]


def test_its_notes_are_told() -> None:
    assert "\n".join(f"- **{letter}**: {text}" for letter, text in NOTES.items()) in PAGE
    assert len(LETTERS) == len(NOTES)


def test_notes_are_used() -> None:
    assert {fate.because for row in FATE.values() for fate in row.values()} == {*NOTES.values(), ""}


def test_its_options_are_told() -> None:
    for name, field in SessionOptions.model_fields.items():
        assert f"| `{name}` | `{str(field.default).lower()}` |" in PAGE
    assert set(SWITCHES.values()) == set(SessionOptions.model_fields)


def test_lifetimes_are_told() -> None:
    lifetimes = [name for name in TenantMembers.model_fields if name.endswith("session_lifetime")]
    assert [name for name in lifetimes if f"`{name}`" not in PAGE] == []
