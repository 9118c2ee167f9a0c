"""Why a passkey is out of use for the time being, and who put it there.

One text is stored, which begins with who it was. What an administrator put into quarantine, only an administrator takes
out of it: whatever else imposes and lifts quarantines by itself asks ``read`` first.
"""

from typing import Annotated, Final, Literal, NamedTuple, get_args

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


def read(text: str) -> Quarantine:
    """Return what a stored text says. Whatever does not say who wrote it counts as an administrator's."""
    for author in get_args(Author):
        if text.startswith(f"{author}:"):
            return Quarantine(author, text.removeprefix(f"{author}:").strip())
    return Quarantine("administrator", text)
