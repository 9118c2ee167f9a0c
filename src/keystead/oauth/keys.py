"""The ring of keys that sign and verify tokens: sealed at rest, published as a JWKS, one algorithm per key."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError

from keystead.db import keys
from keystead.db.session import Database
from keystead.errors import InternalError, InvalidToken
from keystead.oauth import key_pairs
from keystead.oauth.key_pairs import DEFAULT, Key
from keystead.ports import Clock, Sealer
from keystead.rules.signing_keys import KeyRecord

LEEWAY: Final = 60
"""Seconds that another machine's clock may be off."""

CACHE_SECONDS: Final = 300
"""How long clients and proxies may keep the published keys. A next key is published at least this long before it signs,
unless somebody is in a hurry."""

FOLLOWED: Final = timedelta(seconds=10)
"""After how long every process knows what another one did to the keys: the ring is read again as often."""

_LOOK_AGAIN: Final = timedelta(seconds=2)
"""How soon an unknown ``kid`` may have the ring read again. Sooner, and bad tokens could keep the database busy."""

_BAD_SIGNATURE: Final = "Invalid signature received for JSON Web Token validation"

_HEADER: Final = frozenset(("alg", "typ", "kid"))

Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that verifies, and the only algorithm that it verifies."""

    algorithm: str
    key: Key


@dataclass(frozen=True, slots=True)
class _Ring:
    read_at: datetime
    signing: dict[str, tuple[str, Key]]
    """By algorithm: the ``kid`` and the key."""
    verifying: dict[str, _Known]
    published: tuple[dict[str, Any], ...]


@dataclass
class KeyRing:
    """Signs and verifies with the keys of the database, read again every few seconds: every process follows."""

    db: Database
    sealer: Sealer
    clock: Clock
    _ring: _Ring | None = field(default=None, repr=False)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _forgotten: int = 0

    async def sign(self, claims: Claims, typ: str, algorithm: str = DEFAULT) -> str:
        """Return a compact JWS. ``typ`` keeps an ID token from being used as an access token (RFC 9068 §2.1)."""
        found = (await self._keys()).signing.get(algorithm)
        if found is None:
            raise InternalError(detail=f"there is no key that signs {algorithm}: has the first start been made?")
        kid, key = found
        return jwt.encode({"alg": algorithm, "typ": typ, "kid": kid}, claims, key, algorithms=[algorithm])

    async def sign_detached(self, content: bytes, typ: str) -> tuple[str, dict[str, Any]]:
        """Return a JWS of bytes that stand elsewhere (RFC 7515, appendix F), and the public half of the key."""
        ring = await self._keys()
        if DEFAULT not in ring.signing:
            raise InternalError(detail=f"there is no key that signs {DEFAULT}: has the first start been made?")
        kid, key = ring.signing[DEFAULT]
        header = {"alg": DEFAULT, "typ": typ, "kid": kid}
        protected, _, signature = jws.serialize_compact(header, content, key, algorithms=[DEFAULT]).split(".")
        return f"{protected}..{signature}", next(jwk for jwk in ring.published if jwk["kid"] == kid)

    async def verify(self, token: str, typ: str, *, late: bool = False) -> Claims:
        """Return the claims of a token of ours that is of this type and in time. Raises ``InvalidToken``.

        The key is chosen by ``kid`` from our own set and the algorithm by the key, whatever else the header says.
        ``late`` accepts one that has expired: for hints of who somebody was, which open nothing.
        """
        kid = _kid(token, typ)
        known = await self._known(kid)
        try:
            claims = jwt.decode(token, known.key, algorithms=[known.algorithm]).claims
        except BadSignatureError as error:
            raise InvalidToken(_BAD_SIGNATURE, detail=type(error).__name__) from None
        except (JoseError, ValueError, TypeError) as error:
            raise InvalidToken(detail=type(error).__name__) from None
        self._check_times(claims, late=late)
        return claims

    async def can_sign(self) -> bool:
        """Whether there is a key that every client can verify, and it opens. Raises ``InternalError`` if not that."""
        return DEFAULT in (await self._keys()).signing

    async def jwks(self) -> dict[str, Any]:
        """Return the RSA keys, as published: there are clients that take every key there for one."""
        return {"keys": [jwk for jwk in (await self._keys()).published if jwk["kty"] == "RSA"]}

    async def every_jwk(self) -> dict[str, Any]:
        """Return the keys of all algorithms, as published."""
        return {"keys": list((await self._keys()).published)}

    def forget(self) -> None:
        """Read the keys again before the next use, since this process has just changed them."""
        self._ring = None
        self._forgotten += 1

    def _check_times(self, claims: Claims, *, late: bool) -> None:
        now = self.clock().timestamp()
        expires, issued = claims.get("exp"), claims.get("iat")
        begins = claims.get("nbf", issued)
        if not isinstance(expires, int) or not isinstance(issued, int) or not isinstance(begins, int):
            raise InvalidToken(detail="a time that is no number")
        if (expires <= now and not late) or max(issued, begins) > now + LEEWAY:
            raise InvalidToken(detail="expired or not yet valid")

    async def _known(self, kid: str) -> _Known:
        """Return the key of that very name. Raises ``InvalidToken``."""
        ring = await self._keys()
        if kid not in ring.verifying:  # another process may have made it and signed with it since
            ring = await self._keys(_LOOK_AGAIN)
        if kid not in ring.verifying:
            raise InvalidToken(detail="signed with a key that is not ours, or not any more")
        return ring.verifying[kid]

    async def _keys(self, most: timedelta = FOLLOWED) -> _Ring:
        """Return the ring, no older than that."""
        if self._ring is not None and self._is_young(self._ring, most):
            return self._ring
        async with self._reading:  # of many who find it old at once, one reads
            if self._ring is not None and self._is_young(self._ring, most):
                return self._ring
            now, forgotten = self.clock(), self._forgotten
            ring = self._read(await self.db.read(keys.published, now), now)
            if forgotten == self._forgotten:  # else it may have been read before the change
                self._ring = ring
            return ring

    def _is_young(self, ring: _Ring, most: timedelta) -> bool:
        return timedelta() <= self.clock() - ring.read_at < most

    def _read(self, records: list[KeyRecord], now: datetime) -> _Ring:
        """Make a ring; what was read before is taken over, since a key never changes under its ``kid``."""
        before = self._ring or _Ring(now, {}, {}, ())
        signing = {}
        for record in records:
            if record.state == "current":
                found = before.signing.get(record.algorithm)
                is_same = found is not None and found[0] == record.kid
                key = found[1] if found and is_same else key_pairs.signing(record, self.sealer)
                signing[record.algorithm] = (record.kid, key)
        verifying = {
            record.kid: before.verifying.get(record.kid) or _Known(record.algorithm, key_pairs.verifying(record))
            for record in records
        }
        return _Ring(now, signing, verifying, tuple(record.public_jwk for record in records))


def _kid(token: str, typ: str) -> str:
    """Return the name of the key of a token of this type. Raises ``InvalidToken``.

    Three members are all that we write into a header, so any other is refused: ``jku``, ``x5u``, ``jwk``, ``x5c`` and
    ``crit`` are never even looked at (RFC 8725 §3.10).
    """
    try:
        header = jws.extract_compact(token.encode("ascii")).protected
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidToken(detail=type(error).__name__) from None
    if not isinstance(header, dict) or header.keys() != _HEADER or not isinstance(header["kid"], str):
        raise InvalidToken(detail="not a header of ours")
    if header["typ"] != typ:
        raise InvalidToken(detail="a token of another type")
    return str(header["kid"])
