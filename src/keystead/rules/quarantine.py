"""Why a passkey is out of use for the time being, and who put it there.

One text is stored, which begins with who it was. What an administrator put into quarantine, only an administrator takes
out of it: whatever imposes and lifts quarantines by itself asks first whose one is.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

Author = Literal["administrator", "fido_metadata"]

LONGEST_REASON: Final = 150
"""In characters; with its author it fits into what is stored."""


class Quarantine(NamedTuple):
    """Who put a passkey into quarantine, and why."""

    author: Author
    reason: str

    @property
    def text(self) -> str:
        """How it is stored."""
        return f"{self.author}: {self.reason}"


class QuarantineOrder(BaseModel):
    """The body of ``PUT /keystead/users/{id}/passkeys/{passkey_id}/quarantine``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=r"\S")]


def is_an_administrators(text: str | None) -> bool:
    """Whether what is stored of a passkey is a quarantine that only an administrator lifts."""
    return text is not None and read(text).author == "administrator"


def noted(passkey: str, aaguid: str, text: str | None) -> tuple[str, dict[str, Any]]:
    """Return type and details of what the journal of its owner says; ``None`` for a quarantine that was lifted."""
    kind = "passkey_quarantine_lifted" if text is None else "passkey_quarantined"
    return kind, {"passkey": passkey, "aaguid": aaguid, "reason": text}


def read(text: str) -> Quarantine:
    """Return what a stored text says. Whatever does not say who wrote it counts as an administrator's."""
    for author in get_args(Author):
        if text.startswith(f"{author}:"):
            return Quarantine(author, text.removeprefix(f"{author}:").strip())
    return Quarantine("administrator", text)
