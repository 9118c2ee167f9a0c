"""Makers of authenticators, and a metadata service that knows them: real certificates, real signatures.

    maker = Maker()
    device = Authenticator(attester=maker.packed())
    service = Service()
    await service.brings(world, entry(AAGUID, maker), no=7)

An attester signs what an authenticator of that format signs; arguments make one thing wrong and leave the rest right.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from joserfc import jws
from joserfc.jwk import ECKey

from authenticator import AAGUID, ES256, Attester, Json, KeyPair
from keystead.adapters import attestation, fido_metadata
from keystead.app import SystemEntropy
from keystead.flows.fido_metadata import FidoMetadata, Update
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.revocation import Revocation
from keystead.rules.events import Caller
from world import World

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
"""From when to when certificates are good, unless told otherwise."""

AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
NIL = bytes(16)
APPLE = bytes.fromhex("f24a8e70d0d3f82c293732523cc4de5a")


def subject(unit: str = "Authenticator Attestation", country: str = "SE", name: str = "Authenticator") -> x509.Name:
    """Return a name, as §8.2.1 wants it unless told otherwise."""
    entries = {
        NameOID.COUNTRY_NAME: country,
        NameOID.ORGANIZATION_NAME: "Maker",
        NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
        NameOID.COMMON_NAME: name,
    }
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in entries.items() if text])


def other(oid: str | ObjectIdentifier, value: bytes, critical: bool = False) -> x509.Extension[x509.ExtensionType]:
    """Return an extension that nobody but its readers knows."""
    known = ObjectIdentifier(oid) if isinstance(oid, str) else oid
    return x509.Extension(known, critical, x509.UnrecognizedExtension(known, value))


@dataclass(frozen=True)
class Authority:
    """Who signs certificates."""

    name: str = "Maker's authority"
    pair: KeyPair = field(default_factory=lambda: KeyPair.make(ES256))

    @cached_property
    def certificate(self) -> bytes:
        """Its own certificate, in DER."""
        return self.issue(self.pair, subject("Authority", name=self.name), authority=True)

    @property
    def pem(self) -> bytes:
        """The same, in PEM."""
        return x509.load_der_x509_certificate(self.certificate).public_bytes(Encoding.PEM)

    def issue(
        self,
        pair: KeyPair,
        name: x509.Name,
        *extensions: x509.Extension[x509.ExtensionType],
        authority: bool = False,
        start: datetime = START,
        end: datetime = END,
    ) -> bytes:
        """Sign a certificate, and return it in DER."""
        assert isinstance(self.pair.private, ec.EllipticCurvePrivateKey)
        builder = (
            x509.CertificateBuilder(subject("Authority", name=self.name), name, pair.private.public_key(), 7)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        for each in extensions:
            builder = builder.add_extension(each.value, critical=each.critical)
        return builder.sign(self.pair.private, SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Maker(Authority):
    """Who makes authenticators. A batch of them shares an attestation key."""

    batch: KeyPair = field(default_factory=lambda: KeyPair.make(ES256))

    def leaf(self, aaguid: bytes | None = AAGUID, name: x509.Name | None = None, **changes: Any) -> bytes:
        """Return the certificate of the batch; without an AAGUID in it where there is ``None``."""
        extensions = [] if aaguid is None else [other(AAGUID_EXTENSION, b"\x04\x10" + aaguid)]
        return self.issue(self.batch, name or subject(), *extensions, **changes)

    def packed(self, chain: Sequence[bytes] | None = None, *, alg: int = ES256) -> Attester:
        """Attest as ``packed``, with the certificate of the batch or with another chain."""
        x5c = list(chain or [self.leaf()])

        def attest(_: KeyPair, authenticator_data: bytes, client_json: bytes) -> tuple[str, Json]:
            signature = self.batch.sign(authenticator_data + sha256(client_json))
            return "packed", {"alg": alg, "sig": signature, "x5c": x5c}

        return attest

    def u2f(self, chain: Sequence[bytes] | None = None) -> Attester:
        """Attest as ``fido-u2f``, which signs neither AAGUID nor flags."""

        def attest(pair: KeyPair, authenticator_data: bytes, client_json: bytes) -> tuple[str, Json]:
            id_end = 55 + int.from_bytes(authenticator_data[53:55], "big")
            cose = pair.cose()
            x, y = cose[-2], cose[-3]
            assert isinstance(x, bytes)
            assert isinstance(y, bytes)
            signed = b"\0" + authenticator_data[:32] + sha256(client_json) + authenticator_data[55:id_end]
            signature = self.batch.sign(signed + b"\x04" + x + y)
            return "fido-u2f", {"sig": signature, "x5c": list(chain or [self.leaf(None)])}

        return attest

    def apple(self, *, nonce: bytes | None = None, other_key: bool = False) -> Attester:
        """Attest as ``apple``: a certificate for this very ceremony."""

        def attest(pair: KeyPair, authenticator_data: bytes, client_json: bytes) -> tuple[str, Json]:
            shown = nonce or sha256(authenticator_data + sha256(client_json))
            extension = other("1.2.840.113635.100.8.2", b'0$\xa1"\x04\x20' + shown)
            certified = self.batch if other_key else pair
            return "apple", {"alg": ES256, "x5c": [self.issue(certified, subject("Anonymous"), extension)]}

        return attest

    def android(self, *, other_key: bool = False, **changes: Any) -> Attester:
        """Attest as ``android-key``: the key signs for itself. ``changes`` are those of ``key_description``."""

        def attest(pair: KeyPair, authenticator_data: bytes, client_json: bytes) -> tuple[str, Json]:
            hash_ = sha256(client_json)
            extension = other("1.3.6.1.4.1.11129.2.1.17", key_description(**{"challenge": hash_, **changes}))
            signer = self.batch if other_key else pair
            x5c = [self.issue(signer, subject("Android"), extension), self.certificate]
            statement = {"alg": signer.algorithm, "sig": signer.sign(authenticator_data + hash_), "x5c": x5c}
            return "android-key", statement

        return attest

    def tpm(
        self,
        aaguid: bytes | None = None,
        *,
        name_algorithm: str = "000b",
        curve: str = "0003",
        manufacturer: str = "id:49465800",
    ) -> Attester:
        """Attest as ``tpm``, with a key on P-256."""

        def attest(pair: KeyPair, authenticator_data: bytes, client_json: bytes) -> tuple[str, Json]:
            cose = pair.cose()
            area = bytes.fromhex("0023000b00060472" + "0000" + "00100010" + curve + "0010")
            area += b"".join(sized(part) for part in (cose[-2], cose[-3]) if isinstance(part, bytes))
            extra = sha256(authenticator_data + sha256(client_json))
            name = bytes.fromhex(name_algorithm) + sha256(area)
            info = bytes.fromhex("ff5443478017") + sized(b"signer") + sized(extra) + bytes(25)
            info += sized(name) + sized(b"qualified")
            extensions = [
                x509.Extension(x509.ExtendedKeyUsage.oid, False, x509.ExtendedKeyUsage([_AIK])),
                x509.Extension(x509.SubjectAlternativeName.oid, True, _tpm_name(manufacturer)),
                *([other(AAGUID_EXTENSION, b"\x04\x10" + aaguid)] if aaguid else []),
            ]
            x5c = [self.issue(self.batch, x509.Name([]), *extensions)]
            statement = {"ver": "2.0", "alg": ES256, "sig": self.batch.sign(info), "x5c": x5c}
            return "tpm", {**statement, "pubArea": area, "certInfo": info}

        return attest


_AIK = ObjectIdentifier("2.23.133.8.3")


def _tpm_name(manufacturer: str) -> x509.SubjectAlternativeName:
    values = {"2.23.133.2.1": manufacturer, "2.23.133.2.2": "Test", "2.23.133.2.3": "id:13"}
    attributes = [x509.NameAttribute(ObjectIdentifier(oid), text) for oid, text in values.items()]
    return x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(attributes))])


def key_description(
    challenge: bytes, *, origin: int = 0, purposes: Iterable[int] = (2,), everywhere: str = "", unknown: bool = False
) -> bytes:
    """Return the extension that Android certifies a key with. ``everywhere`` is the list that has allApplications."""
    number = {n: der(b"\x02", bytes([n])) for n in range(8)}
    everybody = der(b"\xbf\x84\x58", der(b"\x05", b""))
    hardware = der(b"\xa1", der(b"\x31", b"".join(number[each] for each in purposes)))
    hardware += everybody if everywhere == "hardware" else b""
    hardware += der(b"\xbf\x85\x3e", number[origin])
    hardware += der(b"\xbf\x8f\x7f", der(b"\x04", bytes(200))) if unknown else b""
    software = everybody if everywhere == "software" else b""
    fields = [number[4], der(b"\x0a", b"\1"), number[4], der(b"\x0a", b"\1"), der(b"\x04", challenge)]
    return der(b"\x30", b"".join(fields) + der(b"\x04", b"") + der(b"\x30", software) + der(b"\x30", hardware))


def der(tag: bytes, content: bytes) -> bytes:
    """Return an element of DER."""
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return tag + length + content


def sized(octets: bytes) -> bytes:
    """Return octets as a TPM writes them: behind their number."""
    return len(octets).to_bytes(2, "big") + octets


def sha256(octets: bytes) -> bytes:
    """Return the digest."""
    return hashlib.sha256(octets).digest()


# --- the metadata ------------------------------------------------------------------------------------------------


def entry(
    aaguid: bytes,
    *makers: Authority,
    statuses: Iterable[tuple[str, str] | Json] = (("FIDO_CERTIFIED_L1", "2024-01-01"),),
    description: str = "A model",
    **more: object,
) -> Json:
    """Return an entry of a blob, with what real ones have and nobody here reads."""
    reports = [each if isinstance(each, dict) else {"status": each[0], "effectiveDate": each[1]} for each in statuses]
    return {
        "aaguid": str(UUID(bytes=aaguid)),
        "metadataStatement": {
            "description": description,
            "authenticatorVersion": 2,
            "protocolFamily": "fido2",
            "attestationTypes": ["basic_full"],
            "attestationRootCertificates": [text(each.certificate) for each in makers],
        },
        "statusReports": reports,
        "timeOfLastStatusChange": "2024-01-01",
    } | more


def text(octets: bytes) -> str:
    """Encode as base64."""
    return base64.b64encode(octets).decode()


@dataclass(frozen=True)
class Service:
    """A metadata service, below an authority of its own."""

    root: Authority = field(default_factory=lambda: Authority("Metadata root"))
    signer: KeyPair = field(default_factory=lambda: KeyPair.make(ES256))

    def blob(
        self,
        *entries: object,
        no: object = 1,
        next_update: object = "2026-07-01",
        chain: Sequence[bytes] | None = None,
        signer: KeyPair | None = None,
        **header: object,
    ) -> bytes:
        """Return a signed blob."""
        payload: Json = {"legalHeader": "none", "no": no, "nextUpdate": next_update, "entries": list(entries)}
        return self.signed(payload, chain=chain, signer=signer, **header)

    def leaf(self, **changes: Any) -> bytes:
        """Return the certificate that blobs are signed with."""
        return self.root.issue(self.signer, subject("Metadata"), **changes)

    def signed(
        self, payload: object, *, chain: Sequence[bytes] | None = None, signer: KeyPair | None = None, **header: object
    ) -> bytes:
        """Return a blob that may hold anything."""
        x5c = [text(each) for each in (chain if chain is not None else [self.leaf()])]
        private = (signer or self.signer).private
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        content = payload if isinstance(payload, bytes) else _json(payload)
        registry = fido_metadata.Sizes(algorithms=["ES256"])
        protected = {"alg": "ES256", "typ": "JWT", "x5c": x5c} | header
        return jws.serialize_compact(protected, content, ECKey.import_key(_pem(private)), registry=registry).encode()

    async def brings(self, world: World, *entries: object, force: bool = False, **blob: Any) -> Update:
        """Use a blob with these entries from now on."""
        return await metadata_of(world).update(
            self.blob(*entries, **blob),
            self.root.pem,
            Operation("cli", Caller(), "keystead", "mds update"),
            force=force,
        )


def metadata_of(world: World) -> FidoMetadata:
    """Return what an operator works with."""
    journal = Journal(world.clock, SystemEntropy())
    revocation = Revocation(world.app.state.flows.logout_notices)
    return FidoMetadata(world.db, fido_metadata, attestation, revocation, journal, world.clock)


def _json(payload: object) -> bytes:
    return json.dumps(payload).encode()


def _pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
