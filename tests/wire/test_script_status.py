"""``GET /api/v2/keystead/scripts/{connection_id}``: whom it would cost if the old database were switched off."""

from typing import Any

from authenticator import Authenticator
from customer import customer, live_elsewhere
from world import World


async def test_who_has_not_moved(world: World) -> None:
    async def counted(scope: str | None = None) -> Any:
        answer = await world.manage("GET", f"/keystead/scripts/{world.connection_id}", scope=scope)
        assert answer.status_code == 200, answer.text
        return answer.json()["people"]

    nobody = {"here": 0, "with_password": 0, "with_passkey_alone": 0, "not_moved": 0, "examples": []}
    with customer() as people:
        await live_elsewhere(world, people, "python", enable_script_context=True)
        assert await counted() == nobody
        people.add("ann@example.com", "correct horse battery", "1")
        people.add("bob@example.com", "correct horse battery", "2")
        await world.tokens("ann@example.com")
        await world.tokens("bob@example.com")
        await world.register(Authenticator(), "carl@example.com")
        met = {"here": 3, "with_password": 0, "with_passkey_alone": 1, "not_moved": 2}
        assert await counted() == met | {"examples": ["auth0|1", "auth0|2"]}, "they have logged in, and have not moved"

        await live_elsewhere(world, people, "python", enable_script_context=True, import_mode=True)
        await world.tokens("bob@example.com")
        moved = met | {"with_password": 1, "not_moved": 1}
        assert await counted() == moved | {"examples": ["auth0|1"]}
        assert await counted("read:connections_options") == moved | {"examples": []}, "who they are is read:users"
        await world.tokens("ann@example.com")
        assert await counted() == moved | {"with_password": 2, "not_moved": 0, "examples": []}
