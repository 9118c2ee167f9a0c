"""The verifier against a software authenticator, its flaws, the vectors of the standard, and noise."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import cbor2
import pytest

from authenticator import (
    BS,
    COUNTER_GOES_BACK,
    ED,
    EDDSA,
    ES256,
    FLAWLESS,
    LOGIN_FLAWS,
    REGISTRATION_FLAWS,
    RS256,
    UP,
    UV,
    Authenticator,
    Credential,
    Flaw,
    Json,
    b64url,
    flags,
    unb64url,
)
from keystead.adapters.attestation import vouched
from keystead.adapters.webauthn import (
    creation_options,
    parse_assertion,
    request_options,
    verify_assertion,
    verify_registration,
)
from keystead.errors import CeremonyRefused
from keystead.rules.authenticators import Attested
from keystead.rules.ceremonies import Assertion, Ceremony, KnownPasskey, NewPasskey
from keystead.rules.passkey_terms import PasskeyPolicy, Trust, UserVerification

RP_ID = "login.example.com"
ORIGIN = "https://login.example.com"
APP_ORIGIN = "android:apk-key-hash:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
HANDLE = b"a user handle of 32 random bytes"
ALGORITHMS = (EDDSA, ES256, RS256)

each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["EdDSA", "ES256", "RS256"])
VECTORS = json.loads((Path(__file__).parent.parent / "data" / "webauthn-vectors.json").read_text())


def ceremony(kind: str, uv: UserVerification = "preferred", **changes: object) -> Ceremony:
    """A ceremony of our relying party; the challenge of a login is not that of a registration."""
    record: dict[str, object] = {
        "kind": kind,
        "challenge": b64url(kind.encode().ljust(32, b"\xfb")),
        "rp_id": RP_ID,
        "origins": (ORIGIN, APP_ORIGIN),
        "user_verification": uv,
        "client_id": "client",
        "connection_id": "con_1",
        "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
        "algorithms": ALGORITHMS if kind != "login" else (),
        "user_handle": b64url(HANDLE) if kind != "login" else "",
    }
    return Ceremony.model_validate({**record, **changes})


def options_for(record: Ceremony) -> dict[str, object]:
    """The options that go out for a ceremony."""
    if not record.is_registration:
        return request_options(record, policy=PasskeyPolicy())
    return creation_options(
        record, rp_name=RP_ID, user_name="ann@example.com", user_display_name="Ann", policy=PasskeyPolicy()
    )


def known(passkey: NewPasskey) -> KnownPasskey:
    """What the database would give back."""
    return KnownPasskey(**passkey.model_dump(), user_handle=HANDLE)


def register(device: Authenticator, flaw: Flaw = FLAWLESS, origin: str = ORIGIN) -> NewPasskey:
    """One registration from options to verdict."""
    begun = ceremony("enrolment", "required" if flaw.uv_required else "preferred")
    return verify_registration(begun, device.create(options_for(begun), origin=origin, flaw=flaw))


def log_in(
    device: Authenticator,
    passkey: KnownPasskey,
    flaw: Flaw = FLAWLESS,
    *,
    origin: str = ORIGIN,
    credential: Credential | None = None,
) -> Assertion:
    """One login from options to verdict; the passkey is looked up in between."""
    begun = ceremony("login", "required" if flaw.uv_required else "preferred")
    answer = parse_assertion(device.get(options_for(begun), origin=origin, flaw=flaw, credential=credential))
    return verify_assertion(begun, answer, passkey)


def refused(step: str) -> pytest.RaisesExc[CeremonyRefused]:
    """Expect a refusal at that step and at no other."""
    return pytest.raises(CeremonyRefused, check=lambda refusal: refusal.detail.startswith(f"{step}: "))


# --- options -----------------------------------------------------------------------------------------------------


def test_creation_options_are_those_of_the_wire() -> None:
    options = options_for(ceremony("signup"))
    assert list(options) == ["challenge", "timeout", "rp", "pubKeyCredParams", "authenticatorSelection", "user"]
    assert options == {
        "challenge": ceremony("signup").challenge,
        "timeout": 60_000,
        "rp": {"id": RP_ID, "name": RP_ID},
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-8, -7, -257)],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "preferred"},
        "user": {"id": b64url(HANDLE), "name": "ann@example.com", "displayName": "Ann"},
    }


def test_creation_options_exclude_what_the_person_has() -> None:
    options = creation_options(
        ceremony("enrolment"),
        rp_name=RP_ID,
        user_name="ann",
        user_display_name="",
        policy=PasskeyPolicy(),
        exclude=[(b"\xff\xfe", ("usb", "nfc")), (b"two", ())],
    )
    assert options["excludeCredentials"] == [
        {"id": "__4", "type": "public-key", "transports": ["usb", "nfc"]},
        {"id": "dHdv", "type": "public-key"},
    ]


def test_request_options_name_nobody() -> None:
    options = options_for(ceremony("login", "required"))
    assert list(options) == ["challenge", "timeout", "rpId", "userVerification"]
    assert options == {
        "challenge": ceremony("login").challenge,
        "timeout": 60_000,
        "rpId": RP_ID,
        "userVerification": "required",
    }


# --- what must pass ----------------------------------------------------------------------------------------------


@each_algorithm
@pytest.mark.parametrize("attestation", ["none", "packed"])
def test_registers_and_logs_in(algorithm: int, attestation: Any) -> None:
    device = Authenticator(algorithms=(algorithm,), attestation=attestation)
    passkey = register(device)
    assert passkey == NewPasskey(
        credential_id=device.credentials[0].id,
        public_key=passkey.public_key,
        algorithm=algorithm,
        sign_count=0,
        aaguid="b84e4048-15dc-4dd0-839e-fc3ec0ee5b16",
        transports=("internal", "hybrid"),
        backup_eligible=True,
        backed_up=True,
        user_verified=True,
        attestation_format=attestation,
        trust="self" if attestation == "packed" else "none",
        attachment="platform",
    )
    verdict = log_in(device, known(passkey))
    assert verdict == Assertion(sign_count=0, backed_up=True, user_verified=True, attachment="platform")


def test_every_origin_of_the_ceremony_will_do() -> None:
    device = Authenticator()
    passkey = register(device, origin=APP_ORIGIN)
    assert log_in(device, known(passkey), origin=APP_ORIGIN).user_verified


def test_flags_and_counter_are_reported() -> None:
    device = Authenticator(synced=False, verifies=False, counts=True, attachment="cross-platform")
    passkey = register(device)
    assert (passkey.backup_eligible, passkey.backed_up, passkey.user_verified) == (False, False, False)
    verdicts = [log_in(device, known(passkey)) for _ in range(2)]
    assert [verdict.sign_count for verdict in verdicts] == [1, 2]
    assert not verdicts[0].user_verified
    assert verdicts[0].attachment == "cross-platform"


def test_a_counter_that_goes_back_is_reported_and_not_judged() -> None:
    device = Authenticator(synced=False, counts=True)
    passkey = known(register(device)).model_copy(update={"sign_count": 2})
    for _ in range(2):
        log_in(device, passkey)
    assert log_in(device, passkey, COUNTER_GOES_BACK).sign_count == 1


def test_synced_passkeys_may_stop_being_backed_up() -> None:
    device = Authenticator()
    passkey = known(register(device))
    not_backed_up = Flaw(fields=lambda fields: replace(fields, flags=fields.flags & ~BS))
    assert not log_in(device, passkey, not_backed_up).backed_up


def without(name: str) -> Callable[[Json], Json]:
    """Make an edit that takes a member away."""
    return lambda holder: {key: value for key, value in holder.items() if key != name}


ALLOWED = {
    "more client data": Flaw(
        client=lambda members: {**members, "other_keys_can_be_added_here": 1, "tokenBinding": "x"}
    ),
    "no crossOrigin": Flaw(client=without("crossOrigin")),
    "a byte order mark": Flaw(client_json=lambda octets: b"\xef\xbb\xbf" + octets),
    "escapes": Flaw(client_json=lambda octets: octets.replace(b"webauthn", b"web\\u0061uthn")),
    "more members": Flaw(response=lambda whole: {**whole, "hint": 1}),
    "extension outputs": Flaw(response=lambda whole: {**whole, "clientExtensionResults": {"prf": {"enabled": True}}}),
    "no extension outputs": Flaw(response=without("clientExtensionResults")),
    "no attachment": Flaw(response=without("authenticatorAttachment")),
    "authenticator extensions": Flaw(
        fields=lambda fields: replace(fields, flags=fields.flags | ED),
        authenticator_data=lambda octets: octets + b"\xa1\x68credProp\xf5",
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_standard_allows_passes(name: str) -> None:
    device = Authenticator()
    passkey = register(device, ALLOWED[name])
    assert log_in(device, known(passkey), ALLOWED[name])


@pytest.mark.parametrize("sent", ["in-the-cloud", "", None, 7, ["platform"]])
def test_an_attachment_that_we_do_not_know_counts_as_not_said(sent: object) -> None:
    device = Authenticator()
    odd = Flaw(response=lambda whole: {**whole, "authenticatorAttachment": sent})
    assert log_in(device, known(register(device)), odd).attachment == ""


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(["usb", "usb", "smart-card"], ("usb", "smart-card")), ([], ()), (["thought-transfer"], ("thought-transfer",))],
)
def test_transports_are_kept_once_each_even_unknown_ones(sent: list[str], kept: tuple[str, ...]) -> None:
    assert register(Authenticator(transports=tuple(sent))).transports == kept


def test_a_response_of_strings_only_is_enough() -> None:
    begun = ceremony("signup")
    response = Authenticator().create(options_for(begun), origin=ORIGIN)
    inner = response["response"]
    assert isinstance(inner, dict)
    response["response"] = {name: inner[name] for name in ("clientDataJSON", "attestationObject")}
    assert verify_registration(begun, response).transports == ()


def test_a_credential_id_of_1023_bytes_passes() -> None:
    device = Authenticator()
    passkey = register(device, Flaw(credential_id=lambda _: b"x" * 1023))
    assert log_in(device, known(passkey))


# --- what must not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTRATION_FLAWS)
def test_refuses_a_flawed_registration(name: str) -> None:
    flaw = REGISTRATION_FLAWS[name]
    device = Authenticator(algorithms=(ES256,))
    with refused(f"§7.1 step {flaw.registration}") as refusal:
        register(device, flaw)
    assert refusal.value.text == CeremonyRefused.default_text
    assert register(device)


@pytest.mark.parametrize("name", LOGIN_FLAWS)
@each_algorithm
def test_refuses_a_flawed_login(
    name: str, algorithm: int, devices: "dict[int, tuple[Authenticator, KnownPasskey]]"
) -> None:
    flaw = LOGIN_FLAWS[name]
    device, passkey = devices[algorithm]
    with refused(f"§7.2 step {flaw.login}") as refusal:
        log_in(device, passkey, flaw)
    assert refusal.value.text == CeremonyRefused.default_text
    assert log_in(device, passkey)


@pytest.fixture(scope="module")
def devices() -> dict[int, tuple[Authenticator, KnownPasskey]]:
    """One device for each algorithm, with a passkey; logins leave nothing behind on either side."""
    made = {algorithm: Authenticator(algorithms=(algorithm,)) for algorithm in ALGORITHMS}
    return {algorithm: (device, known(register(device))) for algorithm, device in made.items()}


@pytest.mark.parametrize("value", [None, [], "", 7, True, {}, {"response": {}}, [{}]])
def test_refuses_what_is_no_credential_at_all(value: object) -> None:
    with refused("§7.1 step 3"):
        verify_registration(ceremony("signup"), value)
    with refused("§7.2 step 3"):
        parse_assertion(value)


def test_user_verification_counts_as_the_ceremony_was_begun() -> None:
    device = Authenticator(verifies=False)
    strict = ceremony("signup", "required")
    lenient_options = {**options_for(strict), "authenticatorSelection": {"userVerification": "discouraged"}}
    with refused("§7.1 step 16"):
        verify_registration(strict, device.create(lenient_options, origin=ORIGIN))


@pytest.mark.parametrize("attestation", ["none", "packed"])
def test_nobody_need_be_there_for_what_a_browser_makes_by_itself(attestation: Any) -> None:
    """§7.1 step 15: as the ceremony was begun; nothing in the answer says so, and nothing else is forgone."""
    nobody, device = Flaw(fields=flags(off=UP)), Authenticator(attestation=attestation)
    for begun, passes in ((ceremony("enrolment"), False), (ceremony("enrolment", mediation="conditional"), True)):
        response = device.create(options_for(begun), origin=ORIGIN, flaw=nobody)
        if passes:
            assert verify_registration(begun, response).user_verified
        else:
            with refused("§7.1 step 15"):
                verify_registration(begun, response)
    begun = ceremony("enrolment", "required", mediation="conditional")
    with refused("§7.1 step 16"):
        verify_registration(
            begun, device.create(options_for(begun), origin=ORIGIN, flaw=Flaw(fields=flags(off=UP | UV)))
        )


@pytest.mark.parametrize("name", [name for name in REGISTRATION_FLAWS if name != "nobody present"])
def test_what_a_browser_makes_by_itself_is_refused_for_any_other_flaw(name: str) -> None:
    flaw = REGISTRATION_FLAWS[name]
    uv: UserVerification = "required" if flaw.uv_required else "preferred"
    begun = ceremony("enrolment", uv, mediation="conditional")
    with refused(f"§7.1 step {flaw.registration}"):
        verify_registration(begun, Authenticator().create(options_for(begun), origin=ORIGIN, flaw=flaw))


def test_a_login_needs_somebody_whatever_its_ceremony_says() -> None:
    """§7.2 step 16 knows no exception: a suggestion among others is still chosen by somebody."""
    device = Authenticator()
    passkey = known(register(device))
    begun = ceremony("login", mediation="conditional")
    answer = parse_assertion(device.get(options_for(begun), origin=ORIGIN, flaw=Flaw(fields=flags(off=UP))))
    with refused("§7.2 step 16"):
        verify_assertion(begun, answer, passkey)


def test_an_answer_fits_one_ceremony_only() -> None:
    device = Authenticator()
    passkey = known(register(device))
    response = device.create(options_for(ceremony("enrolment")), origin=ORIGIN)
    with refused("§7.1 step 8"):
        verify_registration(ceremony("signup"), response)
    with refused("§7.1 step 1"):
        verify_registration(ceremony("login"), response)
    answer = parse_assertion(device.get(options_for(ceremony("login")), origin=ORIGIN))
    with refused("§7.2 step 1"):
        verify_assertion(ceremony("enrolment"), answer, passkey)


def test_only_offered_algorithms_register() -> None:
    begun = ceremony("signup")
    response = Authenticator(algorithms=(ES256,)).create(options_for(begun), origin=ORIGIN)
    with refused("§7.1 step 20"):
        verify_registration(begun.model_copy(update={"algorithms": (EDDSA, RS256)}), response)


def test_a_passkey_verifies_nobody_elses_answer() -> None:
    ann, bob = Authenticator(), Authenticator()
    anns, bobs = known(register(ann)), known(register(bob))
    with refused("§7.2 step 6"):
        log_in(bob, anns)
    with refused("§7.2 step 21"):
        log_in(bob, anns.model_copy(update={"credential_id": bobs.credential_id}))
    assert log_in(ann, anns)
    assert log_in(bob, bobs)


@pytest.mark.parametrize("key", [b"", b"\xa0", b"\x04" + bytes(64), b"\xff" * 70])
def test_a_stored_key_that_is_broken_refuses_the_login(key: bytes) -> None:
    device = Authenticator()
    passkey = known(register(device))
    with refused("§7.2 step 21"):
        log_in(device, passkey.model_copy(update={"public_key": key}))


# --- the vectors of the standard, §16 ----------------------------------------------------------------------------


VECTOR_NAMES = [vector["name"] for vector in VECTORS["credentials"]]
REFUSED_REGISTRATIONS = {
    "none-es256-crossOrigin": "§7.1 step 10",
    "none-es256-topOrigin": "§7.1 step 10",  # its crossOrigin is true as well
    "packed-es384": "§7.1 step 20",
    "packed-es512": "§7.1 step 20",
    "packed-ed448": "§7.1 step 20",
    "tpm-es256": "§7.1 step 22",  # a manufacturer that does not exist
    "android-key-es256": "§7.1 step 22",  # nothing says that hardware made the key
    "fido-u2f-es256": "§7.1 step 22",  # U2F has no AAGUID, this one has
}
REFUSED_LOGINS = {"none-es256-crossOrigin": "§7.2 step 13", "none-es256-topOrigin": "§7.2 step 13"}
UNOFFERED = {"packed-es384", "packed-ed448"}
"""Their algorithms are none of py_webauthn's, nor of ours."""


def _vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(vector for vector in VECTORS["credentials"] if vector["name"] == name)
    return found


def _vector_ceremony(vector: dict[str, Any], kind: str, uv: UserVerification = "preferred") -> Ceremony:
    half = vector["registration" if kind != "login" else "authentication"]
    return ceremony(kind, uv, challenge=half["challenge_b64url"], rp_id="example.org", origins=("https://example.org",))


def _vector_registration(vector: dict[str, Any], uv: UserVerification = "preferred") -> tuple[Ceremony, Json]:
    half = vector["registration"]
    inner = {name: half[f"{name}_b64url"] for name in ("clientDataJSON", "attestationObject")}
    return _vector_ceremony(vector, "signup", uv), _vector_json(vector, inner)


def _vector_login(vector: dict[str, Any], uv: UserVerification = "preferred") -> tuple[Ceremony, Json]:
    half = vector["authentication"]
    inner = {name: half[f"{name}_b64url"] for name in ("clientDataJSON", "authenticatorData", "signature")}
    return _vector_ceremony(vector, "login", uv), _vector_json(vector, {**inner, "userHandle": b64url(HANDLE)})


def _vector_json(vector: dict[str, Any], inner: Json) -> Json:
    credential_id = vector["registration"]["credential_id_b64url"]
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": inner}


def _attestation_of(vector: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = cbor2.loads(bytes.fromhex(vector["registration"]["attestationObject"]))
    return decoded


def _vector_passkey(vector: dict[str, Any]) -> KnownPasskey:
    """The stored half of a vector's credential, whatever the verdict on its registration."""
    authenticator_data = _attestation_of(vector)["authData"]
    key_start = 55 + vector["summary"]["credential_id_len"]
    return KnownPasskey(
        credential_id=authenticator_data[55:key_start],
        public_key=cbor2.dumps(cbor2.loads(authenticator_data[key_start:])),
        algorithm=vector["summary"]["cose_alg"],
        sign_count=0,
        backup_eligible=vector["summary"]["registration_flags"]["BE"],
        user_handle=HANDLE,
        aaguid=str(UUID(hex=vector["registration"]["aaguid"])),
        attestation_format=vector["summary"]["fmt"],
        trust=_vector_trust(_attestation_of(vector)),
    )


def _vector_trust(attestation: dict[str, Any]) -> Trust:
    if attestation["fmt"] == "none":
        return "none"
    return "untrusted_chain" if "x5c" in attestation["attStmt"] else "self"


@pytest.mark.parametrize("name", VECTOR_NAMES)
def test_vector_registrations_get_their_verdict(name: str) -> None:
    vector = _vector(name)
    begun, response = _vector_registration(vector)
    if name in REFUSED_REGISTRATIONS:
        with refused(REFUSED_REGISTRATIONS[name]):
            verify_registration(begun, response)
        return
    passkey = verify_registration(begun, response)
    assert known(passkey) == _vector_passkey(vector)
    assert passkey.attestation_format == vector["summary"]["fmt"]
    assert passkey.aaguid.replace("-", "") == vector["registration"]["aaguid"]
    assert list(passkey.certificates) == _attestation_of(vector)["attStmt"].get("x5c", [])
    attested = Attested(
        format=passkey.attestation_format,
        aaguid=passkey.aaguid,
        certificates=passkey.certificates,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    root = bytes.fromhex(VECTORS["attestation_root"]["attestation_ca_cert"])
    assert bool(vouched(attested, [root])) == bool(passkey.certificates)
    assert not vouched(attested, [])


@pytest.mark.parametrize("name", VECTOR_NAMES)
def test_vector_logins_get_their_verdict(name: str) -> None:
    vector = _vector(name)
    begun, response = _vector_login(vector)
    passkey = _vector_passkey(vector)
    step = REFUSED_LOGINS.get(name) or ("§7.2 step 21" if name in UNOFFERED else "")
    if step:
        with refused(step):
            verify_assertion(begun, parse_assertion(response), passkey)
        return
    verdict = verify_assertion(begun, parse_assertion(response), passkey)
    assert verdict.user_verified == vector["summary"]["authentication_flags"]["UV"]
    assert verdict.backed_up == vector["summary"]["authentication_flags"]["BS"]


@pytest.mark.parametrize("name", VECTOR_NAMES)
def test_vectors_without_user_verification_are_refused_where_it_is_required(name: str) -> None:
    vector = _vector(name)
    if not vector["summary"]["registration_flags"]["UV"]:
        with pytest.raises(CeremonyRefused, match=r"§7\.1 step (10|16): "):
            verify_registration(*_vector_registration(vector, "required"))
    if not vector["summary"]["authentication_flags"]["UV"]:
        begun, response = _vector_login(vector, "required")
        with refused("§7.2 step 17"):
            verify_assertion(begun, parse_assertion(response), _vector_passkey(vector))


# --- noise -------------------------------------------------------------------------------------------------------


ODDITIES: list[object] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "A",
    "AA",
    "=",
    "\ud800",
    [],
    [[]],
    {},
    {"a": []},
    "A" * 9999,
]


def _noise_in_bytes(chance: random.Random, octets: bytes) -> bytes:
    """Flip, insert, delete or cut somewhere; never return what came in."""
    place = chance.randrange(len(octets))
    match chance.randrange(4):
        case 0:
            return octets[:place] + bytes([octets[place] ^ chance.randrange(1, 256)]) + octets[place + 1 :]
        case 1:
            return octets[:place] + chance.randbytes(chance.randrange(1, 9)) + octets[place:]
        case 2:
            return octets[:place] + octets[place + chance.randrange(1, 9) :]
        case _:
            return octets[:place]


def _noise_in_response(chance: random.Random, response: Json, signed: tuple[str, ...]) -> Json:
    """Make noise in one member that is signed or compared; the others are the browser's own and may be anything."""
    inner = dict(_inner(response))
    name = chance.choice(signed)
    holder = inner if name in inner else (response := dict(response))
    text = holder[name]
    assert isinstance(text, str)
    if chance.random() < 0.2:
        holder[name] = chance.choice(ODDITIES)
    else:
        holder[name] = b64url(_noise_in_bytes(chance, unb64url(text))) if name != "type" else text[1:]
    return {**response, "response": inner}


def _inner(response: Json) -> Json:
    inner = response["response"]
    assert isinstance(inner, dict)
    return inner


def _survivors(rounds: int, attempt: Callable[[random.Random], object]) -> int:
    """Count the attempts that were not refused. Whatever else is raised fails the test that calls."""
    chance, passed = random.Random(20260730), 0  # noqa: S311 - repeatable noise, no secret
    for _ in range(rounds):
        try:
            attempt(chance)
        except CeremonyRefused:
            continue
        passed += 1
    return passed


@each_algorithm
def test_noise_in_a_login_is_refused_and_nothing_else(algorithm: int) -> None:
    device = Authenticator(algorithms=(algorithm,))
    passkey = known(register(device))
    begun = ceremony("login")
    response = device.get(options_for(begun), origin=ORIGIN)
    signed = ("id", "rawId", "type", "clientDataJSON", "authenticatorData", "signature", "userHandle")

    def attempt(chance: random.Random) -> None:
        verify_assertion(begun, parse_assertion(_noise_in_response(chance, response, signed)), passkey)

    assert _survivors(1500, attempt) == 0
    assert verify_assertion(begun, parse_assertion(response), passkey)


@each_algorithm
def test_noise_in_an_attested_registration_is_refused_and_nothing_else(algorithm: int) -> None:
    begun = ceremony("signup")
    response = Authenticator(algorithms=(algorithm,), attestation="packed").create(options_for(begun), origin=ORIGIN)
    signed = ("id", "rawId", "type", "clientDataJSON", "attestationObject")

    def attempt(chance: random.Random) -> None:
        verify_registration(begun, _noise_in_response(chance, response, signed))

    assert _survivors(1500, attempt) == 0
    assert verify_registration(begun, response)


@each_algorithm
def test_noise_in_a_plain_registration_never_ends_in_anything_but_a_refusal(algorithm: int) -> None:
    begun = ceremony("signup")
    device = Authenticator(algorithms=(algorithm,))
    response = device.create(options_for(begun), origin=ORIGIN)

    def attempt(chance: random.Random) -> None:
        passkey = verify_registration(begun, _noise_in_response(chance, response, ("attestationObject",)))
        assert passkey.credential_id == device.credentials[0].id

    assert _survivors(1500, attempt) < 400  # nobody signed the AAGUID, the counter and the numbers of an RSA key
    assert verify_registration(begun, response)


@pytest.mark.parametrize(
    "stage", ["client_json", "public_key", "authenticator_data", "attestation_object", "signature"]
)
def test_noise_that_is_signed_over_never_ends_in_anything_but_a_verdict(stage: str) -> None:
    device = Authenticator(algorithms=(EDDSA,))
    passkey = known(register(device))

    def attempt(chance: random.Random) -> None:
        edit: dict[str, Any] = {stage: lambda octets: _noise_in_bytes(chance, octets)}
        noisy = Flaw(**edit)
        if chance.random() < 0.5:
            register(device, replace(noisy, packed=True))
        else:
            assert log_in(device, passkey, noisy, credential=device.credentials[0])

    rounds = 1000
    assert 0 <= _survivors(rounds, attempt) < rounds
    assert log_in(device, passkey, credential=device.credentials[0])
