"""Tokens that somebody made up, bent, kept too long or took to the wrong door (RFC 8725)."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from account import SCOPE
from authenticator import b64url, unb64url
from keystead.adapters.sealing import Sealer
from keystead.oauth.keys import KeyRing
from world import PASSWORD, PUBLIC_URL, CountingEntropy, World, claims_of

Claims = dict[str, Any]
Bend = Callable[[Claims], Claims]

USERINFO, MANAGEMENT, ACCOUNT = "/userinfo", "/api/v2/users", "/me/v1/authentication-methods"


def part(value: object) -> str:
    return b64url(json.dumps(value, separators=(",", ":")).encode())


def header_of(token: str) -> Claims:
    found: Claims = json.loads(unb64url(token.split(".", maxsplit=1)[0]))
    return found


async def knock(world: World, door: str, token: str) -> int:
    answer = await world.client.get(door, headers={"authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert token not in answer.text
    return answer.status_code


@pytest.fixture(scope="module")
async def tokens(shared_world: World) -> dict[str, str]:
    """A good token for each door."""
    await shared_world.signup()
    me = await shared_world.tokens(audience=f"{PUBLIC_URL}/me/", scope=SCOPE)
    person = await shared_world.tokens(scope="openid offline_access")
    return {
        USERINFO: person["access_token"],
        ACCOUNT: me["access_token"],
        MANAGEMENT: await shared_world.management_token(),
        "id": person["id_token"],
        "refresh": person["refresh_token"],
    }


DOORS = [USERINFO, MANAGEMENT, ACCOUNT]


@pytest.mark.parametrize("door", DOORS)
async def test_v9_2_3_a_good_token_opens_its_own_door_and_no_other(
    shared_world: World, tokens: dict[str, str], door: str
) -> None:
    assert await knock(shared_world, door, tokens[door]) == 200
    for name, token in tokens.items():
        if name != door:
            assert await knock(shared_world, door, token) == 401, name


async def test_what_is_in_a_header(shared_world: World, tokens: dict[str, str]) -> None:
    (key,) = (await shared_world.client.get("/.well-known/jwks.json")).json()["keys"]
    for name, kind in ((USERINFO, "at+jwt"), (MANAGEMENT, "at+jwt"), ("id", "JWT")):
        assert header_of(tokens[name]) == {"alg": "RS256", "typ": kind, "kid": key["kid"]}


# --- made by us, and wrong ---------------------------------------------------------------------------------------

WRONG_CLAIMS: dict[str, Bend] = {
    "expired": lambda claims: claims | {"exp": claims["iat"]},
    "expired long ago": lambda claims: claims | {"exp": 1},
    "exp is text": lambda claims: claims | {"exp": str(claims["exp"])},
    "exp is a float": lambda claims: claims | {"exp": float(claims["exp"])},
    "exp is null": lambda claims: claims | {"exp": None},
    "no exp": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "no iat": lambda claims: {name: value for name, value in claims.items() if name != "iat"},
    "iat is text": lambda claims: claims | {"iat": str(claims["iat"])},
    "from the future": lambda claims: claims | {"iat": claims["iat"] + 3600},
    "not valid yet": lambda claims: claims | {"nbf": claims["iat"] + 3600},
    "nbf is text": lambda claims: claims | {"nbf": "0"},
    "another issuer": lambda claims: claims | {"iss": "https://evil.example/"},
    "the issuer without its slash": lambda claims: claims | {"iss": PUBLIC_URL},
    "no issuer": lambda claims: {name: value for name, value in claims.items() if name != "iss"},
    "another audience": lambda claims: claims | {"aud": "https://api.example"},
    "an audience with more": lambda claims: claims | {"aud": f"{PUBLIC_URL}/userinfo/more"},
    "a list of other audiences": lambda claims: claims | {"aud": ["https://api.example", PUBLIC_URL]},
    "no audience": lambda claims: {name: value for name, value in claims.items() if name != "aud"},
    "audience is an object": lambda claims: claims | {"aud": {f"{PUBLIC_URL}/userinfo": True}},
    "nobody": lambda claims: claims | {"sub": "auth0|000000000000000000000000"},
    "no subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "subject is an object": lambda claims: claims | {"sub": {"a": 1}},
    "without openid": lambda claims: claims | {"scope": "profile email"},
    "scope is a list": lambda claims: claims | {"scope": ["profile"]},
    "no scope": lambda claims: {name: value for name, value in claims.items() if name != "scope"},
}


def _ring(world: World) -> KeyRing:
    """The keys of a world, to sign what its server never would."""
    return KeyRing(world.db, Sealer(world.settings.secret_keys, CountingEntropy()), world.clock)


@pytest.mark.parametrize("what", WRONG_CLAIMS)
async def test_v9_2_1_wrong_claims_under_a_right_signature(
    shared_world: World, tokens: dict[str, str], what: str
) -> None:
    ring = _ring(shared_world)
    right = claims_of(tokens[USERINFO])
    assert await knock(shared_world, USERINFO, await ring.sign(right, "at+jwt")) == 200
    assert await knock(shared_world, USERINFO, await ring.sign(WRONG_CLAIMS[what](right), "at+jwt")) == 401


@pytest.mark.parametrize("kind", ["JWT", "AT+JWT", "", "application/at+jwt", "logout+jwt"])
async def test_v9_2_2_a_token_of_another_type(shared_world: World, tokens: dict[str, str], kind: str) -> None:
    ring = _ring(shared_world)
    assert await knock(shared_world, USERINFO, await ring.sign(claims_of(tokens[USERINFO]), kind)) == 401


async def test_a_clock_may_be_a_minute_off(shared_world: World, tokens: dict[str, str]) -> None:
    ring = _ring(shared_world)
    claims = claims_of(tokens[USERINFO])
    claims["iat"] = int(shared_world.clock().timestamp()) + 60
    assert await knock(shared_world, USERINFO, await ring.sign(claims, "at+jwt")) == 200


async def test_tokens_end(world: World) -> None:
    await world.person()
    token, admin = (await world.tokens())["access_token"], await world.management_token()
    world.clock.advance(seconds=86_399)
    assert await knock(world, USERINFO, token) == 200
    assert await knock(world, MANAGEMENT, admin) == 200
    world.clock.advance(seconds=1)
    assert await knock(world, USERINFO, token) == 401
    assert await knock(world, MANAGEMENT, admin) == 401


# --- not made by us ----------------------------------------------------------------------------------------------

STRANGER = rsa.generate_private_key(65537, 2048)


def by_stranger(header: Claims, payload: str, _: str, jwk: Claims) -> str:
    signed = f"{part(header)}.{payload}"
    return f"{signed}.{b64url(STRANGER.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def by_hmac(key: Callable[[Claims], bytes]) -> Callable[[Claims, str, str, Claims], str]:
    def forge(header: Claims, payload: str, _: str, jwk: Claims) -> str:
        signed = f"{part(header | {'alg': 'HS256'})}.{payload}"
        return f"{signed}.{b64url(hmac.digest(key(jwk), signed.encode(), 'sha256'))}"

    return forge


def pem(jwk: Claims) -> bytes:
    modulus, exponent = (int.from_bytes(unb64url(jwk[name]), "big") for name in ("n", "e"))
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def stranger_jwk(**more: Any) -> Claims:
    numbers = STRANGER.public_key().public_numbers()
    return {"kty": "RSA", "n": b64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"} | more


NO_TEXT = b64url(b"\xff\xfe")

FORGERIES: dict[str, Callable[[Claims, str, str, Claims], str]] = {
    "alg none": lambda header, payload, _, jwk: f"{part(header | {'alg': 'none'})}.{payload}.",
    "alg None": lambda header, payload, _, jwk: f"{part(header | {'alg': 'None'})}.{payload}.",
    "alg none with a signature": lambda header, payload, sig, jwk: f"{part(header | {'alg': 'none'})}.{payload}.{sig}",
    "no alg": lambda header, payload, sig, jwk: f"{part({'typ': 'at+jwt', 'kid': jwk['kid']})}.{payload}.{sig}",
    "HS256 with the public key as PEM": by_hmac(pem),
    "HS256 with the public key as JSON": by_hmac(lambda jwk: json.dumps(jwk).encode()),
    "HS256 with the modulus": by_hmac(lambda jwk: unb64url(jwk["n"])),
    "HS256 with nothing": by_hmac(lambda jwk: b""),
    "another key under our kid": by_stranger,
    "another key under its own kid": lambda header, payload, sig, jwk: by_stranger(
        header | {"kid": "stranger"}, payload, sig, jwk
    ),
    "another key, brought along": lambda header, payload, sig, jwk: by_stranger(
        header | {"jwk": stranger_jwk()}, payload, sig, jwk
    ),
    "another key, brought along under our kid": lambda header, payload, sig, jwk: by_stranger(
        header | {"jwk": stranger_jwk(kid=jwk["kid"])}, payload, sig, jwk
    ),
    "a key from elsewhere": lambda header, payload, sig, jwk: by_stranger(
        header | {"jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/cert"}, payload, sig, jwk
    ),
    "without kid": lambda header, payload, sig, jwk: by_stranger(
        {name: value for name, value in header.items() if name != "kid"}, payload, sig, jwk
    ),
    "kid is a path": lambda header, payload, sig, jwk: by_stranger(
        header | {"kid": "../../dev/null"}, payload, sig, jwk
    ),
    "kid is a list": lambda header, payload, sig, jwk: f"{part(header | {'kid': [jwk['kid']]})}.{payload}.{sig}",
    "kid is an object": lambda header, payload, sig, jwk: f"{part(header | {'kid': {}})}.{payload}.{sig}",
    "alg is a list": lambda header, payload, sig, jwk: f"{part(header | {'alg': ['RS256']})}.{payload}.{sig}",
    "RS512": lambda header, payload, sig, jwk: f"{part(header | {'alg': 'RS512'})}.{payload}.{sig}",
    "PS256": lambda header, payload, sig, jwk: f"{part(header | {'alg': 'PS256'})}.{payload}.{sig}",
    "an unknown critical member": lambda header, payload, sig, jwk: (
        f"{part(header | {'crit': ['exp2'], 'exp2': 1})}.{payload}.{sig}"
    ),
    "an unencoded payload": lambda header, payload, sig, jwk: (
        f"{part(header | {'crit': ['b64'], 'b64': False})}.{payload}.{sig}"
    ),
    "no signature": lambda header, payload, _, jwk: f"{part(header)}.{payload}.",
    "two parts": lambda header, payload, _, jwk: f"{part(header)}.{payload}",
    "four parts": lambda header, payload, sig, jwk: f"{part(header)}.{payload}.{sig}.{sig}",
    "five parts": lambda header, payload, sig, jwk: f"{part(header)}.{payload}.{sig}.{sig}.{sig}",
    "cut short": lambda header, payload, sig, jwk: f"{part(header)}.{payload}.{sig[:-4]}",
    "one bit of the signature": lambda header, payload, sig, jwk: f"{part(header)}.{payload}.{flipped(sig)}",
    "one bit of the payload": lambda header, payload, sig, jwk: f"{part(header)}.{flipped(payload)}.{sig}",
    "header is a list": lambda header, payload, sig, jwk: f"{part([header])}.{payload}.{sig}",
    "header is no JSON": lambda header, payload, sig, jwk: f"{b64url(b'{')}.{payload}.{sig}",
    "header is deep": lambda header, payload, sig, jwk: f"{b64url(b'[' * 50_000)}.{payload}.{sig}",
    "header is not base64": lambda header, payload, sig, jwk: f"!!!.{payload}.{sig}",
    "header is not UTF-8": lambda header, payload, sig, jwk: f"{NO_TEXT}.{payload}.{sig}",
    "as JSON": lambda header, payload, sig, jwk: json.dumps(
        {"protected": part(header), "payload": payload, "signature": sig}, separators=(",", ":")
    ),
}


def flipped(text: str) -> str:
    octets = bytearray(unb64url(text))
    octets[len(octets) // 2] ^= 1
    return b64url(bytes(octets))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", FORGERIES)
async def test_v9_1_1_a_forgery(shared_world: World, tokens: dict[str, str], what: str, door: str) -> None:
    (jwk,) = (await shared_world.client.get("/.well-known/jwks.json")).json()["keys"]
    _, payload, signature = tokens[door].split(".")
    forged = FORGERIES[what](header_of(tokens[door]), payload, signature, jwk)
    assert await knock(shared_world, door, forged) == 401


async def test_the_forger_s_tools_work(shared_world: World, tokens: dict[str, str]) -> None:
    """Put together again as it was, a token passes: what is refused above is refused for its flaw alone."""
    for door in DOORS:
        _, payload, signature = tokens[door].split(".")
        assert await knock(shared_world, door, f"{part(header_of(tokens[door]))}.{payload}.{signature}") == 200


async def test_no_token_of_a_person_can_name_a_client(world: World) -> None:
    """RFC 9700 §4.15: somebody must not be able to choose a name that looks like a client's own."""
    client_id = world.first["clients"]["management"]["client_id"]
    await world.patch_options(attributes={"username": {"validation": {"max_length": 128}}, "email": {}})
    await world.signup("ann@example.com", PASSWORD, username=client_id[:100])
    claims = claims_of((await world.tokens())["access_token"])
    assert claims["sub"].startswith("auth0|")
    assert not claims["sub"].endswith("@clients")


async def test_two_tokens_are_never_the_same(world: World) -> None:
    await world.person()
    found = [(await world.tokens())["access_token"] for _ in range(5)]
    assert len({claims_of(token)["jti"] for token in found}) == 5
    assert len({hashlib.sha256(token.encode()).digest() for token in found}) == 5
