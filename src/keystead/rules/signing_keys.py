"""What a signing key is at the moment: it signs, it is to sign next, it only verifies, or nothing of the kind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

VERIFIES_FOR: Final = timedelta(days=30)
"""How long a key that was replaced still verifies: no token lives longer."""

State = Literal["current", "next", "previous", "revoked"]


Algorithm = Literal["RS256", "ES256", "Ed25519"]
"""What tokens can be signed with, by the names of the ``alg`` header."""


class KeyRotation(BaseModel):
    """The body of ``POST /keys/signing/rotate``: ours, since Auth0 has one algorithm and no body."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    algorithm: Algorithm | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A signing key. The private half is sealed, and empty once the key signs no more."""

    kid: str
    algorithm: str
    public_jwk: dict[str, Any]
    sealed_private: bytes
    created_at: datetime
    """Since when it is published."""
    current_since: datetime | None = None
    current_until: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def state(self) -> State:
        """What it does: ``next`` is published, so that clients know it when it begins to sign."""
        if self.revoked_at is not None:
            return "revoked"
        if self.current_since is None:
            return "next"
        return "current" if self.current_until is None else "previous"

    @property
    def has_private_half(self) -> bool:
        """Whether it signs, or will."""
        return self.state in ("current", "next")
