"""Which client asks, and does it prove it."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from keystead.db import clients
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.errors import BadClient
from keystead.flows.protection import Protection
from keystead.flows.refusals import concerning
from keystead.oauth.client_assertions import ClientAssertions
from keystead.ports import Clock
from keystead.rules.addresses import spelled
from keystead.rules.buckets import secret_bucket
from keystead.rules.events import Caller
from keystead.secrecy import Secret, fingerprint

_NOBODY = fingerprint("")


async def _nothing(client_id: str) -> None:
    """Do nothing with a client that has proved itself."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a request shows of its client: one of the two, in the body or by HTTP Basic (client-demands)."""

    client_id: str
    secret: Secret[str] | None = None
    assertion: Secret[str] | None = None
    forwarded_for: str = ""
    """The address that it says it asks for: ``auth0-forwarded-for``."""
    proved: Callable[[str], Awaitable[None]] = _nothing
    """What to do once the client has proved itself: the request is charged to it, and may be one too many."""


@dataclass(frozen=True)
class ClientAuth:
    """Authenticates clients. Their secrets are 384 random bits, so a plain SHA-256 of them is kept."""

    db: Database
    protection: Protection
    assertions: ClientAssertions
    clock: Clock

    async def __call__(self, shown: ClientCredentials, caller: Caller) -> ClientRecord:
        """Return the client. Raises ``BadClient``, ``TooManyProofs``, ``TooManyRequests``.

        A public client is named, not proved: what it may do is bounded by its redirect URIs and grants.
        """
        client = await self.db.read(clients.get, shown.client_id)
        if client is not None and client.settings.is_public and shown.assertion is None:
            return client
        if client is None or (shown.secret is None and shown.assertion is None):
            raise BadClient(detail="no such public client").because(client_id=client and client.client_id)
        bucket = secret_bucket(client.client_id, caller.address)
        async with self.protection.showing(caller, {"client_id": client.client_id}, wrong=(BadClient,), bucket=bucket):
            with concerning(client_id=client.client_id):
                await self._check(client, shown)
        await shown.proved(client.client_id)
        return client

    async def _check(self, client: ClientRecord, shown: ClientCredentials) -> None:
        """Hold what is shown against what the client is registered for. Raises ``BadClient``."""
        by_key = client.settings.key_ids is not None
        if shown.assertion is not None and by_key:
            await self.assertions.check(client, shown.assertion)
        elif shown.secret is None or by_key or not _is_secret_of(client, shown.secret, self.clock()):
            raise BadClient(detail="wrong secret, or another way than the client's")


def asked_for(client: ClientRecord, shown: ClientCredentials, caller: Caller) -> Caller:
    """Return who asks, by the address that a client has leave to name, in place of its own server's (LG-4).

    Only of one that has shown its secret or key: a public client is whoever says so. What is not one address is not
    heeded. Guesses at the client's own secret were counted before, by the address that they came from.
    """
    may = client.settings.is_token_endpoint_ip_header_trusted and not client.settings.is_public
    address = spelled(shown.forwarded_for) if may else None
    return caller.model_copy(update={"address": address}) if address else caller


def _is_secret_of(client: ClientRecord, secret: Secret[str], now: datetime) -> bool:
    """Whether a secret is the client's, or the one before it for as long as that lives on; in constant time."""
    rolling = client.previous_secret_until is not None and client.previous_secret_until > now
    given = fingerprint(secret.reveal())
    stored = (client.secret_hash, client.previous_secret_hash if rolling else None)
    matches = [hmac.compare_digest(given, each or _NOBODY) for each in stored]
    return bool(secret) and any(matches)
