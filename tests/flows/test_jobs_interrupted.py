"""Imports that something gets in the way of, which is no fault of any row: none is lost, and nobody waits for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

import two_installations as archives
from breaking_off import INSERTED, Killed, answer_lost_behind, ends_at
from importing import HASH, errors, imported, job, people, send, work
from keystead import worker
from keystead.db import tables
from keystead.errors import BadRequest
from keystead.flows import import_canaries
from keystead.flows.operations import Operation
from keystead.flows.row_reading import ReadRow, RowReading
from keystead.flows.user_import import UserImport
from keystead.rules.archive_imports import NewArchiveImport
from keystead.rules.events import Caller
from keystead.rules.identifiers import parse
from keystead.rules.import_jobs import PIECE
from keystead.rules.import_rows import Terms
from keystead.rules.row_files import Row
from keystead.users.hashing import BcryptHasher
from world import World

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

OFTEN = 20
"""More tries than any job has that nobody comes back from."""
OPERATION = Operation(client_id="", caller=Caller(), method="POST", path="/api/v2/jobs/users-imports")


async def test_a_row_that_ends_whoever_writes_it_is_passed_over(world: World) -> None:
    """After twelve tries that nobody came back from; and whoever's canary it was is told."""
    begun = (await send(world, people(6), canary=["person-3@example.com:shh", "person-4@example.com:shh"])).json()["id"]
    tries = 0
    with ends_at(INSERTED, Killed, of="person-3@example.com"):
        while (found := await job(world, begun))["status"] not in ("completed", "failed"):
            with suppress(Killed):
                await work(world)
            world.clock.advance(minutes=3)
            tries += 1
            assert tries < 40
    assert tries > 12
    assert found["summary"] == {"failed": 1, "updated": 0, "inserted": 5, "total": 6}
    (refused,) = await errors(world, begun)
    assert refused["user"]["email"] == "person-3@example.com"
    assert "passed over" in refused["errors"][0]["message"]
    lost, other = found["canaries"]
    assert (lost["row"], lost["works"], "passed over" in lost["why"]) == (4, False, True)
    assert (other["row"], other["works"]) == (5, True)


async def test_a_row_that_the_keys_never_take_is_one_error_at_once(world: World) -> None:
    """As if somebody were faster each time."""
    await _poison(world, "person-3@example.com", "SELECT RAISE(ABORT, 'never')")
    begun = (await send(world, people(6), canary="person-3@example.com:shh")).json()["id"]
    assert await work(world) == 1
    found = await job(world, begun)
    assert found["summary"] == {"failed": 1, "updated": 0, "inserted": 5, "total": 6}
    (refused,) = await errors(world, begun)
    assert refused["errors"][0]["message"] == "The row cannot be stored: somebody else is changing the same user"
    (canary,) = found["canaries"]
    assert (canary["row"], canary["works"], canary["why"]) == (4, False, refused["errors"][0]["message"])


async def test_a_database_that_is_away_costs_no_row(world: World) -> None:
    """However often it is, and at whichever row."""
    await _poison(world, "person-0@example.com", "SELECT json('{')")
    begun = (await send(world, people(3))).json()["id"]
    for _ in range(OFTEN):
        assert await work(world) == 1
        world.clock.advance(seconds=6)
    await world.db.write(lambda session: session.connection().execute(text("DROP TRIGGER poison")) and None)
    await work(world)
    assert (await job(world, begun))["summary"] == {"failed": 0, "updated": 0, "inserted": 3, "total": 3}


async def test_a_server_that_is_stopped_costs_no_row(world: World) -> None:
    begun = (await send(world, people(3))).json()["id"]
    await stopped_often(world, world.app.state.flows.management.user_import, OFTEN)
    await work(world)
    assert (await job(world, begun))["summary"] == {"failed": 0, "updated": 0, "inserted": 3, "total": 3}


async def test_a_canary_that_cannot_be_tried_holds_nobody_up(world: World) -> None:
    importer: UserImport = world.app.state.flows.management.user_import
    hasher = BcryptHasher(4, workers=1, queue=-1)  # which is always full
    begun = (await send(world, people(3), canary="person-1@example.com:shh")).json()["id"]
    busy = replace(importer, canaries=replace(importer.canaries, hasher=hasher))
    await worker.deliver_due(world.db, busy, world.clock)
    hasher.close()
    found = await job(world, begun)
    assert found["summary"]["inserted"] == 3
    (canary,) = found["canaries"]
    assert (canary["row"], canary["works"]) == (2, False)
    assert "could not be tried" in canary["why"]


async def test_canaries_are_read_once_for_all_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a hundred of them would hold up logins for each row."""
    parsed = list[str]()

    def counted(user: str, *args: Any, **more: Any) -> Any:
        parsed.append(user)
        return parse(user, *args, **more)

    monkeypatch.setattr(import_canaries, "parse", counted)
    wanted = ["Person-7@Example.com:shh", "person-8@example.com:wrong", "nobody@example.com:shh"]
    found = await imported(world, people(50), canary=wanted)
    assert [(each.get("row"), each["works"]) for each in found["canaries"]] == [(8, True), (9, False), (None, False)]
    assert len(parsed) == len(wanted)


async def test_a_commit_whose_answer_is_lost_is_not_done_twice(world: World) -> None:
    """Otherwise all users of it would be found there, and called refused; and nobody waits for the lease to end."""
    begun = (await send(world, people(5))).json()["id"]
    with answer_lost_behind(INSERTED):
        assert await work(world) == 2
    assert (await job(world, begun))["summary"] == {"failed": 0, "updated": 0, "inserted": 5, "total": 5}
    assert await errors(world, begun) == []


async def test_nor_is_that_of_an_archive(world: World) -> None:
    archive = await archive_of_two(world)
    answer = await archives.sent(world, archive)
    with answer_lost_behind(INSERTED):
        assert await worker.deliver_due(world.db, world.app.state.flows.management.archive_imports, world.clock) == 2
    found = await archives.finished(world, answer)
    assert found["summary"] == {"failed": 0, "updated": 0, "inserted": 2, "total": 2}


async def test_an_archive_outlives_restarts_and_a_database_that_is_away(world: World) -> None:
    """No try counts of which the job is not the cause."""
    archive = await archive_of_two(world)
    answer = await archives.sent(world, archive)
    importer = world.app.state.flows.management.archive_imports
    await stopped_often(world, importer, OFTEN)
    await _poison(world, "person-0@example.com", "SELECT json('{')")
    for _ in range(OFTEN):
        assert await worker.deliver_due(world.db, importer, world.clock) == 1
        world.clock.advance(seconds=6)
    await world.db.write(lambda session: session.connection().execute(text("DROP TRIGGER poison")) and None)
    found = await archives.finished(world, answer)
    assert found["summary"] == {"failed": 0, "updated": 0, "inserted": 2, "total": 2}


async def test_an_export_that_errs_is_tried_five_times_however_often_it_was_stopped(world: World) -> None:
    """And each time after a while that grows with the errors, and not with the restarts."""
    await world.person()
    exporter = world.app.state.flows.management.user_exports
    answer = await world.manage("POST", "/jobs/users-exports", {})
    await stopped_often(world, exporter, OFTEN, at="INSERT INTO job_file")
    tries = 0
    with ends_at("INSERT INTO job_file", RuntimeError):
        for seconds in (6, 21, 81, 321, 0):
            tries += await worker.deliver_due(world.db, exporter, world.clock)
            world.clock.advance(seconds=seconds)
    assert tries == 5
    world.forget_tokens()
    found = (await world.manage("GET", f"/jobs/{answer.json()['id']}")).json()
    assert found["status"] == "failed"


async def test_a_file_that_arrives_after_its_job_was_given_up_is_refused(world: World) -> None:
    """And nothing of it stays: it may have hashes in it."""
    uploads = replace(world.app.state.flows.management.import_uploads, most_bytes=0)

    async def file(late: bytes) -> AsyncIterator[bytes]:
        yield b'[{"email": "a@example.com"},' + b" " * PIECE
        world.clock.advance(minutes=61)
        await work(world)
        assert await world.count(tables.JobFile) == 0
        yield late + b'{"email": "b@example.com"}]'
        assert await world.count(tables.JobFile) == 0

    for late in (b"", b" " * PIECE):
        with pytest.raises(BadRequest, match="took too long"):
            await uploads.receive(file(late), _Form(world.connection_id), OPERATION)
        assert await world.count(tables.JobFile) == 0
    assert await world.count(tables.Account) == 0


async def test_nor_is_an_archive_taken_that_arrives_too_late(world: World) -> None:
    archive = await archive_of_two(world)
    importer = world.app.state.flows.management.archive_imports

    async def file(*more: bytes) -> AsyncIterator[bytes]:
        for each in (archive, *more):
            yield each
        world.clock.advance(minutes=61)
        await worker.deliver_due(world.db, importer, world.clock)

    kept = await world.count(tables.JobFile)
    for more in ((), (b"x" * PIECE,)):
        with pytest.raises(BadRequest, match="took too long"):
            await importer.receive(file(*more), NewArchiveImport, OPERATION)
        assert await world.count(tables.JobFile) == kept


async def test_terms_that_change_meanwhile_are_those_of_the_next_rows(world: World) -> None:
    """Of canaries too; and rows are not read again one by one while everybody waits for them."""
    importer: UserImport = world.app.state.flows.management.user_import
    padding = {"app_metadata": {"plan": "x" * 4000}}
    file = [{"email": f"person-{each}@example.com", **padding} for each in range(400)]
    file.append({"email": "ann@example.com", "username": "ann", "password_hash": HASH})
    assert len(json.dumps(file)) > 3 * PIECE
    uploads = replace(world.app.state.flows.management.import_uploads, most_bytes=0)
    begun, _ = await uploads.receive(_whole(file), _Form(world.connection_id, canary=["ann:shh"]), OPERATION)
    loop = asyncio.get_running_loop()
    reading = _Changing(importer.batch.reading.keys, lambda: _wait(loop, _names_too(world)))
    changing = replace(importer, batch=replace(importer.batch, reading=reading))
    assert await worker.deliver_due(world.db, changing, world.clock) == 1
    found = await job(world, begun.id)
    assert found["summary"]["inserted"] == len(file)
    (canary,) = found["canaries"]
    assert (canary.get("row"), canary["works"]) == (len(file), True)
    assert len(file) < reading.read_rows[0] < 1.5 * len(file), "those alone that were read before the change"


class _Changing(RowReading):
    """Reads rows, counts them, and has something happen at the first of them."""

    def __init__(self, keys: Any, then: Any) -> None:
        super().__init__(keys)
        object.__setattr__(self, "read_rows", [0])
        object.__setattr__(self, "then", then)

    read_rows: list[int]
    then: Any

    def read(self, number: int, raw: Row, terms: Terms) -> ReadRow:
        self.read_rows[0] += 1
        if self.read_rows[0] == 1:
            self.then()
        return super().read(number, raw, terms)


class _Form:
    """What comes beside a file."""

    def __init__(self, connection_id: str, **more: list[str]) -> None:
        self.texts = {"connection_id": [connection_id], "send_completion_email": ["false"]} | more

    def has_file(self) -> bool:
        return True


async def _whole(file: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield json.dumps(file).encode()


def _wait(loop: asyncio.AbstractEventLoop, coroutine: Any) -> None:
    asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)


async def _names_too(world: World) -> None:
    email, username = ({"identifier": {"active": True}, "profile_required": False} for _ in range(2))
    await world.patch_options(attributes={"email": email, "username": username})


async def stopped_often(world: World, handler: Any, times: int, at: str = INSERTED) -> None:
    """Have whoever does a job be stopped in the middle of it, by whoever puts a new version in its place."""
    with ends_at(at, asyncio.CancelledError):
        for _ in range(times):
            with pytest.raises(asyncio.CancelledError):
                await worker.deliver_due(world.db, handler, world.clock)


async def archive_of_two(world: World) -> bytes:
    """Return an archive of two people who are gone."""
    await imported(world, people(2))
    archive = await archives.exported(world)
    await world.db.write(lambda session: session.connection().execute(text("DELETE FROM account")) and None)
    return archive


async def _poison(world: World, email: str, does: str) -> None:
    trigger = f"CREATE TRIGGER poison BEFORE INSERT ON account WHEN NEW.email = '{email}' BEGIN {does}; END"
    await world.db.write(lambda session: session.connection().execute(text(trigger)) and None)
