"""Signals for the browser as they leave: as data in an answer, and as an attribute of a page whose script says them."""

import json
from collections.abc import Iterable
from typing import Any, Final

from keystead.rules.signals import Signal
from keystead.web.shapes import TEXT, Schema, Shape, each, either, word


def _signal(of: str, **members: object) -> Shape:
    options = Shape(f"{of}Options", {"rpId": TEXT, **members})
    return Shape(f"{of}Signal", {"type": word(of[0].lower() + of[1:]), "options": options})


SIGNALS: Final[Schema] = each(
    either(
        _signal("UnknownCredential", credentialId=TEXT),
        _signal("AllAcceptedCredentials", userId=TEXT, allAcceptedCredentialIds=each(TEXT)),
        _signal("CurrentUserDetails", userId=TEXT, name=TEXT, displayName=TEXT),
    )
)
"""``options`` are what the browser's method takes, under the standard's own names (WebAuthn Level 3 §5.1.10)."""


def shown(signals: Iterable[Signal]) -> list[dict[str, Any]]:
    """Return signals as they travel."""
    return [{"type": each.type, "options": dict(each.options)} for each in signals]


def for_page(signals: Iterable[Signal]) -> str:
    """Return signals as the text of an attribute; empty where there is nothing to say, and so no script to load."""
    found = shown(signals)
    return json.dumps(found) if found else ""
