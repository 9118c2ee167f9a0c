"""Statements of every format, right and wrong; and chains: who vouches for whom, and as of when."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from webauthn.helpers.known_root_certs import apple_webauthn_root_ca

from attestation import APPLE, END, NIL, START, Authority, Maker, der, key_description, other, subject
from authenticator import AAGUID, EDDSA, ES256, RS256, Attester, Authenticator, KeyPair, b64url, unb64url
from keystead.adapters.attestation import CERTIFICATES, CHAIN_BYTES, is_readable, model_of, vouched
from keystead.adapters.webauthn import creation_options, verify_registration
from keystead.errors import CeremonyRefused
from keystead.rules.authenticators import Attested
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.passkey_terms import PasskeyPolicy

ORIGIN = "https://login.example.com"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MAKER, STRANGER = Maker(), Maker("Somebody's authority")
BEGUN = Ceremony(
    kind="enrolment",
    challenge="fv" * 21 + "A",
    rp_id="login.example.com",
    origins=(ORIGIN,),
    user_verification="preferred",
    algorithms=(EDDSA, ES256, RS256),
    attestation="direct",
    client_id="client",
    connection_id="con_1",
    expires_at=NOW,
    user_handle="aGFuZGxl",
)


def register(attester: Attester, aaguid: bytes = AAGUID, algorithm: int = ES256) -> NewPasskey:
    """One registration from options to verdict."""
    device = Authenticator(algorithms=(algorithm,), attester=attester, aaguid=aaguid)
    options = creation_options(BEGUN, rp_name="", user_name="ann", user_display_name="", policy=PasskeyPolicy())
    return verify_registration(BEGUN, device.create(options, origin=ORIGIN))


def attested(passkey: NewPasskey, at: datetime = NOW) -> Attested:
    """What is kept of it."""
    return Attested(format=passkey.attestation_format, aaguid=passkey.aaguid, certificates=passkey.certificates, at=at)


def refused(why: str) -> pytest.RaisesExc[CeremonyRefused]:
    """Expect the refusal that names it."""
    return pytest.raises(
        CeremonyRefused, check=lambda refusal: "§7.1 step 22: " in refusal.detail and why in refusal.detail
    )


RIGHT: dict[str, tuple[Attester, bytes]] = {
    "packed": (MAKER.packed(), AAGUID),
    "packed, without an AAGUID": (MAKER.packed([MAKER.leaf(None)]), AAGUID),
    "packed, with the root behind it": (MAKER.packed([MAKER.leaf(), MAKER.certificate]), AAGUID),
    "tpm": (MAKER.tpm(), AAGUID),
    "tpm, with an AAGUID": (MAKER.tpm(AAGUID), AAGUID),
    "android-key": (MAKER.android(), AAGUID),
    "android-key of a later version": (MAKER.android(unknown=True), AAGUID),
    "apple": (MAKER.apple(), APPLE),
    "fido-u2f": (MAKER.u2f(), NIL),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_statement_passes_and_its_chain_is_judged_apart(name: str) -> None:
    attester, aaguid = RIGHT[name]
    passkey = register(attester, aaguid)
    assert passkey.attestation_format == name.partition(",")[0].partition(" ")[0]
    assert passkey.trust == "untrusted_chain", "nobody has vouched yet"
    assert vouched(attested(passkey), [STRANGER.certificate, MAKER.certificate])
    assert not vouched(attested(passkey), [STRANGER.certificate])
    assert not vouched(attested(passkey), [])


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_the_attestation_key_need_not_be_of_the_credentials_kind(algorithm: int) -> None:
    assert register(MAKER.packed(), algorithm=algorithm).algorithm == algorithm


WRONG: dict[str, tuple[Attester, str]] = {
    "packed for another model": (MAKER.packed([MAKER.leaf(bytes(16))]), "another AAGUID"),
    "packed by an authority": (MAKER.packed([MAKER.leaf(authority=True)]), "authority's"),
    "packed by another unit": (MAKER.packed([MAKER.leaf(name=subject("Sales"))]), "no authenticator"),
    "packed from nowhere": (MAKER.packed([MAKER.leaf(name=subject(country=""))]), "incomplete"),
    "packed by another key": (MAKER.packed([STRANGER.leaf()]), "signature"),
    "packed with a leaf that signed nothing": (MAKER.packed([MAKER.certificate, MAKER.leaf()]), "no authenticator"),
    "packed with too many certificates": (MAKER.packed([MAKER.leaf()] * (CERTIFICATES + 1)), "x5c"),
    "packed with certificates too large": (
        MAKER.packed([MAKER.leaf(), MAKER.issue(MAKER.batch, subject(), other("1.2.3", bytes(CHAIN_BYTES)))]),
        "more than",
    ),
    "packed with a broken certificate behind": (MAKER.packed([MAKER.leaf(), b"0"]), "ValueError"),
    "packed by SHA-384": (MAKER.packed(alg=-35), ""),
    "tpm for another model": (MAKER.tpm(bytes(15) + b"1"), "another AAGUID"),
    "tpm whose name is by another hash": (MAKER.tpm(name_algorithm="000c"), "another hash"),
    "tpm with a key on another curve": (MAKER.tpm(curve="0020"), "another curve"),
    "tpm of nobody": (MAKER.tpm(manufacturer="id:00000000"), "Manufacturer"),
    "apple for another ceremony": (MAKER.apple(nonce=bytes(32)), "another ceremony"),
    "apple for another key": (MAKER.apple(other_key=True), "another key"),
    "android-key for another key": (MAKER.android(other_key=True), "another key"),
    "android-key for another ceremony": (MAKER.android(challenge=bytes(32)), "attestationChallenge"),
    "android-key for every application": (MAKER.android(everywhere="software"), "every application"),
    "android-key for every application, by hardware": (MAKER.android(everywhere="hardware"), "every application"),
    "android-key that was brought in": (MAKER.android(origin=2), "hardware"),
    "android-key that does more than sign": (MAKER.android(purposes=(1, 2)), "hardware"),
    "android-key that verifies": (MAKER.android(purposes=(3,)), "hardware"),
    "fido-u2f with a chain": (MAKER.u2f([MAKER.leaf(None), MAKER.certificate]), "too many"),
    "fido-u2f with an AAGUID": (MAKER.u2f(), "AAGUID"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_statement_is_refused_whoever_vouches(name: str) -> None:
    attester, why = WRONG[name]
    with refused(why):
        register(attester, NIL if name == "fido-u2f with a chain" else AAGUID)


def test_safetynet_is_refused() -> None:
    with pytest.raises(CeremonyRefused, match=r"§7\.1 step 21"):
        register(lambda pair, data, client: ("android-safetynet", {"ver": "1", "response": b"x"}))


@pytest.mark.parametrize("flip", range(0, 120, 7))
def test_a_broken_key_description_is_refused_and_nothing_else(flip: int) -> None:
    def attest(pair: KeyPair, data: bytes, client: bytes) -> tuple[str, dict[str, object]]:
        form, statement = MAKER.android()(pair, data, client)
        whole = key_description(bytes(32))
        broken = whole[: flip % len(whole)] + b"\xff" + whole[flip % len(whole) + 1 :]
        extension = other("1.3.6.1.4.1.11129.2.1.17", broken)
        return form, {**statement, "x5c": [MAKER.issue(pair, subject("Android"), extension)]}

    with refused(""):
        register(attest)


def test_a_length_in_long_form_is_read() -> None:
    assert len(key_description(bytes(32), unknown=True)) > 255
    assert der(b"\x04", bytes(300))[:4] == b"\x04\x82\x01\x2c"


# --- chains ------------------------------------------------------------------------------------------------------


MIDDLE = Authority("Middle")
MIDDLE_CERTIFICATE = MAKER.issue(MIDDLE.pair, subject("Authority", name="Middle"), authority=True)
LEAF = MIDDLE.issue(MAKER.batch, subject())


def chain(*certificates: bytes, at: datetime = NOW) -> Attested:
    """A chain of a packed attestation."""
    return Attested(format="packed", aaguid=str(UUID(bytes=AAGUID)), certificates=certificates, at=at)


def test_a_chain_may_go_by_way_of_others() -> None:
    assert vouched(chain(LEAF, MIDDLE_CERTIFICATE), [MAKER.certificate])
    assert not vouched(chain(LEAF), [MAKER.certificate]), "a link is missing"


def test_metadata_may_name_an_authority_in_the_middle_or_the_leaf_itself() -> None:
    assert vouched(chain(LEAF), [MIDDLE_CERTIFICATE])
    assert vouched(chain(LEAF), [LEAF])


def test_a_leaf_that_is_named_vouches_for_nobody_else() -> None:
    forged = Authority("Authenticator", MAKER.batch)
    below = x509.load_der_x509_certificate(MAKER.leaf()).subject
    assert below.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == forged.name
    victim = forged.issue(STRANGER.batch, subject())
    assert not vouched(chain(victim, MAKER.leaf()), [MAKER.leaf()])


def test_a_root_that_the_chain_brings_is_none() -> None:
    """GHSA-6hxq-p678-4hr2."""
    assert not vouched(chain(STRANGER.leaf(), STRANGER.certificate), [MAKER.certificate])
    assert not vouched(chain(STRANGER.leaf(), STRANGER.certificate), [])
    namesake = Maker(MAKER.name)
    assert not vouched(chain(namesake.leaf(), namesake.certificate), [MAKER.certificate]), "a name is no key"


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (START, True),
        (END, True),
        (START - timedelta(days=1), False),
        (END + timedelta(days=1), False),
    ],
)
def test_certificates_count_as_of_the_registration(at: datetime, holds: bool) -> None:
    assert bool(vouched(chain(MAKER.leaf(), at=at), [MAKER.certificate])) == holds


def test_of_two_roots_of_one_name_either_will_do() -> None:
    """Makers renew their keys and keep their names."""
    namesake = Maker(MAKER.name)
    for roots in ([namesake.certificate, MAKER.certificate], [MAKER.certificate, namesake.certificate]):
        assert vouched(chain(MAKER.leaf()), roots)
        assert vouched(chain(namesake.leaf()), roots)


def test_a_chain_holds_as_long_as_each_of_its_certificates() -> None:
    start, end = NOW - timedelta(days=3), NOW + timedelta(days=4)
    middle = MAKER.issue(MIDDLE.pair, subject("Authority", name="Middle"), authority=True, end=end)
    leaf = MIDDLE.issue(MAKER.batch, subject(), start=start)
    assert vouched(chain(leaf, middle), [MAKER.certificate]) == (start, end)
    assert vouched(chain(leaf), [leaf]) == (start, END)


def test_one_expired_certificate_breaks_the_chain() -> None:
    late = MAKER.leaf(end=NOW - timedelta(days=1))
    assert vouched(chain(late, at=NOW - timedelta(days=2)), [MAKER.certificate])
    assert not vouched(chain(late), [MAKER.certificate])


def test_a_certificate_between_must_be_an_authoritys() -> None:
    no_authority = MAKER.issue(MIDDLE.pair, subject("Authority", name="Middle"))
    assert not vouched(chain(LEAF, no_authority), [MAKER.certificate])


def test_what_is_no_certificate_vouches_for_nobody() -> None:
    assert not vouched(chain(MAKER.leaf()), [b"0"])
    assert not vouched(chain(b"0"), [MAKER.certificate])
    assert not is_readable(b"0")
    assert is_readable(MAKER.certificate)


@pytest.mark.parametrize(
    ("form", "aaguid", "holds"),
    [("apple", APPLE, True), ("apple", AAGUID, False), ("apple", NIL, False), ("packed", APPLE, False)],
)
def test_apples_root_vouches_for_apples_model_alone(form: str, aaguid: bytes, holds: bool) -> None:
    """Its authority signs whatever a device hashes, be it with the AAGUID of somebody's security key."""
    root = x509.load_pem_x509_certificate(apple_webauthn_root_ca).public_bytes(Encoding.DER)
    shown = Attested(format=form, aaguid=str(UUID(bytes=aaguid)), certificates=(root,), at=NOW)
    assert bool(vouched(shown, [])) == holds


def test_a_model_is_named_by_its_aaguid_or_by_its_attestation_key() -> None:
    assert model_of(chain(MAKER.leaf())) == str(UUID(bytes=AAGUID))
    u2f = attested(register(MAKER.u2f(), NIL))
    leaf = x509.load_der_x509_certificate(u2f.certificates[0])
    assert model_of(u2f) == x509.SubjectKeyIdentifier.from_public_key(leaf.public_key()).digest.hex()
    assert model_of(u2f) != model_of(attested(register(STRANGER.u2f(), NIL)))


@pytest.mark.parametrize("name", RIGHT)
def test_noise_in_a_statement_never_ends_in_anything_but_a_verdict(name: str) -> None:
    attester, aaguid = RIGHT[name]
    chance = random.Random(20260730)  # noqa: S311 - repeatable noise, no secret
    options = creation_options(BEGUN, rp_name="", user_name="ann", user_display_name="", policy=PasskeyPolicy())
    device = Authenticator(algorithms=(ES256,), attester=attester, aaguid=aaguid)
    response = device.create(options, origin=ORIGIN)
    inner = response["response"]
    assert isinstance(inner, dict)
    whole = unb64url(str(inner["attestationObject"]))
    refusals = 0
    for _ in range(300):
        place = chance.randrange(len(whole))
        noisy = whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1 :]
        try:
            passkey = verify_registration(
                BEGUN, {**response, "response": {**inner, "attestationObject": b64url(noisy)}}
            )
        except CeremonyRefused:
            refusals += 1
        else:
            assert passkey.credential_id == device.credentials[0].id
            assert not vouched(attested(passkey), [STRANGER.certificate])
    assert refusals > 100
