"""Who stands behind an access token, as things are now: a token must not outlive what it was given for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from keystead.db import accounts, clients
from keystead.db.session import Database
from keystead.errors import InvalidToken, UserBlocked
from keystead.oauth.issue import ACCESS_TYPE, MANAGEMENT_PATH, Issuer
from keystead.oauth.keys import KeyRing
from keystead.rules.profiles import Profile


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever shows a good access token."""

    subject: str
    client_id: str
    scope: frozenset[str]
    authenticated_at: datetime | None = None


@dataclass(frozen=True)
class Bearers:
    """Reads access tokens, for one audience at a time."""

    db: Database
    keys: KeyRing
    issuer: Issuer

    async def client(self, token: str) -> Bearer:
        """Return the client that calls the Management API, with what is left of its grant.

        Raises ``InvalidToken``, also once the client or its grant is gone.
        """
        claims = await self._claims(token, self.issuer.public_url + MANAGEMENT_PATH)
        bearer = _bearer(claims)
        granted = await self.db.read(clients.granted_for, bearer.client_id, MANAGEMENT_PATH)
        if granted is None or bearer.subject != f"{bearer.client_id}@clients":
            raise InvalidToken(detail="the client or its grant is gone")
        return Bearer(bearer.subject, bearer.client_id, bearer.scope & set(granted))

    async def person(self, token: str, audience: str) -> tuple[Bearer, Profile]:
        """Return the person whose token it is. Raises ``InvalidToken``, also once the account is gone or blocked.

        A token that is older than the account is another person's, who had the same id before; one from before a reset
        may be in the hands of whoever was to be put out by it.
        """
        claims = await self._claims(token, audience)
        profile = await self.db.read(accounts.by_id, str(claims.get("sub")))
        if profile is None or int(claims["iat"]) < int(profile.created_at.timestamp()):
            raise InvalidToken(detail="the account is gone")
        if profile.signed_out_at and int(claims["iat"]) < int(profile.signed_out_at.timestamp()):
            raise InvalidToken(detail="signed out since")
        if profile.blocked:
            raise InvalidToken(detail=UserBlocked.code)
        return _bearer(claims), profile

    async def _claims(self, token: str, audience: str) -> dict[str, Any]:
        claims = await self.keys.verify(token, ACCESS_TYPE)
        audiences = claims.get("aud")
        if claims.get("iss") != self.issuer.name:
            raise InvalidToken(detail="from another issuer")
        if audience not in (audiences if isinstance(audiences, list) else [audiences]):
            raise InvalidToken(detail="for another audience")
        return claims


def _bearer(claims: dict[str, Any]) -> Bearer:
    moment = claims.get("auth_time")
    at = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else None
    return Bearer(str(claims.get("sub")), str(claims.get("azp")), frozenset(str(claims.get("scope", "")).split()), at)
