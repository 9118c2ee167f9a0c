"""Who put a passkey into quarantine is told from the text that is stored."""

import pytest

from keystead.db.tables import Passkey
from keystead.rules.quarantine import LONGEST_REASON, Quarantine, is_an_administrators, read


@pytest.mark.parametrize(
    "written", [Quarantine("administrator", "lost"), Quarantine("fido_metadata", "REVOKED since 2026-01-01")]
)
def test_what_was_written_is_read(written: Quarantine) -> None:
    assert read(written.text) == written


@pytest.mark.parametrize("text", ["lost", "", "fido", "the administrator: lost", "fido_metadata lost"])
def test_what_does_not_say_whose_it_is_counts_as_an_administrators(text: str) -> None:
    assert read(text) == Quarantine("administrator", text)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        (None, False),
        ("fido_metadata: REVOKED", False),
        ("administrator: lost", True),
        ("lost", True),
        ("by hand, fido_metadata: REVOKED", True),
    ],
)
def test_what_only_an_administrator_lifts(text: str | None, whose: bool) -> None:
    assert is_an_administrators(text) is whose


def test_an_administrator_cannot_write_as_metadata_does() -> None:
    written = Quarantine("administrator", "fido_metadata: REVOKED")
    assert read(written.text).author == "administrator"


def test_the_longest_reason_can_be_stored() -> None:
    longest = Quarantine("administrator", "x" * LONGEST_REASON).text
    assert len(longest) <= Passkey.__table__.columns.quarantine.type.length  # type: ignore[attr-defined]
