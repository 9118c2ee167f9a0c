"""What a database says of itself, for whoever looks after it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, func, not_, select, text
from sqlmodel import Session, col

from keystead.db.administrators import CAN_ENTER
from keystead.db.tables import Account, Administrator, JournalRow, Ticket
from keystead.rules.authority import OWNER

_SYNCHRONOUS: Final = {"0": "off", "1": "normal", "2": "full", "3": "extra"}


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What is known of a database; texts as it says them."""

    kind: str
    version: str
    now: datetime | None = None
    """By its own clock; SQLite has none."""
    file: str = ""
    journal_mode: str = ""
    synchronous: str = ""
    encoding: str = ""
    most_connections: int = 0
    connections: int = 0


def facts(session: Session) -> DatabaseFacts:
    """Return what the database says of itself."""
    return _sqlite(session) if session.connection().dialect.name == "sqlite" else _postgresql(session)


def unsealed(session: Session, most: int) -> int:
    """Return how many entries of the journal no seal covers yet, counted no further than ``most``."""
    some = select(col(JournalRow.log_id)).where(col(JournalRow.seal).is_(None)).limit(most).subquery()
    return int(session.connection().execute(select(func.count()).select_from(some)).scalar_one())


def administrators(session: Session) -> dict[str, int]:
    """Return how many administrators who can sign in there are of each role."""
    return _administrators(session, CAN_ENTER)


def invited_owners(session: Session) -> int:
    """Return how many owners there are who have no way in yet: nobody accepted their invitation."""
    return _administrators(session, not_(CAN_ENTER)).get(OWNER, 0)


def _administrators(session: Session, which: ColumnElement[bool]) -> dict[str, int]:
    """Return how many there are of each role, those who are blocked left out."""
    columns = (col(Administrator.role), func.count())
    joined = select(*columns).join(Account, col(Account.user_id) == col(Administrator.user_id))
    rows = session.connection().execute(
        joined.where(func.coalesce(col(Account.blocked), False).is_(False), which).group_by(col(Administrator.role))
    )
    return {str(role): int(count) for role, count in rows}


def tickets_until(session: Session, purpose: str) -> datetime | None:
    """Return when the last link of a purpose expires that nobody used."""
    latest = select(func.max(col(Ticket.expires_at))).where(col(Ticket.purpose) == purpose)
    return session.connection().execute(latest).scalar()


def _sqlite(session: Session) -> DatabaseFacts:
    def ask(pragma: str) -> str:
        return str(session.connection().execute(text(f"PRAGMA {pragma}")).scalar())

    files = {row.name: str(row.file) for row in session.connection().execute(text("PRAGMA database_list"))}
    return DatabaseFacts(
        kind="SQLite",
        version=str(session.connection().execute(text("SELECT sqlite_version()")).scalar()),
        file=files.get("main", ""),
        journal_mode=ask("journal_mode"),
        synchronous=_SYNCHRONOUS.get(ask("synchronous"), "unknown"),
        encoding=ask("encoding"),
    )


def _postgresql(session: Session) -> DatabaseFacts:
    wanted = "server_version", "synchronous_commit", "server_encoding", "max_connections"
    found = {each: str(session.connection().execute(text(f"SHOW {each}")).scalar()) for each in wanted}
    now = session.connection().execute(text("SELECT clock_timestamp()")).scalar_one()
    count = session.connection().execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one()
    return DatabaseFacts(
        kind="PostgreSQL",
        version=found["server_version"],
        now=now.astimezone(UTC),
        synchronous=found["synchronous_commit"],
        encoding=found["server_encoding"],
        most_connections=int(found["max_connections"]),
        connections=int(count),
    )
