"""Public keys of passkeys that were made elsewhere: COSE as authenticators write it, or what other systems keep."""

from typing import Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from keystead.adapters.client_response import REGISTRATION, check_public_key, read_cbor
from keystead.errors import BadRequest, CeremonyRefused
from keystead.rules import base64url
from keystead.rules.authentication_methods import PasskeyKey
from keystead.rules.passkey_terms import ALGORITHMS

_REFUSED: Final = "must be a public key for ES256, EdDSA or RS256: COSE or SPKI in base64, or PEM"
_DER_SEQUENCE: Final = 0x30
"""How SPKI begins; a COSE_Key is a map, and never does."""


class CoseKeys:
    """Reads them, and holds them to what a registration is held to (WebAuthn Level 3 §7.1 step 20)."""

    def read(self, text: str) -> PasskeyKey:
        """Return the key. Raises ``BadRequest``."""
        try:
            with REGISTRATION.step(20):
                octets = _cose(text)
                members, end = read_cbor(octets)
                if end != len(octets) or not isinstance(members, dict):
                    raise ValueError("not one COSE_Key")
            return PasskeyKey(octets, check_public_key(members, ALGORITHMS))
        except CeremonyRefused as refusal:
            raise BadRequest(_REFUSED, path="public_key", detail=refusal.detail) from None


def _cose(text: str) -> bytes:
    if text.lstrip().startswith("-----BEGIN"):
        return _written(load_pem_public_key(text.encode("ascii")))
    octets = base64url.read(text)
    return _written(load_der_public_key(octets)) if octets[0] == _DER_SEQUENCE else octets


def _written(key: object) -> bytes:
    """Write a key as an authenticator does (RFC 9053): labels in CTAP2's order, numbers without leading zeros."""
    match key:
        case EllipticCurvePublicKey(curve=SECP256R1()):
            point = key.public_numbers()
            members = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        case Ed25519PublicKey():
            members = {1: 1, 3: -8, -1: 6, -2: key.public_bytes_raw()}
        case RSAPublicKey():
            numbers = key.public_numbers()
            members = {1: 3, 3: -257, -1: _number(numbers.n), -2: _number(numbers.e)}
        case _:
            raise TypeError("a key of another kind")
    return cbor2.dumps(members, canonical=True)


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
