"""What a code and a refresh token stand for, as values."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.clients import RefreshSettings
from keystead.rules.events import Caller

CODE_LIFETIME: Final = timedelta(seconds=60)
ACCESS_LIFETIME: Final = timedelta(seconds=86_400)
TRANSACTION_LIFETIME: Final = timedelta(hours=1)


class Authority(BaseModel):
    """What one login allows one client: the ground of every token that it gives."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    client_id: str
    scope: tuple[str, ...]
    audience: str
    method: Literal["pwd", "phr"]
    authenticated_at: datetime
    session_id: str = ""


class CodeRecord(BaseModel):
    """An authorization code's other half: what it is bound to (RFC 9700 §4.5)."""

    model_config = ConfigDict(frozen=True)

    authority: Authority
    redirect_uri: str
    code_challenge: str
    nonce: str | None = None


class RefreshRecord(BaseModel):
    """A stored refresh token."""

    model_config = ConfigDict(frozen=True)

    id: str
    family: str
    authority: Authority
    created_at: datetime
    rotated_at: datetime | None = None
    ip: str = ""
    user_agent: str = ""
    """From where the first of the family was asked for."""
    exchanged_at: datetime | None = None
    """When the one before it was exchanged for it."""
    about: dict[str, Any] | None = None
    """An administrator's notes; they go on with the family."""

    def first_from(self, caller: Caller) -> "RefreshRecord":
        """Return it as asked for by somebody, if it is the first of its family."""
        if self.ip or self.user_agent:
            return self
        return self.model_copy(update={"ip": caller.address[:45], "user_agent": caller.user_agent[:300]})


def refresh_expiry(
    settings: RefreshSettings, began: datetime, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return when a refresh token ends unused, and when it ends anyway (TK-4); rotation does not move the latter."""
    if settings.expiration_type == "non-expiring":
        return None, None
    idle = None if settings.infinite_idle_token_lifetime else now + timedelta(seconds=settings.idle_token_lifetime)
    end = None if settings.infinite_token_lifetime else began + timedelta(seconds=settings.token_lifetime)
    return idle, end
