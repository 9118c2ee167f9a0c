"""Public keys out of PEM: a bare key (SPKI) or a certificate (X.509)."""

import hashlib
import json
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from keystead.errors import BadRequest
from keystead.rules import base64url
from keystead.rules.credentials import KeyAlgorithm, PublicKey

RSA_BITS: Final = (2048, 8192)
"""Shorter ones can be broken; longer ones cost us more than they give."""

_EXPONENT: Final = 2**32
"""A public exponent beyond it makes each of our checks slow, and no key safer."""


class PemKeys:
    """Reads the public keys that clients register."""

    def read(self, pem: str, algorithm: KeyAlgorithm) -> PublicKey:
        """Return the key, which must fit its algorithm. Raises ``BadRequest``.

        A certificate is a way to write a key down: nobody's signature on it is looked at.
        """
        if "PRIVATE KEY" in pem:
            raise BadRequest("This is a private key: keep it, and register the public one", path="pem")
        try:
            key, expires_at = _loaded(pem.encode("ascii"))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadRequest("must be a public key or an X.509 certificate in PEM", path="pem") from None
        jwk = _jwk(key, algorithm)
        ordered = json.dumps(jwk, sort_keys=True, separators=(",", ":"))
        return PublicKey(jwk, base64url.encode(hashlib.sha256(ordered.encode("ascii")).digest()), expires_at)


def _loaded(pem: bytes) -> tuple[object, datetime | None]:
    if b"BEGIN CERTIFICATE" not in pem:
        return load_pem_public_key(pem), None
    certificate = x509.load_pem_x509_certificate(pem)
    return certificate.public_key(), certificate.not_valid_after_utc


def _jwk(key: object, algorithm: KeyAlgorithm) -> dict[str, str]:
    """Return the required members of a JWK (RFC 7518 §6, RFC 8037 §2), for a key of the algorithm's kind."""
    if algorithm == "ES256" and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        point = key.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    if algorithm == "Ed25519" and isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    if algorithm in ("RS256", "RS384", "PS256") and isinstance(key, RSAPublicKey):
        least, most = RSA_BITS
        numbers = key.public_numbers()
        if not least <= key.key_size <= most or numbers.e >= _EXPONENT:
            raise BadRequest(f"RSA keys have {least} to {most} bits and a small exponent", path="pem")
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    raise BadRequest(f"This key is none that signs {algorithm} (alg is RS256 unless given)", path="pem")


def _number(value: int, size: int = 0) -> str:
    return base64url.encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
