"""What a browser hands over at the end of a WebAuthn ceremony, taken apart and not yet believed.

Strict on purpose: each value has one spelling, each container ends where it says it ends, and sizes are capped before
anything is decoded. Whoever reads more kindly than the authenticator signed gives an attacker a second spelling of a
message that was meant to be unique. Members that we do not know are ignored, as ``PublicKeyCredential.toJSON()`` grows.

Every refusal is a ``CeremonyRefused`` whose detail names the step of WebAuthn Level 3 that it belongs to.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntFlag
from io import BytesIO
from typing import Final, NamedTuple

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from keystead.errors import CeremonyRefused
from keystead.rules import base64url
from keystead.rules.ceremonies import AssertionResponse

RAW_ID_BYTES: Final = 4 * 1024  # wide enough that §7.1 step 25 is what judges the length
USER_HANDLE_BYTES: Final = 64  # §5.4.3
CLIENT_DATA_BYTES: Final = 8 * 1024
AUTHENTICATOR_DATA_BYTES: Final = 8 * 1024
ATTESTATION_OBJECT_BYTES: Final = 64 * 1024
SIGNATURE_BYTES: Final = 1024  # an RSA key of 8192 bits
TRANSPORTS: Final = 10
CBOR_DEPTH: Final = 8

_TRANSPORT = re.compile(r"[a-z0-9-]{1,32}")
_ATTACHMENTS = frozenset({"platform", "cross-platform"})


class Procedure(NamedTuple):
    """One of the two lists of steps in WebAuthn Level 3, with the numbers of the steps that take a response apart."""

    section: str
    client_data_type: str
    utf8: int
    json: int
    authenticator_data: int

    def refusal(self, step: int, why: str) -> CeremonyRefused:
        """Make the refusal that names the step; ``why`` is for the log.

        Libraries quote what they refuse: a NUL or half a surrogate would keep the entry out of the journal, which is a
        way to try without a trace.
        """
        said = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in why)
        return CeremonyRefused(detail=f"{self.section} step {step}: {said}")

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Turn whatever is raised inside into a refusal at that step.

        ``Exception`` and nothing narrower: hostile bytes have drawn KeyError, IndexError, TypeError, ValueError and
        RecursionError from decoders, and any that escaped would be a 500 that tells an attacker where to dig.
        """
        try:
            yield
        except Exception as error:
            raise self.refusal(number, f"{type(error).__name__}: {error}"[:300]) from error


REGISTRATION: Final = Procedure("§7.1", "webauthn.create", utf8=5, json=6, authenticator_data=13)
AUTHENTICATION: Final = Procedure("§7.2", "webauthn.get", utf8=8, json=9, authenticator_data=7)


@dataclass(frozen=True, slots=True)
class AttestationResponse:
    """A registration as the browser sent it."""

    credential_id: bytes
    client_data: bytes
    attestation_object: bytes
    transports: tuple[str, ...]
    attachment: str


@dataclass(frozen=True, slots=True)
class AttestedCredential:
    """The credential inside authenticator data, §6.5.1. ``public_key`` are the bytes, ``cose`` the same decoded."""

    aaguid: bytes
    id: bytes
    public_key: bytes
    cose: Mapping[object, object]


class Flag(IntFlag):
    """The flags of authenticator data, §6.1. BE never changes in the life of a credential; BS comes and goes."""

    UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """What the authenticator itself says, §6.1."""

    rp_id_hash: bytes
    flags: Flag
    sign_count: int
    credential: AttestedCredential | None


@dataclass(frozen=True, slots=True)
class AttestationObject:
    """Who vouches for the credential and how, §6.5."""

    format: str
    statement: Mapping[object, object]
    octets: bytes
    """The authenticator data as it was signed."""
    authenticator: AuthenticatorData
    credential: AttestedCredential


# --- the JSON that the browser made ------------------------------------------------------------------------------


def parse_attestation(response: object) -> AttestationResponse:
    """Take the answer to ``navigator.credentials.create()`` apart. Raises ``CeremonyRefused``."""
    with REGISTRATION.step(3):
        credential_id, inner = _public_key_credential(response)
        if "attestationObject" not in inner:
            raise ValueError("not an attestation response")
        answer = AttestationResponse(
            credential_id=credential_id,
            client_data=_octets(inner, "clientDataJSON", CLIENT_DATA_BYTES),
            attestation_object=_octets(inner, "attestationObject", ATTESTATION_OBJECT_BYTES),
            transports=_transports(inner),
            attachment=_attachment(response),
        )
    _check_extension_results(response, REGISTRATION)
    return answer


def parse_assertion(response: object) -> AssertionResponse:
    """Take the answer to ``navigator.credentials.get()`` apart, so that its passkey can be looked up.

    The handle must be there: logins begin without naming anybody, so §7.2 step 6 has nothing else to go by.
    Raises ``CeremonyRefused``.
    """
    with AUTHENTICATION.step(3):
        credential_id, inner = _public_key_credential(response)
        if "signature" not in inner:
            raise ValueError("not an assertion response")
        client_data = _octets(inner, "clientDataJSON", CLIENT_DATA_BYTES)
        authenticator_data = _octets(inner, "authenticatorData", AUTHENTICATOR_DATA_BYTES)
        signature = _octets(inner, "signature", SIGNATURE_BYTES)
    _check_extension_results(response, AUTHENTICATION)
    with AUTHENTICATION.step(6):
        user_handle = _octets(inner, "userHandle", USER_HANDLE_BYTES)
    return AssertionResponse(
        credential_id=credential_id,
        user_handle=user_handle,
        client_data=client_data,
        authenticator_data=authenticator_data,
        signature=signature,
        attachment=_attachment(response),
    )


def _public_key_credential(response: object) -> tuple[bytes, Mapping[object, object]]:
    """Check the outer object, which nobody signed; return its id and its ``response``."""
    outer = _object(response, "the credential")
    if outer.get("type") != "public-key":
        raise ValueError("the type is not public-key")
    credential_id = _octets(outer, "rawId", RAW_ID_BYTES)
    if outer.get("id") != outer.get("rawId"):
        raise ValueError("id and rawId differ")
    return credential_id, _object(outer.get("response"), "response")


def _check_extension_results(response: object, procedure: Procedure) -> None:
    """Step 4 of both: extension outputs are ignored, and still have to be an object where they are present."""
    with procedure.step(4):
        outer = _object(response, "the credential")
        _object(outer.get("clientExtensionResults", {}), "clientExtensionResults")


def _transports(inner: Mapping[object, object]) -> tuple[str, ...]:
    """Return the transports, each once. Unknown names are kept (§5.8.4); what is no name at all is refused."""
    listed = inner.get("transports", [])
    if not isinstance(listed, list) or len(listed) > TRANSPORTS:
        raise ValueError(f"transports is not a list of at most {TRANSPORTS}")
    for name in listed:
        if not isinstance(name, str) or not _TRANSPORT.fullmatch(name):
            raise ValueError("a transport is not a short lower-case word")
    return tuple(dict.fromkeys(listed))


def _attachment(response: object) -> str:
    """Return where the authenticator sits; what we do not know counts as not said (§5.1)."""
    said = _object(response, "the credential").get("authenticatorAttachment")
    return said if isinstance(said, str) and said in _ATTACHMENTS else ""


def _object(value: object, name: str) -> Mapping[object, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not an object")
    return value


def _octets(holder: Mapping[object, object], name: str, most: int) -> bytes:
    """Decode a member that must be 1 to ``most`` bytes of base64url in its only spelling: no padding, no stray bits.

    Python's decoder skips what it does not know, so that one value has many spellings; the round trip leaves one.
    """
    text = holder.get(name)
    if not isinstance(text, str):
        raise TypeError(f"{name} is not a string")
    if not 0 < len(text) * 3 // 4 <= most:
        raise ValueError(f"{name} is empty or longer than {most} bytes")
    octets = base64url.decode(text)
    if base64url.encode(octets) != text:
        raise ValueError(f"{name} is not canonical base64url")
    return octets


# --- the client data ---------------------------------------------------------------------------------------------


def read_client_data(octets: bytes, procedure: Procedure) -> Mapping[str, object]:
    """Decode ``clientDataJSON``: UTF-8 and nothing that merely resembles it, no key twice, no NaN."""
    with procedure.step(procedure.utf8):
        text = octets.decode("utf-8-sig")  # "UTF-8 decode" of the Encoding standard strips a byte order mark
    with procedure.step(procedure.json):
        members: object = json.loads(
            text, object_pairs_hook=_each_key_once, parse_constant=_finite, parse_float=_finite
        )
        if not isinstance(members, dict):
            raise TypeError("the client data is not an object")
        return members


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _finite(text: str) -> float:
    """Read a number; refuse ``NaN``, ``Infinity`` and what grows into it."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


# --- the CBOR that the authenticator made ------------------------------------------------------------------------


def read_attestation_object(octets: bytes) -> AttestationObject:
    """Decode the attestation object: exactly its three members, each of its type, and nothing behind them (step 13)."""
    with REGISTRATION.step(13):
        members, end = read_cbor(octets)
        if end != len(octets):
            raise ValueError("bytes after the attestation object")
        if not isinstance(members, dict) or set(members) != {"fmt", "attStmt", "authData"}:
            raise ValueError("not the three members of an attestation object")
        form, statement, inner = members["fmt"], members["attStmt"], members["authData"]
        if not (isinstance(form, str) and isinstance(statement, dict) and isinstance(inner, bytes)):
            raise TypeError("a member of the attestation object has the wrong type")
    authenticator = read_authenticator_data(inner, REGISTRATION)
    if authenticator.credential is None:
        raise REGISTRATION.refusal(13, "no credential in the authenticator data")
    return AttestationObject(form, statement, inner, authenticator, authenticator.credential)


def read_authenticator_data(octets: bytes, procedure: Procedure) -> AuthenticatorData:
    """Decode authenticator data to its last byte, §6.1. Only a registration may carry a credential."""
    with procedure.step(procedure.authenticator_data):
        if len(octets) < 37:
            raise ValueError("authenticator data shorter than 37 bytes")
        flags, end, credential = Flag(octets[32]), 37, None
        if Flag.AT in flags:
            if procedure is AUTHENTICATION:
                raise ValueError("an assertion with a credential in it")
            credential, end = _read_credential(octets, end)
        if Flag.ED in flags:
            extensions, size = read_cbor(octets[end:])
            _object(extensions, "the extension data")
            end += size
        if end != len(octets):
            raise ValueError("bytes after the authenticator data")
    return AuthenticatorData(octets[:32], flags, int.from_bytes(octets[33:37], "big"), credential)


def _read_credential(octets: bytes, start: int) -> tuple[AttestedCredential, int]:
    """Decode attested credential data, §6.5.1; return it and where it ends."""
    id_start = start + 18
    key_start = id_start + int.from_bytes(octets[id_start - 2 : id_start], "big")
    cose, size = read_cbor(octets[key_start:])
    credential = AttestedCredential(
        aaguid=octets[start : start + 16],
        id=octets[id_start:key_start],
        public_key=octets[key_start : key_start + size],
        cose=_object(cose, "the public key"),
    )
    return credential, key_start + size


class _NoTags(dict[int, Callable[[object, bool], object]]):
    """Semantic tags do not occur in CTAP2 and let a few bytes ask for bignums, regular expressions and dates."""

    def __missing__(self, tag: int) -> Callable[[object, bool], object]:
        raise ValueError(f"semantic tag {tag}")


_NO_TAGS: Final = _NoTags()


def read_cbor(octets: bytes) -> tuple[object, int]:
    """Decode one item as CTAP2 writes it (definite lengths, no tags, no key twice); return it and its length."""
    stream = BytesIO(octets)
    item: object = cbor2.CBORDecoder(
        stream,
        semantic_decoders=_NO_TAGS,
        max_depth=CBOR_DEPTH,
        allow_indefinite=False,
        allow_duplicate_keys=False,
    ).decode()
    return item, stream.tell()


# --- the public key ----------------------------------------------------------------------------------------------


def check_public_key(cose: Mapping[object, object], offered: Collection[int]) -> int:
    """Return the algorithm of a COSE_Key: one that was offered, of a key that can verify (§7.1 step 20).

    Without attestation nothing else looks at the key before somebody wants to sign in with it. It has exactly the
    members that its algorithm needs (§6.5.1.1), of the type and curve that belong to it, and they make a key.
    """
    with REGISTRATION.step(20):
        algorithm = _integer(cose.get(_ALG))
        if algorithm not in offered:
            raise ValueError("an algorithm that was not offered")
        shape = _KEYS[algorithm]
        labels = {_integer(label) for label in cose}
        if labels != {_ALG, *shape.fixed, *shape.parts}:
            raise ValueError("not the members of a key of that algorithm")
        if any(_integer(cose[label]) != value for label, value in shape.fixed.items()):
            raise ValueError("the key type or curve of another algorithm")
        shape.check(*(cose[label] for label in shape.parts))
        return algorithm


def _integer(value: object) -> int:
    """Return an integer that is one: ``True`` and ``1.0`` equal 1 for Python, and not for the next reader."""
    if type(value) is not int:
        raise TypeError("not an integer")
    return value


def _check_p256(x: object, y: object) -> None:
    if not (isinstance(x, bytes) and isinstance(y, bytes) and len(x) == len(y) == 32):
        raise ValueError("coordinates that are not 32 bytes each")
    EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()).public_key()


def _check_rsa(n: object, e: object) -> None:
    """A modulus that is neither weak nor there to keep us busy; an exponent that is no identity."""
    if not (isinstance(n, bytes) and isinstance(e, bytes)):
        raise TypeError("modulus and exponent are not bytes")
    modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    if not (2048 <= modulus.bit_length() <= 8192 and modulus % 2):
        raise ValueError("a modulus that is even or not of 2048 to 8192 bits")
    if not 65537 <= exponent < 2**32:
        raise ValueError("an exponent outside 65537 to 2^32")
    RSAPublicNumbers(exponent, modulus).public_key()  # refuses an even exponent


class _KeyShape(NamedTuple):
    """What a COSE_Key of one algorithm consists of, beside ``alg``. Labels are those of RFC 9053."""

    fixed: Mapping[int, int]
    parts: tuple[int, ...]
    check: Callable[..., object]


_KTY, _ALG, _CRV = 1, 3, -1
_KEYS: Final = {
    -7: _KeyShape({_KTY: 2, _CRV: 1}, (-2, -3), _check_p256),  # ES256
    -8: _KeyShape({_KTY: 1, _CRV: 6}, (-2,), Ed25519PublicKey.from_public_bytes),  # EdDSA
    -257: _KeyShape({_KTY: 3}, (-1, -2), _check_rsa),  # RS256
}
