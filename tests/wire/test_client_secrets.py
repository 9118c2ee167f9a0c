"""Secrets of clients: shown once, replaced at once or little by little, and never readable."""

from typing import Any

import pytest

from keystead.db import tables
from world import World, basic

pytestmark = pytest.mark.anyio


async def confidential(world: World) -> tuple[str, str]:
    made = await world.new_client(app_type="regular_web")
    return made["client_id"], made["client_secret"]


async def works(world: World, client_id: str, secret: str) -> bool:
    """Whether a secret is taken: the grant that follows is refused in any case."""
    body = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = await world.client.post("/oauth/token", data=body, headers={"authorization": basic(client_id, secret)})
    assert answer.json()["error"] == ("invalid_grant" if answer.status_code == 403 else "access_denied")
    return answer.status_code == 403


async def rotated(world: World, client_id: str, body: object = None) -> str:
    answer = await world.manage("POST", f"/clients/{client_id}/rotate-secret", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: str = answer.json()["client_secret"]
    return found


async def test_the_old_secret_stops_at_once(world: World) -> None:
    client_id, old = await confidential(world)
    shown = (await world.manage("GET", f"/clients/{client_id}")).json()
    answer = await world.manage("POST", f"/clients/{client_id}/rotate-secret")
    assert answer.json() == shown | {"client_secret": answer.json()["client_secret"]}
    new = answer.json()["client_secret"]
    assert len(new) == 64
    assert new != old
    assert (await works(world, client_id, old), await works(world, client_id, new)) == (False, True)
    assert "client_secret" not in (await world.manage("GET", f"/clients/{client_id}")).json()


async def test_the_old_secret_may_live_on_for_a_while(world: World) -> None:
    client_id, old = await confidential(world)
    new = await rotated(world, client_id, {"previous_secret_seconds": 600})
    assert (await works(world, client_id, old), await works(world, client_id, new)) == (True, True)
    world.clock.advance(seconds=599)
    assert await works(world, client_id, old)
    world.clock.advance(seconds=1)
    assert (await works(world, client_id, old), await works(world, client_id, new)) == (False, True)


async def test_of_older_secrets_one_lives_on_at_most(world: World) -> None:
    client_id, first = await confidential(world)
    second = await rotated(world, client_id, {"previous_secret_seconds": 600})
    third = await rotated(world, client_id, {"previous_secret_seconds": 600})
    assert [await works(world, client_id, each) for each in (first, second, third)] == [False, True, True]
    fourth = await rotated(world, client_id, {})
    assert [await works(world, client_id, each) for each in (second, third, fourth)] == [False, False, True]


@pytest.mark.parametrize("seconds", [-1, 2_592_001, "60", 1.5, True])
async def test_a_roll_over_has_bounds(shared_world: World, seconds: Any) -> None:
    client_id, old = await confidential(shared_world)
    answer = await shared_world.manage(
        "POST", f"/clients/{client_id}/rotate-secret", {"previous_secret_seconds": seconds}
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_body")
    assert await works(shared_world, client_id, old)


async def test_who_has_no_secret_has_none_to_rotate(world: World) -> None:
    answer = await world.manage("POST", f"/clients/{world.client_id}/rotate-secret")
    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": "The client has no secret: it is public, or proves itself with a key.",
        "errorCode": "operation_not_supported",
    }
    nobody = await world.manage("POST", "/clients/nobody/rotate-secret")
    assert (nobody.status_code, nobody.json()["errorCode"]) == (404, "inexistent_client")


async def test_it_needs_the_scope_for_secrets(world: World) -> None:
    client_id, old = await confidential(world)
    answer = await world.manage("POST", f"/clients/{client_id}/rotate-secret", scope="update:clients")
    assert answer.status_code == 403
    assert answer.json()["message"] == "Insufficient scope, expected any of: update:client_keys"
    assert await works(world, client_id, old)


async def test_only_hashes_are_kept(world: World) -> None:
    client_id, old = await confidential(world)
    new = await rotated(world, client_id, {"previous_secret_seconds": 60})
    stored = str(await world.rows(tables.Client)) + str(await world.rows(tables.JournalRow))
    assert old not in stored
    assert new not in stored
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Rotate a client secret")
    assert entry["details"]["previous_secret_seconds"] == 60


async def test_both_ways_are_taken_for_either_method(world: World) -> None:
    for method in ("client_secret_post", "client_secret_basic"):
        made = await world.new_client(app_type="regular_web", token_endpoint_auth_method=method)
        client_id, secret = made["client_id"], made["client_secret"]
        assert await works(world, client_id, secret)
        body = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": client_id, "client_secret": secret}
        assert (await world.client.post("/oauth/token", json=body)).status_code == 403


async def test_a_public_client_that_shows_a_secret_is_simply_public(world: World) -> None:
    await world.person()
    assert (await world.login(client_secret="anything")).status_code == 200
