"""Tokens are made here, of an ``Admitted`` person or an authenticated client, and of nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from keystead.db import clients, refresh_tokens
from keystead.db.clients import ApiRecord, ClientRecord
from keystead.db.session import Database
from keystead.errors import AudienceNotAllowed
from keystead.flows.accounts import Admitted
from keystead.oauth.keys import KeyRing
from keystead.ports import Clock, Entropy
from keystead.rules.claims import about, timed
from keystead.rules.oauth import granted
from keystead.rules.tokens import ACCESS_LIFETIME, Authority, RefreshRecord, refresh_expiry
from keystead.secrecy import Secret

ACCESS_TYPE = "at+jwt"
ID_TYPE = "JWT"

MANAGEMENT_PATH = "/api/v2/"
MY_ACCOUNT_PATH = "/me/"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer of the token endpoint, before it is written."""

    access_token: Secret[str]
    expires_in: int
    scope: tuple[str, ...]
    id_token: Secret[str] | None = None
    refresh_token: Secret[str] | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for on a person's behalf."""

    scope: tuple[str, ...]
    audience: str
    nonce: str | None = None
    session_id: str = ""
    refresh_token: Secret[str] | None = None
    """The refresh token, where the grant stored one already; else there is one for ``offline_access``."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A refresh token that is about to be stored."""

    token: Secret[str]
    record: RefreshRecord
    idle_expires_at: datetime | None
    expires_at: datetime | None

    def store(self, session: Session) -> None:
        """Store it. Grants do so in the transaction that uses up a code or an older token.

        Were it stored later, a replay that comes in between would end a family that is still to be born.
        """
        refresh_tokens.put(session, self.token.reveal(), self.record, self.idle_expires_at, self.expires_at)


@dataclass(frozen=True)
class Issuer:
    """Signs ID and access tokens and stores refresh tokens."""

    db: Database
    keys: KeyRing
    clock: Clock
    entropy: Entropy
    public_url: str

    @property
    def name(self) -> str:
        """The issuer, with its slash."""
        return f"{self.public_url}/"

    @property
    def userinfo_audience(self) -> str:
        """The audience of every token that opens ``/userinfo``."""
        return f"{self.public_url}/userinfo"

    async def api(self, audience: str) -> ApiRecord | None:
        """Return the API of an audience; ``None`` for no audience. Raises ``AudienceNotAllowed``."""
        if not audience:
            return None
        # Ours are stored by path, so that they move when the public URL does.
        identifier = audience.removeprefix(self.public_url) if audience.startswith(self.name) else audience
        found = None if audience.startswith("/") else await self.db.read(clients.api, identifier)
        if found is None:
            raise AudienceNotAllowed(f"Service not found: {audience}")
        return found

    async def scope_for(self, requested: tuple[str, ...], audience: str, *, default_all: bool) -> tuple[str, ...]:
        """Return the scope that a person's token for an audience will carry (LG-3). Raises ``AudienceNotAllowed``.

        The Management API is for clients and administrators: a person's login opens none of its scopes.
        """
        api = await self.api(audience)
        offered = api.scopes if api and api.identifier != MANAGEMENT_PATH else ()
        scope = granted(requested, offered, default_all=default_all)
        if api and not api.allow_offline_access:
            scope = tuple(each for each in scope if each != "offline_access")
        return scope

    async def for_person(self, admitted: Admitted, client: ClientRecord, wish: Wish) -> Tokens:
        """Return the tokens of somebody who was admitted."""
        profile, lifetime = admitted.profile, ACCESS_LIFETIME
        api = await self.api(wish.audience)
        if api is not None:
            lifetime = timedelta(seconds=api.token_lifetime)
        common = {"iss": self.name, "sub": profile.user_id, "auth_time": int(admitted.authenticated_at.timestamp())}
        session = {"sid": wish.session_id} if wish.session_id else {}
        access = await self.keys.sign(
            common
            | session
            | timed(self.clock(), lifetime)
            | {
                "aud": self._audiences(wish),
                "azp": client.client_id,
                "scope": " ".join(wish.scope),
                "amr": [admitted.method],
                "jti": self.entropy.token(16),
            },
            ACCESS_TYPE,
        )
        id_token = None
        if "openid" in wish.scope:
            claims: dict[str, Any] = about(profile, wish.scope, self.public_url) | common | session
            claims |= timed(self.clock(), timedelta(seconds=client.settings.jwt_configuration.lifetime_in_seconds))
            claims |= {"aud": client.client_id, "amr": [admitted.method]}
            if wish.nonce is not None:
                claims["nonce"] = wish.nonce
            id_token = Secret(await self.keys.sign(claims, ID_TYPE))
        refresh = wish.refresh_token
        if refresh is None and "offline_access" in wish.scope:
            refresh = await self._refresh_token(admitted, client, wish)
        return Tokens(Secret(access), int(lifetime.total_seconds()), wish.scope, id_token, refresh)

    def renewal(
        self, authority: Authority, client: ClientRecord, *, family: str = "", began: datetime | None = None
    ) -> Renewal:
        """Make a refresh token: the next of a family that ``began`` some time ago, or the first of a new one."""
        now = self.clock()
        record = RefreshRecord(
            id=self.entropy.id("rt_"),
            family=family or self.entropy.token(16),
            authority=authority,
            created_at=began or now,
        )
        idle, end = refresh_expiry(client.settings.refresh_token, record.created_at, now)
        return Renewal(Secret(f"kr_{self.entropy.token(32)}"), record, idle, end)

    async def for_client(self, client: ClientRecord, api: ApiRecord, scope: tuple[str, ...]) -> Tokens:
        """Return the token of a client that acts in its own name. Its ``sub`` can be no person's (RFC 9700 §4.15)."""
        lifetime = timedelta(seconds=api.token_lifetime)
        identifier = self.public_url + api.identifier if api.identifier.startswith("/") else api.identifier
        claims = timed(self.clock(), lifetime) | {
            "iss": self.name,
            "sub": f"{client.client_id}@clients",
            "aud": identifier,
            "azp": client.client_id,
            "scope": " ".join(scope),
            "gty": "client-credentials",
            "jti": self.entropy.token(16),
        }
        return Tokens(Secret(await self.keys.sign(claims, ACCESS_TYPE)), int(lifetime.total_seconds()), scope)

    def _audiences(self, wish: Wish) -> str | list[str]:
        """With ``openid`` the token opens ``/userinfo`` too."""
        if not wish.audience:
            return self.userinfo_audience
        return [wish.audience, self.userinfo_audience] if "openid" in wish.scope else wish.audience

    async def _refresh_token(self, admitted: Admitted, client: ClientRecord, wish: Wish) -> Secret[str]:
        authority = Authority(
            user_id=admitted.profile.user_id,
            client_id=client.client_id,
            scope=wish.scope,
            audience=wish.audience,
            method=admitted.method,
            authenticated_at=admitted.authenticated_at,
            session_id=wish.session_id,
        )
        renewal = self.renewal(authority, client)
        await self.db.write(renewal.store)
        return renewal.token
