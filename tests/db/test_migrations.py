"""Migrations lead to the tables of ``tables.py`` and back, on both databases."""

from collections.abc import Iterator

import pytest
from alembic.util.exc import CommandError
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from conftest import Stencil
from keystead.db import schema
from keystead.db.session import Database
from keystead.settings import SettingsError
from keystead.start import prepare


@pytest.fixture
def db(installation: Stencil) -> Iterator[Database]:
    opened = Database(installation.settings.database_url.reveal())
    yield opened
    opened.close()


def tables(db: Database) -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_down_to_nothing_and_up_again(db: Database) -> None:
    assert schema.version(db.engine) == schema.latest()
    schema.downgrade(db.engine, "base")
    assert tables(db) == set()
    assert schema.version(db.engine) is None
    schema.upgrade(db.engine)
    assert tables(db) == set(SQLModel.metadata.tables)
    assert schema.version(db.engine) == schema.latest()
    with db.engine.connect() as connection:
        schema.differences(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE account ADD COLUMN shoe_size INTEGER",
        "DROP INDEX ix_account_email",
        "ALTER TABLE account DROP COLUMN nickname",
        "CREATE TABLE stray (id INTEGER)",
    ],
)
def test_a_difference_is_seen(db: Database, statement: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(statement))
    with db.engine.connect() as connection, pytest.raises(CommandError):
        schema.differences(connection)


def test_upgrading_twice_changes_nothing(db: Database) -> None:
    schema.upgrade(db.engine)
    assert schema.version(db.engine) == schema.latest()
    assert tables(db) == set(SQLModel.metadata.tables)


def test_a_failed_migration_leaves_nothing_behind(db: Database) -> None:
    """One transaction for all of it, on SQLite too: half a schema would be nobody's version."""
    with db.engine.begin() as connection:
        connection.execute(text("DROP TABLE journal"))
        connection.execute(text("CREATE VIEW journal AS SELECT 1 AS one"))
    before = tables(db)
    with pytest.raises(Exception, match="journal"):
        schema.downgrade(db.engine, "base")
    assert tables(db) == before
    assert schema.version(db.engine) == schema.latest()


@pytest.mark.parametrize(("revision", "told"), [("0000", "newer"), ("9999", "newer")])
def test_a_schema_from_elsewhere_is_refused(installation: Stencil, db: Database, revision: str, told: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    for migrate in (False, True):
        with pytest.raises(SettingsError, match=f"schema {revision}.*{told}"):
            prepare(installation.settings, migrate=migrate)
