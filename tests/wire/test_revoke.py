"""``/oauth/revoke`` (RFC 7009): a refresh token is given back, and nobody learns anything from the answer."""

from typing import Any

import httpx
import pytest

from world import World, basic

OFFLINE = "openid offline_access"


async def refreshable(world: World, **more: Any) -> str:
    await world.person()
    return str((await world.tokens(scope=OFFLINE, **more))["refresh_token"])


async def revoke(world: World, token: str, *, form: bool = True, **more: Any) -> httpx.Response:
    body = {"client_id": world.client_id, "token": token} | {key: value for key, value in more.items() if value}
    sent: dict[str, Any] = {"data": body} if form else {"json": body}
    return await world.client.post("/oauth/revoke", **sent)


async def is_good(world: World, token: str, **more: Any) -> bool:
    return (await world.token("refresh_token", refresh_token=token, **more)).status_code == 200


@pytest.mark.parametrize("form", [True, False])
async def test_a_token_that_is_given_back_is_gone(world: World, form: bool) -> None:
    token = await refreshable(world)
    answer = await revoke(world, token, form=form)
    assert (answer.status_code, answer.content) == (200, b"")
    assert not await is_good(world, token)
    assert (await revoke(world, token)).status_code == 200


async def test_the_whole_family_goes(world: World) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating", "leeway": 60})
    first = await refreshable(world)
    second = (await world.token("refresh_token", refresh_token=first)).json()["refresh_token"]
    await revoke(world, first)
    assert not await is_good(world, second)


async def test_another_client_s_token_stays(world: World) -> None:
    token = await refreshable(world)
    other = await world.new_client(app_type="spa")
    assert (await revoke(world, token, client_id=other["client_id"])).status_code == 200
    assert await is_good(world, token)


async def test_a_token_that_never_was(shared_world: World) -> None:
    for token in ("kr_unheard-of", "x" * 5000, "eyJhbGciOiJub25lIn0.e30."):
        answer = await revoke(shared_world, token)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_v10_4_10_a_client_with_a_secret_shows_it(world: World) -> None:
    client = await world.new_client(grant_types=["password", "refresh_token"])
    who = {name: client[name] for name in ("client_id", "client_secret")}
    token = await refreshable(world, **who)
    for wrong in (None, "wrong"):
        answer = await revoke(world, token, client_id=client["client_id"], client_secret=wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "access_denied")
    assert await is_good(world, token, **who)
    header = {"authorization": basic(client["client_id"], client["client_secret"])}
    assert (await world.client.post("/oauth/revoke", data={"token": token}, headers=header)).status_code == 200
    assert not await is_good(world, token, **who)


async def test_what_is_missing(shared_world: World) -> None:
    answer = await shared_world.client.post("/oauth/revoke", json={"client_id": shared_world.client_id})
    assert answer.json() == {"error": "invalid_request", "error_description": "Missing required parameter: token"}
