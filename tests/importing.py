"""Imports of users, as clients of the Management API ask for them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from keystead import worker
from keystead.flows.user_import import UserImport
from world import World

HASH = "$2b$10$C9hB01.YxRSTcn/ZOOo4j.TW7xCKKFKBSF.C7E0xiUwumqIDqWUXG"
"""bcrypt of ``shh``, as Auth0's documentation has it."""


async def send(world: World, file: object, *, scope: str | None = None, **fields: Any) -> httpx.Response:
    """Ask for an import of rows, or of a file as it is."""
    content = file if isinstance(file, bytes) else json.dumps(file).encode()
    asked: dict[str, Any] = {"connection_id": world.connection_id, "send_completion_email": "false"} | fields
    texts: list[tuple[str, Any]] = []
    for name, value in asked.items():
        values = value if isinstance(value, list) else [value]
        texts += [(name, (None, each)) for each in values if each is not None]
    return await world.manage(
        "POST", "/jobs/users-imports", files=[*texts, ("users", ("users.json", content))], scope=scope
    )


async def work(world: World) -> int:
    """Do the imports that are due."""
    importer: UserImport = world.app.state.flows.management.user_import
    return await worker.deliver_due(world.db, importer, world.clock)


async def imported(world: World, file: object, **fields: Any) -> dict[str, Any]:
    """Import rows, and return the job when it is over."""
    begun = await send(world, file, **fields)
    assert begun.status_code == 202, begun.text
    await work(world)
    return await job(world, begun.json()["id"])


async def job(world: World, job_id: str) -> dict[str, Any]:
    """Return a job."""
    answer = await world.manage("GET", f"/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def errors(world: World, job_id: str) -> list[dict[str, Any]]:
    """Return the rows that were refused."""
    answer = await world.manage("GET", f"/jobs/{job_id}/errors")
    found: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
    return found


async def rows(world: World, job_id: str) -> list[dict[str, Any]]:
    """Return what was found of rows."""
    answer = await world.manage("GET", f"/keystead/jobs/{job_id}/rows?take=100")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


async def only_error(world: World, row: object, **fields: Any) -> Mapping[str, Any]:
    """Return why a row is refused, which must have one reason."""
    found = await imported(world, [row], **fields)
    (refused,) = await errors(world, found["id"])
    (error,) = refused["errors"]
    return dict(error)


async def user(world: World, email: str) -> dict[str, Any]:
    """Return whoever has an address."""
    (found,) = (await world.manage("GET", "/users-by-email", params={"email": email})).json()
    return dict(found)


def people(count: int, **more: Any) -> Sequence[dict[str, Any]]:
    """Return rows, each of somebody else."""
    return [{"email": f"person-{each}@example.com", "password_hash": HASH} | more for each in range(count)]
