"""``/api/v2/user-blocks`` and ``/anomaly/blocks``: an administrator sees a block and lifts it."""

from typing import Any, Final
from urllib.parse import quote

import pytest

from keystead.rules.buckets import BLOCK
from world import World

pytestmark = pytest.mark.anyio

EMAIL: Final = "ann@example.com"
CONNECTION: Final = "Username-Password-Authentication"
SHOWN: Final = {"identifier": EMAIL, "ip": "203.0.113.9", "connection": CONNECTION}
ANYWHERE: Final = {"identifier": EMAIL, "connection": CONNECTION}
SETTINGS: Final = "/attack-protection/brute-force-protection"
LOCK: Final = "/keystead/attack-protection"


async def blocked(world: World) -> str:
    """Fail ten times as somebody, who is then blocked; return their id, ready for a path."""
    user_id = await world.person()
    for _ in range(10):
        await world.guess()
    assert (await world.login()).status_code == 429
    return quote(user_id)


async def blocks(world: World, identifier: str = EMAIL, **more: Any) -> list[dict[str, str]]:
    """Return the blocks of whoever logs in with an identifier."""
    answer = await world.manage("GET", "/user-blocks", params={"identifier": identifier} | more)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["blocked_for"]
    return found


async def lift(world: World, identifier: str = EMAIL) -> None:
    """Lift the blocks of whoever logs in with an identifier."""
    assert (await world.manage("DELETE", "/user-blocks", params={"identifier": identifier})).status_code == 204


async def change(world: World, path: str, **members: Any) -> None:
    """Change settings."""
    answer = await world.manage("PATCH", path, members)
    assert answer.status_code == 200, answer.text


async def fill(world: World, where: str, times: int = 10, identifier: str = f"email:{EMAIL}") -> None:
    """Fail so often, as the lock has it."""
    key = f"lock/{world.connection_id}/{identifier}/{where}"
    for _ in range(times):
        assert (await world.attempts.take(key, times, 0, lasts=BLOCK.total_seconds())).allowed


# --- of people ---------------------------------------------------------------------------------------------------


async def test_nobody_is_blocked_at_first(world: World) -> None:
    user_id = quote(await world.person())
    await world.guess()
    assert (await world.manage("GET", f"/user-blocks/{user_id}")).json() == {"blocked_for": []}


async def test_a_block_is_shown_and_lifted_by_user(world: World) -> None:
    user_id = await blocked(world)
    assert (await world.manage("GET", f"/user-blocks/{user_id}")).json() == {"blocked_for": [SHOWN]}
    assert (await world.manage("DELETE", f"/user-blocks/{user_id}")).status_code == 204
    assert (await world.manage("GET", f"/user-blocks/{user_id}")).json() == {"blocked_for": []}
    entry = await world.last_entry()
    assert (entry["type"], entry["description"], quote(entry["user_id"])) == ("sapi", "Unblock a user", user_id)
    assert (await world.login()).status_code == 200


async def test_a_block_is_shown_and_lifted_by_identifier(world: World) -> None:
    await blocked(world)
    assert await blocks(world, "Ann@Example.com") == [SHOWN]
    await lift(world, "ANN@example.com ")
    entry = await world.last_entry()
    assert (entry["description"], entry["details"]["identifier"]) == ("Unblock a user", "ANN@example.com ")
    assert (await world.login()).status_code == 200


async def test_another_ones_block_stays(world: World) -> None:
    await blocked(world)
    await lift(world, "bob@example.com")
    assert await blocks(world) == [SHOWN]
    assert (await world.login()).status_code == 429


async def test_to_lift_is_to_begin_anew_everywhere(world: World) -> None:
    """Nine failures elsewhere are no block yet; they are forgotten too."""
    await blocked(world)
    phone = world.at("198.51.100.7")
    for _ in range(9):
        await phone.guess()
    await lift(world)
    assert [(await phone.guess()).status_code for _ in range(9)] == [403] * 9
    assert (await phone.login()).status_code == 200


@pytest.mark.parametrize(
    ("members", "scope", "where", "shown"),
    [
        ({}, "auth0", "from/203.0.113.9", SHOWN),
        ({}, "device_aware", "from/2001:db8::/64", SHOWN | {"ip": "2001:db8::/64"}),
        ({}, "device_aware", "from/unknown", ANYWHERE),
        ({}, "device_aware", "device/a-laptop", ANYWHERE),
        ({"mode": "count_per_identifier"}, "device_aware", "device/a-laptop", ANYWHERE),
        ({"mode": "count_per_identifier"}, "device_aware", "strangers", ANYWHERE),
        ({"mode": "count_per_identifier"}, "auth0", "anywhere", ANYWHERE),
    ],
)
async def test_each_lock(world: World, members: dict[str, str], scope: str, where: str, shown: dict[str, str]) -> None:
    """Shown where it is in force, with an address only where it is one's; nine failures are none."""
    user_id = await world.person()
    await change(world, LOCK, lock_scope=scope)
    await change(world, SETTINGS, **members)
    await fill(world, where, 9)
    assert await blocks(world) == []
    await lift(world)
    await fill(world, where)
    assert await blocks(world) == [shown]
    assert (await world.manage("GET", f"/user-blocks/{quote(user_id)}")).json() == {"blocked_for": [shown]}
    await lift(world)
    assert await blocks(world) == []


@pytest.mark.parametrize(
    ("members", "scope", "where"),
    [
        ({}, "auth0", "device/a-laptop"),
        ({}, "auth0", "strangers"),
        ({}, "device_aware", "anywhere"),
        ({"mode": "count_per_identifier"}, "device_aware", "from/203.0.113.9"),
        ({"mode": "count_per_identifier"}, "auth0", "strangers"),
    ],
)
async def test_a_lock_that_is_not_in_force_is_no_block(
    world: World, members: dict[str, str], scope: str, where: str
) -> None:
    await world.person()
    await change(world, LOCK, lock_scope=scope)
    await change(world, SETTINGS, **members)
    await fill(world, where)
    assert await blocks(world) == []
    assert (await world.login()).status_code == 200


async def test_strangers_are_a_hundred_and_regain_their_tries_over_thirty_days(world: World) -> None:
    await world.person()
    await fill(world, "strangers", 100)
    assert await blocks(world) == [ANYWHERE]
    assert (await world.login()).status_code == 429
    world.clock.advance(days=0.31)
    world.forget_tokens()
    assert await blocks(world) == []
    assert (await world.login()).status_code == 200


async def test_two_blocked_devices_of_one_person_look_the_same(world: World) -> None:
    await world.person()
    for where in ("device/a-laptop", "device/a-phone", "from/203.0.113.9"):
        await fill(world, where)
    found = await blocks(world)
    assert sorted(found, key=len) == [ANYWHERE, SHOWN]


async def test_a_threshold_that_is_raised_lifts_a_block_and_a_lower_one_makes_one(world: World) -> None:
    await blocked(world)
    await change(world, SETTINGS, max_attempts=11)
    assert await blocks(world) == []
    await change(world, SETTINGS, max_attempts=5)
    assert await blocks(world) == [SHOWN]
    await change(world, SETTINGS, max_attempts=11)
    assert (await world.login()).status_code == 200


async def test_an_address_on_the_list_is_not_blocked(world: World) -> None:
    await blocked(world)
    await fill(world, "from/2001:db8:0:1::/64")
    await change(world, SETTINGS, allowlist=["203.0.113.0/24", "2001:db8::/48"])
    assert await blocks(world) == []
    assert (await world.login()).status_code == 200


async def test_an_administrator_s_block_is_another(world: World) -> None:
    """``blocked: false`` does not lift what wrong passwords made (AP-7)."""
    user_id = await blocked(world)
    for is_blocked in (True, False):
        answer = await world.manage("PATCH", f"/users/{user_id}", {"blocked": is_blocked})
        assert answer.status_code == 200
    assert await blocks(world) == [SHOWN]
    assert (await world.login()).status_code == 429


async def test_thirty_days_after_the_last_failure_it_is_gone(world: World) -> None:
    await blocked(world)
    world.clock.advance(days=29, hours=23)
    world.forget_tokens()
    assert await blocks(world) == [SHOWN]
    assert (await world.login()).status_code == 429
    world.clock.advance(hours=1)
    world.forget_tokens()
    assert await blocks(world) == []
    assert (await world.login()).status_code == 200


HEEDED: Final = {"consider_brute_force_enablement": "true"}


async def test_whether_protection_is_on_may_be_considered(world: World) -> None:
    user_id = await blocked(world)

    async def both() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        of_user = (await world.manage("GET", f"/user-blocks/{user_id}", params=HEEDED)).json()["blocked_for"]
        heeded = await blocks(world, **HEEDED)
        assert of_user == heeded
        return heeded, await blocks(world, consider_brute_force_enablement="false")

    assert await both() == ([SHOWN], [SHOWN])
    for off in ({"enabled": False}, {"shields": ["user_notification"]}):
        await change(world, SETTINGS, **off)
        assert await both() == ([], [SHOWN]), off
        await change(world, SETTINGS, enabled=True, shields=["block"])
    assert (await world.patch_options(brute_force_protection=False)).status_code == 200
    assert await both() == ([], [SHOWN])


async def test_each_connection_reads_an_identifier_in_its_own_way(world: World) -> None:
    """What is an address on one is a name on another, and is found on both."""
    names = {"username": {"identifier": {"active": True}}, "email": {"identifier": {"active": False}}}
    second = await world.new_connection(attributes=names)
    await fill(world, "from/203.0.113.9")
    key = f"lock/{second}/username:{EMAIL}/from/203.0.113.9"
    await world.attempts.take(key, 10, 0, 10, lasts=60)
    found = await blocks(world, "ANN@EXAMPLE.COM")
    assert sorted(each["connection"] for each in found) == ["Second", CONNECTION]
    await lift(world)
    assert await blocks(world) == []


async def test_what_is_no_identifier_is_nobody_s(world: World) -> None:
    for text in ("  ", "a\u200bb", "x" * 2000, "lock/", "%"):
        assert await blocks(world, text) == []
        await lift(world, text)


@pytest.mark.parametrize(("method", "scope"), [("GET", "update:users"), ("DELETE", "read:users")])
async def test_scopes(world: World, method: str, scope: str) -> None:
    for path in ("/user-blocks?identifier=ann@example.com", "/user-blocks/auth0%7Cx"):
        assert (await world.manage(method, path, scope=scope)).status_code == 403


async def test_refusals(world: World) -> None:
    for method in ("GET", "DELETE"):
        assert (await world.manage(method, "/user-blocks")).json()["errorCode"] == "invalid_query_string"
        answer = await world.manage(method, "/user-blocks/auth0%7Cnobody")
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_user")
    answer = await world.manage("GET", "/user-blocks?identifier=a&consider_brute_force_enablement=yes")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string")


# --- of addresses ------------------------------------------------------------------------------------------------

ADDRESS: Final = "/anomaly/blocks/ips/203.0.113.9"
SUSPICIOUS: Final = "/attack-protection/suspicious-ip-throttling"


async def fail_from(world: World, address: str = "203.0.113.9", times: int = 100) -> None:
    """Fail so often from one address, whoever is tried; ten a time, since nobody counts by people here."""
    for _ in range(times // 10):
        await world.attempts.take(f"address/login/{address}", 100, 1 / 864, 10)


async def is_blocked(world: World, path: str = ADDRESS) -> bool:
    """Whether an address is blocked, as administrators see it."""
    answer = await world.manage("GET", path, scope="read:anomaly_blocks")
    if answer.status_code == 404:
        assert answer.json() == {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        return False
    assert (answer.status_code, answer.content) == (200, b"")
    return True


async def test_an_address_is_shown_and_let_go(world: World) -> None:
    await world.person()
    await fail_from(world, times=90)
    assert not await is_blocked(world)
    await fail_from(world, times=10)
    assert await is_blocked(world)
    assert not await is_blocked(world, "/anomaly/blocks/ips/203.0.113.10")
    assert (await world.login()).status_code == 429
    answer = await world.manage("DELETE", ADDRESS, scope="delete:anomaly_blocks")
    assert (answer.status_code, answer.content) == (204, b"")
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Unblock an IP address")
    assert entry["details"]["address"] == "203.0.113.9"
    assert not await is_blocked(world)
    assert (await world.login()).status_code == 200
    assert (await world.manage("DELETE", ADDRESS)).status_code == 204


async def test_an_address_that_signed_up_too_often(world: World) -> None:
    await world.attempts.take("address/signup/203.0.113.9", 50, 1 / 1728, 50)
    assert await is_blocked(world)
    world.clock.advance(seconds=1728)
    assert not await is_blocked(world)
    await world.attempts.take("address/signup/203.0.113.9", 50, 1 / 1728, 1)
    assert await is_blocked(world)
    assert (await world.manage("DELETE", ADDRESS)).status_code == 204
    assert not await is_blocked(world)


async def test_one_failure_comes_back_at_a_time(world: World) -> None:
    await fail_from(world)
    world.clock.advance(seconds=863)
    assert await is_blocked(world)
    world.clock.advance(seconds=1)
    assert not await is_blocked(world)


async def test_an_address_of_ipv6_stands_for_its_network(world: World) -> None:
    await fail_from(world, "2001:db8::/64")
    for address in ("2001:db8::1", "2001:DB8:0:0:ffff::", "2001:0db8::"):
        assert await is_blocked(world, f"/anomaly/blocks/ips/{quote(address)}")
    assert not await is_blocked(world, "/anomaly/blocks/ips/2001:db8:0:1::1")
    assert (await world.manage("DELETE", "/anomaly/blocks/ips/2001:db8::77")).status_code == 204
    assert not await is_blocked(world, "/anomaly/blocks/ips/2001:db8::1")


async def test_an_address_of_ipv4_written_as_one_of_ipv6(world: World) -> None:
    await fail_from(world)
    assert await is_blocked(world, "/anomaly/blocks/ips/::ffff:203.0.113.9")


@pytest.mark.parametrize("members", [{"enabled": False}, {"shields": []}, {"allowlist": ["203.0.113.0/24"]}])
async def test_what_refuses_nobody_is_no_block_and_can_be_lifted(world: World, members: dict[str, Any]) -> None:
    await fail_from(world)
    await change(world, SUSPICIOUS, **members)
    assert not await is_blocked(world)
    assert (await world.manage("DELETE", ADDRESS)).status_code == 204
    await change(world, SUSPICIOUS, enabled=True, shields=["block"], allowlist=[])
    assert not await is_blocked(world)


@pytest.mark.parametrize("text", ["localhost", "203.0.113", "203.0.113.256", "2001:db8::x", "1", "unknown"])
async def test_what_is_no_address_is_refused(world: World, text: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await world.manage(method, f"/anomaly/blocks/ips/{quote(text)}")
        assert answer.json() == {
            "statusCode": 400,
            "error": "Bad Request",
            "message": f"Path validation error: 'Not an IP address: {text}' on property id.",
            "errorCode": "invalid_uri",
        }


@pytest.mark.parametrize(("method", "scope"), [("GET", "delete:anomaly_blocks"), ("DELETE", "read:anomaly_blocks")])
async def test_scopes_of_addresses(world: World, method: str, scope: str) -> None:
    assert (await world.manage(method, ADDRESS, scope=scope)).status_code == 403
