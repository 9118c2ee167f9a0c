"""The journal sealed: in order, in batches, by one of any number of processes, and nothing of it is waited for."""

import asyncio
from typing import Any

import pytest

from conftest import Stencil
from keystead.db import journal
from keystead.db.tables import JournalRow, JournalSeal
from keystead.flows import journal_chain
from keystead.flows.journal_chain import JournalChain
from keystead.rules.events import Caller
from keystead.rules.journal_chain import NOTHING, Head, digest, leaves_of
from keystead.rules.log_entries import LogEntry, on_wire
from world import World, open_world


def chain_of(world: World) -> JournalChain:
    """Return what seals."""
    found: JournalChain = world.app.state.flows.management.chain
    return found


async def sealed(world: World) -> int:
    """Seal what there is, old enough; return how many entries were."""
    world.clock.advance(seconds=3)
    return await chain_of(world).seal()


async def read_on(world: World, seal: int = 0, log_id: str = "", limit: int = 100) -> list[LogEntry]:
    return await world.db.read(journal.sealed_after, seal, log_id, limit)


async def test_what_was_recorded_is_sealed_in_order(world: World) -> None:
    await world.person()
    await world.tokens()
    recorded = await world.journal(exchanges=True)
    assert await sealed(world) == len(recorded)
    entries = await read_on(world)
    assert [each.type for each in entries] == recorded
    (seal,) = await world.rows(JournalSeal)
    assert (seal["number"], seal["entries"], seal["first_id"]) == (1, len(recorded), entries[0].log_id)
    assert seal["last_id"] == entries[-1].log_id
    assert seal["leaves"] == leaves_of(entries)
    assert seal["digest"] == digest(NOTHING.digest, 1, seal["leaves"])
    assert {row["seal"] for row in await world.rows(JournalRow)} == {1}


async def test_each_batch_holds_on_to_the_one_before(world: World) -> None:
    await world.person()
    await sealed(world)
    await world.tokens()
    await sealed(world)
    first, second = sorted(await world.rows(JournalSeal), key=lambda row: int(row["number"]))
    assert second["digest"] == digest(first["digest"], 2, second["leaves"])


async def test_what_is_younger_than_two_seconds_waits(world: World) -> None:
    await world.person()
    assert await chain_of(world).seal() == 0
    assert await sealed(world) == len(await world.journal())
    assert await sealed(world) == 0


async def test_a_clock_that_was_set_back_keeps_nothing_from_its_seal(world: World) -> None:
    await world.person()
    world.clock.advance(days=-1)
    await world.person("bob@example.com")
    assert await sealed(world) == len(await world.journal())
    world.clock.advance(seconds=30)
    await world.guess()
    world.clock.advance(seconds=-30)
    assert await sealed(world) == 0
    world.clock.advance(seconds=30)
    assert await sealed(world) == 1


async def test_reading_on_finds_everything_once(world: World) -> None:
    for number in range(4):
        await world.person(f"p{number}@example.com")
        await sealed(world)
    found: list[LogEntry] = []
    while page := await read_on(world, *((found[-1].seal, found[-1].log_id) if found else (0, "")), limit=2):  # type: ignore[arg-type]
        found += page
    assert [each.log_id for each in found] == [row["log_id"] for row in await world.rows(JournalRow)]


async def test_what_is_committed_late_comes_last(world: World) -> None:
    """An id that is older than those that were sealed: whoever reads on must not miss it."""
    made_by = world.app.state.flows.sessions.journal
    slow = made_by.event("s", Caller(), description="slow")
    world.clock.advance(seconds=1)
    await world.person()
    await sealed(world)
    before = await read_on(world)
    await world.db.write(journal.add, slow)
    assert await chain_of(world).seal() == 1
    (found,) = await read_on(world, before[-1].seal or 0, before[-1].log_id)
    assert found.description == "slow"
    assert found.log_id < before[-1].log_id


async def test_many_entries_make_many_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_chain, "BATCH", 2)
    await world.person()
    await world.person("bob@example.com")
    await world.guess()
    assert await sealed(world) == 5
    assert sorted(row["entries"] for row in await world.rows(JournalSeal)) == [1, 2, 2]


async def test_two_processes_at_once_seal_everything_once(installation: Stencil, world: World) -> None:
    async with open_world(installation.settings, installation.document, seed="other") as other:
        for number in range(6):
            await world.person(f"p{number}@example.com")
            other.clock.now = world.clock.now
            world.clock.advance(seconds=3)
            other.clock.advance(seconds=3)
            await asyncio.gather(*(chain_of(each).seal() for each in (world, other, world, other)))
    rows = await world.rows(JournalRow)
    assert all(row["seal"] for row in rows)
    seals = sorted(await world.rows(JournalSeal), key=lambda row: int(row["number"]))
    assert [seal["number"] for seal in seals] == list(range(1, len(seals) + 1))
    before = NOTHING.digest
    for seal in seals:
        entries = [each for each in await read_on(world) if each.seal == seal["number"]]
        before = digest(before, seal["number"], leaves_of(entries))
        assert before == seal["digest"]


async def test_the_operator_is_told(world: World) -> None:
    told: list[tuple[str, Head]] = []
    chain = chain_of(world)
    chain.tell = lambda what, head: told.append((what, head))
    await world.person()
    await sealed(world)
    (seal,) = await world.rows(JournalSeal)
    assert told == [("sealed", Head(1, seal["digest"]))]


async def test_an_entry_on_the_wire(world: World) -> None:
    user_id = await world.person()
    await world.login(password="wrong " * 3)
    await sealed(world)
    shown: dict[str, Any] = on_wire((await read_on(world))[-1], "login.example.com")
    assert shown["type"] == "fp"
    assert shown["user_id"] == user_id
    assert shown["user_name"] == "ann@example.com"
    assert (shown["connection"], shown["connection_id"]) == (world.connection, world.connection_id)
    assert (shown["client_id"], shown["client_name"]) == (world.client_id, "Default App")
    assert (shown["strategy"], shown["strategy_type"]) == ("auth0", "database")
    assert shown["_id"] == shown["log_id"]
    assert shown["date"].endswith("Z")
    assert shown["ip"] == "203.0.113.9"
    assert shown["hostname"] == "login.example.com"
    assert shown["description"] is None
    assert shown["isMobile"] is False
    assert shown["seal"] == 1
    assert shown["decision_id"].startswith("dec_")
    assert shown["request_id"]
