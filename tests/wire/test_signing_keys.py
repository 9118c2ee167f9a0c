"""Signing keys: how they follow each other, what is published of them, and what administrators see and do."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization.pkcs7 import load_pem_pkcs7_certificates

from authenticator import b64url, unb64url
from keystead.adapters.sealing import Sealer
from keystead.db import keys, tables
from keystead.db.session import Database
from keystead.errors import Conflict, InvalidToken
from keystead.flows.operations import Operation
from keystead.oauth.keys import KeyRing
from keystead.oauth.signing_keys import SigningKeys
from keystead.rules.events import Caller
from keystead.worker import sweep
from world import CountingEntropy, World, claims_of, open_world

JWKS, EVERY_JWK = "/.well-known/jwks.json", "/.well-known/keystead-jwks.json"
PATH = "/keys/signing"
REQUIRED = {"cert", "kid", "fingerprint", "thumbprint"}
ALLOWED = REQUIRED | {
    *("pkcs7", "current", "next", "previous", "revoked"),
    *("current_since", "current_until", "revoked_at"),
}


def by_hand() -> Operation:
    return Operation("test", Caller(), "PUT", f"/api/v2{PATH}")


def keys_of(world: World) -> SigningKeys:
    found: SigningKeys = world.app.state.flows.signing_keys
    return found


def header_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unb64url(token.split(".", maxsplit=1)[0]))
    return found


async def listed(world: World, algorithm: str = "RS256") -> list[dict[str, Any]]:
    answer = await world.manage("GET", PATH, params={"algorithm": algorithm})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def published(world: World, path: str = JWKS) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.client.get(path)).json()["keys"]
    return found


async def rotate(world: World, algorithm: str = "RS256") -> str:
    answer = await world.manage("POST", f"{PATH}/rotate", params={"algorithm": algorithm})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["kid"])


async def revoke(world: World, kid: str) -> None:
    answer = await world.manage("PUT", f"{PATH}/{kid}/revoke")
    assert answer.status_code == 200, answer.text


@asynccontextmanager
async def another_process(world: World) -> AsyncIterator[World]:
    """A second server on the same database, with a clock and a ring of its own."""
    async with open_world(world.settings, world.first, seed="another process") as other:
        yield other


# --- what follows what -------------------------------------------------------------------------------------------


async def test_an_installation_begins_with_a_key_for_each_algorithm_and_gets_its_next_ones(world: World) -> None:
    assert sorted(key["alg"] for key in await published(world, EVERY_JWK)) == ["ES256", "Ed25519", "RS256"]
    await keys_of(world).supply()
    for algorithm in ("RS256", "ES256", "Ed25519"):
        current, following = await listed(world, algorithm)
        assert (current["current"], current["next"]) == (True, False)
        assert (following["current"], following["next"]) == (False, True)
    before = await published(world, EVERY_JWK)
    await keys_of(world).supply()
    assert await published(world, EVERY_JWK) == before


async def test_the_next_key_signs_after_a_rotation_and_old_tokens_stay_good(world: World) -> None:
    await world.person()
    await keys_of(world).supply()
    old = (await world.tokens())["access_token"]
    current, following = await published(world)
    assert header_of(old)["kid"] == current["kid"]
    assert await rotate(world) == following["kid"]
    new = (await world.tokens())["access_token"]
    assert header_of(new)["kid"] == following["kid"]
    for token in (old, new):
        assert (await world.userinfo(token)).status_code == 200
    kids = [key["kid"] for key in await published(world)]
    assert (kids[0], kids[2]) == (following["kid"], current["kid"])
    assert [(key["current"], key["next"], key["previous"]) for key in await listed(world)] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


async def test_a_rotation_touches_its_own_algorithm_alone(world: World) -> None:
    await keys_of(world).supply()
    before = {name: await listed(world, name) for name in ("RS256", "Ed25519")}
    kid = await rotate(world, "ES256")
    assert kid == (await listed(world, "ES256"))[0]["kid"]
    assert {name: await listed(world, name) for name in before} == before


async def test_without_a_next_key_a_new_one_signs_at_once(world: World) -> None:
    (only,) = await listed(world)
    kid = await rotate(world)
    assert kid != only["kid"]
    assert [key["kid"] for key in await listed(world)][::2] == [kid, only["kid"]]
    assert len(await listed(world)) == 3


async def test_a_key_verifies_for_thirty_days_after_it_was_replaced(world: World) -> None:
    ring = keys_of(world).ring
    now = int(world.clock().timestamp())
    token = await ring.sign({"iat": now, "exp": now + 90 * 86_400}, "JWT")
    await rotate(world)
    world.clock.advance(days=30, seconds=-1)
    assert (await ring.verify(token, "JWT"))["iat"] == now
    world.clock.advance(seconds=1)
    ring.forget()
    with pytest.raises(InvalidToken):
        await ring.verify(token, "JWT")
    assert header_of(token)["kid"] not in [key["kid"] for key in await published(world)]
    assert await world.db.write(sweep, world.clock()) >= 1
    world._tokens.clear()  # they have expired
    assert header_of(token)["kid"] not in [key["kid"] for key in await listed(world)]


async def test_a_private_half_is_forgotten_when_its_key_signs_no_more(world: World) -> None:
    await keys_of(world).supply()
    current, following = await listed(world)
    await rotate(world)
    await revoke(world, following["kid"])
    sealed = {row["kid"]: row["sealed_private"] for row in await world.rows(tables.SigningKey)}
    assert (sealed[current["kid"]], sealed[following["kid"]]) == (b"", b"")
    assert all(sealed[key["kid"]] for key in await listed(world) if key["current"] or key["next"])


async def test_rotations_at_once_are_done_one_after_the_other_or_refused(world: World) -> None:
    """Which of the two, is a matter of when each began; no key is lost, and none is there twice."""
    await keys_of(world).supply()
    _, following = await listed(world)
    answers = await asyncio.gather(*(world.manage("POST", f"{PATH}/rotate") for _ in range(3)))
    done = [answer.json()["kid"] for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert following["kid"] in done
    assert len(set(done)) == len(done)
    found = await listed(world)
    assert len([key for key in found if key["current"]]) == len([key for key in found if key["next"]]) == 1
    assert len([key for key in found if key["previous"]]) == len(done)
    rotated = [each for each in await world.rows(tables.JournalRow) if (each["description"] or "").startswith("Rotate")]
    assert len(rotated) == len(done)


async def test_many_hands_at_once_leave_one_current_and_one_next_key(world: World) -> None:
    """Rotations, revocations and the worker's supply, all at the same time."""
    await keys_of(world).supply()
    current, following = await listed(world)
    async with another_process(world) as other:
        done = await asyncio.gather(
            *(keys_of(each).rotate(by_hand()) for each in (world, other)),
            *(keys_of(world).revoke(key["kid"], by_hand()) for key in (current, following)),
            *(keys_of(each).supply() for each in (world, other)),
            return_exceptions=True,
        )
    assert {type(each) for each in done if isinstance(each, Exception)} <= {Conflict}
    world._tokens.clear()  # what signed them is revoked
    found = await listed(world)
    assert len([key for key in found if key["current"]]) == 1
    assert len([key for key in found if key["next"]]) == 1
    assert {key["kid"] for key in found if key["revoked"]} == {current["kid"], following["kid"]}


async def test_of_two_who_make_what_lacks_one_does(world: World) -> None:
    """As two installations do that are upgraded at once, and two workers that publish a next key."""
    maker, now = keys_of(world).maker, world.clock()
    await world.db.write(lambda session: session.connection().exec_driver_sql("DELETE FROM signing_key"))
    made = [maker.make("ES256", now, current=True) for _ in range(4)]
    stored = await asyncio.gather(*(world.db.write(keys.add_current, each) for each in made))
    assert sorted(stored) == [False, False, False, True]
    made = [maker.make("ES256", now) for _ in range(4)]
    stored = await asyncio.gather(*(world.db.write(keys.add_next, each) for each in made))
    assert sorted(stored) == [False, False, False, True]


# --- revocation --------------------------------------------------------------------------------------------------


async def test_a_revoked_current_key_is_replaced_and_its_tokens_are_refused_at_once(world: World) -> None:
    await world.person()
    await keys_of(world).supply()
    old = (await world.tokens())["access_token"]
    current, following = await listed(world)
    answer = await world.manage("PUT", f"{PATH}/{current['kid']}/revoke")
    assert (answer.status_code, answer.json()) == (200, {"kid": current["kid"], "cert": current["cert"]})
    assert (await world.userinfo(old)).status_code == 401
    new = (await world.tokens())["access_token"]
    assert header_of(new)["kid"] == following["kid"]
    assert (await world.userinfo(new)).status_code == 200
    assert current["kid"] not in [key["kid"] for key in await published(world)]


async def test_the_token_that_revokes_its_own_key_is_the_last_of_it(world: World) -> None:
    (current,) = await listed(world)
    await revoke(world, current["kid"])
    assert (await world.manage("GET", PATH)).status_code == 401
    world._tokens.clear()
    shown = next(key for key in await listed(world) if key["kid"] == current["kid"])
    assert shown["revoked"] is True
    assert shown["revoked_at"] == shown["current_until"] == "2026-06-01T12:00:00.000Z"
    assert [shown[state] for state in ("current", "next", "previous")] == [False] * 3


@pytest.mark.parametrize("which", ["next", "previous"])
async def test_other_keys_can_be_revoked(world: World, which: str) -> None:
    await keys_of(world).supply()
    await rotate(world)
    before = {key["kid"]: key for key in await listed(world)}
    (kid,) = (kid for kid, key in before.items() if key[which])
    current = [kid for kid, key in before.items() if key["current"]]
    if which == "previous":
        world._tokens.clear()  # its own token was signed with that key
    await revoke(world, kid)
    found = await listed(world)
    assert [key["kid"] for key in found if key["current"]] == current
    assert len([key for key in found if key["next"]]) == 1
    assert kid not in [key["kid"] for key in await published(world)]


async def test_to_revoke_twice_changes_nothing(world: World) -> None:
    (key,) = await listed(world, "ES256")
    await revoke(world, key["kid"])
    before = await listed(world, "ES256"), len(await world.journal())
    world.clock.advance(hours=1)
    await revoke(world, key["kid"])
    assert (await listed(world, "ES256"), len(await world.journal())) == before


# --- several processes -------------------------------------------------------------------------------------------


async def test_another_process_follows_a_rotation(world: World) -> None:
    await world.person()
    async with another_process(world) as other:
        await keys_of(world).supply()
        old = (await world.tokens())["access_token"]
        assert (await other.userinfo(old)).status_code == 200
        await rotate(world)
        new = (await world.tokens())["access_token"]
        assert (await other.userinfo(new)).status_code == 200  # the key was published before
        other.clock.advance(seconds=10)
        theirs = (await other.tokens())["access_token"]
        assert header_of(theirs)["kid"] == header_of(new)["kid"]
        assert (await other.userinfo(old)).status_code == 200
        assert await published(other) == await published(world)


async def test_another_process_knows_an_unpublished_key_after_two_seconds(world: World) -> None:
    await world.person()
    async with another_process(world) as other:
        old = (await world.tokens())["access_token"]
        assert (await other.userinfo(old)).status_code == 200
        await rotate(world)
        new = (await world.tokens())["access_token"]
        assert (await other.userinfo(new)).status_code == 401
        other.clock.advance(seconds=2)
        assert (await other.userinfo(new)).status_code == 200


async def test_another_process_follows_a_revocation_within_ten_seconds(world: World) -> None:
    await world.person()
    async with another_process(world) as other:
        token = (await world.tokens())["access_token"]
        assert (await other.userinfo(token)).status_code == 200
        await revoke(world, header_of(token)["kid"])
        assert (await world.userinfo(token)).status_code == 401
        other.clock.advance(seconds=10)
        assert (await other.userinfo(token)).status_code == 401


async def test_whoever_reads_while_a_key_is_revoked_does_not_keep_what_was_read(world: World) -> None:
    await world.person()
    for _ in range(5):
        token = (await world.tokens())["access_token"]
        keys_of(world).ring.forget()
        await asyncio.gather(
            *(world.userinfo(token) for _ in range(4)), keys_of(world).revoke(header_of(token)["kid"], by_hand())
        )
        assert (await world.userinfo(token)).status_code == 401


# --- algorithms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
async def test_what_each_algorithm_signs_verifies_by_the_published_key(world: World, algorithm: str) -> None:
    """By another library than the one that signs, with nothing but what is published."""
    ring = keys_of(world).ring
    now = int(world.clock().timestamp())
    token = await ring.sign({"iat": now, "exp": now + 60}, "at+jwt", algorithm)
    (jwk,) = (key for key in await published(world, EVERY_JWK) if key["alg"] == algorithm)
    assert header_of(token) == {"alg": algorithm, "typ": "at+jwt", "kid": jwk["kid"]}
    assert jwk["use"] == "sig"
    signed, _, signature = token.rpartition(".")
    key = x509.load_der_x509_certificate(base64.b64decode(jwk["x5c"][0])).public_key()
    _verify(key, unb64url(signature), signed.encode())
    assert await ring.verify(token, "at+jwt") == claims_of(token)


def _verify(key: object, signature: bytes, signed: bytes) -> None:
    """Raises where the signature is wrong."""
    if isinstance(key, RSAPublicKey):
        key.verify(signature, signed, PKCS1v15(), SHA256())
    elif isinstance(key, EllipticCurvePublicKey):
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
    else:
        assert isinstance(key, Ed25519PublicKey)
        key.verify(signature, signed)


# --- what is published -------------------------------------------------------------------------------------------


async def test_jwks_holds_rsa_keys_alone_and_the_other_document_all(world: World) -> None:
    await keys_of(world).supply()
    await rotate(world)
    for path in (JWKS, EVERY_JWK):
        assert (await world.client.get(path)).headers["cache-control"] == "public, max-age=300"
    some, every = await published(world), await published(world, EVERY_JWK)
    assert [(key["kty"], key["alg"]) for key in some] == [("RSA", "RS256")] * 3
    assert all(set(key) == {"alg", "kty", "use", "n", "e", "kid", "x5t", "x5c"} for key in some)
    assert {key["alg"]: key["kty"] for key in every} == {"RS256": "RSA", "ES256": "EC", "Ed25519": "OKP"}
    assert [key for key in every if key["kty"] == "RSA"] == some
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {name for key in every for name in key}
    shown = [key["kid"] for key in await listed(world)]
    assert [key["kid"] for key in some] == shown


async def test_the_certificate_is_the_key_s(world: World) -> None:
    (jwk,) = await published(world)
    certificate = x509.load_der_x509_certificate(base64.b64decode(jwk["x5c"][0]))
    modulus, exponent = (int.from_bytes(unb64url(jwk[name]), "big") for name in ("n", "e"))
    public = RSAPublicNumbers(exponent, modulus).public_key()
    assert certificate.public_key() == public
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == "CN=localhost"
    assert jwk["x5t"] == b64url(certificate.fingerprint(SHA1()))  # noqa: S303 - what the specification says
    (shown,) = await listed(world)
    assert x509.load_pem_x509_certificate(shown["cert"].encode()) == certificate
    assert load_pem_pkcs7_certificates(shown["pkcs7"].encode()) == [certificate]
    assert unb64url(jwk["x5t"]).hex().upper() == shown["thumbprint"] == shown["fingerprint"].replace(":", "")
    assert len(shown["fingerprint"]) == 59


# --- the Management API ------------------------------------------------------------------------------------------


async def test_what_is_shown_has_auth0_s_members(world: World) -> None:
    await keys_of(world).supply()
    await rotate(world)
    found = await listed(world)
    for shown in found:
        assert set(shown) <= ALLOWED
        assert set(shown) >= REQUIRED
        assert (await world.manage("GET", f"{PATH}/{shown['kid']}")).json() == shown
    current, following, previous = found
    assert current["current_since"] == previous["current_until"] == "2026-06-01T12:00:00.000Z"
    assert not {"current_since", "current_until", "revoked_at"} & set(following)


async def test_the_list_is_of_one_algorithm(world: World) -> None:
    assert (await world.manage("GET", PATH)).json() == await listed(world, "RS256")
    (key,) = await listed(world, "Ed25519")
    assert isinstance(x509.load_pem_x509_certificate(key["cert"].encode()).public_key(), Ed25519PublicKey)
    assert (await world.manage("GET", f"{PATH}/{key['kid']}")).json() == key
    for method, path in (("GET", PATH), ("POST", f"{PATH}/rotate")):
        refused = await world.manage(method, path, params={"algorithm": "EdDSA"})
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_query_string")


async def test_a_key_that_does_not_exist(world: World) -> None:
    for method, path in (("GET", f"{PATH}/nobody"), ("PUT", f"{PATH}/nobody/revoke"), ("GET", f"{PATH}/rotate")):
        answer = await world.manage(method, path)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_signing_key")


async def test_scopes(world: World) -> None:
    (key,) = await listed(world)
    needed = {
        ("GET", PATH): ["read:signing_keys"],
        ("GET", f"{PATH}/{key['kid']}"): ["read:signing_keys"],
        ("POST", f"{PATH}/rotate"): ["create:signing_keys", "update:signing_keys"],
        ("PUT", f"{PATH}/{key['kid']}/revoke"): ["update:signing_keys"],
    }
    every = [f"{verb}:signing_keys" for verb in ("read", "create", "update", "delete")]
    for (method, path), scopes in needed.items():
        for lacking in scopes:
            scope = " ".join(["read:clients", *(each for each in every if each != lacking)])
            answer = await world.manage(method, path, scope=scope)
            assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope")
    for (method, path), scopes in needed.items():
        answer = await world.manage(method, path, scope=" ".join(scopes))
        assert answer.status_code in (200, 201), answer.text


async def test_the_journal_says_who_did_what(world: World) -> None:
    await keys_of(world).supply()
    current, following = await listed(world)
    await rotate(world)
    entry = await world.last_entry()
    assert (entry["type"], entry["client_id"]) == ("sapi", world.first["clients"]["management"]["client_id"])
    assert entry["details"] == {
        "request": {"method": "POST", "path": "/api/v2/keys/signing/rotate"},
        "algorithm": "RS256",
        "kid": following["kid"],
        "previous": current["kid"],
    }
    await revoke(world, following["kid"])
    entry = await world.last_entry()
    assert entry["details"]["was"] == "current"
    assert entry["details"]["kid"] == following["kid"]


# --- how often the database is read ------------------------------------------------------------------------------


class Counting(Database):
    """A database that counts what it is asked to read."""

    reads = 0

    async def read(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().read(work, *args, **kwargs)


async def test_bad_tokens_do_not_keep_the_database_busy(world: World) -> None:
    db = Counting(world.settings.database_url.reveal())
    ring = KeyRing(db, Sealer(world.settings.secret_keys, CountingEntropy()), world.clock)
    now = int(world.clock().timestamp())
    good = await ring.sign({"iat": now, "exp": now + 60}, "JWT")
    header = b64url(json.dumps(header_of(good) | {"kid": "unknown"}).encode())
    bad = f"{header}.{good.partition('.')[2]}"
    assert db.reads == 1
    for seconds, reads in ((0, 1), (1.9, 1), (0.1, 2), (0, 2), (2, 3)):
        world.clock.advance(seconds=seconds)
        refused = await asyncio.gather(*(ring.verify(bad, "JWT") for _ in range(20)), return_exceptions=True)
        assert all(isinstance(each, InvalidToken) for each in refused)
        assert db.reads == reads
    assert (await ring.verify(good, "JWT"))["iat"] == now
    assert db.reads == 3
    db.close()


@pytest.mark.parametrize(
    ("query", "body"),
    [("?algoritm=ES256", None), ("?algorithm=ES512", None), ("", {"algoritm": "ES256"}), ("", {"algorithm": "none"})],
)
async def test_what_is_not_understood_rotates_nothing(world: World, query: str, body: dict[str, str] | None) -> None:
    before = (await world.manage("GET", "/keys/signing")).json()
    answer = await world.manage("POST", f"/keys/signing/rotate{query}", body)
    assert answer.status_code == 400
    assert (await world.manage("GET", "/keys/signing")).json() == before


async def test_the_algorithm_may_be_in_the_body(world: World) -> None:
    before = (await world.manage("GET", "/keys/signing")).json()[0]["kid"]
    answer = await world.manage("POST", "/keys/signing/rotate", {"algorithm": "ES256"})
    assert answer.status_code == 201
    now = (await world.manage("GET", "/keys/signing?algorithm=ES256")).json()[0]
    assert (now["kid"], now["current"]) == (answer.json()["kid"], True)
    assert (await world.manage("GET", "/keys/signing")).json()[0]["kid"] == before
