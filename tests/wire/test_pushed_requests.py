"""Authorization requests that a client leaves beforehand (RFC 9126, TK-8)."""

import asyncio
from typing import Any

import httpx
import pytest

from keystead.db import tables
from keystead.worker import sweep
from visitor import CALLBACK, CHALLENGE, VERIFIER, Visitor, exchange
from world import World, basic

ASKED = {
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid email",
    "state": "a state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


async def push(world: World, **more: Any) -> httpx.Response:
    return await world.client.post("/oauth/par", data={"client_id": world.client_id} | ASKED | more)


async def pushed(world: World, **more: Any) -> str:
    answer = await push(world, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["request_uri"])


async def test_a_request_is_left_and_used(world: World) -> None:
    await world.person()
    answer = await push(world)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert sorted(answer.json()) == ["expires_in", "request_uri"]
    assert answer.json()["expires_in"] == 90
    visitor = Visitor.of(world)
    uri = answer.json()["request_uri"]
    landed = await visitor.log_in(await by_name(visitor, world, uri))
    assert landed.answer["state"] == "a state"
    tokens = (await exchange(world, landed.answer["code"])).json()
    assert tokens["scope"] == "openid email"


async def by_name(visitor: Visitor, world: World, uri: str, **more: str) -> Any:
    query = httpx.QueryParams({"client_id": world.client_id, "request_uri": uri} | more)
    return await visitor.open(f"/authorize?{query}")


async def test_nothing_in_the_url_adds_to_it(world: World) -> None:
    await world.person()
    visitor, uri = Visitor.of(world), await pushed(world)
    more = {"scope": "openid offline_access", "state": "another", "redirect_uri": "https://evil.example"}
    landed = await visitor.log_in(await by_name(visitor, world, uri, **more))
    assert landed.target.startswith(CALLBACK)
    assert landed.answer["state"] == "a state"
    assert "refresh_token" not in (await exchange(world, landed.answer["code"])).json()


async def test_it_works_once_also_ten_times_at_once(world: World) -> None:
    uri = await pushed(world)
    landed = await asyncio.gather(*(by_name(Visitor.of(world), world, uri) for _ in range(10)))
    assert sorted(each.response.status_code for each in landed) == [200] + [400] * 9


async def test_it_waits_for_90_seconds_or_as_long_as_its_client_says(world: World) -> None:
    uri = await pushed(world)
    world.clock.advance(seconds=90)
    assert (await by_name(Visitor.of(world), world, uri)).response.status_code == 400
    await world.patch_client(world.client_id, par_request_expiry=600)
    answer = await push(world)
    assert answer.json()["expires_in"] == 600
    world.clock.advance(seconds=599)
    assert (await by_name(Visitor.of(world), world, answer.json()["request_uri"])).response.status_code == 200


async def test_what_nobody_comes_back_for_is_swept_out_and_what_nobody_knows_is_not_kept(world: World) -> None:
    await push(world, unheard_of="x" * 5000)
    (row,) = await world.rows(tables.PushedRequest)
    assert "unheard_of" not in row["parameters"]
    world.clock.advance(seconds=90)
    await world.db.write(sweep, world.clock())
    assert await world.count(tables.PushedRequest) == 0


async def test_it_is_its_client_s_alone(world: World) -> None:
    other = await world.new_client(app_type="spa", callbacks=[CALLBACK])
    uri = await pushed(world)
    query = httpx.QueryParams({"client_id": other["client_id"], "request_uri": uri})
    assert (await Visitor.of(world).open(f"/authorize?{query}")).response.status_code == 400
    assert (await by_name(Visitor.of(world), world, uri)).response.status_code == 200


async def test_a_client_with_a_secret_shows_it(world: World) -> None:
    client = await world.new_client(app_type="regular_web", callbacks=["https://shop.example/"])
    body = ASKED | {"redirect_uri": "https://shop.example/"}
    without = await world.client.post("/oauth/par", data=body | {"client_id": client["client_id"]})
    assert (without.status_code, without.json()["error"]) == (401, "access_denied")
    header = {"authorization": basic(client["client_id"], client["client_secret"])}
    assert (await world.client.post("/oauth/par", data=body, headers=header)).status_code == 201


REFUSED = [
    ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
    ({"response_type": "token"}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"scope": 'openid "x"'}, "invalid_scope"),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ({"request": "e30.e30."}, "invalid_request"),
    ({"state": "x" * 8193}, "invalid_request"),
    ({"audience": "https://nowhere.example"}, "invalid_request"),
]


@pytest.mark.parametrize(("change", "error"), REFUSED, ids=[str(change)[:60] for change, _ in REFUSED])
async def test_what_would_be_refused_later_is_refused_now(
    shared_world: World, change: dict[str, str], error: str
) -> None:
    answer = await push(shared_world, **change)
    assert answer.json()["error"] == error
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("uri", ["urn:ietf:params:oauth:request_uri:unheard-of", "https://evil.example/request", ""])
async def test_a_name_that_never_was(shared_world: World, uri: str) -> None:
    landed = await by_name(Visitor.of(shared_world), shared_world, uri)
    assert landed.response.status_code == 400
    assert "location" not in landed.response.headers


async def test_a_client_may_be_held_to_it(world: World) -> None:
    await world.patch_client(world.client_id, require_pushed_authorization_requests=True)
    landed = await Visitor.of(world).authorize()
    assert landed.answer["error"] == "invalid_request"
    assert (await by_name(Visitor.of(world), world, await pushed(world))).response.status_code == 200


async def test_secrets_of_the_client_are_not_kept(world: World) -> None:
    client = await world.new_client(app_type="regular_web", callbacks=["https://shop.example/"])
    body = ASKED | {"redirect_uri": "https://shop.example/"}
    await world.client.post("/oauth/par", json=body | {name: client[name] for name in ("client_id", "client_secret")})
    (row,) = await world.rows(tables.PushedRequest)
    assert client["client_secret"] not in str(row)
    assert row["parameters"]["code_challenge"] == CHALLENGE
    assert VERIFIER not in str(row)
