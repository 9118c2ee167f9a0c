"""What a link that verifies an address says of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Verifiable = Literal["email", "phone_number"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever asks for a link says of it. ``lifetime`` is the connection's where there is none."""

    lifetime: timedelta | None = None
    result_url: str = ""
    """Where the browser is sent afterwards (VF-4)."""
    include_email: bool = True
    mark_verified: bool = False
    """Of a link to a new password: that whoever opens it owns the e-mail address (RS-7)."""


NO_TERMS: Final = Terms()


class Link(BaseModel):
    """The record of a link."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    kind: Verifiable = "email"
    value: str
    client_id: str = ""
    browser: str = ""
    """The fingerprint of the browser that asked for it; empty where no browser did."""
    result_url: str = ""
    """Where the browser is sent afterwards (VF-4)."""
    include_email: bool = True
