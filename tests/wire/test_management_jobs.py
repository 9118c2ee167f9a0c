"""``/api/v2/keystead/jobs``, ``/keystead/signing-keys`` and ``/keystead/decisions``: what commands ask besides."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from keystead.db import jobs as table
from world import World

pytestmark = pytest.mark.anyio

SECRET = "what-it-is-about"


async def jobs(world: World, **query: Any) -> dict[str, Any]:
    answer = await world.manage("GET", "/keystead/jobs", scope="read:users", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def add(world: World, *names: str, type: str = "message", turn: str = "") -> None:
    """Ask for jobs, a second apart."""
    for name in names:
        world.clock.advance(seconds=1)
        work = partial(table.add, id=name, type=type, sealed=SECRET.encode(), now=world.clock.now, turn=turn)
        await world.db.write(work)


async def test_jobs_are_listed_newest_first(world: World) -> None:
    await add(world, "job_a", "job_b", "job_c")
    found = await jobs(world)
    assert [each["id"] for each in found["jobs"]] == ["job_c", "job_b", "job_a"]
    assert "next" not in found
    newest = found["jobs"][0]
    assert newest == {
        "id": "job_c",
        "type": "message",
        "status": "pending",
        "created_at": "2026-06-01T12:00:03.000Z",
        "run_at": "2026-06-01T12:00:03.000Z",
        "tries": 0,
    }
    assert SECRET not in str(found)


async def test_jobs_come_in_parts(world: World) -> None:
    await add(world, *(f"job_{number}" for number in range(5)))
    first = await jobs(world, take=2)
    assert ([each["id"] for each in first["jobs"]], first["next"]) == (["job_4", "job_3"], "job_3")
    last = await jobs(world, take=3, **{"from": first["next"]})
    assert [each["id"] for each in last["jobs"]] == ["job_2", "job_1", "job_0"]
    assert "next" not in last
    assert (await jobs(world, **{"from": "job_nothing"}))["jobs"] == []


async def test_some_jobs(world: World) -> None:
    await add(world, "job_1", type="message")
    await add(world, "job_2", type="logout", turn="of_one_client")
    assert [each["type"] for each in (await jobs(world, type="logout"))["jobs"]] == ["logout"], "whose turn is not told"
    assert (await jobs(world, type="log"))["jobs"] == []
    assert (await jobs(world, type="logou%"))["jobs"] == []
    assert (await jobs(world, status="failed"))["jobs"] == []
    assert len((await jobs(world, status="pending"))["jobs"]) == 2
    refused = await world.manage("GET", "/keystead/jobs?status=lost", scope="read:users")
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_query_string")


async def test_a_job_is_shown_with_its_failure(world: World) -> None:
    await add(world, "job_1")
    claimed = await world.db.write(table.claim, world.clock.now, ["message"])
    assert claimed is not None
    await world.db.write(table.again, claimed, world.clock.now, "nobody took it")
    shown = (await world.manage("GET", "/keystead/jobs/job_1", scope="read:users")).json()
    assert (shown["status"], shown["tries"], shown["error"]) == ("pending", 1, "nobody took it")
    assert shown["run_at"] > shown["created_at"]
    world.clock.advance(minutes=5)
    claimed = await world.db.write(table.claim, world.clock.now, ["message"])
    assert claimed is not None
    assert (await world.manage("GET", "/keystead/jobs/job_1", scope="read:users")).json()["status"] == "processing"
    await world.db.write(table.finish, claimed, world.clock.now + timedelta(seconds=1))
    assert "finished_at" in (await world.manage("GET", "/keystead/jobs/job_1", scope="read:users")).json()
    missing = await world.manage("GET", "/keystead/jobs/job_2", scope="read:users")
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "inexistent_job")


async def test_keys_of_every_algorithm(world: World) -> None:
    found = (await world.manage("GET", "/keystead/signing-keys", scope="read:signing_keys")).json()
    assert [key["algorithm"] for key in found if key["state"] == "current"] == ["RS256", "ES256", "Ed25519"]
    assert all(key["revoked_at"] is None and key["published"] for key in found)


async def test_decisions_about_somebody(world: World) -> None:
    user_id = await world.person()
    await world.guess()
    for about in (user_id, "ann@example.com", "Ann@Example.com"):
        answer = await world.manage("GET", "/keystead/decisions", params={"about": about})
        assert [each["rule"] for each in answer.json()] == ["wrong_password"], about
    decision = answer.json()[0]["id"]
    assert [
        each["id"] for each in (await world.manage("GET", "/keystead/decisions", params={"about": decision})).json()
    ] == [decision]
    for nothing in ({"about": "dec_nothing"}, {"about": ""}, {}):
        assert (await world.manage("GET", "/keystead/decisions", params=nothing)).json() == []
    refused = await world.manage("GET", "/keystead/decisions?about=x", scope="read:logs")
    assert refused.status_code == 403, "it knows administrators"
