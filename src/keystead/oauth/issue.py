"""Tokens are made here, of an ``Admitted`` person or an authenticated client, and of nothing else."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from keystead.db import refresh_tokens
from keystead.db.apis import ApiRecord
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.flows.accounts import Admitted
from keystead.oauth.audiences import Audiences
from keystead.oauth.key_pairs import DEFAULT
from keystead.oauth.keys import Claims, KeyRing
from keystead.ports import Clock, Entropy
from keystead.rules.administrators import TOKEN_LIFETIME
from keystead.rules.claims import about, microseconds, timed
from keystead.rules.events import Caller
from keystead.rules.profiles import Profile
from keystead.rules.tokens import ACCESS_LIFETIME, Authority, RefreshRecord, refresh_expiry
from keystead.secrecy import Secret

ACCESS_TYPE = "at+jwt"
ID_TYPE = "JWT"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer of the token endpoint, before it is written."""

    access_token: Secret[str]
    expires_in: int
    scope: tuple[str, ...]
    id_token: Secret[str] | None = None
    refresh_token: Secret[str] | None = None
    logged_in: Profile | None = None
    """Who proved to the client itself who they are, where this is a login."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for on a person's behalf."""

    scope: tuple[str, ...]
    audience: str
    nonce: str | None = None
    session_id: str = ""
    caller: Caller = field(default_factory=Caller)
    """Who asks, for a refresh token that is yet to be stored."""
    refresh_token: Secret[str] | None = None
    """The refresh token, where the grant stored one already; else there is one for ``offline_access``."""
    is_login: bool = False
    """Whether the client took the proof of the person itself, just now."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A refresh token that is about to be stored."""

    token: Secret[str]
    record: RefreshRecord
    idle_expires_at: datetime | None
    expires_at: datetime | None

    def store(self, session: Session, caller: Caller) -> None:
        """Store it. Grants do so in the transaction that uses up a code or an older token.

        Were it stored later, a replay that comes in between would end a family that is still to be born.
        """
        refresh_tokens.put(session, self.token.reveal(), self.record, self.idle_expires_at, self.expires_at, caller)


@dataclass(frozen=True)
class Issuer:
    """Signs ID and access tokens and stores refresh tokens."""

    db: Database
    keys: KeyRing
    clock: Clock
    entropy: Entropy
    audiences: Audiences
    public_url: str

    @property
    def name(self) -> str:
        """The issuer, with its slash."""
        return f"{self.public_url}/"

    @property
    def userinfo_audience(self) -> str:
        """The audience of every token that opens ``/userinfo``."""
        return f"{self.public_url}/userinfo"

    async def for_person(self, admitted: Admitted, client: ClientRecord, wish: Wish) -> Tokens:
        """Return the tokens of somebody who was admitted."""
        api = await self.audiences.api(wish.audience)
        lifetime = timedelta(seconds=api.token_lifetime) if api else ACCESS_LIFETIME
        if client.is_system:
            lifetime = min(lifetime, TOKEN_LIFETIME)
        algorithm = api.signing_alg if api else DEFAULT
        login = self._login(admitted, wish)
        about_access = {
            "aud": self._audiences(wish),
            "azp": client.client_id,
            "client_id": client.client_id,
            "scope": " ".join(wish.scope),
            "auth_at": microseconds(admitted.authenticated_at),
            "jti": self.entropy.token(16),
        }
        access = await self.keys.sign(login | timed(self.clock(), lifetime) | about_access, ACCESS_TYPE, algorithm)
        id_token = None
        if "openid" in wish.scope:
            id_token = Secret(await self.keys.sign(self._identity(admitted, client, wish), ID_TYPE))
        refresh = wish.refresh_token
        if refresh is None and "offline_access" in wish.scope:
            refresh = await self._refresh_token(admitted, client, wish)
        logged_in = admitted.profile if wish.is_login else None
        return Tokens(Secret(access), int(lifetime.total_seconds()), wish.scope, id_token, refresh, logged_in)

    def _login(self, admitted: Admitted, wish: Wish) -> Claims:
        """Return what both kinds of tokens say about the login that they come from."""
        claims: Claims = {
            "iss": self.name,
            "sub": admitted.profile.user_id,
            "auth_time": int(admitted.authenticated_at.timestamp()),
            "amr": [admitted.method],
            "acr": admitted.method,
        }
        return claims | ({"sid": wish.session_id} if wish.session_id else {})

    def _identity(self, admitted: Admitted, client: ClientRecord, wish: Wish) -> Claims:
        """Return the claims of an ID token (OpenID Connect Core §2)."""
        lifetime = timedelta(seconds=client.settings.jwt_configuration.lifetime_in_seconds)
        claims = about(admitted.profile, wish.scope, self.public_url) | self._login(admitted, wish)
        claims |= timed(self.clock(), lifetime) | {"aud": client.client_id}
        return claims if wish.nonce is None else claims | {"nonce": wish.nonce}

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
        claims = timed(self.clock(), lifetime) | {
            "iss": self.name,
            "sub": f"{client.client_id}@clients",
            "aud": self.audiences.identifier_of(api),
            "azp": client.client_id,
            "client_id": client.client_id,
            "scope": " ".join(scope),
            "gty": "client-credentials",
            "jti": self.entropy.token(16),
        }
        token = await self.keys.sign(claims, ACCESS_TYPE, api.signing_alg)
        return Tokens(Secret(token), int(lifetime.total_seconds()), scope)

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
        await self.db.write(renewal.store, wish.caller)
        return renewal.token
