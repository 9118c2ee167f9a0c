"""The keys that sign tokens: made once, sealed at rest, published as a JWKS, one algorithm per key."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from keystead.db import keys
from keystead.db.keys import KeyRecord
from keystead.db.session import Database
from keystead.errors import InternalError, InvalidToken
from keystead.ports import Clock, Entropy, Sealer

ALGORITHM: Final = "RS256"
LEEWAY: Final = 60
"""Seconds that another machine's clock may be off."""

_REREAD: Final = timedelta(seconds=60)
PURPOSE: Final = "signing-keys"
"""What private keys are sealed for."""

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Ring:
    read_at: datetime
    signing: RSAKey
    verifying: dict[str, RSAKey]
    jwks: dict[str, Any]


@dataclass
class KeyRing:
    """Signs and verifies with the keys of the database, read again each minute: every process follows a rotation."""

    db: Database
    sealer: Sealer
    clock: Clock
    _ring: _Ring | None = field(default=None, repr=False)

    async def sign(self, claims: Claims, typ: str) -> str:
        """Return a compact JWS. ``typ`` keeps an ID token from being used as an access token (RFC 9068 §2.1)."""
        key = (await self._keys()).signing
        return jwt.encode({"alg": ALGORITHM, "typ": typ, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])

    async def verify(self, token: str, typ: str) -> Claims:
        """Return the claims of a token of ours that is of this type and in time. Raises ``InvalidToken``.

        The key is chosen by ``kid`` from our own set and the algorithm by the key, whatever else the header says.
        """
        ring = await self._keys()
        try:
            found = jwt.decode(token, lambda asked: ring.verifying[asked.headers()["kid"]], algorithms=[ALGORITHM])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise InvalidToken(detail=type(error).__name__) from None
        if found.header.get("typ") != typ:
            raise InvalidToken(detail="a token of another type")
        now = self.clock().timestamp()
        expires, issued = found.claims.get("exp"), found.claims.get("iat")
        begins = found.claims.get("nbf", issued)
        if not isinstance(expires, int) or not isinstance(issued, int) or not isinstance(begins, int):
            raise InvalidToken(detail="a time that is no number")
        if expires <= now or max(issued, begins) > now + LEEWAY:
            raise InvalidToken(detail="expired or not yet valid")
        return found.claims

    async def jwks(self) -> dict[str, Any]:
        """Return the public halves, as published."""
        return (await self._keys()).jwks

    async def _keys(self) -> _Ring:
        now = self.clock()
        if self._ring is None or not timedelta() <= now - self._ring.read_at < _REREAD:
            self._ring = self._read(await self.db.read(keys.good), now)
        return self._ring

    def _read(self, records: list[KeyRecord], now: datetime) -> _Ring:
        if not records:
            raise InternalError(detail="there is no signing key: has the first start been made?")
        private = RSAKey.import_key(self.sealer.open(records[0].sealed_private, PURPOSE), {"kid": records[0].kid})
        public = {record.kid: RSAKey.import_key(record.public_jwk) for record in records}
        return _Ring(now, private, public, {"keys": [record.public_jwk for record in records]})


def new_key(bits: int, sealer: Sealer, entropy: Entropy, now: datetime) -> KeyRecord:
    """Make a key; its private half leaves this function only sealed."""
    key = RSAKey.generate_key(bits)
    kid = entropy.token(16)
    public = key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": ALGORITHM}
    sealed = sealer.seal(key.as_pem(private=True), PURPOSE)
    return KeyRecord(kid, ALGORITHM, public, sealed, now)
