"""What searches compare: names in one case, whatever case that is, and the domain of an address.

Computed here and stored beside the values, since Python, SQLite and PostgreSQL disagree about case.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

FOLDED: Final[Mapping[str, str]] = {
    each: f"{each}_folded" for each in ("name", "nickname", "given_name", "family_name")
}
"""Names, and the columns that have them in the form they are compared in."""

LONGEST: Final = 300
"""Characters that are compared, and that an index takes."""


def folded(text: str) -> str:
    """Return what a name is compared by."""
    if text.isascii():
        return text.lower()[:LONGEST]
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())[:LONGEST]


def domain_of(email: str) -> str:
    """Return what stands behind the ``@`` of an address."""
    return email.rpartition("@")[2]


def searched_by(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the columns that follow from those columns of an account that are given."""
    found: dict[str, str | None] = {}
    for name, column in FOLDED.items():
        if name in values:
            value = values[name]
            found[column] = folded(value) if value else None
    if "email" in values:
        email = values["email"]
        found["email_domain"] = domain_of(email) if email else None
    return found
