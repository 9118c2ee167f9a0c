"""One address, and the queue before the action scripts of a connection."""

import asyncio
from collections import Counter
from threading import Event
from typing import Any

import pytest

from customer import customer, live_elsewhere
from world import PASSWORD, World

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("installation", ["sqlite"], indirect=True)]


@pytest.mark.parametrize("door", ["login", "get_user"])
async def test_one_address_holds_half_of_the_places_at_most(world: World, door: str) -> None:
    """Four calls run and thirty-two wait: of twenty at once from one address two are refused while none has ended."""
    ended = Event()
    with customer() as people:
        await live_elsewhere(world, people, "python", authentication_methods={})

        def waits(given: list[Any]) -> dict[str, Any]:
            assert ended.wait(30)
            return {"value": None}

        people.instead[door] = waits

        async def asks(number: int) -> int:
            typed = f"person{number}@example.com"
            if door == "login":
                return (await world.login(typed, PASSWORD)).status_code
            body = {"client_id": world.client_id, "email": typed, "connection": world.connection}
            return (await world.client.post("/dbconnections/change_password", json=body)).status_code

        tasks = [asyncio.create_task(asks(number)) for number in range(20)]
        try:
            refused = 0
            while refused < 2:
                done, _ = await asyncio.wait([task for task in tasks if not task.done()], return_when="FIRST_COMPLETED")
                refused += len(done)
                assert {task.result() for task in done} == {503}
        finally:
            ended.set()
        answers = Counter(await asyncio.gather(*tasks))
    assert answers == {503: 2, (403 if door == "login" else 200): 18}
    assert people.count(door) == 18
