"""Exports of users: what is in the file, who may have it and for how long, and that none is lost or doubled (IM-14)."""

import asyncio
import csv
import gc
import gzip
import io
import json
import tracemalloc
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from breaking_off import Killed, killed_at
from keystead import worker
from keystead.db import tables
from owners import first_owner
from two_installations import exported, finished, imported, sent, work
from world import World

SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
HOSTILE = (
    *("=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a\nb", "a\r\nb", 'say "x"', '"', "'", ",", ";"),
    *("\u2028", '=HYPERLINK("http://x","y")', "'=1", "\U0001f600", " "),
)


def rows_of(file: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file).decode().splitlines()]


def cells_of(file: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(file).decode(), newline="")))


async def test_of_many_at_once_two_are_taken(world: World) -> None:
    """Whoever counts those that are under way holds the count still."""
    asked = [world.manage("POST", "/jobs/users-exports", {}) for _ in range(6)]
    codes = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert sorted(codes) == [200] * 2 + [429] * 4


@SQLITE
async def test_csv_that_no_spreadsheet_runs(world: World) -> None:
    """Python's own reader finds every value as it is, behind an apostrophe; only our dates go without (IM-15)."""
    body = {"connection": world.connection, "password": "correct horse battery"}
    for number, value in enumerate(HOSTILE):
        about = {
            "email": f"p{number}@example.com",
            "name": value,
            "user_metadata": {"x": value, "n": -number, "o": [value]},
        }
        assert (await world.manage("POST", "/users", body | about)).status_code == 201
        world.clock.advance(seconds=1)
    names = ("name", "user_metadata.x", "user_metadata.n", "user_metadata.o", "user_metadata.none", "email_verified")
    fields = [{"name": each} for each in (*names, "created_at", "last_login", "identities[0].connection")]
    fields[0]["export_as"] = "=Name"
    head, *cells = cells_of(await exported(world, {"format": "csv", "fields": fields}))
    assert head == ["'=Name", *(each["name"] for each in fields[1:])]
    assert [row[0] for row in cells] == [f"'{value}" for value in HOSTILE]
    assert [row[1] for row in cells] == [f"'{value}" for value in HOSTILE]
    assert [row[2] for row in cells] == [str(-number) for number in range(len(HOSTILE))]
    assert [json.loads(row[3].removeprefix("'")) for row in cells] == [[value] for value in HOSTILE]
    assert {tuple(row[4:6]) for row in cells} == {("", "false")}
    assert (cells[0][6], cells[0][7], cells[0][8]) == ("2026-06-01T12:00:00.000Z", "", f"'{world.connection}")
    raw = gzip.decompress(await exported(world, {"format": "csv", "fields": fields[:1]})).decode()
    assert raw.startswith("\"'=Name\"\r\n\"'=cmd|' /C calc'!A0\"\r\n")


@SQLITE
async def test_the_fields_that_are_asked_for(world: World) -> None:
    await world.person()
    (row,) = rows_of(await exported(world, {}))
    assert list(row) == [
        *("Id", "Nickname", "Name", "Email", "Email Verified", "Picture", "Connection", "Created At", "Updated At")
    ]
    fields = [{"name": "identities[0].user_id", "export_as": "id"}, {"name": "identities[1].user_id"}, {"name": "x.y"}]
    (row,) = rows_of(await exported(world, {"fields": [*fields, {"name": "user_metadata"}]}))
    assert row.keys() == {"id"}
    head, *_ = cells_of(await exported(world, {"format": "csv"}))
    assert head == [
        *("Id", "Given Name", "Family Name", "Nickname", "Name", "Email", "Email Verified", "Picture", "Connection"),
        *("Created At", "Updated At"),
    ]
    second = await world.new_connection("Second")
    assert rows_of(await exported(world, {"connection_id": second})) == []
    assert len(cells_of(await exported(world, {"connection_id": second, "format": "csv"}))) == 1


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"format": "xml"}, "format"),
    ({"format": "archive"}, "format"),
    ({"limit": 0}, "limit"),
    ({"limit": True}, "limit"),
    ({"fields": []}, "fields"),
    ({"fields": [{"export_as": "x"}]}, "name"),
    ({"fields": [{"name": "x" * 101}]}, "name"),
    ({"fields": [{"name": "a..b"}]}, "pattern"),
    ({"fields": [{"name": "a[0"}]}, "pattern"),
    ({"fields": [{"name": "a"}, {"name": "b", "export_as": "a"}]}, "called a"),
    ({"fields": [{"name": "user_metadata"}], "format": "csv"}, "object"),
    ({"fields": [{"name": "app_metadata", "export_as": "x"}], "format": "csv"}, "object"),
    ({"fields": [{"name": f"user_metadata.m{n}"} for n in range(31)], "format": "csv"}, "maximum 30"),
    ({"connection_id": "con_0000000000000000"}, "does not exist"),
    ({"connection_id": "Second"}, "pattern"),
    ({"what": "ever"}, "what"),
)


@SQLITE
async def test_what_cannot_be_exported(world: World) -> None:
    administrators = [row["id"] for row in await world.rows(tables.Connection) if row["for_administrators"]]
    for body, said in (*WRONG, *(({"connection_id": each}, "does not exist") for each in administrators)):
        answer = await world.manage("POST", "/jobs/users-exports", body)
        assert answer.status_code == 400, body
        assert said in answer.json()["message"], answer.text
    assert administrators
    for _ in range(2):
        assert (await world.manage("POST", "/jobs/users-exports", {})).status_code == 200
    for path in ("/jobs/users-exports", "/keystead/user-archives"):
        assert (await world.manage("POST", path, {})).status_code == 429


async def test_who_may_have_which_file(world: World) -> None:
    owner = await first_owner(world)
    await world.person()
    editor = await owner.invites("ed@example.com", "editor")
    for other in (editor, await owner.invites("vi@example.com", "viewer")):
        assert (await other.manage("POST", "/keystead/user-archives", {})).status_code == 403
        assert (await other.manage("PUT", "/keystead/user-archives", {})).status_code == 403
        started = await other.manage("POST", "/jobs/users-exports", {"fields": [{"name": "email"}]})
        assert started.status_code == 200
        await work(world)
        job = (await other.manage("GET", f"/jobs/{started.json()['id']}")).json()
        file = (await world.client.get(job["location"])).content
        assert rows_of(file) == [{"email": "ann@example.com"}]  # and no administrator
    started = await owner.manage("POST", "/keystead/user-archives", {})
    await work(world)
    path = f"/jobs/{started.json()['id']}"
    assert "location" not in (await editor.manage("GET", path)).json()
    assert "location" in (await owner.manage("GET", path)).json()
    job = (await owner.manage("GET", path)).json()
    assert b"ed@example.com" not in gzip.decompress((await world.client.get(job["location"])).content)
    entries = [
        (row["type"], row["actor"]) for row in await world.rows(tables.JournalRow) if row["type"].startswith("users_")
    ]
    assert entries[-2:] == [("users_archive_started", owner.user_id), ("users_archive_downloaded", owner.user_id)]
    assert entries[:2] == [("users_export_started", editor.user_id), ("users_export_downloaded", editor.user_id)]
    assert "location" not in (await world.manage("GET", path, scope="create:users update:users")).json()


@SQLITE
async def test_a_link_is_good_for_a_minute_and_for_one_file(world: World) -> None:
    await world.person()
    first = await finished(world, await world.manage("POST", "/jobs/users-exports", {"format": "csv"}))
    second = await finished(world, await world.manage("POST", "/keystead/user-archives", {}))
    link = first["location"]
    answer = await world.client.get(link)
    assert answer.headers["content-disposition"] == 'attachment; filename="localhost.csv.gz"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.content))
    for wrong in (
        # The last but one: of the last letter of base64 not every bit counts.
        *(link[:-2] + ("A" if link[-2] != "A" else "B") + link[-1], link.partition("?")[0]),
        *(link + "&signed=x", link + "x"),
        link.replace(first["id"], second["id"]),
    ):
        assert (await world.client.get(wrong)).status_code == 400, wrong
    world.clock.advance(seconds=61)
    assert (await world.client.get(link)).status_code == 400
    renewed = (await world.manage("GET", f"/jobs/{first['id']}")).json()["location"]
    assert renewed != link
    assert (await world.client.get(renewed)).content == answer.content
    world.clock.advance(hours=24)
    world.forget_tokens()
    late = (await world.manage("GET", f"/jobs/{first['id']}")).json()["location"]
    assert (await world.client.get(late)).status_code == 404
    await world.db.write(worker.sweep, world.clock())
    assert (await world.manage("GET", f"/jobs/{first['id']}")).status_code == 404
    assert await world.count(tables.JobFile) == 0


_PEOPLE = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :people)
INSERT INTO account (user_id, connection_id, email, email_verified, phone_verified, password_hash, user_handle,
  user_metadata, created_at, updated_at, logins_count, must_verify)
SELECT 'auth0|' || (1000000 + n), :connection_id, 'person' || n || '@example.com', {true}, {false}, 'a hash',
  CAST('handle' || n AS {bytes}), {metadata}, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 0, '[]'
FROM numbers
"""


def fill(session: Session, connection_id: str, people: int, metadata: str = "'{}'") -> None:
    on_sqlite = session.connection().dialect.name == "sqlite"
    words = (
        {"true": 1, "false": 0, "bytes": "BLOB"} if on_sqlite else {"true": "true", "false": "false", "bytes": "BYTEA"}
    )
    words["metadata"] = metadata if on_sqlite else f"CAST({metadata} AS JSONB)"
    statement = text(_PEOPLE.format(**words).replace(":people", str(people)))
    session.connection().execute(statement, {"connection_id": connection_id})


@pytest.mark.timeout(240)
async def test_killed_at_any_statement_it_goes_on(world: World) -> None:
    """An export, then the import of what it made: whoever has the job next loses no line, and doubles none."""
    people = 450
    await world.db.write(fill, world.connection_id, people)
    management = world.app.state.flows.management
    undisturbed = await exported(world, {"fields": [{"name": "user_id"}]})

    async def killed_often(handler: Any, step: int) -> int:
        ends = 0
        for number in range(1, 400, step):
            try:
                with killed_at(number):
                    await worker.deliver_due(world.db, handler, world.clock)
                return ends
            except Killed:
                ends += 1
                world.clock.advance(minutes=3)
        return ends

    started = await world.manage("POST", "/jobs/users-exports", {"fields": [{"name": "user_id"}]})
    assert await killed_often(management.user_exports, 1) > 5
    job = await finished(world, started)
    assert (await world.client.get(job["location"])).content == undisturbed
    assert len(rows_of(undisturbed)) == people

    started = await world.manage("POST", "/keystead/user-archives", {})
    assert await killed_often(management.user_exports, 2) > 5
    archive = (await world.client.get((await finished(world, started))["location"])).content
    await world.db.write(lambda session: session.connection().execute(text("DELETE FROM account")) and None)
    world.forget_tokens()
    answer = await sent(world, archive)
    assert await killed_often(management.archive_imports, 37) > 5
    job = await finished(world, answer)
    assert job["summary"] == {"failed": 0, "updated": 0, "inserted": people, "total": people}
    assert await world.count(tables.Account) == people
    assert await world.count(tables.JobRow) == 0


MANY, MOST_BYTES = 2_500, 4_000_000
"""People with 4 KB of metadata each, and what may be held of them at once: all of it: twice as much and more."""


@SQLITE
@pytest.mark.timeout(240)
async def test_many_people_are_written_and_read_and_never_held(world: World) -> None:
    await world.db.write(fill, world.connection_id, MANY, f"json_object('x', '{'y' * 4000}' || n)")
    gc.freeze()  # or cycles wait for a collection of all that earlier tests have left, and are counted as held
    tracemalloc.start()
    started = await world.manage("POST", "/keystead/user-archives", {})
    await work(world)
    _, made = tracemalloc.get_traced_memory()
    job = (await world.manage("GET", f"/jobs/{started.json()['id']}")).json()
    archive = (await world.client.get(job["location"])).content  # which the client holds, and the server does not
    tracemalloc.reset_peak()
    held, _ = tracemalloc.get_traced_memory()
    done = await imported(world, archive)
    _, read = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.unfreeze()
    assert len(gzip.decompress(archive)) > 2 * MOST_BYTES
    assert done["summary"]["total"] == MANY
    assert made < MOST_BYTES
    assert read - held < MOST_BYTES
