"""Blobs of FIDO metadata: whom they are believed from, and what is read out of them."""

import base64
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from attestation import Authority, Maker, Service, entry, subject, text
from authenticator import AAGUID, ES256, Json, KeyPair, b64url
from keystead.adapters import fido_metadata
from keystead.errors import InvalidMetadata
from keystead.rules.authenticators import Metadata, Model, StatusReport

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SERVICE, MAKER = Service(), Maker()
KEY = str(UUID(bytes=AAGUID))


def read(blob: bytes, root: bytes | None = None) -> Metadata:
    """Read a blob, below the root of the service where no other is named."""
    return fido_metadata.read(blob, root or SERVICE.root.pem, NOW)


def the_model(*entries: object) -> Model:
    """Read a blob with one model in it."""
    (found,) = read(SERVICE.blob(*entries)).models
    return found


# --- good ones ---------------------------------------------------------------------------------------------------


def test_a_good_blob_is_read() -> None:
    statuses = (("FIDO_CERTIFIED_L2", "2024-02-03"), ("FIDO_CERTIFIED_L1", "2020-01-01"))
    found = read(SERVICE.blob(entry(AAGUID, MAKER, statuses=statuses), no=291, next_update="2026-11-01"))
    assert (found.edition.no, found.edition.next_update) == (291, date(2026, 11, 1))
    certificate = x509.load_der_x509_certificate(SERVICE.root.certificate)
    assert len(found.edition.anchor) == 64
    assert found.edition.anchor == certificate.fingerprint(SHA256()).hex()
    assert found.skipped == 0
    assert found.models == (
        Model(
            key=KEY,
            description="A model",
            roots=(text(MAKER.certificate),),
            reports=(
                StatusReport(status="FIDO_CERTIFIED_L2", effective=date(2024, 2, 3)),
                StatusReport(status="FIDO_CERTIFIED_L1", effective=date(2020, 1, 1)),
            ),
        ),
    )


def test_the_root_may_be_in_der_and_the_blob_end_with_a_line() -> None:
    assert read(SERVICE.blob() + b"\n", SERVICE.root.certificate).edition.no == 1


def test_the_chain_may_go_by_way_of_others_and_bring_the_root() -> None:
    middle = Authority("Middle")
    between = SERVICE.root.issue(middle.pair, subject("Authority", name="Middle"), authority=True)
    leaf = middle.issue(SERVICE.signer, subject("Metadata"))
    assert read(SERVICE.blob(chain=[leaf, between])).edition.no == 1
    assert read(SERVICE.blob(chain=[leaf, between, SERVICE.root.certificate])).edition.no == 1
    with pytest.raises(InvalidMetadata, match="do not lead to the root"):
        read(SERVICE.blob(chain=[leaf]))


def test_rs256_will_do() -> None:
    signer = rsa.generate_private_key(65537, 2048)
    assert read(_rsa_blob(signer)).edition.no == 1


def _rsa_blob(signer: rsa.RSAPrivateKey, **header: object) -> bytes:
    root = SERVICE.root.pair.private
    assert not isinstance(root, rsa.RSAPrivateKey)
    leaf = (
        x509.CertificateBuilder(
            subject("Authority", name=SERVICE.root.name), subject("Metadata"), signer.public_key(), 9
        )
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(root, SHA256())
    )
    pem = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    protected = {"alg": "RS256", "x5c": [text(leaf.public_bytes(Encoding.DER))]} | header
    payload = json.dumps({"no": 1, "nextUpdate": "2026-07-01", "entries": []})
    registry = fido_metadata.Sizes(algorithms=["RS256", "PS256"])
    return jws.serialize_compact(protected, payload, RSAKey.import_key(pem), registry=registry).encode()


def test_the_anchor_is_the_one_that_the_fido_alliance_names() -> None:
    anchor = fido_metadata.ANCHOR
    assert anchor.fingerprint(SHA256()).hex() == fido_metadata.ANCHOR_SHA256
    assert "GlobalSign Root CA - R3" in anchor.subject.rfc4514_string()


def test_below_the_anchor_the_name_of_the_service_counts() -> None:
    """The anchor signs for half of the web: its word that somebody is somebody is no word on metadata."""
    assert fido_metadata.names_service(_named("mds.fidoalliance.org"))
    assert fido_metadata.names_service(_named("www.example.com", "mds.fidoalliance.org"))
    for other in ("fidoalliance.org", "mds.fidoalliance.org.example.com", "*.fidoalliance.org"):
        assert not fido_metadata.names_service(_named(other))
    assert not fido_metadata.names_service(x509.load_der_x509_certificate(SERVICE.leaf()))


def _named(*hosts: str) -> x509.Certificate:
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    extension = x509.Extension(x509.SubjectAlternativeName.oid, False, names)
    return x509.load_der_x509_certificate(SERVICE.root.issue(SERVICE.signer, subject("Metadata"), extension))


# --- such as are believed from nobody ----------------------------------------------------------------------------


STRANGER = Service()
GOOD = SERVICE.blob(entry(AAGUID, MAKER))
HEAD, PAYLOAD, SIGNATURE = GOOD.split(b".")


def headed(**header: object) -> bytes:
    """The good blob under a header of somebody else's."""
    return b".".join((b64url(json.dumps(header).encode()).encode(), PAYLOAD, SIGNATURE))


BAD: dict[str, tuple[bytes, str]] = {
    "another service's": (STRANGER.blob(), "do not lead to the root"),
    "another service's, with its root": (
        STRANGER.blob(chain=[STRANGER.leaf(), STRANGER.root.certificate]),
        "do not lead to the root",
    ),
    "expired": (SERVICE.blob(chain=[SERVICE.leaf(end=NOW - timedelta(days=1))]), "not valid today"),
    "not yet good": (SERVICE.blob(chain=[SERVICE.leaf(start=NOW + timedelta(days=1))]), "not valid today"),
    "signed by somebody else": (SERVICE.blob(signer=KeyPair.make(ES256)), "signature"),
    "with another payload": (b".".join((HEAD, b64url(b'{"no":9}').encode(), SIGNATURE)), "signature"),
    "with another header": (headed(alg="ES256", x5c=[text(SERVICE.leaf())], typ="x"), "signature"),
    "without a signature": (b".".join((HEAD, PAYLOAD, b"")), "signature"),
    "without a chain": (SERVICE.blob(chain=[]), "x5c"),
    "with a chain of nonsense": (headed(alg="ES256", x5c=["AAAA"]), "x5c"),
    "with a chain of numbers": (headed(alg="ES256", x5c=[7]), "x5c"),
    "with a chain that is text": (headed(alg="ES256", x5c=text(SERVICE.leaf())), "x5c"),
    "that is no JWS": (b"not a blob", "JWS"),
    "that is empty": (b"", "JWS"),
    "that is JSON": (b'{"no": 1}', "JWS"),
    "without JSON": (SERVICE.signed(b"not JSON"), "JSON"),
    "that is a list": (SERVICE.signed([]), "object"),
    "nested without end": (SERVICE.signed(b"[" * 200_000), "JSON"),
    "without a number": (SERVICE.signed({"nextUpdate": "2026-07-01", "entries": []}), "no, nextUpdate or entries"),
    "with a number that is text": (SERVICE.blob(no="1"), "no, nextUpdate or entries"),
    "with a number that is true": (SERVICE.blob(no=True), "no, nextUpdate or entries"),
    "without an end": (SERVICE.blob(next_update=None), "no, nextUpdate or entries"),
    "with an end that is no day": (SERVICE.blob(next_update="soon"), "no, nextUpdate or entries"),
    "without entries": (SERVICE.signed({"no": 1, "nextUpdate": "2026-07-01"}), "no, nextUpdate or entries"),
    "with entries that are none": (
        SERVICE.signed({"no": 1, "nextUpdate": "2026-07-01", "entries": {}}),
        "no, nextUpdate or entries",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_blob_is_refused_whole(name: str) -> None:
    blob, why = BAD[name]
    with pytest.raises(InvalidMetadata, match=why):
        read(blob)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "PS256", "RS256", "ES384", "EdDSA", None, 7, ["ES256"]])
def test_other_algorithms_are_refused(algorithm: Any) -> None:
    with pytest.raises(InvalidMetadata):
        read(headed(alg=algorithm, x5c=[text(SERVICE.leaf())]))


def test_the_public_key_is_no_shared_secret() -> None:
    """The oldest trick on whoever lets the header choose."""
    leaf = x509.load_der_x509_certificate(SERVICE.leaf())
    for secret in (leaf.public_bytes(Encoding.PEM), leaf.public_bytes(Encoding.DER)):
        unsigned = headed(alg="HS256", x5c=[text(SERVICE.leaf())]).rpartition(b".")[0]
        mac = b64url(hmac.digest(secret, unsigned, "sha256")).encode()
        with pytest.raises(InvalidMetadata, match="RS256 or ES256"):
            read(unsigned + b"." + mac)


def test_ps256_is_not_rs256() -> None:
    with pytest.raises(InvalidMetadata):
        read(_rsa_blob(rsa.generate_private_key(65537, 2048), alg="PS256"))


def test_a_private_service_is_none_of_the_fido_alliances() -> None:
    with pytest.raises(InvalidMetadata, match="do not lead to the root"):
        fido_metadata.read(GOOD, None, NOW)


@pytest.mark.parametrize("root", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_a_root_that_is_none_is_refused(root: bytes) -> None:
    with pytest.raises(InvalidMetadata, match="the root is no certificate"):
        fido_metadata.read(GOOD, root, NOW)


# --- read leniently ----------------------------------------------------------------------------------------------


def test_one_odd_entry_takes_nothing_from_the_others() -> None:
    odd: list[Any] = [None, 7, "entry", [], {}, {"aaid": "4746#5309"}, {"aaguid": "no UUID"}, {"aaguid": 7}]
    found = read(SERVICE.blob(*odd, entry(AAGUID, MAKER), {"attestationCertificateKeyIdentifiers": ["xyz", 7]}))
    assert [model.key for model in found.models] == [KEY]
    assert found.skipped == len(odd) + 1


def test_members_that_lack_or_are_wrong_are_done_without() -> None:
    """As in entry 481 of a blob of 2026, which lacks members that the specification requires."""
    assert the_model({"aaguid": KEY.upper()}) == Model(key=KEY)
    assert the_model({"aaguid": KEY, "metadataStatement": None, "statusReports": None}) == Model(key=KEY)
    assert the_model({"aaguid": KEY, "metadataStatement": {"description": 7}, "statusReports": {}}) == Model(key=KEY)
    reports: list[Any] = [None, {}, {"status": 7}, {"status": "REVOKED", "effectiveDate": "when it was"}]
    found = the_model({"aaguid": KEY, "statusReports": reports})
    assert found.reports == (StatusReport(status="REVOKED"),), "it counts, as nobody knows since when"


def test_of_roots_those_are_kept_that_are_some() -> None:
    good = text(MAKER.certificate)
    listed = [good, 7, "not base64", "AAAA", f" {good[:40]}\n {good[40:]}\n", good]
    statement = {"attestationRootCertificates": listed}
    assert the_model({"aaguid": KEY, "metadataStatement": statement}).roots == (good,)


def test_a_name_is_one_line_of_bounded_length() -> None:
    assert the_model(entry(AAGUID, description=" A\n\tkey ")).description == "A key"
    assert len(the_model(entry(AAGUID, description="x" * 9_999)).description) == fido_metadata.DESCRIPTION_CHARACTERS


def test_the_first_of_two_entries_counts() -> None:
    found = read(SERVICE.blob(entry(AAGUID, description="one"), entry(AAGUID, description="two")))
    assert [model.description for model in found.models] == ["one"]
    assert found.skipped == 1


def test_models_older_than_aaguids_go_by_their_attestation_keys() -> None:
    first, second = "c" * 40, "D" * 40
    u2f: Json = {**entry(AAGUID, MAKER), "attestationCertificateKeyIdentifiers": [first, second]}
    del u2f["aaguid"]
    assert [model.key for model in read(SERVICE.blob(u2f)).models] == [first, second.lower()]


@pytest.mark.parametrize("member", ["certificate", "batchCertificate"])
def test_a_report_may_be_about_one_certificate(member: str) -> None:
    spelled = base64.encodebytes(MAKER.leaf()).decode()
    report: Json = {"status": "ATTESTATION_KEY_COMPROMISE", member: spelled}
    (found,) = the_model(entry(AAGUID, MAKER, statuses=[report])).reports
    assert found.certificate == text(base64.b64decode(spelled))
    unreadable: Json = {"status": "ATTESTATION_KEY_COMPROMISE", member: "AAAA"}
    (found,) = the_model(entry(AAGUID, MAKER, statuses=[unreadable])).reports
    assert found.certificate == "AAAA", "some makers' are; and it is about no other"
    broken: Json = {"status": "ATTESTATION_KEY_COMPROMISE", member: "?"}
    assert the_model(entry(AAGUID, MAKER, statuses=[broken])).reports == ()


def test_a_report_may_be_about_two_certificates() -> None:
    report: Json = {"status": "ATTESTATION_KEY_COMPROMISE", "certificate": "AAAA", "batchCertificate": "BBBB"}
    found = the_model(entry(AAGUID, MAKER, statuses=[report])).reports
    assert {each.certificate for each in found} == {"AAAA", "BBBB"}


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "\x1b[31m"])
def test_what_no_database_takes_is_left_out(odd: str) -> None:
    found = the_model(entry(AAGUID, MAKER, statuses=[(f"REVOKED{odd}", "2024-01-01")], description=f"A{odd} model"))
    assert found.description.isprintable()
    assert found.description.startswith("A")
    assert found.reports == ()


def test_zeros_are_no_model() -> None:
    assert read(SERVICE.blob(entry(bytes(16), MAKER))).models == ()
