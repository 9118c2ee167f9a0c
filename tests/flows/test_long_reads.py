"""Reads that look through much: one after the other, with an end, and nobody who signs in waits for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

import pytest
from sqlalchemy import text
from sqlmodel import Session

from keystead.errors import Busy, Unavailable
from keystead.flows.long_reads import LongReads
from owners import first_owner
from world import World

pytestmark = pytest.mark.anyio

_ENDLESS = text("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT 1 - n FROM t) SELECT count(*) FROM t")


def endless(session: Session) -> None:
    session.connection().execute(_ENDLESS)


def nothing(_: Session) -> str:
    return "done"


@asynccontextmanager
async def taken(long: LongReads) -> AsyncIterator["asyncio.Task[bool]"]:
    """Have the turn be somebody's until the end of the block."""
    begun, end = Event(), Event()

    def work(_: Session) -> bool:
        begun.set()
        return end.wait()

    reading = asyncio.create_task(long.read(work))
    await asyncio.to_thread(begun.wait)
    try:
        yield reading
    finally:
        end.set()


async def test_a_search_has_an_end(world: World) -> None:
    long = LongReads(world.db, seconds=0.1)
    with pytest.raises(Unavailable, match="took too long"):
        await long.search(endless)
    assert await long.search(nothing) == "done"


async def test_one_at_a_time(world: World) -> None:
    long = LongReads(world.db, seconds=0.1)
    async with taken(long) as reading:
        with pytest.raises(Busy):
            await long.search(nothing)
        patient = asyncio.create_task(long.read(nothing))
        assert await world.db.read(nothing) == "done"
        assert not patient.done()
    assert (await reading, await patient, await long.search(nothing)) == (True, "done", "done")


async def test_whoever_goes_away_gives_no_turn_to_the_next_while_it_is_used(world: World) -> None:
    long = LongReads(world.db, seconds=0.1)
    async with taken(long) as reading:
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        with pytest.raises(Busy):
            await long.search(nothing)
    assert await long.read(nothing) == "done"


async def test_searches_leave_readers_to_logins(world: World) -> None:
    await world.person()
    viewer = await (await first_owner(world)).invites("viewer@example.com", "viewer")
    paths = ("/users", "/users?take=5", "/users?include_totals=true", "/logs", "/logs?include_totals=true&q=type:s")
    async with taken(world.app.state.flows.management.user_search.long):
        searches = [asyncio.create_task(viewer.manage("GET", path)) for path in paths * 8]
        assert (await world.login()).status_code == 200
        answers = await asyncio.gather(*searches)
        assert {each.status_code for each in answers} == {503}
        assert all(int(each.headers["retry-after"]) > 0 for each in answers)
    assert {(await viewer.manage("GET", path)).status_code for path in paths} == {200}
