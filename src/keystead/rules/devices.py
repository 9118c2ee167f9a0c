"""A device named in plain words, from what its browser says of itself: good enough to be known again by its owner."""

from typing import Final

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""What gives a browser away. The order matters: nearly all of them also claim to be the ones further down."""

_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)

UNKNOWN: Final = "Unknown device"


def device_name(user_agent: str) -> str:
    """Return such as ``Firefox on Linux``; ``Unknown device`` where nothing in it is known.

    Only words of ours: what a browser says of itself may be anything, and this stands on a page.
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"Browser on {system}" if system else UNKNOWN)


def known_device(user_agent: str) -> str | None:
    """Return the same; ``None`` where nothing in it is known, for a sentence that goes on without.

    An empty text would be something to a template of a letter (Liquid).
    """
    name = device_name(user_agent)
    return None if name == UNKNOWN else name
