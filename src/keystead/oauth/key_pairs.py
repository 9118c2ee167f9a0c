"""Key pairs: made here, and opened here, for the algorithms that tokens are signed with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, OKPKey, RSAKey

from keystead.errors import InternalError
from keystead.oauth import certificates
from keystead.oauth.certificates import PrivateKey
from keystead.ports import Entropy, Sealer
from keystead.rules.signing_keys import KeyRecord

DEFAULT: Final = "RS256"
"""What every client can verify."""

PURPOSE: Final = "signing-keys"
"""What private keys are sealed for."""

Key = RSAKey | ECKey | OKPKey

_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RS256": RSAKey,
    "ES256": ECKey,
    "Ed25519": OKPKey,  # by its own name (RFC 9864): "EdDSA" says of no key which curve it is on
}
ALGORITHMS: Final = tuple(_KINDS)
"""What tokens can be signed with, by the names of the ``alg`` header."""

_MADE: Final[dict[str, Callable[[int], PrivateKey]]] = {
    "RS256": lambda bits: rsa.generate_private_key(65537, bits),
    "ES256": lambda _: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": lambda _: Ed25519PrivateKey.generate(),
}


@dataclass(frozen=True)
class KeyMaker:
    """Makes signing keys. A private half leaves it only sealed."""

    sealer: Sealer
    entropy: Entropy
    rsa_bits: int
    host: str
    """In whose name certificates are made out."""

    def make(self, algorithm: str, now: datetime, *, current: bool = False) -> KeyRecord:
        """Make a key that is to sign next, or ``current``, at once. An RSA key takes a tenth of a second and more."""
        private = _MADE[algorithm](self.rsa_bits)
        # Letters and digits alone: what begins with a dash would be an option on a command line.
        kid = self.entropy.id("", 22)
        public = _KINDS[algorithm].import_key(private).as_dict(private=False)  # type: ignore[arg-type]  # of its kind
        record = KeyRecord(
            kid=kid,
            algorithm=algorithm,
            public_jwk=public | {"kid": kid, "use": "sig", "alg": algorithm},
            sealed_private=self._sealed(private),
            created_at=now,
            current_since=now if current else None,
        )
        return self._certified(record, private, now)

    def renewed(self, record: KeyRecord, newest: Sealer, now: datetime) -> KeyRecord:
        """Return a key as it would be kept if it were made today: certified, and sealed with the newest secret key.

        ``newest`` opens nothing else. The same record comes back where nothing is to do. Raises ``InternalError`` where
        the secret key that sealed it is gone.
        """
        private = opened(record, self.sealer)
        try:
            newest.open(record.sealed_private, PURPOSE)
        except InternalError:
            record = replace(record, sealed_private=self._sealed(private))
        return record if "x5c" in record.public_jwk else self._certified(record, private, now)

    def _certified(self, record: KeyRecord, private: PrivateKey, now: datetime) -> KeyRecord:
        about = certificates.members(certificates.self_signed(private, self.host, now))
        return replace(record, public_jwk=record.public_jwk | about)

    def _sealed(self, private: PrivateKey) -> bytes:
        return self.sealer.seal(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), PURPOSE)


def opened(record: KeyRecord, sealer: Sealer) -> PrivateKey:
    """Return the private half of a key. Raises ``InternalError`` where the secret key that sealed it is gone."""
    # Unchecked, since a check takes as long as fifty signatures: the seal says that these are the bytes we wrote.
    found = load_pem_private_key(sealer.open(record.sealed_private, PURPOSE), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(found, PrivateKey):
        raise InternalError(detail=f"signing key {record.kid} is of another kind")
    return found


def signing(record: KeyRecord, sealer: Sealer) -> Key:
    """Return a key that signs. Raises ``InternalError``."""
    return _KINDS[record.algorithm].import_key(opened(record, sealer), {"kid": record.kid})  # type: ignore[arg-type]


def verifying(record: KeyRecord) -> Key:
    """Return a key that verifies."""
    return _KINDS[record.algorithm].import_key(_bare(record.public_jwk))


def _bare(jwk: dict[str, Any]) -> dict[str, Any]:
    """Return a JWK without its certificate, which says nothing that we would believe."""
    return {name: value for name, value in jwk.items() if not name.startswith("x5")}
