"""Two Keysteads that know nothing of each other, and people who move from one to the other."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import Session

from keystead import worker
from keystead.db import tables
from keystead.settings import load, with_keys
from keystead.start import prepare
from refilled import database_of, execute
from world import PUBLIC_URL, World, open_world

OF_ACCOUNTS = (tables.Account, tables.AccountIdentifier, tables.Passkey, tables.OldPassword)
"""What an account is made of."""


@contextmanager
def another_database(kind: str, data_dir: Path, admin: str) -> Iterator[str | None]:
    """Give the URL of an empty database of a kind."""
    if kind == "sqlite":
        yield None
        return
    name = f"elsewhere_{abs(hash(str(data_dir))):x}"
    execute(admin, f'CREATE DATABASE "{name}"')
    yield database_of(admin, name)
    execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def another_world(data_dir: Path, database_url: str | None = None) -> AsyncIterator[World]:
    """Open a Keystead of its own: other keys, other ids, another connection id under the same name."""
    settings = load(data_dir=data_dir, public_url=PUBLIC_URL, hash_cost=4, hash_workers=2, database_url=database_url)
    settings, document = prepare(with_keys(settings, lambda: "1" * 64))
    assert document is not None
    async with open_world(settings, document, seed="elsewhere") as opened:
        yield opened


async def work(world: World) -> None:
    """Do what is due of exports and imports."""
    management = world.app.state.flows.management
    for handler in (management.user_exports, management.archive_imports):
        await worker.deliver_due(world.db, handler, world.clock)


async def finished(world: World, answer: httpx.Response) -> dict[str, Any]:
    """Return a job that was asked for, once it is at its end."""
    assert answer.status_code in (200, 202), answer.text
    await work(world)
    found: dict[str, Any] = (await world.manage("GET", f"/jobs/{answer.json()['id']}")).json()
    return found


async def exported(world: World, body: dict[str, Any] | None = None) -> bytes:
    """Return the file of an export; of an archive, where no body says what is wanted."""
    path = "/keystead/user-archives" if body is None else "/jobs/users-exports"
    job = await finished(world, await world.manage("POST", path, body or {}))
    answer = await world.client.get(job["location"])
    assert answer.status_code == 200, answer.text
    return answer.content


async def imported(world: World, archive: bytes, **query: str) -> dict[str, Any]:
    """Import an archive, and return the job at its end."""
    return await finished(world, await sent(world, archive, **query))


async def sent(world: World, archive: bytes, **query: str) -> httpx.Response:
    """Send an archive."""
    headers = {"authorization": f"Bearer {await world.management_token()}", "content-type": "application/gzip"}
    return await world.client.put("/api/v2/keystead/user-archives", params=query, content=archive, headers=headers)


async def everything(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return every column of every row that people are made of, but for what the installation gives.

    Those are ids of connections, and when somebody was signed out everywhere, which an import does.
    """
    sealer = world.app.state.flows.management.archive_imports.sealer

    def read(session: Session) -> dict[str, list[dict[str, Any]]]:
        connections = tables.Connection.__table__.c  # type: ignore[attr-defined]
        rows = session.connection().execute(select(connections.id, connections.name))
        names = {row.id: row.name for row in rows}
        return {table.__name__: sorted(_rows(session, table, names, sealer), key=str) for table in OF_ACCOUNTS}

    return await world.db.read(read)


def _rows(session: Session, table: Any, names: dict[str, str], sealer: Any) -> list[dict[str, Any]]:
    rows = [dict(row._mapping) for row in session.connection().execute(select(*table.__table__.columns))]
    for row in rows:
        if "connection_id" in row:
            row["connection_id"] = names[row["connection_id"]]
        if row.get("sealed_extras"):
            row["sealed_extras"] = sealer.open(row["sealed_extras"], "account-extras")
        if table is tables.OldPassword:
            del row["id"]
        if table is tables.Account:
            del row["signed_out_at"]
    return rows
