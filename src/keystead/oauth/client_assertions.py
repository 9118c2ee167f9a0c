"""``private_key_jwt``: a client proves itself by a signed statement (RFC 7523, OpenID Connect Core §9)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from keystead.db import credentials
from keystead.db.clients import ClientRecord
from keystead.db.credentials import CredentialRecord
from keystead.db.session import Database
from keystead.errors import BadClient
from keystead.ports import Clock
from keystead.secrecy import Secret, fingerprint

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LONGEST: Final = 3600
"""Seconds that an assertion may be good for, as Authlib's are: each is remembered until then, and works once."""

LEEWAY: Final = 60
"""Seconds that a client's clock may be off."""

_MOST: Final = 8192
_TYPES: Final = (None, "jwt", "client-authentication+jwt")
_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

Claims = dict[str, Any]


@dataclass(frozen=True)
class ClientAssertions:
    """Checks assertions. The key, and the algorithm with it, come from what is stored, never from the header."""

    db: Database
    clock: Clock
    public_url: str

    @property
    def audiences(self) -> frozenset[str]:
        """What an assertion may be for: the issuer, as RFC 7523bis wants it, or an endpoint (RFC 9126 §2)."""
        url = self.public_url
        return frozenset((f"{url}/", f"{url}/oauth/token", f"{url}/oauth/par"))

    async def check(self, client: ClientRecord, assertion: Secret[str]) -> None:
        """Use an assertion up. Raises ``BadClient``."""
        found = await self.db.read(credentials.of_client, client.client_id)
        now, listed = self.clock(), client.settings.key_ids or frozenset()
        keys = [each for each in found if each.id in listed and (each.expires_at is None or each.expires_at > now)]
        claims = _verified(assertion.reveal(), keys)
        self._check(claims, client.client_id, now)
        used = fingerprint(f"{client.client_id} {claims['jti']}")
        forgotten = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        if not await self.db.write(credentials.use_assertion, used, forgotten):
            raise BadClient(detail="an assertion that was used before")

    def _check(self, claims: Claims, client_id: str, now: datetime) -> None:
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise BadClient(detail="an assertion of somebody else")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        # All of them must be ours: what is also meant for another server could have come from there.
        if not named or not all(isinstance(each, str) and each in self.audiences for each in named):
            raise BadClient(detail="an assertion for somebody else")
        if not isinstance(claims.get("jti"), str) or not 1 <= len(claims["jti"]) <= 1000:
            raise BadClient(detail="an assertion without jti")
        _check_times(claims, now.timestamp())


def named_by(assertion: Secret[str]) -> str:
    """Return the client that an assertion says it is of, unchecked. Raises ``BadClient``."""
    try:
        claims = json.loads(_taken_apart(assertion.reveal()).payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise BadClient(detail="a malformed assertion") from None
    found = claims.get("sub") if isinstance(claims, dict) else None
    # In ASCII, as every client id: a lone surrogate cannot even be looked for.
    if not isinstance(found, str) or not found.isascii() or not found.isprintable() or not found:
        raise BadClient(detail="an assertion of nobody")
    return found


def _verified(text: str, keys: Sequence[CredentialRecord]) -> Claims:
    """Return the claims, signed by one of these keys. Raises ``BadClient``."""
    try:
        header = _taken_apart(text).protected
    except (JoseError, ValueError, TypeError, RecursionError):
        raise BadClient(detail="a malformed assertion") from None
    typ = header.get("typ")
    if (typ.lower() if isinstance(typ, str) else typ) not in _TYPES:
        raise BadClient(detail="a token of another type")
    kid = header.get("kid")
    for key in keys:
        if kid is not None and kid != key.kid:
            continue
        try:
            # Only the algorithm that the key was registered for: no ``none``, and no HMAC with a public key.
            public = _KINDS[key.public_jwk["kty"]].import_key(dict(key.public_jwk))
            return jwt.decode(text, public, algorithms=[key.algorithm]).claims
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            continue
    raise BadClient(detail="no key of the client fits the assertion")


def _taken_apart(text: str) -> jws.CompactSignature:
    if len(text) > _MOST:
        raise ValueError("too long")
    found = jws.extract_compact(text.encode("ascii"))
    if not isinstance(found.protected, dict):
        raise ValueError("a header that is no object")
    return found


def _check_times(claims: Claims, now: float) -> None:
    """Refuse what is over, not yet begun, or good for too long. Raises ``BadClient``."""
    expires, issued, begins = claims.get("exp", ""), claims.get("iat", 0), claims.get("nbf", 0)
    if not all(type(each) in (int, float) for each in (expires, issued, begins)):
        raise BadClient(detail="a time that is no number")
    if not now - LEEWAY < expires <= now + LONGEST + LEEWAY:
        raise BadClient(detail="an assertion that is expired, or good for too long")
    if max(issued, begins) > now + LEEWAY:
        raise BadClient(detail="an assertion from the future")
