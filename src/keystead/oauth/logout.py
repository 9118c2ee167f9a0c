"""Logging out: whether it must be asked first, and where the browser goes afterwards."""

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, clients, connections, tenant
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import BadRequest, InvalidToken
from keystead.oauth.issue import ID_TYPE
from keystead.oauth.keys import Claims, KeyRing
from keystead.rules.oauth import absolute, redirect_allowed, with_query
from keystead.rules.tenant_settings import LogoutPrompt

ALLOWED_LOGOUT_URLS: Final = "allowed_logout_urls"
"""The tenant setting with the URLs that a logout may go to where no client is named."""

SESSIONS: Final = "sessions"
"""The tenant setting that says, among other things, whether people are asked before a client logs them out."""


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """What a client asks for at ``/oidc/logout`` (OpenID Connect RP-Initiated Logout 1.0 §2)."""

    id_token_hint: str = ""
    client_id: str = ""
    post_logout_redirect_uri: str = ""
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a logout does: for which client, and where the browser goes; nowhere means a page of ours."""

    client_id: str
    client_name: str
    target: str
    ask: bool
    """Whether the person must say yes first: nothing shows that the client speaks of this browser's session."""
    person: str = ""
    """Whom the page names."""


@dataclass(frozen=True)
class Logout:
    """Decides about logouts; sessions end in ``flows/sessions``."""

    db: Database
    keys: KeyRing
    public_url: str

    async def back_to(self, client_id: str, return_to: str) -> str:
        """Return where ``/v2/logout`` goes; nowhere where nothing is registered.

        Without a ``returnTo`` that is the first URL that is registered. Raises ``BadRequest`` for one that is not.
        """
        client, allowed = await self.db.read(self._allowed, client_id)
        if not return_to:
            return allowed[0] if allowed else ""
        return _registered(return_to, allowed, client, "returnTo")

    async def consider(self, request: LogoutRequest, session: SessionRecord | None) -> Farewell:
        """Return what a client's request for a logout comes to, in a browser with that session.

        Raises ``BadRequest`` for a hint that is no ID token of ours or another client's, and for a URL that is not
        registered: an error page, never a redirect to wherever somebody wrote.
        """
        hint = await self._hint(request)
        client, allowed = await self.db.read(self._allowed, request.client_id or _audience(hint))
        target = request.post_logout_redirect_uri
        if target:
            target = _registered(target, allowed, client, "post_logout_redirect_uri")
            target = with_query(target, {} if request.state is None else {"state": request.state})
        ask, person = False, ""
        if session is not None and not _speaks_of(hint, session):
            ask, person = await self.db.read(_asking, session.user_id)
        name = client.settings.name if client else ""
        return Farewell(client.client_id if client else "", name, target, ask, person)

    async def _hint(self, request: LogoutRequest) -> Claims:
        """Return the claims of an ID token of ours, however old; none where there is no hint."""
        if not request.id_token_hint:
            return {}
        try:
            hint = await self.keys.verify(request.id_token_hint, ID_TYPE, late=True)
        except InvalidToken as error:
            raise BadRequest("The id_token_hint is not one of our ID tokens.", detail=error.detail) from None
        if hint.get("iss") != f"{self.public_url}/":
            raise BadRequest("The id_token_hint is not one of our ID tokens.", detail="another issuer")
        if request.client_id and request.client_id != _audience(hint):
            raise BadRequest("The id_token_hint was issued to another client.", path="client_id")
        return hint

    def _allowed(self, session: Session, client_id: str) -> tuple[ClientRecord | None, list[str]]:
        """Return the client and the URLs that it may go to; the tenant's, where no client is named."""
        client = clients.get(session, client_id) if client_id else None
        if client_id:
            registered = client.settings.allowed_logout_urls if client else []
        else:
            registered = tenant.get(session, ALLOWED_LOGOUT_URLS) or []
        return client, [absolute(each, self.public_url) for each in registered]


def _audience(hint: Claims) -> str:
    return str(hint.get("aud", ""))


def _registered(url: str, allowed: list[str], client: ClientRecord | None, parameter: str) -> str:
    """Matched like a redirect URI: what is almost registered belongs to somebody else (RFC 9700 §4.11)."""
    native = client is not None and client.settings.app_type == "native"
    if not redirect_allowed(url, allowed, "", native=native):
        raise BadRequest(f"The {parameter} URL is not registered.", path=parameter)
    return url


def _speaks_of(hint: Claims, session: SessionRecord) -> bool:
    """Whether a hint is of the browser's session, or of its person, who may have signed in again since."""
    return bool(hint) and (hint.get("sid") == session.id or hint.get("sub") == session.user_id)


def _asking(session: Session, user_id: str) -> tuple[bool, str]:
    """Return whether people are asked at all, and what to call somebody."""
    ask = LogoutPrompt.model_validate(tenant.get(session, SESSIONS) or {}).oidc_logout_prompt_enabled
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    return ask, profile.best_identifier(connection.policy().precedence) if profile and connection else ""
