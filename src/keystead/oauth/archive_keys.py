"""Archives of users signed with the key that signs tokens, and the signature of one verified, whoever made it."""

import json
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from sqlmodel import Session

from keystead.db import keys
from keystead.db.session import Database
from keystead.errors import InvalidArchive
from keystead.oauth.key_pairs import DEFAULT
from keystead.oauth.keys import KeyRing
from keystead.rules.user_archives import SIGNED_AS, thumbprint

_LEAST_BITS: Final = 2048


@dataclass(frozen=True)
class ArchiveKeys:
    """Signs manifests, and verifies them by the key that comes along: whether to trust that key is another question."""

    db: Database
    ring: KeyRing

    async def sign(self, manifest: bytes) -> tuple[str, dict[str, Any], bytes]:
        """Return a detached JWS, the set of the one key that verifies it, and that key as PEM."""
        signature, jwk = await self.ring.sign_detached(manifest, SIGNED_AS)
        bare = {name: value for name, value in jwk.items() if not name.startswith("x5")}
        return signature, {"keys": [bare]}, RSAKey.import_key(bare).as_pem(private=False)

    def signer(self, manifest: bytes, signature: bytes, jwks: bytes) -> str:
        """Return the thumbprint of the key that signed a manifest. Raises ``InvalidArchive``.

        The header says nothing that is believed but that it is of an archive: the algorithm is RS256, whatever it says.
        """
        try:
            jwk = json.loads(jwks)["keys"][0]
            key = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")})
            if key.public_key.key_size < _LEAST_BITS:
                raise InvalidArchive("the key in it is too short")
            found = jws.deserialize_compact(signature.strip(), key, algorithms=[DEFAULT], payload=manifest)
            if found.protected.get("typ") != SIGNED_AS:
                raise InvalidArchive("its signature is of something else")
        except (JoseError, ValueError, TypeError, LookupError, RecursionError):
            raise InvalidArchive("its signature does not fit: it was changed, or damaged, since it was made") from None
        return thumbprint(jwk)

    async def is_ours(self, key: str) -> bool:
        """Whether a thumbprint is of a key of this installation, of now or before, that was not revoked."""
        return await self.db.read(_is_ours, key)


def _is_ours(session: Session, key: str) -> bool:
    good = (each for each in keys.known(session, DEFAULT) if each.state != "revoked")
    return any(thumbprint(each.public_jwk) == key for each in good)
