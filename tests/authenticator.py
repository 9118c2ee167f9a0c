"""A passkey device in software, with the browser in front of it: real keys, real signatures, flaws by name.

    device = Authenticator()                 # or, say, Authenticator(algorithms=(RS256,), attestation="packed")
    response = device.create(options, origin="https://login.example.com")
    response = device.get(options, origin="https://login.example.com")

``options`` is what the server calls ``authn_params_public_key``; the answer is the JSON of
``PublicKeyCredential.toJSON()``. With ``flaw=`` one thing goes wrong and everything around it stays right: what is
signed is signed after the flaw, so that no other check than the one that is meant can notice it.

    @pytest.mark.parametrize("name", REGISTRATION_FLAWS)
    def test_refuses(name): device.create(options, origin=..., flaw=REGISTRATION_FLAWS[name])

``REGISTRATION_FLAWS`` and ``LOGIN_FLAWS`` hold what any server must refuse, with the step of WebAuthn Level 3 §7.1 or
§7.2 that must notice. ``COUNTER_GOES_BACK`` stands apart, since what a counter means is policy.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

ES256, EDDSA, RS256 = -7, -8, -257
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

AAGUID = bytes.fromhex("b84e404815dc4dd0839efc3ec0ee5b16")

Json = dict[str, object]
Cose = dict[object, object]
Options = Mapping[str, Any]  # decoded JSON, as a test has it from ``response.json()``
Attester = Callable[["KeyPair", bytes, bytes], tuple[str, dict[str, object]]]
"""Makes format and statement of an attestation, of the credential's key, authenticator data and client data."""
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class NotAllowedError(Exception):
    """The browser's answer when no credential fits, or none can be made."""


class InvalidStateError(Exception):
    """The browser's answer when the device holds an excluded credential."""


def b64url(octets: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Decode what ``b64url`` made."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- keys and authenticator data ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyPair:
    """A credential key: signs, and shows its public half as COSE_Key and as SubjectPublicKeyInfo."""

    algorithm: int
    private: PrivateKey

    @classmethod
    def make(cls, algorithm: int) -> "KeyPair":
        """Make a key for ES256, EdDSA or RS256."""
        match algorithm:
            case -7:
                return cls(algorithm, ec.generate_private_key(ec.SECP256R1()))
            case -8:
                return cls(algorithm, ed25519.Ed25519PrivateKey.generate())
            case _:
                return cls(algorithm, rsa.generate_private_key(65537, 2048))

    def sign(self, message: bytes) -> bytes:
        """Sign as the algorithm says."""
        match self.private:
            case ec.EllipticCurvePrivateKey():
                return self.private.sign(message, ec.ECDSA(SHA256()))
            case ed25519.Ed25519PrivateKey():
                return self.private.sign(message)
            case _:
                return self.private.sign(message, padding.PKCS1v15(), SHA256())

    def cose(self) -> Cose:
        """Return the public half as a COSE_Key."""
        match self.private:
            case ec.EllipticCurvePrivateKey():
                point = self.private.public_key().public_numbers()
                return {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
            case ed25519.Ed25519PrivateKey():
                return {1: 1, 3: EDDSA, -1: 6, -2: self.private.public_key().public_bytes_raw()}
            case _:
                numbers = self.private.public_key().public_numbers()
                return {1: 3, 3: RS256, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}

    def spki(self) -> bytes:
        """Return the public half as browsers show it beside the attestation object."""
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Credential:
    """A discoverable credential on the device. ``sign_count`` is the last one shown."""

    rp_id: str
    id: bytes
    user_handle: bytes
    pair: KeyPair
    sign_count: int = 0


@dataclass(frozen=True)
class Fields:
    """Authenticator data before it is bytes. ``credential_id`` and ``public_key`` are there in registrations only."""

    rp_id: str
    flags: int
    sign_count: int
    aaguid: bytes = b""
    credential_id: bytes = b""
    public_key: bytes = b""

    def encode(self) -> bytes:
        """Put the fields in a row, §6.1."""
        head = hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags]) + self.sign_count.to_bytes(4, "big")
        if not self.public_key:
            return head
        return head + self.aaguid + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self.public_key


# --- flaws -------------------------------------------------------------------------------------------------------


def same(value: Any) -> Any:
    """Change nothing. (Untyped, as it stands in for every kind of edit.)"""
    return value


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One thing that goes wrong: an edit at one stage of making the answer, and the step that must notice.

    The stages run in the order of the fields. What comes before the signature is signed as edited.
    """

    registration: int = 0
    """The step of §7.1; 0 where the flaw is none of registrations."""
    login: int = 0
    """The step of §7.2; 0 where the flaw is none of logins."""
    uv_required: bool = False
    """Only a flaw in a ceremony that requires user verification."""
    packed: bool = False
    """Only a flaw in a packed self attestation; the device makes one, whatever its setting."""

    client: Callable[[Json], Json] = same
    """The members of the client data."""
    client_json: Callable[[bytes], bytes] = same
    """The bytes of the client data."""
    credential_id: Callable[[bytes], bytes] = same
    """The id of a new credential, wherever it stands."""
    cose: Callable[[Cose], Cose] = same
    """The public key of a new credential."""
    public_key: Callable[[bytes], bytes] = same
    """The same, encoded."""
    fields: Callable[[Fields], Fields] = same
    """The authenticator data."""
    authenticator_data: Callable[[bytes], bytes] = same
    """The same, encoded."""
    signer: Callable[[KeyPair], KeyPair] = same
    """Who signs."""
    signature: Callable[[bytes], bytes] = same
    attestation: Callable[[Json], Json] = same
    """The members of the attestation object."""
    attestation_object: Callable[[bytes], bytes] = same
    """The same, encoded."""
    response: Callable[[Json], Json] = same
    """The whole answer, at the very end."""


FLAWLESS = Flaw()


def put(**members: object) -> Callable[[Json], Json]:
    """Make an edit that sets members."""
    return lambda holder: {**holder, **members}


def drop(name: str) -> Callable[[Json], Json]:
    """Make an edit that takes a member away."""
    return lambda holder: {key: value for key, value in holder.items() if key != name}


def change(name: str, edit: Callable[[Any], object]) -> Callable[[Json], Json]:
    """Make an edit that changes one member."""
    return lambda holder: {**holder, name: edit(holder[name])}


def inside(edit: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """Make an edit of the inner ``response``."""
    return change("response", edit)


def flags(on: int = 0, off: int = 0) -> Callable[[Fields], Fields]:
    """Make an edit that sets and clears flags."""
    return lambda fields: replace(fields, flags=(fields.flags | on) & ~off)


def put_id(name: str, edit: Callable[[str], object]) -> Callable[[Json], Json]:
    """Make an edit of the text of ``id``, of ``rawId``, or of ``both``."""
    names = ("id", "rawId") if name == "both" else (name,)
    return lambda holder: {**holder, **{each: edit(str(holder[each])) for each in names}}


def _other_tail(text: str) -> str:
    """Spell the same bytes with other stray bits at the end."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def _flip_backup_eligibility(fields: Fields) -> Fields:
    return replace(fields, flags=(fields.flags ^ BE) & ~BS)


def _flip_last_bit(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


def _say_first(members: bytes) -> Callable[[bytes], bytes]:
    """Make an edit that puts text right behind the opening brace."""
    return lambda octets: octets[:1] + members + octets[1:]


def _other_type(members: Json) -> Json:
    return {**members, "type": "webauthn.get" if members["type"] == "webauthn.create" else "webauthn.create"}


def _rsa(bits: int, exponent: bytes, *, last_bit: int = 1) -> Callable[[Cose], Cose]:
    modulus = 1 << (bits - 1) | secrets.randbits(bits - 2) << 1 | last_bit
    return lambda _: {1: 3, 3: RS256, -1: modulus.to_bytes(bits // 8, "big"), -2: exponent}


def _es256(**parts: object) -> Callable[[Cose], Cose]:
    """Make an edit that puts a fresh P-256 key, with parts changed."""
    labels = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3, "d": -4}
    return lambda _: {**KeyPair.make(ES256).cose(), **{labels[name]: value for name, value in parts.items()}}


def _with_a_leading_zero(_: Cose) -> Cose:
    cose = KeyPair.make(ES256).cose()
    x = cose[-2]
    assert isinstance(x, bytes)
    return {**cose, -2: b"\0" + x}


def _as_attestation(response: Json) -> Json:
    inner = {"clientDataJSON": _inner(response)["clientDataJSON"], "attestationObject": b64url(b"\xa0")}
    return {**response, "response": inner}


def _as_assertion(response: Json) -> Json:
    inner = {"clientDataJSON": _inner(response)["clientDataJSON"], "authenticatorData": "AA", "signature": "AA"}
    return {**response, "response": {**inner, "userHandle": "AA"}}


def _inner(response: Json) -> Json:
    inner = response["response"]
    assert isinstance(inner, dict)
    return inner


def _statement(edit: Callable[[Json], Json]) -> Callable[[Json], Json]:
    return change("attStmt", edit)


def certificate(
    pair: KeyPair,
    *,
    aaguid: bytes,
    unit: str = "Authenticator Attestation",
    country: str = "SE",
    authority: bool = False,
    critical: bool = False,
) -> bytes:
    """Return an attestation certificate in DER, as §8.2.1 wants it unless told otherwise; it signs itself."""
    entries = {
        NameOID.COUNTRY_NAME: country,
        NameOID.ORGANIZATION_NAME: "Keystead",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.COMMON_NAME: "Test authenticator",
    }
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in entries.items() if text])
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4"), b"\x04\x10" + aaguid)
    assert isinstance(pair.private, ec.EllipticCurvePrivateKey)
    made = (
        x509.CertificateBuilder(name, name, pair.private.public_key(), serial_number=1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2124, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(extension, critical=critical)
        .sign(pair.private, SHA256())
    )
    return made.public_bytes(Encoding.DER)


def certified(step: int = 0, **changes: Any) -> Flaw:
    """Make a packed attestation by a certificate; without ``changes`` (of ``certificate``) it is no flaw."""
    attester = KeyPair.make(ES256)
    der = certificate(attester, **{"aaguid": AAGUID, **changes})
    return Flaw(
        registration=step, packed=True, signer=lambda _: attester, attestation=_statement(put(alg=ES256, x5c=[der]))
    )


_A_KEY = cbor2.dumps(KeyPair.make(ES256).cose())

FLAWS: dict[str, Flaw] = {
    # the answer as the browser hands it over
    "id is not rawId": Flaw(registration=3, login=3, response=put_id("id", lambda _: b64url(b"another"))),
    "no id": Flaw(registration=3, login=3, response=drop("id")),
    "no rawId": Flaw(registration=3, login=3, response=drop("rawId")),
    "empty ids": Flaw(registration=3, login=3, response=put(id="", rawId="")),
    "padded ids": Flaw(registration=3, login=3, response=put_id("both", lambda text: text + "=")),
    "ids with a newline": Flaw(registration=3, login=3, response=put_id("both", lambda text: text + "\n")),
    "ids with another tail": Flaw(registration=3, login=3, response=put_id("both", _other_tail)),
    "ids of the wrong type": Flaw(registration=3, login=3, response=put(id=7, rawId=7)),
    "ids of 6 KB": Flaw(registration=3, login=3, response=put(id="A" * 8192, rawId="A" * 8192)),
    "another credential type": Flaw(registration=3, login=3, response=put(type="password")),
    "no credential type": Flaw(registration=3, login=3, response=drop("type")),
    "no response": Flaw(registration=3, login=3, response=drop("response")),
    "response is a list": Flaw(registration=3, login=3, response=put(response=[])),
    "empty response": Flaw(registration=3, login=3, response=put(response={})),
    "no client data": Flaw(registration=3, login=3, response=inside(drop("clientDataJSON"))),
    "client data is an object": Flaw(registration=3, login=3, response=inside(put(clientDataJSON={}))),
    "empty client data": Flaw(registration=3, login=3, response=inside(put(clientDataJSON=""))),
    "padded client data": Flaw(
        registration=3, login=3, response=inside(change("clientDataJSON", lambda text: text + "=="))
    ),
    "client data of 9 KB": Flaw(registration=3, login=3, client=put(extra="x" * 9000)),
    "an assertion for an attestation": Flaw(registration=3, response=_as_assertion),
    "an attestation for an assertion": Flaw(login=3, response=_as_attestation),
    "empty attestation object": Flaw(registration=3, response=inside(put(attestationObject=""))),
    "attestation object of 70 KB": Flaw(registration=3, attestation_object=lambda octets: octets + bytes(70_000)),
    "transports is a word": Flaw(registration=3, response=inside(put(transports="usb"))),
    "a crowd of transports": Flaw(registration=3, response=inside(put(transports=["usb"] * 11))),
    "a transport with markup": Flaw(registration=3, response=inside(put(transports=["<b>usb</b>"]))),
    "a transport of 33 letters": Flaw(registration=3, response=inside(put(transports=["u" * 33]))),
    "empty signature": Flaw(login=3, response=inside(put(signature=""))),
    "padded signature": Flaw(login=3, response=inside(change("signature", lambda text: text + "="))),
    "no authenticator data": Flaw(login=3, response=inside(drop("authenticatorData"))),
    "extensions are a list": Flaw(registration=4, login=4, response=put(clientExtensionResults=[])),
    "extensions are null": Flaw(registration=4, login=4, response=put(clientExtensionResults=None)),
    # the client data as text
    "client data in UTF-16": Flaw(registration=5, login=8, client_json=lambda octets: octets.decode().encode("utf-16")),
    "client data that is no UTF-8": Flaw(registration=5, login=8, client_json=_say_first(b'"\xff":1,')),
    "client data in UTF-32": Flaw(
        registration=6, login=9, client_json=lambda octets: octets.decode().encode("utf-32-be")
    ),
    "client data twice": Flaw(registration=6, login=9, client_json=lambda octets: octets + octets),
    "client data is a list": Flaw(registration=6, login=9, client_json=lambda octets: b"[" + octets + b"]"),
    "a key twice": Flaw(registration=6, login=9, client_json=_say_first(b'"origin":"https://evil.example",')),
    "a key twice, deep inside": Flaw(registration=6, login=9, client_json=_say_first(b'"x":[{"a":1,"a":1}],')),
    "NaN": Flaw(registration=6, login=9, client_json=_say_first(b'"x":NaN,')),
    "a number without end": Flaw(registration=6, login=9, client_json=_say_first(b'"x":1e999,')),
    "client data 3,000 deep": Flaw(
        registration=6, login=9, client_json=_say_first(b'"x":' + b"[" * 3000 + b"]" * 3000 + b",")
    ),
    # the client data as values
    "client data of the other ceremony": Flaw(registration=7, login=10, client=_other_type),
    "client data of a payment": Flaw(registration=7, login=10, client=put(type="payment.get")),
    "no client data type": Flaw(registration=7, login=10, client=drop("type")),
    "client data type is a list": Flaw(registration=7, login=10, client=change("type", lambda kind: [kind])),
    "another challenge": Flaw(registration=8, login=11, client=put(challenge=b64url(b"c" * 32))),
    "no challenge": Flaw(registration=8, login=11, client=drop("challenge")),
    "empty challenge": Flaw(registration=8, login=11, client=put(challenge="")),
    "junk in the challenge": Flaw(
        registration=8, login=11, client=change("challenge", lambda text: text[:9] + "!\n" + text[9:])
    ),
    "padded challenge": Flaw(registration=8, login=11, client=change("challenge", lambda text: text + "=")),
    "challenge with another tail": Flaw(registration=8, login=11, client=change("challenge", _other_tail)),
    "challenge with a lone surrogate": Flaw(registration=8, login=11, client=put(challenge="\ud800")),
    "challenge is a number": Flaw(registration=8, login=11, client=put(challenge=7)),
    "another origin": Flaw(registration=9, login=12, client=put(origin="https://evil.example")),
    "origin with a slash": Flaw(registration=9, login=12, client=change("origin", lambda text: text + "/")),
    "origin with a longer host": Flaw(registration=9, login=12, client=change("origin", lambda t: t + ".evil.example")),
    "origin is a list": Flaw(registration=9, login=12, client=change("origin", lambda text: [text])),
    "no origin": Flaw(registration=9, login=12, client=drop("origin")),
    "cross-origin": Flaw(registration=10, login=13, client=put(crossOrigin=True)),
    "crossOrigin is a string": Flaw(registration=10, login=13, client=put(crossOrigin="false")),
    "crossOrigin is zero": Flaw(registration=10, login=13, client=put(crossOrigin=0)),
    "a page around": Flaw(registration=11, login=14, client=put(topOrigin="https://evil.example")),
    "no page around, in so many words": Flaw(registration=11, login=14, client=put(topOrigin=None)),
    # the authenticator data
    "authenticator data cut short": Flaw(registration=13, login=7, authenticator_data=lambda octets: octets[:36]),
    "authenticator data with a tail": Flaw(registration=13, login=7, authenticator_data=lambda octets: octets + b"\0"),
    "extensions announced and missing": Flaw(registration=13, login=7, fields=flags(on=ED)),
    "extensions with a tag": Flaw(
        registration=13,
        login=7,
        fields=flags(on=ED),
        authenticator_data=lambda octets: octets + cbor2.dumps({"x": cbor2.CBORTag(35, "a+")}),
    ),
    "extensions 100 deep": Flaw(
        registration=13,
        login=7,
        fields=flags(on=ED),
        authenticator_data=lambda octets: octets + b"\xa1\x61x" + b"\x81" * 100 + b"\0",
    ),
    "extensions that are no map": Flaw(
        registration=13, login=7, fields=flags(on=ED), authenticator_data=lambda octets: octets + b"\x01"
    ),
    "a credential in an assertion": Flaw(
        login=7,
        fields=lambda fields: replace(
            fields, flags=fields.flags | AT, aaguid=bytes(16), credential_id=b"x", public_key=_A_KEY
        ),
    ),
    "another relying party": Flaw(
        registration=14, login=15, fields=lambda fields: replace(fields, rp_id="evil.example")
    ),
    "nobody present": Flaw(registration=15, login=16, fields=flags(off=UP)),
    "user not verified": Flaw(registration=16, login=17, uv_required=True, fields=flags(off=UV)),
    "backed up, not eligible": Flaw(registration=17, login=18, fields=flags(on=BS, off=BE)),
    "eligibility changed": Flaw(login=19, fields=_flip_backup_eligibility),
    # the attestation object
    "attestation object with a tail": Flaw(registration=13, attestation_object=lambda octets: octets + b"\0"),
    "attestation object with more": Flaw(registration=13, attestation=put(more=1)),
    "attestation object is a list": Flaw(registration=13, attestation_object=lambda _: b"\x83\x01\x02\x03"),
    "attestation object 60,000 deep": Flaw(registration=13, attestation_object=lambda _: b"\x81" * 60_000),
    "attestation object that promises too much": Flaw(
        registration=13, attestation_object=lambda _: b"\xbb" + b"\x7f" * 8
    ),
    "attestation object with a tag": Flaw(registration=13, attestation=put(attStmt=cbor2.CBORTag(35, "a+"))),
    "attestation object without end mark": Flaw(
        registration=13, attestation_object=lambda octets: b"\xbf" + octets[1:] + b"\xff"
    ),
    "no authenticator data in it": Flaw(registration=13, attestation=drop("authData")),
    "no format": Flaw(registration=13, attestation=drop("fmt")),
    "no statement": Flaw(registration=13, attestation=drop("attStmt")),
    "statement is a list": Flaw(registration=13, attestation=put(attStmt=[])),
    "authenticator data is text": Flaw(registration=13, attestation=put(authData="x" * 64)),
    "no credential": Flaw(
        registration=13, fields=lambda fields: replace(fields, flags=fields.flags & ~AT, public_key=b"")
    ),
    "credential cut short": Flaw(registration=13, authenticator_data=lambda octets: octets[:60]),
    "public key with a key twice": Flaw(registration=13, public_key=lambda octets: b"\xa6\x01\x02" + octets[1:]),
    # the public key
    "algorithm not offered": Flaw(registration=20, cose=lambda cose: {**cose, 3: -35}),
    "algorithm of another key type": Flaw(registration=20, cose=_es256(alg=RS256)),
    "key type of another algorithm": Flaw(registration=20, cose=_es256(kty=3)),
    "curve of another algorithm": Flaw(registration=20, cose=_es256(crv=8)),
    "key type is true": Flaw(registration=20, cose=lambda _: {1: True, 3: EDDSA, -1: 6, -2: bytes(32)}),
    "point off the curve": Flaw(registration=20, cose=_es256(y=b"\1" * 32)),
    "point at zero": Flaw(registration=20, cose=_es256(x=bytes(32), y=bytes(32))),
    "coordinate of 31 bytes": Flaw(registration=20, cose=_es256(x=b"\1" * 31)),
    "coordinate of 33 bytes": Flaw(registration=20, cose=_with_a_leading_zero),
    "coordinate is text": Flaw(registration=20, cose=_es256(x="x" * 32)),
    "private part in the key": Flaw(registration=20, cose=_es256(d=bytes(32))),
    "key without members": Flaw(registration=20, cose=lambda _: {}),
    "Ed25519 key of 31 bytes": Flaw(registration=20, cose=lambda _: {1: 1, 3: EDDSA, -1: 6, -2: bytes(31)}),
    "RSA exponent of 1": Flaw(registration=20, cose=_rsa(2048, b"\1")),
    "RSA exponent of 3": Flaw(registration=20, cose=_rsa(2048, b"\3")),
    "RSA exponent even": Flaw(registration=20, cose=_rsa(2048, b"\1\0\2")),
    "RSA exponent of 33 bits": Flaw(registration=20, cose=_rsa(2048, b"\1\0\0\0\1")),
    "RSA modulus even": Flaw(registration=20, cose=_rsa(2048, b"\1\0\1", last_bit=0)),
    "RSA modulus of 512 bits": Flaw(registration=20, cose=_rsa(512, b"\1\0\1")),
    "RSA modulus of 16,384 bits": Flaw(registration=20, cose=_rsa(16_384, b"\1\0\1")),
    # the attestation statement
    "unknown format": Flaw(registration=21, attestation=put(fmt="homemade")),
    "format in capitals": Flaw(registration=21, attestation=put(fmt="None")),
    "none with a statement": Flaw(registration=22, attestation=put(fmt="none", attStmt={"x": 1})),
    "packed with an empty statement": Flaw(registration=22, attestation=put(fmt="packed", attStmt={})),
    "packed with no certificate": Flaw(registration=22, packed=True, attestation=_statement(put(x5c=[]))),
    "packed with a broken certificate": Flaw(registration=22, packed=True, attestation=_statement(put(x5c=[b"0"]))),
    "packed for another algorithm": Flaw(registration=22, packed=True, attestation=_statement(put(alg=-39))),
    "packed with a bad signature": Flaw(registration=22, packed=True, signature=_flip_last_bit),
    "packed by another key": Flaw(registration=22, packed=True, signer=lambda pair: KeyPair.make(pair.algorithm)),
    "certificate of another model": certified(22, aaguid=bytes(16)),
    "certificate with a critical AAGUID": certified(22, critical=True),
    "certificate of an authority": certified(22, authority=True),
    "certificate of another unit": certified(22, unit="Accounting"),
    "certificate without a country": certified(22, country=""),
    # the credential id
    "credential id of 1,024 bytes": Flaw(registration=25, credential_id=lambda _: b"x" * 1024),
    "empty credential id": Flaw(registration=25, fields=lambda fields: replace(fields, credential_id=b"")),
    "another credential id inside": Flaw(
        registration=27, fields=lambda fields: replace(fields, credential_id=b"x" * 16)
    ),
    # whose it is
    "no userHandle": Flaw(login=6, response=inside(drop("userHandle"))),
    "userHandle is null": Flaw(login=6, response=inside(put(userHandle=None))),
    "empty userHandle": Flaw(login=6, response=inside(put(userHandle=""))),
    "userHandle of somebody else": Flaw(login=6, response=inside(put(userHandle=b64url(b"u" * 32)))),
    "userHandle of 65 bytes": Flaw(login=6, response=inside(put(userHandle=b64url(b"u" * 65)))),
    "padded userHandle": Flaw(login=6, response=inside(change("userHandle", lambda text: text + "="))),
    # the signature
    "bad signature": Flaw(login=21, signature=_flip_last_bit),
    "signature by another key": Flaw(login=21, signer=lambda pair: KeyPair.make(pair.algorithm)),
    "signature of one byte": Flaw(login=21, signature=lambda _: b"\0"),
    "signature for another counter": Flaw(
        login=21,
        response=inside(change("authenticatorData", lambda text: b64url(_flip_last_bit(unb64url(text))))),
    ),
    "signature for other client data": Flaw(
        login=21, response=inside(change("clientDataJSON", lambda text: b64url(unb64url(text) + b" ")))
    ),
}

REGISTRATION_FLAWS = {name: flaw for name, flaw in FLAWS.items() if flaw.registration}
"""What a registration must not get away with."""

LOGIN_FLAWS = {name: flaw for name, flaw in FLAWS.items() if flaw.login}
"""What a login must not get away with."""

COUNTER_GOES_BACK = Flaw(login=22, fields=lambda fields: replace(fields, sign_count=max(fields.sign_count - 2, 0)))
"""One less than the counter that was shown last; the device has to count, and to have been used twice."""


def untold(options: Options) -> Options:
    """Return options as an authenticator gets them from a client that passes on nothing of the server's policy."""
    kept_back = ("hints", "timeout", "userVerification", "attestation")
    told = {name: value for name, value in options.items() if name not in kept_back}
    if "pubKeyCredParams" not in told:
        return told
    every = [{"type": "public-key", "alg": algorithm} for algorithm in (ES256, EDDSA, RS256)]
    return {**told, "pubKeyCredParams": every, "authenticatorSelection": {"residentKey": "required"}}


# --- the device --------------------------------------------------------------------------------------------------


@dataclass
class Authenticator:
    """One device. It holds as many credentials as one likes, for as many relying parties."""

    algorithms: tuple[int, ...] = (ES256, EDDSA, RS256)
    """What it can; a new credential has the first algorithm of the options that is among them."""
    attestation: Literal["none", "packed"] = "none"
    attester: Attester | None = None
    """Who attests instead, as ``tests/attestation.py`` has them."""
    aaguid: bytes = AAGUID
    synced: bool = True
    """Whether its credentials are backed up (BE and BS)."""
    verifies: bool = True
    """Whether it verifies the user (UV)."""
    counts: bool = False
    """Whether it has a signature counter; synced ones stay at zero."""
    transports: tuple[str, ...] = ("internal", "hybrid")
    attachment: str = "platform"
    """Where the browser says that it is; nothing is said where it is empty."""
    credentials: list[Credential] = field(default_factory=list)
    """Oldest first."""

    def create(self, options: Options, *, origin: str, flaw: Flaw = FLAWLESS) -> Json:
        """Answer ``navigator.credentials.create()``: make a credential and keep it.

        Raises ``NotAllowedError`` when no algorithm fits and ``InvalidStateError`` for an excluded credential.
        """
        rp_id = str(options["rp"].get("id") or urlsplit(origin).hostname)
        self._check_excluded(options)
        pair = KeyPair.make(self._choose_algorithm(options))
        credential = Credential(
            rp_id, flaw.credential_id(secrets.token_bytes(32)), unb64url(options["user"]["id"]), pair
        )
        client_json = self._client_json("webauthn.create", options, origin, flaw)
        authenticator_data = self._authenticator_data(
            Fields(
                rp_id,
                self._flags() | AT,
                credential.sign_count,
                self.aaguid,
                credential.id,
                flaw.public_key(cbor2.dumps(flaw.cose(pair.cose()))),
            ),
            flaw,
        )
        attestation_object = self._attestation_object(pair, authenticator_data, client_json, flaw)
        self.credentials.append(credential)
        inner: Json = {
            "clientDataJSON": b64url(client_json),
            "attestationObject": b64url(attestation_object),
            "authenticatorData": b64url(authenticator_data),
            "publicKey": b64url(pair.spki()),
            "publicKeyAlgorithm": pair.algorithm,
            "transports": list(self.transports),
        }
        return flaw.response(self._credential_json(credential, inner, {"credProps": {"rk": True}}))

    def get(
        self, options: Options, *, origin: str, flaw: Flaw = FLAWLESS, credential: Credential | None = None
    ) -> Json:
        """Answer ``navigator.credentials.get()`` with ``credential``, or with the newest that fits.

        Raises ``NotAllowedError`` when none does.
        """
        chosen = credential or self._choose_credential(options, origin)
        chosen.sign_count += self.counts
        client_json = self._client_json("webauthn.get", options, origin, flaw)
        authenticator_data = self._authenticator_data(Fields(chosen.rp_id, self._flags(), chosen.sign_count), flaw)
        inner: Json = {
            "clientDataJSON": b64url(client_json),
            "authenticatorData": b64url(authenticator_data),
            "signature": b64url(self._sign(chosen.pair, authenticator_data, client_json, flaw)),
            "userHandle": b64url(chosen.user_handle),
        }
        return flaw.response(self._credential_json(chosen, inner, {}))

    def _choose_algorithm(self, options: Options) -> int:
        for offered in options["pubKeyCredParams"]:
            if offered["alg"] in self.algorithms:
                return int(offered["alg"])
        raise NotAllowedError("no algorithm in common")

    def _choose_credential(self, options: Options, origin: str) -> Credential:
        rp_id = options.get("rpId") or urlsplit(origin).hostname
        allowed = {unb64url(each["id"]) for each in options.get("allowCredentials", [])}
        for held in reversed(self.credentials):
            if held.rp_id == rp_id and (not allowed or held.id in allowed):
                return held
        raise NotAllowedError("no credential for this relying party")

    def _check_excluded(self, options: Options) -> None:
        excluded = {unb64url(each["id"]) for each in options.get("excludeCredentials", [])}
        if any(held.id in excluded for held in self.credentials):
            raise InvalidStateError("already registered")

    def _flags(self) -> int:
        return UP | (UV if self.verifies else 0) | (BE | BS if self.synced else 0)

    @staticmethod
    def _client_json(kind: str, options: Options, origin: str, flaw: Flaw) -> bytes:
        members: Json = {"type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": False}
        return flaw.client_json(json.dumps(flaw.client(members), separators=(",", ":")).encode())

    @staticmethod
    def _authenticator_data(fields: Fields, flaw: Flaw) -> bytes:
        return flaw.authenticator_data(flaw.fields(fields).encode())

    @staticmethod
    def _sign(pair: KeyPair, authenticator_data: bytes, client_json: bytes, flaw: Flaw) -> bytes:
        return flaw.signature(flaw.signer(pair).sign(authenticator_data + hashlib.sha256(client_json).digest()))

    def _attestation_object(self, pair: KeyPair, authenticator_data: bytes, client_json: bytes, flaw: Flaw) -> bytes:
        packed = flaw.packed or self.attestation == "packed"
        signature = self._sign(pair, authenticator_data, client_json, flaw) if packed else b""
        form, statement = ("packed", {"alg": pair.algorithm, "sig": signature}) if packed else ("none", {})
        if self.attester is not None:
            form, statement = self.attester(pair, authenticator_data, client_json)
        members: Json = {"fmt": form, "attStmt": statement, "authData": authenticator_data}
        return flaw.attestation_object(cbor2.dumps(flaw.attestation(members)))

    def _credential_json(self, credential: Credential, inner: Json, extensions: Json) -> Json:
        said: Json = {"authenticatorAttachment": self.attachment} if self.attachment else {}
        return {
            "id": b64url(credential.id),
            "rawId": b64url(credential.id),
            "type": "public-key",
            "clientExtensionResults": extensions,
            "response": inner,
        } | said
