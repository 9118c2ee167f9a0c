"""Attestation statements, WebAuthn Level 3 §8: what formats demand beyond the library, and who vouches for a chain.

py_webauthn verifies ``packed``, ``tpm`` and ``fido-u2f``; what it leaves out is here. ``apple`` and ``android-key`` are
here whole: the library takes no statement of theirs whose chain does not end in a root that it ships, by the clock of
the system. A statement is right or wrong in itself (§7.1 step 22, a refusal); whose it is says its chain (steps 23 and
24, a level of trust), by the roots of the metadata and by no others.

SafetyNet is not among the formats: Google has shut it down, and verifying it would read a clock of its own. A
``fido-u2f`` statement with an AAGUID is refused: its signature leaves the AAGUID out, so that anybody on the way could
write one in (the library's reason is CTAP 2, which wants zeros there).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from OpenSSL.crypto import (
    FILETYPE_ASN1,
    X509,
    Error,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    X509StoreFlags,
    load_certificate,
)
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography, verify_signature
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.known_root_certs import apple_webauthn_root_ca
from webauthn.helpers.tpm import parse_cert_info, parse_pub_area
from webauthn.helpers.tpm.structs import TPM_ECC_CURVE, TPMPubAreaParametersECC

from keystead.adapters.client_response import REGISTRATION, AttestationObject
from keystead.rules.authenticators import APPLE_DEVICE, Attested, Period

CERTIFICATES: Final = 8
CHAIN_BYTES: Final = 16 * 1024
"""Chains are kept with their passkeys; real ones have up to five certificates and half of that."""

_AAGUID_EXTENSION: Final = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_APPLE_NONCE: Final = ObjectIdentifier("1.2.840.113635.100.8.2")
_ANDROID_KEY_DESCRIPTION: Final = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
_SIGNATURE_FAILURE: Final = 7
"""``X509_V_ERR_CERT_SIGNATURE_FAILURE``."""
_APPLE_ROOT: Final = x509.load_pem_x509_certificate(apple_webauthn_root_ca).public_bytes(Encoding.DER)


# --- the statement -----------------------------------------------------------------------------------------------


def check_statement(attestation: AttestationObject, client_data: bytes) -> tuple[bytes, ...]:
    """Check §7.1 steps 21 and 22 as far as they are ours, and return the chain, the authenticator's certificate first.

    Of the formats ``by_library`` the signature is still to be verified. Raises ``CeremonyRefused``.
    """
    if attestation.format not in _CHECKS:
        raise REGISTRATION.refusal(21, "an attestation format that is not supported")
    with REGISTRATION.step(22):
        chain = _chain(attestation)
        _CHECKS[attestation.format](attestation, chain, hashlib.sha256(client_data).digest())
        return tuple(each.public_bytes(Encoding.DER) for each in chain)


def by_library(attestation_format: str) -> bool:
    """Whether the library verifies the signature of a format, and does no more than that."""
    return attestation_format not in ("apple", "android-key")


Chain = tuple[x509.Certificate, ...]


def _chain(attestation: AttestationObject) -> Chain:
    """Return the certificates of a statement; those of none and of self attestation are none."""
    if "x5c" not in attestation.statement:
        return ()
    listed = attestation.statement["x5c"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= CERTIFICATES:
        raise ValueError(f"§8.2: x5c is not a list of 1 to {CERTIFICATES} certificates")
    if sum(len(each) for each in listed) > CHAIN_BYTES:
        raise ValueError(f"a chain of more than {CHAIN_BYTES} bytes")
    return tuple(x509.load_der_x509_certificate(each) for each in listed)


def _check_none(attestation: AttestationObject, _: Chain, __: bytes) -> None:
    if attestation.statement:
        raise ValueError("§8.7: a none attestation with a statement")


def _check_packed(attestation: AttestationObject, chain: Chain, _: bytes) -> None:
    if chain:
        _check_authenticator_certificate(chain[0])
        _check_aaguid(attestation, chain[0])


def _check_authenticator_certificate(leaf: x509.Certificate) -> None:
    """§8.2.1: subject and basic constraints. Version 3 follows, for older certificates have no extensions."""
    named = {attribute.oid: attribute.value for attribute in leaf.subject}
    if named.get(NameOID.ORGANIZATIONAL_UNIT_NAME) != "Authenticator Attestation":
        raise ValueError("§8.2.1: the subject is no authenticator")
    if not all(named.get(oid) for oid in (NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)):
        raise ValueError("§8.2.1: the subject is incomplete")
    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise ValueError("§8.2.1: the certificate is an authority's")


def _check_aaguid(attestation: AttestationObject, leaf: x509.Certificate) -> None:
    """§8.2 and §8.3: an AAGUID in the certificate is the credential's."""
    for extension in leaf.extensions:
        if extension.oid == _AAGUID_EXTENSION:
            inner = b"\x04\x10" + attestation.credential.aaguid  # DER: an octet string of 16 bytes
            if extension.critical or extension.value.public_bytes() != inner:
                raise ValueError("§8.2.1: the certificate is for another AAGUID")


def _check_tpm(attestation: AttestationObject, chain: Chain, _: bytes) -> None:
    """§8.3, what the library leaves out, or compares with itself: AAGUID, the hash in the key's name, the curve."""
    _check_aaguid(attestation, chain[0])
    public_area = _octets(attestation, "pubArea")
    certified = parse_cert_info(_octets(attestation, "certInfo")).attested
    if certified.name[:2] != public_area[2:4]:
        raise ValueError("§8.3: the name in certInfo is by another hash than pubArea's nameAlg")
    parameters = parse_pub_area(public_area).parameters
    if isinstance(parameters, TPMPubAreaParametersECC) and parameters.curve_id != TPM_ECC_CURVE.NIST_P256:
        raise ValueError("§8.3: the key in pubArea is on another curve")


def _check_apple(attestation: AttestationObject, chain: Chain, client_data_hash: bytes) -> None:
    """§8.8: Apple signed for this very ceremony, and for this key."""
    nonce = hashlib.sha256(attestation.octets + client_data_hash).digest()
    shown = chain[0].extensions.get_extension_for_oid(_APPLE_NONCE).value.public_bytes()
    if shown != b"\x30\x24\xa1\x22\x04\x20" + nonce:  # DER: a sequence of an octet string with the tag [1]
        raise ValueError("§8.8: the certificate is for another ceremony")
    _check_key(attestation, chain[0])


def _check_android_key(attestation: AttestationObject, chain: Chain, client_data_hash: bytes) -> None:
    """§8.4: the key signed for itself, and Android says that it was made in hardware, for this ceremony and to sign."""
    algorithm = attestation.statement["alg"]
    if not isinstance(algorithm, int):
        raise TypeError("§8.4: alg is no number")
    verify_signature(
        public_key=chain[0].public_key(),
        signature_alg=COSEAlgorithmIdentifier(algorithm),
        signature=_octets(attestation, "sig"),
        data=attestation.octets + client_data_hash,
    )
    _check_key(attestation, chain[0])
    extension = chain[0].extensions.get_extension_for_oid(_ANDROID_KEY_DESCRIPTION)
    ((_, description),) = _elements(extension.value.public_bytes())
    fields = [content for _, content in _elements(description)]
    by_software, by_hardware = dict(_elements(fields[6])), dict(_elements(fields[7]))
    if fields[4] != client_data_hash:
        raise ValueError("§8.4: attestationChallenge is not the hash of the client data")
    if _ALL_APPLICATIONS in by_software or _ALL_APPLICATIONS in by_hardware:
        raise ValueError("§8.4: the key is for every application")
    if by_hardware.get(_ORIGIN) != _GENERATED or by_hardware.get(_PURPOSE) != _TO_SIGN:
        raise ValueError("§8.4: not a key that hardware made to sign")


def _check_key(attestation: AttestationObject, leaf: x509.Certificate) -> None:
    """§8.4, §8.8: what is certified is the key of the credential."""
    key = decoded_public_key_to_cryptography(decode_credential_public_key(attestation.credential.public_key))
    if _encoded(key) != _encoded(leaf.public_key()):
        raise ValueError("the certificate is for another key")


def _encoded(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _octets(attestation: AttestationObject, name: str) -> bytes:
    value = attestation.statement[name]
    if not isinstance(value, bytes):
        raise TypeError(f"{name} is not bytes")
    return value


def _check_u2f(_: AttestationObject, __: Chain, ___: bytes) -> None:
    """§8.6 is the library's whole."""


_CHECKS: Final[Mapping[str, Callable[[AttestationObject, Chain, bytes], None]]] = {
    "none": _check_none,
    "packed": _check_packed,
    "tpm": _check_tpm,
    "android-key": _check_android_key,
    "apple": _check_apple,
    "fido-u2f": _check_u2f,
}


# --- DER, as far as Android's key description needs it -----------------------------------------------------------


_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = 1, 600, 702
_GENERATED: Final = bytes.fromhex("020100")
_TO_SIGN: Final = bytes.fromhex("3103020102")


def _elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Return the number of the tag and the content of each element in a row.

    A schema would refuse the key descriptions of the next version of Android, which adds to them.
    """
    found, at = [], 0
    while at < len(octets):
        number, at = _tag(octets, at)
        size, at = _length(octets, at)
        if at + size > len(octets):
            raise ValueError("DER: an element without its end")
        found.append((number, octets[at : at + size]))
        at += size
    return found


def _tag(octets: bytes, at: int) -> tuple[int, int]:
    number, at = octets[at] & 0x1F, at + 1
    if number < 0x1F:
        return number, at
    number = 0
    while octets[at] & 0x80:
        number, at = number << 7 | octets[at] & 0x7F, at + 1
    return number << 7 | octets[at], at + 1


def _length(octets: bytes, at: int) -> tuple[int, int]:
    size, at = octets[at], at + 1
    if size < 0x80:
        return size, at
    end = at + (size & 0x7F)
    return int.from_bytes(octets[at:end], "big"), end


# --- the chain ---------------------------------------------------------------------------------------------------


def model_of(attested: Attested) -> str:
    """Return under which key the metadata has the model of a passkey.

    U2F knows no AAGUIDs: there the attestation key names the model, by the identifier of RFC 5280 §4.2.1.2 (1).
    """
    if attested.format == "fido-u2f" and attested.certificates:
        key = x509.load_der_x509_certificate(attested.certificates[0]).public_key()
        return x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()
    return attested.aaguid


def vouched(attested: Attested, roots: Iterable[bytes]) -> Period | None:
    """Return from when to when a chain holds that ends in one of the roots of its model, as it did at the registration.

    Certificates count as of then: authenticators outlive their own. To ``apple`` statements for Apple's AAGUID belongs
    Apple's root, which is in no metadata. ``None``: nobody vouches.
    """
    own = [_APPLE_ROOT] if (attested.format, attested.aaguid) == ("apple", APPLE_DEVICE) else []
    return path_to([*roots, *own], attested.certificates, attested.at) if attested.certificates else None


def path_to(roots: Iterable[bytes], certificates: Sequence[bytes], at: datetime) -> Period | None:
    """Return from when to when a chain, its leaf first, ends in one of the roots or is one of them, as it does now.

    What a chain brings along is never a root (GHSA-6hxq-p678-4hr2), nor is what the system trusts (CVE-2026-6856).
    """
    try:
        leaf, *others = (load_certificate(FILETYPE_ASN1, each) for each in certificates)
        return _path(leaf, others, [load_certificate(FILETYPE_ASN1, each) for each in roots], at)
    except (Error, ValueError):
        return None


def _path(leaf: X509, others: Sequence[X509], anchors: Sequence[X509], at: datetime) -> Period | None:
    store = X509Store()
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)  # metadata names authorities in the middle, and single leaves
    store.set_time(at)
    for anchor in anchors:
        store.add_cert(anchor)
    try:
        chain = X509StoreContext(store, leaf, others).get_verified_chain()
    except X509StoreContextError as error:
        if error.errors[0] == _SIGNATURE_FAILURE and len(anchors) > 1:
            # Of several with one name OpenSSL takes the first, and looks no further where that did not sign.
            return next(filter(None, (_path(leaf, others, [anchor], at) for anchor in anchors)), None)
        return None
    return max(_moment(each.get_notBefore()) for each in chain), min(_moment(each.get_notAfter()) for each in chain)


def _moment(text: bytes | None) -> datetime:
    if text is None:
        raise ValueError("a certificate without an end")
    return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def is_readable(der: bytes) -> bool:
    """Whether a certificate can be put among the roots. Some that makers sign keep to no letter of X.509."""
    try:
        load_certificate(FILETYPE_ASN1, der).get_pubkey()
    except (Error, ValueError):
        return False
    return True
