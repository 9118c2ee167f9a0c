"""Who stands behind an access token, as things are now: a token must not outlive what it was given for."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, administrators, apis
from keystead.db.accounts import Standing
from keystead.db.administrators import AdministratorStanding
from keystead.db.session import Database
from keystead.errors import ConnectionNotAllowed, InvalidToken, UserBlocked
from keystead.flows.refusals import concerning
from keystead.oauth.issue import ACCESS_TYPE, Issuer
from keystead.oauth.keys import KeyRing
from keystead.rules.apis import MANAGEMENT_PATH
from keystead.rules.authority import CURRENT_USER_SCOPES, scopes_of
from keystead.rules.claims import from_microseconds
from keystead.rules.profiles import Profile


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever shows a good access token."""

    subject: str
    client_id: str
    scope: frozenset[str]
    authenticated_at: datetime | None = None
    session_id: str = ""
    """The login session that the token came out of; empty where there was none."""


@dataclass(frozen=True)
class Bearers:
    """Reads access tokens, for one audience at a time."""

    db: Database
    keys: KeyRing
    issuer: Issuer

    async def management(self, token: str) -> Bearer:
        """Return who calls the Management API, with what is left of its scope.

        Of a client what it is granted now, of an administrator what the role holds now; of anybody else what people may
        do with their own account. Raises ``InvalidToken``, also once the client, its grant, the account or the role is
        gone.
        """
        claims = await self._claims(token, self.issuer.public_url + MANAGEMENT_PATH)
        bearer = _bearer(claims)
        if bearer.subject == f"{bearer.client_id}@clients":
            allowed = await self.db.read(apis.granted_for, bearer.client_id, MANAGEMENT_PATH)
            if allowed is None:
                raise InvalidToken(detail="the client or its grant is gone")
            return replace(bearer, scope=bearer.scope & set(allowed))
        standing, administers = await self.db.read(_behind, bearer)
        with concerning(user_id=bearer.subject, client_id=bearer.client_id):
            _still_good(standing, bearer, _issued(claims))
            return replace(bearer, scope=bearer.scope & _allowed_to(administers))

    async def person(self, token: str, audience: str) -> tuple[Bearer, Profile]:
        """Return the person whose token it is. Raises ``InvalidToken``, also once nobody like them would be let in.

        A token that is older than the account is another person's, who had the same id before; one of a proof from
        before a reset, or of a session that has ended, may be in the hands of whoever was to be put out by it. What
        counts is the proof: a token may be signed a moment after the sign-out that it should have gone with.
        """
        claims = await self._claims(token, audience)
        bearer = _bearer(claims)
        standing = await self.db.read(accounts.standing, bearer.subject, bearer.client_id, bearer.session_id)
        with concerning(user_id=bearer.subject, client_id=bearer.client_id):
            return bearer, _still_good(standing, bearer, _issued(claims))

    async def _claims(self, token: str, audience: str) -> dict[str, Any]:
        claims = await self.keys.verify(token, ACCESS_TYPE)
        audiences = claims.get("aud")
        if claims.get("iss") != self.issuer.name:
            raise InvalidToken(detail="from another issuer")
        if audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise InvalidToken(detail="for another audience")
        return claims


def _still_good(standing: Standing | None, bearer: Bearer, issued: datetime) -> Profile:
    """Return whose token it is, as things stand now. Raises ``InvalidToken``."""
    if standing is None or issued < standing.profile.created_at.replace(microsecond=0):
        raise InvalidToken(detail="the account is gone")
    if standing.signed_out_since(bearer.authenticated_at or issued):
        raise InvalidToken(detail="signed out since")
    if standing.profile.blocked:
        raise InvalidToken(detail=UserBlocked.code).because(rule=UserBlocked.code)
    if not (standing.connection_active and standing.client_enabled):
        raise InvalidToken(detail=ConnectionNotAllowed.code)
    return standing.profile


def _behind(session: Session, bearer: Bearer) -> tuple[Standing | None, AdministratorStanding]:
    """Return how things stand with a person, and whether they are an administrator."""
    found = accounts.standing(session, bearer.subject, bearer.client_id, bearer.session_id)
    return found, administrators.standing(session, bearer.subject)


def _allowed_to(administers: AdministratorStanding) -> frozenset[str]:
    """Return what somebody may do with the Management API. Raises ``InvalidToken`` for who is no administrator now."""
    if not administers.is_one:
        return frozenset(CURRENT_USER_SCOPES)
    if administers.role is None:
        raise InvalidToken(detail="no administrator any more")
    return scopes_of(administers.role)


def _issued(claims: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(claims["iat"]), UTC)


def _bearer(claims: dict[str, Any]) -> Bearer:
    moment = claims.get("auth_at")
    at = from_microseconds(moment) if isinstance(moment, int) else None
    scope = frozenset(str(claims.get("scope", "")).split())
    return Bearer(str(claims.get("sub")), str(claims.get("azp")), scope, at, str(claims.get("sid", "")))
