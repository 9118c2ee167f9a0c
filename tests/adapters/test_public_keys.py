"""Public keys out of PEM."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from keystead.adapters.public_keys import PemKeys
from keystead.errors import BadRequest
from keystead.rules.credentials import KeyAlgorithm
from signer import pem_of, private_key


def public(key: Any) -> str:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


@pytest.mark.parametrize(
    ("algorithm", "kty"), [("RS256", "RSA"), ("PS256", "RSA"), ("ES256", "EC"), ("Ed25519", "OKP")]
)
def test_a_key_and_its_thumbprint(algorithm: KeyAlgorithm, kty: str) -> None:
    found = PemKeys().read(pem_of(private_key(algorithm)), algorithm)
    assert found.jwk["kty"] == kty
    assert found.expires_at is None
    ordered = json.dumps(found.jwk, sort_keys=True, separators=(",", ":")).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(ordered).digest()).rstrip(b"=").decode()
    assert found.thumbprint == digest


def test_a_private_key_is_not_taken() -> None:
    key = private_key("ES256")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(BadRequest, match="private key"):
        PemKeys().read(pem, "ES256")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 1024), "RS256"),  # noqa: S505 - refused for it
        (ec.generate_private_key(ec.SECP384R1()), "ES256"),
        (ec.generate_private_key(ec.SECP256K1()), "ES256"),
        (ec.generate_private_key(ec.SECP256R1()), "RS256"),
        (dsa.generate_private_key(1024), "RS256"),  # noqa: S505 - refused in any length
    ],
    ids=["too short", "P-384", "secp256k1", "another kind", "DSA"],
)
def test_a_key_that_is_too_weak_or_of_another_kind(key: Any, algorithm: KeyAlgorithm) -> None:
    with pytest.raises(BadRequest):
        PemKeys().read(public(key), algorithm)


def test_an_exponent_that_would_cost_us() -> None:
    numbers = rsa.RSAPublicNumbers(2**33 + 1, private_key().public_key().public_numbers().n)  # type: ignore[union-attr]
    pem = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(BadRequest):
        PemKeys().read(pem, "RS256")
