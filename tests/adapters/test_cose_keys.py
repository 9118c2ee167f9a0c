"""Public keys of passkeys that were made elsewhere: whatever they come as, the same COSE_Key is stored."""

import base64
from collections.abc import Callable

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from authenticator import EDDSA, ES256, REGISTRATION_FLAWS, RS256, KeyPair, b64url
from keystead.adapters.cose_keys import CoseKeys
from keystead.errors import BadRequest

KEYS = CoseKeys()
PAIRS = {algorithm: KeyPair.make(algorithm) for algorithm in (ES256, EDDSA, RS256)}


def cose(pair: KeyPair) -> bytes:
    return cbor2.dumps(pair.cose(), canonical=True)


def pem(pair: KeyPair) -> str:
    return load_der_public_key(pair.spki()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def base64_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


WRITTEN: dict[str, Callable[[KeyPair], str]] = {
    "COSE in base64url": lambda pair: b64url(cose(pair)),
    "COSE in base64": lambda pair: base64_of(cose(pair)),
    "SPKI in base64url": lambda pair: b64url(pair.spki()),
    "SPKI in base64": lambda pair: base64_of(pair.spki()),
    "PEM": pem,
    "PEM after a line": lambda pair: "\n" + pem(pair),
}


@pytest.mark.parametrize("algorithm", PAIRS)
@pytest.mark.parametrize("written", WRITTEN)
def test_a_key_is_read(written: str, algorithm: int) -> None:
    pair = PAIRS[algorithm]
    assert KEYS.read(WRITTEN[written](pair)) == (cose(pair), algorithm)


def test_cose_is_stored_as_it_came() -> None:
    """In whatever order its authenticator wrote it."""
    pair = PAIRS[ES256]
    as_made = cbor2.dumps(dict(reversed(pair.cose().items())))
    assert as_made != cose(pair)
    assert KEYS.read(b64url(as_made)).cose == as_made


def spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | dsa.DSAPublicKey | ed25519.Ed25519PublicKey) -> str:
    return b64url(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def private_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


OTHERS = {
    "another curve": spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
    "a short RSA key": spki(rsa.generate_private_key(65537, 1024).public_key()),  # noqa: S505 - it is to be refused
    "an RSA key with a small exponent": spki(rsa.generate_private_key(3, 2048).public_key()),
    "DSA": spki(dsa.generate_private_key(2048).public_key()),
    "a private key": private_pem(),
    "no key in PEM": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "PEM beyond ASCII": "-----BEGIN PUBLIC KEY-----\nÄÖÜ\n-----END PUBLIC KEY-----\n",
    "no base64": "a key",
    "nothing": "",
    "padding alone": "==",
    "bytes after SPKI": b64url(PAIRS[ES256].spki() + b"\0"),
    "bytes after COSE": b64url(cose(PAIRS[ES256]) + b"\0"),
    "CBOR that is no map": b64url(cbor2.dumps([1, 2])),
    "a raw point": b64url(b"\x04" + bytes(64)),
    "ES512 by name": b64url(cbor2.dumps({**PAIRS[ES256].cose(), 3: -36})),
}


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_refused_by_path(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        KEYS.read(OTHERS[name])
    assert refused.value.path == "public_key"


@pytest.mark.parametrize(
    "name", [name for name, flaw in REGISTRATION_FLAWS.items() if flaw.registration == 20 and not flaw.packed]
)
def test_a_key_that_no_registration_would_take_is_none(name: str) -> None:
    flaw = REGISTRATION_FLAWS[name]
    with pytest.raises(BadRequest):
        KEYS.read(b64url(flaw.public_key(cbor2.dumps(flaw.cose(PAIRS[ES256].cose())))))
