"""What can be read on what, whatever colour somebody chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.contrast import BLACK, SHAPE, TEXT, WHITE, Colour, colour, contrast, readable, text_on

PARTS = st.integers(0, 255)
COLOURS = st.builds(Colour, PARTS, PARTS, PARTS)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000", "#fff", 21),
        ("#ffffff", "#ffffff", 1),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_the_ratio_is_that_of_the_guidelines(one: str, other: str, ratio: float) -> None:
    first, second = colour(one), colour(other)
    assert first is not None
    assert second is not None
    assert contrast(first, second) == contrast(second, first) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    "text", ["", "red", "#12", "#1234", "#12345", "#1234567", "#12345678", "#ggg", "123456", "#fff\n"]
)
def test_what_is_no_colour_is_none(text: str) -> None:
    assert colour(text) is None


def test_short_and_long_forms_are_the_same() -> None:
    assert colour("#0aF") == colour("#00aaff") == colour("#00AAFF") == Colour(0, 0xAA, 0xFF)
    assert str(Colour(0, 0xAA, 0xFF)) == "#00aaff"


@given(COLOURS)
def test_text_can_be_read_on_any_ground(ground: Colour) -> None:
    assert contrast(text_on(ground), ground) >= TEXT


@given(
    COLOURS, st.sampled_from([(WHITE,), (BLACK,), (WHITE, Colour(0xE0, 0xE0, 0xE0))]), st.sampled_from([TEXT, SHAPE])
)
def test_any_colour_is_made_readable(wanted: Colour, grounds: tuple[Colour, ...], least: float) -> None:
    found = readable(wanted, *grounds, least=least)
    assert all(contrast(found, ground) >= least for ground in grounds)


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert readable(Colour(0, 0, 0x80), WHITE) == Colour(0, 0, 0x80)
