"""Colours, and whether people can read one on another (WCAG 2.2, success criteria 1.4.3 and 1.4.11)."""

import re
from dataclasses import dataclass
from typing import Final

TEXT: Final = 4.5
"""The least contrast between text and what it stands on."""
SHAPE: Final = 3.0
"""The least contrast between a shape that means something and what it stands on."""

_HEX: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class Colour:
    """An sRGB colour; each part from 0 to 255."""

    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """Return the relative luminance: 0 for black, 1 for white."""
        red, green, blue = (_linear(part / 255) for part in (self.red, self.green, self.blue))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def mixed(self, other: "Colour", share: float) -> "Colour":
        """Return it with a share of another colour, from 0 to 1."""
        pairs = ((self.red, other.red), (self.green, other.green), (self.blue, other.blue))
        return Colour(*(round(mine + (its - mine) * share) for mine, its in pairs))


BLACK: Final = Colour(0, 0, 0)
WHITE: Final = Colour(255, 255, 255)


def colour(text: str) -> Colour | None:
    """Read ``#rgb`` or ``#rrggbb``; ``None`` where it is neither."""
    if not _HEX.fullmatch(text):
        return None
    digits = text[1:] if len(text) == 7 else "".join(digit * 2 for digit in text[1:])
    return Colour(*bytes.fromhex(digits))


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio: 1 for equal colours, 21 for black and white."""
    darker, lighter = sorted((one.luminance, other.luminance))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: Colour) -> Colour:
    """Return black or white, whichever is read better: of any ground, one of them has a contrast of 4.58 or more."""
    return max((WHITE, BLACK), key=lambda text: contrast(text, ground))


def readable(wanted: Colour, *grounds: Colour, least: float = TEXT) -> Colour:
    """Return a colour, taken towards black or white as far as it must be to be read on each of these grounds."""
    towards = max((BLACK, WHITE), key=lambda end: min(contrast(end, ground) for ground in grounds))
    steps = (wanted.mixed(towards, step / _STEPS) for step in range(_STEPS + 1))
    return next((each for each in steps if min(contrast(each, ground) for ground in grounds) >= least), towards)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
