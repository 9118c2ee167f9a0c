"""Which client asks, and does it prove it."""

import hmac
from dataclasses import dataclass

from keystead.db import clients
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.errors import BadClient
from keystead.flows.protection import Protection
from keystead.rules.attack_protection import secret_bucket
from keystead.secrecy import Secret, fingerprint

_NOBODY = fingerprint("")


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a request shows of its client: in the body or by HTTP Basic, as its library prefers (client-demands)."""

    client_id: str
    secret: Secret[str] | None = None


@dataclass(frozen=True)
class ClientAuth:
    """Authenticates clients. Their secrets are 384 random bits, so a plain SHA-256 of them is kept."""

    db: Database
    protection: Protection

    async def __call__(self, shown: ClientCredentials, address: str) -> ClientRecord:
        """Return the client. Raises ``BadClient``, ``TooManyAttempts``.

        A public client is named, not proved: what it may do is bounded by its redirect URIs and grants.
        """
        client = await self.db.read(clients.get, shown.client_id)
        if client is not None and client.settings.is_public:
            return client
        if shown.secret is None:
            raise BadClient(detail="no such public client")
        stored = client.secret_hash if client and client.secret_hash else _NOBODY
        matches = hmac.compare_digest(fingerprint(shown.secret.reveal()), stored)
        if client is not None and matches and shown.secret:
            return client
        if client is not None:
            # Charged after the comparison, which costs nothing and which 384 random bits do not fear: charging first
            # would let whoever shares an address with a client lock it out by guessing.
            async with self.protection.charged(secret_bucket(client.client_id, address)):
                pass
        raise BadClient(detail="unknown client or wrong secret")
