"""The default picture of an account: its initials on a quiet ground, drawn here: no request leaves the server."""

from keystead.errors import NoSuchRoute

GROUNDS = ("#14614f", "#1f5b86", "#5b4a9c", "#8a3a6b", "#8c4318", "#4f5d1d")
"""Dark enough for white text: a contrast of 7:1 and more (WCAG 2.2, 1.4.6)."""


def initials_picture(initials: str) -> str:
    """An SVG image of one or two letters or digits; the same initials always look the same.

    Anything else raises NoSuchRoute: the text comes from the path, and no markup or long word may get into the image.
    """
    if not 1 <= len(initials) <= 2 or not all(char.isalpha() or char.isdecimal() for char in initials):
        raise NoSuchRoute(detail="initials of a picture that are not one or two letters or digits")
    shown = "".join(_capital(char) for char in initials)
    ground = GROUNDS[sum(map(ord, shown)) % len(GROUNDS)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96" role="img" '
        f'aria-label="{shown}"><rect width="96" height="96" fill="{ground}"/>'
        '<text x="48" y="48" dy=".35em" text-anchor="middle" fill="#fff" font-size="40" font-weight="600" '
        f'font-family="Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif">{shown}</text></svg>'
    )


def _capital(char: str) -> str:
    """The capital letter, where that is one character: the capital of a sharp s is two."""
    return char.upper() if len(char.upper()) == 1 else char
