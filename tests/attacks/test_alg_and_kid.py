"""Games with ``alg`` and ``kid``, at the doors of a server that has keys of three algorithms (RFC 8725 §2)."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authenticator import b64url, unb64url
from keystead.adapters.sealing import Sealer
from keystead.db import keys
from keystead.errors import InvalidToken
from keystead.oauth.key_pairs import opened
from keystead.oauth.keys import KeyRing
from world import CountingEntropy, World

Header = dict[str, Any]
ALGORITHMS = ("RS256", "ES256", "Ed25519")
TYPE = "at+jwt"


def part(value: object) -> str:
    return b64url(json.dumps(value, separators=(",", ":")).encode())


def header_of(token: str) -> Header:
    found: Header = json.loads(unb64url(token.partition(".")[0]))
    return found


def ring_of(world: World) -> KeyRing:
    found: KeyRing = world.app.state.flows.keys
    return found


async def good(world: World, algorithm: str = "RS256") -> str:
    """Return a token that the server takes."""
    now = int(world.clock().timestamp())
    token = await ring_of(world).sign({"iat": now, "exp": now + 60, "sub": "ann"}, TYPE, algorithm)
    await ring_of(world).verify(token, TYPE)
    return token


async def refuse(world: World, token: str) -> None:
    """Fail where the token is taken."""
    with pytest.raises(InvalidToken):
        await ring_of(world).verify(token, TYPE)


def bent(token: str, signature: str | None = None, **members: Any) -> str:
    """Return a token with other members in its header; one that is ``None`` is left out."""
    _, payload, old = token.split(".")
    header = {name: value for name, value in (header_of(token) | members).items() if value is not None}
    return f"{part(header)}.{payload}.{old if signature is None else signature}"


def hmac_signed(token: str, secret: bytes, **members: Any) -> str:
    signed = bent(token, "", **members).rpartition(".")[0]
    return f"{signed}.{b64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


async def our_private_half(world: World) -> rsa.RSAPrivateKey:
    """Return what nobody outside has: to sign what the server never would."""
    sealer = Sealer(world.settings.secret_keys, CountingEntropy())
    (record,) = await world.db.read(keys.known, "RS256")
    found = opened(record, sealer)
    assert isinstance(found, rsa.RSAPrivateKey)
    return found


async def certificate(world: World, algorithm: str) -> x509.Certificate:
    published = (await world.client.get("/.well-known/keystead-jwks.json")).json()["keys"]
    (found,) = (key for key in published if key["alg"] == algorithm)
    return x509.load_der_x509_certificate(base64.b64decode(found["x5c"][0]))


# --- V9.1.2: the algorithm is the key's --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("claimed", ["none", "None", "NONE", "nOnE", "", None])
async def test_v9_1_2_no_algorithm_is_none(shared_world: World, algorithm: str, claimed: str | None) -> None:
    token = await good(shared_world, algorithm)
    for signature in ("", None):
        await refuse(shared_world, bent(token, signature, alg=claimed))


OTHERS = ("RS256", "ES256", "Ed25519", "EdDSA", "PS256", "RS384", "RS512", "ES384", "HS256", "rs256", "ED25519")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("claimed", OTHERS)
async def test_v9_1_2_an_algorithm_that_is_not_the_key_s(shared_world: World, algorithm: str, claimed: str) -> None:
    """``EdDSA`` is what Ed25519 was called before; a key has one name, or two headers would mean one signature."""
    if claimed != algorithm:
        await refuse(shared_world, bent(await good(shared_world, algorithm), alg=claimed))


FORMS: dict[str, Callable[[x509.Certificate], bytes]] = {
    "PEM": lambda found: found.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": lambda found: found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "certificate": lambda found: found.public_bytes(Encoding.PEM),
    "nothing": lambda found: b"",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("form", FORMS)
async def test_v9_1_2_hs256_with_a_public_key_for_its_secret(shared_world: World, algorithm: str, form: str) -> None:
    token, secret = await good(shared_world, algorithm), FORMS[form](await certificate(shared_world, algorithm))
    for secret_form in (secret, secret.strip()):
        await refuse(shared_world, hmac_signed(token, secret_form, alg="HS256"))
        await refuse(shared_world, hmac_signed(token, secret_form))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
async def test_v9_1_2_a_kid_of_another_algorithm(shared_world: World, algorithm: str, other: str) -> None:
    """ES256 under the RSA key's ``kid``, and every other pair."""
    if algorithm == other:
        return
    token, kid = await good(shared_world, algorithm), header_of(await good(shared_world, other))["kid"]
    await refuse(shared_world, bent(token, kid=kid))
    await refuse(shared_world, bent(token, kid=kid, alg=other))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_v9_1_2_a_stranger_s_signature_under_our_kid(shared_world: World, algorithm: str) -> None:
    token = await good(shared_world, algorithm)
    signed = token.rpartition(".")[0]
    await refuse(shared_world, f"{signed}.{b64url(by_stranger(algorithm, signed.encode()))}")
    for length in (0, 1, 63, 64, 65, 256):  # all zero: r = s = 0 once passed for ES256 elsewhere
        await refuse(shared_world, f"{signed}.{b64url(bytes(length))}")


def by_stranger(algorithm: str, signed: bytes) -> bytes:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048).sign(signed, padding.PKCS1v15(), SHA256())
    if algorithm == "ES256":
        r, s = decode_dss_signature(ec.generate_private_key(ec.SECP256R1()).sign(signed, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return Ed25519PrivateKey.generate().sign(signed)


# --- V9.1.3: the key is ours, by its exact name ------------------------------------------------------------------


def kids(kid: str) -> dict[str, Any]:
    return {
        "a path": "../../../dev/null",
        "a path to it": f"./{kid}",
        "a file": "/proc/self/environ",
        "a URL": f"https://evil.example/{kid}",
        "white space behind": f"{kid} ",
        "white space before": f" {kid}",
        "a line break": f"{kid}\n",
        "a tab": f"\t{kid}",
        "NUL behind": f"{kid}\x00",
        "another case": kid.swapcase(),
        "a beginning": kid[:-1],
        "nothing": "",
        "left out": None,
        "a wildcard": "%",
        "SQL": "' OR '1'='1",
        "a list": [kid],
        "an object": {"kid": kid},
        "a number": 0,
        "a truth": True,
        "unknown": "AAAAAAAAAAAAAAAAAAAAAA",
    }


@pytest.mark.parametrize("what", kids("k"))
async def test_v9_1_3_a_kid_is_an_exact_string(shared_world: World, what: str) -> None:
    token = await good(shared_world)
    await refuse(shared_world, bent(token, kid=kids(header_of(token)["kid"])[what]))


@pytest.mark.parametrize("member", ["jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256", "crit", "b64", "cty", "zip", "epk"])
async def test_v9_1_3_a_header_that_brings_its_own_key(shared_world: World, member: str) -> None:
    """Refused by its form alone: also where the signature is good, as it would be if we had written such a header."""
    stranger = rsa.generate_private_key(65537, 2048)
    numbers = stranger.public_key().public_numbers()
    token = await good(shared_world)
    brought: dict[str, Any] = {
        "jwk": {"kty": "RSA", "n": b64url(numbers.n.to_bytes(256, "big")), "e": "AQAB", "kid": header_of(token)["kid"]},
        "x5c": ["MIIB"],
        "crit": ["b64"],
        "b64": False,
    }
    members = {member: brought.get(member, "https://evil.example/keys.json")}
    signed = bent(token, "", **members).rpartition(".")[0]
    theirs = stranger.sign(signed.encode(), padding.PKCS1v15(), SHA256())
    await refuse(shared_world, f"{signed}.{b64url(theirs)}")
    private = await our_private_half(shared_world)
    good_signature = private.sign(signed.encode(), padding.PKCS1v15(), SHA256())
    await refuse(shared_world, f"{signed}.{b64url(good_signature)}")


async def test_v9_1_3_nothing_of_a_stranger_s_keys_is_fetched_or_kept(world: World) -> None:
    """A token that names an unknown key leaves the ring as it was."""
    before = (await world.client.get("/.well-known/keystead-jwks.json")).json()
    token = await good(world)
    for _ in range(3):
        world.clock.advance(seconds=5)
        await refuse(world, bent(token, kid="stranger", jku="https://evil.example/keys.json"))
        await refuse(world, bent(token, kid="stranger"))
    assert (await world.client.get("/.well-known/keystead-jwks.json")).json() == before


# --- V9.2.1: late is late, but for hints -------------------------------------------------------------------------


async def test_v9_2_1_only_a_hint_may_be_late(world: World) -> None:
    token = await good(world)
    world.clock.advance(seconds=60)
    await refuse(world, token)
    assert (await ring_of(world).verify(token, TYPE, late=True))["sub"] == "ann"
    for wrong in (bent(token, kid="stranger"), bent(token, alg="none"), token[:-4] + "AAAA"):
        with pytest.raises(InvalidToken):
            await ring_of(world).verify(wrong, TYPE, late=True)
    with pytest.raises(InvalidToken):
        await ring_of(world).verify(token, "JWT", late=True)


async def test_v9_2_1_a_hint_from_the_future_or_without_times_is_none(world: World) -> None:
    now, ring = int(world.clock().timestamp()), ring_of(world)
    for claims in ({"iat": now + 3600, "exp": now + 7200}, {"iat": now}, {"exp": now}, {"iat": now, "exp": "soon"}):
        with pytest.raises(InvalidToken):
            await ring.verify(await ring.sign(claims, TYPE), TYPE, late=True)


# --- keys that are gone ------------------------------------------------------------------------------------------


async def test_a_token_cannot_be_signed_with_what_the_database_still_holds_of_a_replaced_key(world: World) -> None:
    """Whoever reads a copy of the database, and even has the secret key, finds the private halves of today alone."""
    token = await good(world)
    await world.manage("POST", "/keys/signing/rotate")
    sealed = await world.db.read(lambda session: session.connection().exec_driver_sql(SEALED).all())
    assert {kid for kid, length in sealed if not length} == {header_of(token)["kid"]}


SEALED = "SELECT kid, length(sealed_private) FROM signing_key"


async def test_a_revoked_key_is_refused_whatever_the_token_says(world: World) -> None:
    token = await good(world)
    kid = header_of(token)["kid"]
    assert (await world.manage("PUT", f"/keys/signing/{kid}/revoke")).status_code == 200
    for wrong in (token, bent(token, alg="none"), bent(token, kid=None)):
        await refuse(world, wrong)
        with pytest.raises(InvalidToken):
            await ring_of(world).verify(wrong, TYPE, late=True)
