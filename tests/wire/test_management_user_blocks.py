"""``/api/v2/user-blocks``: an administrator sees a block and lifts it."""

import pytest

from world import World

pytestmark = pytest.mark.anyio


async def blocked(world: World) -> str:
    """Fail ten times as somebody, who is then blocked; return their id, ready for a path."""
    user_id = await world.person()
    for _ in range(10):
        await world.guess()
    assert (await world.login()).status_code == 429
    return user_id.replace("|", "%7C")


SHOWN = {"identifier": "ann@example.com", "ip": "203.0.113.9", "connection": "Username-Password-Authentication"}


async def test_nobody_is_blocked_at_first(world: World) -> None:
    user_id = (await world.person()).replace("|", "%7C")
    await world.guess()
    assert (await world.manage("GET", f"/user-blocks/{user_id}")).json() == {"blocked_for": []}


async def test_a_block_is_shown_and_lifted_by_user(world: World) -> None:
    user_id = await blocked(world)
    assert (await world.manage("GET", f"/user-blocks/{user_id}")).json() == {"blocked_for": [SHOWN]}
    assert (await world.manage("DELETE", f"/user-blocks/{user_id}")).status_code == 204
    assert (await world.login()).status_code == 200


async def test_a_block_is_shown_and_lifted_by_identifier(world: World) -> None:
    await blocked(world)
    found = await world.manage("GET", "/user-blocks", params={"identifier": "Ann@Example.com"})
    assert found.json() == {"blocked_for": [SHOWN]}
    lifted = await world.manage("DELETE", "/user-blocks", params={"identifier": "ann@example.com"})
    assert lifted.status_code == 204
    assert (await world.login()).status_code == 200


async def test_another_ones_block_stays(world: World) -> None:
    await blocked(world)
    await world.manage("DELETE", "/user-blocks", params={"identifier": "bob@example.com"})
    assert (await world.login()).status_code == 429


async def test_blocks_of_ipv6_addresses_are_shown_by_their_network(world: World) -> None:
    await world.signup()
    key = f"lock/{world.connection_id}/email:ann@example.com/from/2001:db8::/64"
    for _ in range(10):
        await world.attempts.take(key, 10, 0, lasts=60)
    found = await world.manage("GET", "/user-blocks", params={"identifier": "ann@example.com"})
    assert found.json()["blocked_for"][0]["ip"] == "2001:db8::/64"


@pytest.mark.parametrize(("method", "scope"), [("GET", "update:users"), ("DELETE", "read:users")])
async def test_scopes(world: World, method: str, scope: str) -> None:
    for path in ("/user-blocks?identifier=ann@example.com", "/user-blocks/auth0%7Cx"):
        assert (await world.manage(method, path, scope=scope)).status_code == 403


async def test_refusals(world: World) -> None:
    assert (await world.manage("GET", "/user-blocks")).json()["errorCode"] == "invalid_query_string"
    assert (await world.manage("GET", "/user-blocks/auth0%7Cnobody")).json()["errorCode"] == "inexistent_user"
