"""Units of work: whole or not at all, one writer after the other, and again where a race was lost."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, col

from conftest import Stencil
from keystead.db import tenant
from keystead.db.session import Database
from keystead.db.tables import AccountIdentifier, Setting
from keystead.errors import Conflict, DatabaseUnavailable, NoSuchUser

ON_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("installation", ["postgres"], indirect=True)


@pytest.fixture
def databases(installation: Stencil) -> Iterator[list[Database]]:
    """Three processes on one database."""
    opened = [Database(installation.settings.database_url.reveal(), pool=4) for _ in range(3)]
    opened[0].write_now(tenant.put, "count", 0)
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def db(databases: list[Database]) -> Database:
    return databases[0]


def increment(session: Session) -> int:
    """Read, then write: what loses counts where another writer comes between."""
    statement = select(col(Setting.value)).where(col(Setting.name) == "count").with_for_update()
    value: int = session.connection().execute(statement).scalar_one() + 1
    session.connection().execute(update(Setting).where(col(Setting.name) == "count").values(value=value))
    return value


async def test_thirty_increments_count_to_thirty(databases: list[Database]) -> None:
    found = await asyncio.gather(*(databases[number % 3].write(increment) for number in range(30)))
    assert sorted(found) == list(range(1, 31))
    assert await databases[0].read(tenant.get, "count") == 30


async def test_what_raises_leaves_nothing_behind(db: Database) -> None:
    def work(session: Session) -> None:
        increment(session)
        raise NoSuchUser

    with pytest.raises(NoSuchUser):
        await db.write(work)
    assert await db.read(tenant.get, "count") == 0
    assert await db.write(increment) == 1


async def test_work_runs_on_a_thread_of_its_own(db: Database) -> None:
    def work(session: Session) -> int:
        return threading.get_ident()

    assert await db.write(work) != threading.get_ident() != await db.read(work)
    assert db.write_now(work) == threading.get_ident() == db.read_now(work)


async def test_others_read_while_one_writes(databases: list[Database]) -> None:
    """Readers neither wait for a writer nor see what it has not committed."""
    began, may_end = threading.Event(), threading.Event()

    def work(session: Session) -> None:
        increment(session)
        began.set()
        may_end.wait(20)

    writing = asyncio.ensure_future(databases[0].write(work))
    await asyncio.to_thread(began.wait, 20)
    assert await databases[0].read(tenant.get, "count") == 0
    assert await databases[1].read(tenant.get, "count") == 0
    may_end.set()
    await writing
    assert await databases[1].read(tenant.get, "count") == 1


def lost_race() -> OperationalError:
    """What the driver says when another process held SQLite's lock for too long."""
    return OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))


@pytest.mark.parametrize(("lost", "value"), [(1, 1), (4, 1)])
async def test_a_lost_race_is_run_again(db: Database, lost: int, value: int) -> None:
    """Whole, and from a clean slate: what the lost tries wrote is gone."""
    tries = []

    def work(session: Session) -> int:
        tries.append(increment(session))
        if len(tries) <= lost:
            raise lost_race()
        return tries[-1]

    assert await db.write(work) == value
    assert tries == [1] * (lost + 1)


async def test_races_are_not_run_for_ever(db: Database) -> None:
    tries = []

    def work(session: Session) -> None:
        tries.append(increment(session))
        raise lost_race()

    with pytest.raises(DatabaseUnavailable) as refusal:
        await db.write(work)
    assert tries == [1] * 5
    assert "locked" in refusal.value.detail
    assert await db.read(tenant.get, "count") == 0


@ON_POSTGRES
async def test_a_deadlock_is_run_again(databases: list[Database]) -> None:
    """Two units of work that lock two rows in opposite order: PostgreSQL ends one, which then runs again."""
    databases[0].write_now(tenant.put, "other", 0)
    locked = {"count": threading.Event(), "other": threading.Event()}

    def work(session: Session, first: str, second: str) -> None:
        for name in (first, second):
            statement = select(col(Setting.value)).where(col(Setting.name) == name).with_for_update()
            value = session.connection().execute(statement).scalar_one()
            session.connection().execute(update(Setting).where(col(Setting.name) == name).values(value=value + 1))
            locked[name].set()
            locked[second].wait(20)

    await asyncio.gather(databases[0].write(work, "count", "other"), databases[1].write(work, "other", "count"))
    assert [await databases[0].read(tenant.get, name) for name in ("count", "other")] == [2, 2]


async def test_a_wrong_statement_is_not_run_again(db: Database) -> None:
    tries = []

    def work(session: Session) -> None:
        tries.append(session)
        session.connection().execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises((DBAPIError, DatabaseUnavailable)):
        await db.write(work)
    assert len(tries) == 1


async def test_foreign_keys_are_on(db: Database) -> None:
    def work(session: Session) -> None:
        values = {"connection_id": "con_nowhere", "kind": "email", "value": "x", "user_id": "nobody"}
        session.connection().execute(AccountIdentifier.__table__.insert().values(values))  # type: ignore[attr-defined]

    with pytest.raises(Conflict) as refusal:
        await db.write(work)
    assert any(word in refusal.value.detail.lower() for word in ("foreign key", "fk_identifier_connection_id"))


@ON_SQLITE
async def test_sqlite_is_set_up_for_a_server(db: Database) -> None:
    def pragmas(session: Session) -> list[Any]:
        names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        return [session.connection().execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert await db.read(pragmas) == await db.write(pragmas) == ["wal", 1, 10_000, 1]


@ON_POSTGRES
async def test_a_connection_that_was_cut_is_opened_again(databases: list[Database]) -> None:
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid() AND datname = :name"
    )
    name = databases[0].engine.url.database
    for _ in range(8):
        await databases[0].read(tenant.get, "count")
    databases[1].write_now(lambda session: session.connection().execute(cut, {"name": name}).all())
    assert [await databases[0].read(tenant.get, "count") for _ in range(8)] == [0] * 8
    assert await databases[0].write(increment) == 1


@pytest.mark.parametrize("url", ["sqlite:///{missing}/keystead.db", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"])
async def test_a_database_that_does_not_answer(tmp_path: Path, url: str) -> None:
    db = Database(url.format(missing=tmp_path / "missing"))
    try:
        with pytest.raises(DatabaseUnavailable) as refusal:
            await db.read(tenant.get, "count")
        assert refusal.value.detail
    finally:
        db.close()


async def test_closing_ends_the_threads(installation: Stencil) -> None:
    before = threading.active_count()
    db = Database(installation.settings.database_url.reveal())
    await db.write(tenant.put, "x", 1)
    assert threading.active_count() > before
    db.close()
    assert threading.active_count() == before
