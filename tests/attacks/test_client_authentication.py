"""Whoever is not the client, and wants to be taken for it (RFC 7523, RFC 9700 §2.5, OpenID Connect Core §9)."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from authenticator import b64url
from keystead.db import tables
from keystead.worker import sweep
from signer import ASSERTION_TYPE, Signer, credential, part, pem_of, private_key, signer, with_hmac
from world import PUBLIC_URL, World, basic

pytestmark = pytest.mark.anyio

BELIEVED = 403
"""The client proved itself, and holds no grant for the API that it asks for."""

MEANT_FOR_US = [
    f"{PUBLIC_URL}/",
    f"{PUBLIC_URL}/oauth/token",
    f"{PUBLIC_URL}/oauth/par",
    [f"{PUBLIC_URL}/"],
    [f"{PUBLIC_URL}/", f"{PUBLIC_URL}/oauth/token"],
]
MEANT_FOR_OTHERS: list[Any] = [
    None,
    "",
    [],
    PUBLIC_URL,
    f"{PUBLIC_URL}/oauth/token/",
    f"{PUBLIC_URL}/userinfo",
    "http://LOCALHOST:8000/",
    "https://evil.example/",
    [f"{PUBLIC_URL}/", "https://evil.example/"],
    [[f"{PUBLIC_URL}/"]],
    {"a": 1},
    7,
]


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256", "ES256", "Ed25519"])
async def test_v10_4_10_a_client_proves_itself_with_its_key(world: World, algorithm: str) -> None:
    client = await signer(world, algorithm)
    assert await client.ask() == BELIEVED
    assert await client.ask(client.assertion({"typ": "client-authentication+jwt"})) == BELIEVED
    assert await client.ask(client.assertion(), client_id=client.client_id) == BELIEVED
    assert await client.ask(client.assertion(), client_id="another") == 401


@pytest.mark.parametrize("audience", MEANT_FOR_US, ids=str)
async def test_rfc7523bis_an_assertion_is_for_us(shared_world: World, audience: object) -> None:
    client = await signer(shared_world)
    assert await client.ask(client.assertion(aud=audience)) == BELIEVED


@pytest.mark.parametrize("audience", MEANT_FOR_OTHERS, ids=str)
async def test_rfc7523bis_an_assertion_for_another_server_is_none_for_us(shared_world: World, audience: object) -> None:
    client = await signer(shared_world)
    assert await client.ask(client.assertion(aud=audience)) == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": None},
        {"iss": "another"},
        {"sub": "another"},
        {"sub": None},
        {"exp": None},
        {"exp": "later"},
        {"exp": True},
        {"exp": 10**400},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 2000},
    ],
    ids=str,
)
async def test_rfc7523_3_every_claim_is_needed(shared_world: World, claims: dict[str, Any]) -> None:
    client = await signer(shared_world)
    assert await client.ask(client.assertion(**claims)) == 401


@pytest.mark.parametrize(
    ("begin", "issued", "end", "status"),
    [
        (None, 0, 3600, BELIEVED),
        (None, 0, 3660, BELIEVED),
        (None, 0, 3661, 401),
        (None, 0, 86_400, 401),
        (None, -600, -59, BELIEVED),
        (None, -600, -60, 401),
        (None, 60, 120, BELIEVED),
        (None, 61, 120, 401),
        (60, 0, 120, BELIEVED),
        (61, 0, 120, 401),
        (-5, None, 60, BELIEVED),
    ],
)
async def test_rfc7523_3_an_assertion_is_short_lived(
    shared_world: World, begin: int | None, issued: int | None, end: int, status: int
) -> None:
    client, now = await signer(shared_world), int(shared_world.clock().timestamp())
    times = {"nbf": begin, "iat": issued, "exp": end}
    moments: dict[str, Any] = {name: None if offset is None else now + offset for name, offset in times.items()}
    assert await client.ask(client.assertion(**moments)) == status


async def test_rfc7523_3_an_assertion_works_once(world: World) -> None:
    client = await signer(world)
    assertion = client.assertion()
    assert await client.ask(assertion) == BELIEVED
    assert await client.ask(assertion) == 401
    again = client.assertion(jti=f"{client.client_id} 1", exp=int(world.clock().timestamp()) + 120)
    assert await client.ask(again) == 401
    other = await signer(world)
    assert await other.ask(other.assertion(jti=f"{client.client_id} 1")) == BELIEVED


async def test_rfc7523_3_of_20_at_once_one_works(world: World) -> None:
    client = await signer(world)
    assertion = client.assertion()
    answers = Counter(await asyncio.gather(*(client.ask(assertion) for _ in range(20))))
    assert answers.pop(BELIEVED) == 1
    assert set(answers) <= {401, 429}
    assert await client.ask() == BELIEVED


async def test_a_used_assertion_is_remembered_for_as_long_as_it_is_good(world: World) -> None:
    client = await signer(world)
    assertion = client.assertion(exp=int(world.clock().timestamp()) + 3600)
    assert await client.ask(assertion) == BELIEVED
    world.clock.advance(seconds=3659)
    await world.db.write(sweep, world.clock())
    assert await client.ask(assertion) == 401
    world.clock.advance(seconds=1)
    await world.db.write(sweep, world.clock())
    assert await world.count(tables.UsedAssertion) == 0
    assert await client.ask(assertion) == 401


async def test_rfc8725_3_1_the_algorithm_is_the_credential_s(world: World) -> None:
    client = await signer(world)
    pem = pem_of(client.key).encode()
    forged = [
        f"{part({'alg': 'none'})}.{part(client.claims())}.",
        f"{part({'alg': 'None', 'typ': 'JWT'})}.{part(client.claims())}.",
        with_hmac(pem, {"alg": "HS256"}, client.claims()),
        with_hmac(pem.strip(), {"alg": "HS256"}, client.claims()),
        with_hmac(b"", {"alg": "HS256"}, client.claims()),
    ]
    for assertion in forged:
        assert await client.ask(assertion) == 401
    for algorithm in ("RS384", "PS256", "RS512"):
        swapped = Signer(world, client.client, algorithm, client.key)
        assert await swapped.ask(swapped.assertion(jti=algorithm)) == 401
    assert await client.ask() == BELIEVED


async def test_rfc8725_3_10_keys_in_the_header_are_nobody_s(world: World) -> None:
    client, thief = await signer(world), private_key("RS256 of a thief")
    assert isinstance(thief, RSAPrivateKey)
    theirs = Signer(world, client.client, "RS256", thief)
    number, size = thief.public_key().public_numbers(), thief.key_size // 8
    jwk = {"kty": "RSA", "n": b64url(number.n.to_bytes(size, "big")), "e": "AQAB"}
    for header in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/c"}, {"kid": "x"}):
        assert await theirs.ask(theirs.assertion(header)) == 401
    assert await client.ask(client.assertion({"crit": ["exp"]})) == 401


async def test_the_kid_is_exact_where_there_is_one(world: World) -> None:
    client = await signer(world)
    (stored,) = (await world.manage("GET", f"/clients/{client.client_id}/credentials")).json()
    assert await client.ask(client.assertion({"kid": stored["kid"]})) == BELIEVED
    for kid in (stored["kid"].swapcase(), stored["kid"] + " ", "", stored["id"], 7, None):
        assert await client.ask(client.assertion({"kid": kid})) == 401, kid


async def test_another_client_s_key_proves_nothing(world: World) -> None:
    client, other = await signer(world), await signer(world, name="RS256 of another")
    as_client = Signer(world, client.client, "RS256", other.key)
    assert await as_client.ask() == 401
    assert await other.ask(other.assertion(iss=client.client_id)) == 401
    assert await other.ask(other.assertion(sub=client.client_id)) == 401
    assert await other.ask(other.assertion(iss=client.client_id, sub=client.client_id)) == 401
    assert await other.ask() == BELIEVED


async def test_v9_2_2_a_token_of_ours_is_no_assertion(world: World) -> None:
    client = await signer(world)
    assert await client.ask(client.assertion({"typ": "at+jwt"})) == 401
    assert await client.ask(client.assertion({"typ": 7})) == 401
    assert await client.ask(await world.management_token()) == 401


@pytest.mark.parametrize("assertion", ["x", "a.b", "..", "a.b.c.d.e", "é.é.é", "x" * 9000, "e30.W10.", "e30.bnVsbA.x"])
async def test_what_is_no_assertion_at_all(shared_world: World, assertion: str) -> None:
    body = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "grant_type": "client_credentials"}
    answer = await shared_world.client.post("/oauth/token", json=body)
    assert (answer.status_code, answer.json()["error"]) == (401, "access_denied")
    assert answer.headers["www-authenticate"] == 'Basic realm="token"'


@pytest.mark.parametrize("header", [["alg"], "alg", 5, None, {"alg": ["RS256"]}, {"alg": "RS256", "kid": {}}])
@pytest.mark.parametrize("subject", ["", "\ud800", "\u2603", "a\nb", 5, None, ["x"]])
async def test_an_assertion_of_odd_parts_is_only_wrong(shared_world: World, header: object, subject: object) -> None:
    client = await signer(shared_world)
    for sub in (subject, client.claims()["sub"]):
        assertion = f"{part(header)}.{part({'sub': sub, 'iss': sub})}.{part('x')}"
        assert await client.ask(assertion) in (400, 401, 429)


async def test_rfc6749_2_3_one_way_at_a_time(world: World) -> None:
    client = await world.new_client(app_type="non_interactive")
    name, secret = client["client_id"], client["client_secret"]
    body = {"grant_type": "client_credentials", "audience": world.first["management_audience"]}
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": (await signer(world)).assertion()}
    for more, header in (
        ({"client_secret": secret}, {"authorization": basic(name, secret)}),
        (proof, {"authorization": basic(name, secret)}),
        ({"client_id": name, "client_secret": secret} | proof, {}),
        ({"client_id": name, "client_secret": secret, "client_assertion_type": ASSERTION_TYPE}, {}),
        ({"client_id": name, "client_assertion": proof["client_assertion"]}, {}),
        (proof | {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, {}),
    ):
        answer = await world.client.post("/oauth/token", data=body | more, headers=header)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), more
    two = await world.client.post(
        "/oauth/token", data=body | {"client_id": world.client_id}, headers={"authorization": basic(name, secret)}
    )
    assert (two.status_code, two.json()["error"]) == (401, "access_denied")


async def test_rfc9700_2_5_a_client_with_a_key_has_no_secret(world: World) -> None:
    client = await world.new_client(app_type="non_interactive")
    name, secret = client["client_id"], client["client_secret"]
    key = private_key()
    made = await world.manage("POST", f"/clients/{name}/credentials", credential(key))
    methods = {"private_key_jwt": {"credentials": [{"id": made.json()["id"]}]}}
    await world.patch_client(name, token_endpoint_auth_method=None, client_authentication_methods=methods)
    body = {"grant_type": "client_credentials", "audience": world.first["management_audience"]}
    for answer in (
        await world.client.post("/oauth/token", data=body | {"client_id": name, "client_secret": secret}),
        await world.client.post("/oauth/token", data=body, headers={"authorization": basic(name, secret)}),
        await world.client.post("/oauth/token", data=body | {"client_id": name}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "access_denied")
    assert await Signer(world, client, key=key).ask() == BELIEVED


async def test_an_assertion_is_none_for_a_client_with_a_secret_or_without_anything(world: World) -> None:
    for settings in ({"app_type": "non_interactive"}, {"app_type": "spa"}):
        client = await world.new_client(**settings)
        await world.manage("POST", f"/clients/{client['client_id']}/credentials", credential(private_key()))
        assert await Signer(world, client).ask() == 401, settings


@pytest.mark.parametrize("gone", ["expired", "unlisted", "deleted"])
async def test_v9_a_credential_that_has_ended_proves_nothing(world: World, gone: str) -> None:
    client = await signer(world)
    path = f"/clients/{client.client_id}/credentials/{client.credential_id}"
    assert await client.ask() == BELIEVED
    if gone == "expired":
        moved = await world.manage("PATCH", path, {"expires_at": "2026-06-01T12:00:10Z"})
        assert moved.status_code == 200
        world.clock.advance(seconds=10)
    elif gone == "unlisted":
        methods: dict[str, Any] = {"private_key_jwt": {"credentials": []}}
        await world.patch_client(client.client_id, client_authentication_methods=methods)
    else:
        assert (await world.manage("DELETE", path)).status_code == 204
        left = (await world.manage("GET", f"/clients/{client.client_id}")).json()
        assert left["client_authentication_methods"] == {"private_key_jwt": {"credentials": []}}
    assert await client.ask() == 401


async def test_v6_3_wrong_proofs_are_counted_and_right_ones_go_on(world: World) -> None:
    client, thief = await signer(world), private_key("RS256 of a thief")
    forger = Signer(world, client.client, "RS256", thief)
    answers = Counter([await forger.ask(forger.assertion(jti=str(number))) for number in range(150)])
    assert set(answers) == {401, 429}
    assert await client.ask() == BELIEVED


async def test_proof_by_key_opens_every_door_of_clients(world: World) -> None:
    grants = ["password", "refresh_token", "urn:okta:params:oauth:grant-type:webauthn"]
    client = await signer(world, app_type="regular_web", grant_types=grants)
    await world.person()
    person = {"username": "ann@example.com", "password": "correct horse battery", "scope": "openid offline_access"}
    proof: dict[str, Any] = {"client_assertion_type": ASSERTION_TYPE}
    login = await world.client.post(
        "/oauth/token", json={"grant_type": "password", "client_assertion": client.assertion()} | proof | person
    )
    assert login.status_code == 200, login.text
    again = {"grant_type": "refresh_token", "refresh_token": login.json()["refresh_token"]}
    renewed = await world.client.post("/oauth/token", json=again | proof | {"client_assertion": client.assertion()})
    assert renewed.status_code == 200
    begun = await world.client.post("/passkey/challenge", json=proof | {"client_assertion": client.assertion()})
    assert begun.status_code == 200
    refused = await world.client.post(
        "/passkey/challenge", json=proof | {"client_assertion": client.assertion(aud="x")}
    )
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_assertions_are_in_no_answer_and_no_journal(world: World) -> None:
    client = await signer(world)
    assertion = client.assertion(aud="https://evil.example/")
    answer = await world.client.post("/oauth/token", data=client.shown(assertion))
    assert assertion not in answer.text
    assert assertion not in str(await world.rows(tables.JournalRow))
