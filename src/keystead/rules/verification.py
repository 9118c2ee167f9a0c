"""What a link that verifies an address says of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Verifiable = Literal["email", "phone_number"]


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
