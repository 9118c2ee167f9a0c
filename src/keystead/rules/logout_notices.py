"""Which clients are told that a session has ended: what each asked for, held against why it ended."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.clients import ClientSettings, Initiator
from keystead.rules.revocation import Event

RP_LOGOUT: Final[Initiator] = "rp-logout"
"""Somebody logged out. A client with an address is always told of it, as with Auth0."""

EXPIRED: Final[Initiator] = "session-expired"
"""Nobody did anything: the session came to its end."""

INITIATORS: Final[Mapping[Event, Initiator]] = {
    Event.LOGGED_OUT: RP_LOGOUT,
    Event.PASSWORD_CHANGED: "password-changed",
    Event.PASSWORD_RESET: "password-changed",
    Event.RECOVERED: "session-revoked",
    Event.BLOCKED: "account-deactivated",
    Event.DELETED: "account-deleted",
    Event.EMPTIED: "account-deleted",
    Event.EMAIL_CHANGED: "email-identifier-changed",
    Event.PASSKEY_REMOVED: "session-revoked",
    Event.PASSKEY_QUARANTINED: "session-revoked",
    Event.SESSION_REVOKED: "session-revoked",
    Event.SESSION_DELETED: "session-revoked",
    Event.SIGNED_OUT_EVERYWHERE: "session-revoked",
}
"""Auth0's name for each event that ends sessions of which clients can be told."""


class LogoutNotice(BaseModel):
    """One client's address that is to be told of one session; the token is signed when it is delivered."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    url: str
    user_id: str
    session_id: str


def addresses(settings: ClientSettings, initiator: Initiator) -> tuple[str, ...]:
    """Return where a client wants to hear of sessions that ended for such a reason."""
    asked = settings.oidc_logout
    if asked is None:
        return ()
    wanted = asked.backchannel_logout_initiators
    told = initiator == RP_LOGOUT or wanted.mode == "all" or initiator in wanted.selected_initiators
    return tuple(dict.fromkeys(asked.backchannel_logout_urls)) if told else ()
