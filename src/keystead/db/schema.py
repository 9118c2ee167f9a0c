"""Migrations: where the schema stands, and how to bring it up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlmodel import Session

from keystead.db.session import usable

_SCRIPTS = Path(__file__).parent / "migrations"
_VERSION = text("SELECT version_num FROM alembic_version")
_LOCK = 0x6B657973
"""PostgreSQL's advisory lock for migrations: two parents that start at once must not both migrate."""


def version(engine: Engine) -> str | None:
    """Return the revision of the database; ``None`` for an empty one. Raises ``DatabaseUnavailable``."""
    with usable(), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def stands_at(session: Session) -> str | None:
    """Return the same within a unit of work, which must not find the database empty."""
    return session.connection().execute(_VERSION).scalar()


def latest() -> str:
    """Return the revision that this program needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def knows(revision: str) -> bool:
    """Whether this program has the migration that led to a revision."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, within one transaction and under a lock. Raises ``DatabaseUnavailable``."""
    with usable(), engine.begin() as connection:
        take_turns(connection)
        upgrade_to(connection)


def take_turns(connection: Connection) -> None:
    """Wait for whoever else changes the schema, as a part of a transaction; on SQLite there is one that writes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def upgrade_to(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to a revision, as a part of a transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision (``base`` for nothing)."""
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def differences(connection: Connection) -> None:
    """Raise where the migrations and the tables of ``tables.py`` do not agree."""
    config = _config()
    config.attributes["connection"] = connection
    command.check(config)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
