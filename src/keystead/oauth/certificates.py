"""X.509 certificates of signing keys: what older clients of Auth0 read a public key from (RFC 7517 §4.7)."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import NameOID

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

_LIFETIME: Final = timedelta(days=3650)
"""Nobody decides anything by it: a key is good as long as the server publishes it."""
_MOST_OF_A_NAME: Final = 64
"""How long a common name may be (RFC 5280, appendix A.1)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, as the Management API and the published keys show it."""

    pem: str
    pkcs7: str
    sha1: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the certificate, as people compare it. It names the certificate; nothing is trusted by it."""
        return self.sha1.hex(":").upper()

    @property
    def thumbprint(self) -> str:
        """The same without colons."""
        return self.sha1.hex().upper()


def self_signed(key: PrivateKey, host: str, now: datetime) -> bytes:
    """Return a certificate that a key makes out to itself, in the name of a host; DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:_MOST_OF_A_NAME])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _LIFETIME)
    )
    hashed = None if isinstance(key, Ed25519PrivateKey) else SHA256()
    return builder.sign(key, hashed).public_bytes(Encoding.DER)


def members(der: bytes) -> dict[str, str | list[str]]:
    """Return what a JWK says about a certificate: ``x5c`` in plain base64, ``x5t`` (RFC 7517 §4.7 and §4.8)."""
    return {
        "x5c": [base64.b64encode(der).decode("ascii")],
        "x5t": base64.urlsafe_b64encode(_sha1(der)).rstrip(b"=").decode("ascii"),
    }


def read(x5c: list[str]) -> Certificate:
    """Return the certificate of a JWK."""
    found = x509.load_der_x509_certificate(base64.b64decode(x5c[0]))
    pem = found.public_bytes(Encoding.PEM).decode("ascii")
    bundle = serialize_certificates([found], Encoding.PEM).decode("ascii")
    return Certificate(pem, bundle, found.fingerprint(SHA1()))  # noqa: S303 - Auth0's clients know it by this name


def _sha1(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).fingerprint(SHA1())  # noqa: S303 - what RFC 7517 §4.8 says
