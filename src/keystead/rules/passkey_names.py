"""What a passkey is called."""

import unicodedata
from typing import Final

from keystead.errors import BadRequest

LONGEST: Final = 100

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
