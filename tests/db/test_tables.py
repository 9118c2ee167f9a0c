"""The tables: what goes in comes out the same on both databases, and what belongs to something goes with it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select
from sqlmodel import Session, SQLModel, col

from authenticator import Authenticator
from conftest import Stencil
from keystead.db.session import Database
from keystead.db.tables import Account, Client, Connection, Moment, Ticket
from world import World

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.$é", max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def db(installation: Stencil) -> Iterator[Database]:
    opened = Database(installation.settings.database_url.reveal())
    yield opened
    opened.close()


def kept(db: Database, **values: Any) -> Ticket:
    """Store a ticket, and return what is there then."""

    def work(session: Session) -> Any:
        session.connection().execute(delete(Ticket))
        defaults = {"token_hash": "h", "purpose": "p", "record": {}, "expires_at": datetime(2026, 6, 1, tzinfo=UTC)}
        session.connection().execute(insert(Ticket).values(defaults | values))
        return session.connection().execute(select(Ticket.__table__)).one()  # type: ignore[attr-defined]

    found: Ticket = db.write_now(work)
    return found


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        datetime(2026, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC),
        datetime(2026, 6, 1, 23, 30, tzinfo=timezone(timedelta(hours=-7))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_moments(db: Database, moment: datetime) -> None:
    """The same moment, in UTC, to the microsecond."""
    found = kept(db, expires_at=moment).expires_at
    assert found == moment
    assert found.tzinfo is UTC


def test_moments_are_compared_as_moments(db: Database) -> None:
    """Also where they were written in another zone: SQLite compares text."""
    kept(db, expires_at=datetime(2026, 6, 1, 23, 30, tzinfo=timezone(timedelta(hours=-7))))
    for moment, later in ((datetime(2026, 6, 2, 6, 29, tzinfo=UTC), 1), (datetime(2026, 6, 2, 6, 31, tzinfo=UTC), 0)):
        assert db.read_now(_expiring_after, moment) == later


def _expiring_after(session: Session, moment: datetime) -> int:
    statement = select(func.count()).select_from(Ticket).where(col(Ticket.expires_at) > moment)
    return session.connection().execute(statement).scalar_one()


def test_every_time_is_a_moment() -> None:
    columns = [column for table in SQLModel.metadata.tables.values() for column in table.columns]
    assert [
        str(column) for column in columns if "DATETIME" in str(column.type) and type(column.type) is not Moment
    ] == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("ab", max_size=3), DOCUMENTS, max_size=3))
def test_documents(db: Database, document: dict[str, Any]) -> None:
    assert kept(db, record=document).record == document


async def test_what_belongs_to_an_account_goes_with_it(world: World) -> None:
    await world.register(Authenticator())
    await world.login("nobody@example.com")
    before = await world.counts()
    assert before["Account"] == before["AccountIdentifier"] == before["Passkey"] == 1
    await world.db.write(lambda session: session.connection().execute(delete(Account)).rowcount)
    assert set((await world.counts()).values()) == {0}


async def test_what_belongs_to_a_connection_goes_with_it(world: World) -> None:
    """Accounts too; the journal stays."""
    await world.signup()
    entries, clients = await world.journal(), await world.count(Client)
    await world.db.write(lambda session: session.connection().execute(delete(Connection)).rowcount)
    assert set((await world.counts()).values()) == {0}
    assert await world.journal() == entries
    assert await world.count(Client) == clients > 0


def test_references_are_indexed() -> None:
    """Or each deletion reads whole tables. A reference that leads its primary key has that."""
    bare = []
    for table in SQLModel.metadata.tables.values():
        leading = {index.columns[0].name for index in table.indexes} | {next(iter(table.primary_key.columns)).name}
        constraints = [each for each in table.constraints if type(each).__name__ == "UniqueConstraint"]
        leading |= {next(iter(constraint.columns)).name for constraint in constraints}  # type: ignore[attr-defined]
        bare += [f"{table.name}.{key.parent.name}" for key in table.foreign_keys if key.parent.name not in leading]
        assert all(key.ondelete == "CASCADE" for key in table.foreign_keys), table.name
    assert bare == []
