"""What a passkey is called: what its owner calls it, or else the best that can be said of where it is."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from keystead.errors import BadRequest
from keystead.rules.devices import UNKNOWN, device_name

LONGEST: Final = 100

_KEYS: Final = frozenset({"usb", "nfc", "ble", "smart-card"})
"""Transports of what is carried about and brought near."""

_JOINERS: Final = "\u200c\u200d"
"""Cannot be seen, and stand in words of some languages and between the parts of a pictogram."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def chosen_name(text: str) -> str:
    """Return the name that somebody gives a passkey, without the space around it.

    Raises ``BadRequest`` unless it has 1 to 100 characters, none of which controls how others are read: the name stands
    on pages and in mails, beside words of ours.
    """
    name = text.strip()
    if not 1 <= len(name) <= LONGEST:
        raise BadRequest(f"must have 1 to {LONGEST} characters", path="name")
    if any(unicodedata.category(each) in _UNSEEN and each not in _JOINERS for each in name) or not name.strip(_JOINERS):
        raise BadRequest("must not contain control characters", path="name")
    return name


def shown_name(own: str | None, provider: str | None, transports: Sequence[str], user_agent: str) -> str:
    """Return what a passkey is called: by its owner, or else by its ``provider``, where it is known.

    Failing these, by the device: a hint, since browsers say this, and nobody signs it.
    """
    return own or provider or _device(frozenset(transports), user_agent)


def _device(transports: frozenset[str], user_agent: str) -> str:
    if "internal" not in transports and transports & _KEYS:
        return "Security key"
    if "internal" not in transports and "hybrid" in transports:
        return "Phone or tablet"  # made with its camera, at a computer, whose browser says nothing of it
    found = device_name(user_agent)
    return "Passkey" if found == UNKNOWN else found
