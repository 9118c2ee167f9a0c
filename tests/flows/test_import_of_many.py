"""Imports of many users: in little memory, by two workers at once, and on past rows that no database takes."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from importing import HASH, errors, job, people, send, work
from keystead.db import jobs, tables
from keystead.db.session import Database
from keystead.flows.operations import Operation
from keystead.flows.user_import import UserImport
from keystead.rules.events import Caller
from world import World

SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
FEW, MANY = 2_500, 7_500
"""Users of whom memory is compared; the few are more than what is held at once."""
SHARED = 900
"""Users whom two jobs both have."""
FREE_AGAIN = timedelta(minutes=3)
"""Longer than a lease."""


class _Form:
    """What comes beside a file."""

    def __init__(self, connection_id: str) -> None:
        self.texts = {"connection_id": [connection_id], "send_completion_email": ["false"]}

    def has_file(self) -> bool:
        return True


async def _file(count: int, of: str) -> AsyncIterator[bytes]:
    """Give a file of people, one a line of half a kilobyte, which nobody holds as a whole."""
    more = {"password_hash": HASH, "app_metadata": {"plan": "x" * 400}}
    for at in range(0, count, 100):
        lines = [{"email": f"{of}-{each}@example.com", **more} for each in range(at, at + 100)]
        yield b"".join(json.dumps(each).encode() + b"\n" for each in lines)


@SQLITE
async def test_many_are_imported_in_the_memory_of_few(world: World) -> None:
    """The whole of an import: taken in, looked through, read, decided and written."""
    uploads = replace(world.app.state.flows.management.import_uploads, most_bytes=0)
    operation = Operation(client_id="", caller=Caller(), method="POST", path="/api/v2/jobs/users-imports")
    peaks = []
    for count, of in ((100, "warm"), (FEW, "few"), (MANY, "many")):
        gc.collect()
        gc.freeze()  # or cycles wait for a collection of all that earlier tests have left, and are counted as held
        tracemalloc.start()
        await uploads.receive(_file(count, of), _Form(world.connection_id), operation)
        await work(world)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        gc.unfreeze()
    assert await world.count(tables.Account) == 100 + FEW + MANY
    assert peaks[2] < 1.25 * peaks[1]


async def test_two_workers_import_the_same_users_at_once(world: World) -> None:
    """Two jobs, each with a worker and a database of its own: whoever is first has a user, and the other an error."""
    first, second = _worker(world), _worker(world)
    try:
        ids = [(await send(world, people(SHARED))).json()["id"] for _ in range(2)]
        claims = [await each.db.write(jobs.claim, world.clock(), UserImport.types) for each in (first, second)]
        assert {each.id for each in claims if each} == set(ids)
        await asyncio.gather(*(_done(*each) for each in zip((first, second), claims, strict=True)))
    finally:
        first.db.close()
        second.db.close()
    found = [(await job(world, each))["summary"] for each in ids]
    assert [each["total"] for each in found] == [SHARED, SHARED]
    assert sum(each["inserted"] for each in found) == sum(each["failed"] for each in found) == SHARED
    assert await world.count(tables.Account) == await world.count(tables.AccountIdentifier) == SHARED


async def test_a_worker_that_was_taken_for_dead_keeps_nothing(world: World) -> None:
    """Both are at the same job at once: it is done once."""
    first, second = _worker(world), _worker(world)
    try:
        begun = (await send(world, people(SHARED))).json()["id"]
        slow = await first.db.write(jobs.claim, world.clock(), UserImport.types)
        late = await second.db.write(jobs.claim, world.clock() + FREE_AGAIN, UserImport.types)
        assert slow is not None
        assert late is not None
        assert slow.id == late.id
        await asyncio.gather(_done(first, slow), _done(second, late))
    finally:
        first.db.close()
        second.db.close()
    assert (await job(world, begun))["summary"] == {"failed": 0, "updated": 0, "inserted": SHARED, "total": SHARED}
    assert await world.count(tables.Account) == SHARED
    ends = (await world.manage("GET", "/logs", params={"q": "type:sui", "search_engine": "v3"})).json()
    assert len(ends) == 1


@SQLITE
async def test_a_row_that_the_database_refuses_is_one_error(world: World) -> None:
    """Written one by one where they cannot be written together."""
    # Larger than anything that SQLite holds, which no rule of ours could tell.
    await _poison(world, "person-3@example.com", "SELECT zeroblob(2000000000)")
    begun = (await send(world, people(6))).json()["id"]
    assert await work(world) == 1
    assert (await job(world, begun))["summary"] == {"failed": 1, "updated": 0, "inserted": 5, "total": 6}
    (refused,) = await errors(world, begun)
    assert refused["user"]["email"] == "person-3@example.com"
    assert refused["errors"] == [{"code": "NOT_PASSED", "message": "The row cannot be stored: DataError"}]


async def _poison(world: World, email: str, does: str) -> None:
    trigger = f"CREATE TRIGGER poison BEFORE INSERT ON account WHEN NEW.email = '{email}' BEGIN {does}; END"
    await world.db.write(lambda session: session.connection().execute(text(trigger)))


def _worker(world: World) -> UserImport:
    """Return one with threads and connections of its own, and a few rows at a time."""
    importer: UserImport = world.app.state.flows.management.user_import
    return replace(importer, db=Database(world.settings.database_url.reveal()), rows=20)


async def _done(worker: UserImport, claimed: jobs.Claimed | None) -> None:
    assert claimed is not None
    await worker.deliver(claimed)
