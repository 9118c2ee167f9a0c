"""The journal: one row per event, in the transaction of what it records."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, insert, or_, select
from sqlmodel import Session, col

from keystead.db.journal_search import matching
from keystead.db.tables import Account, Client, Connection, JournalRow
from keystead.errors import ScriptFailed
from keystead.rules.events import Event
from keystead.rules.log_entries import LogEntry
from keystead.rules.log_search import Condition
from keystead.rules.script_health import Failed


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries a list is about."""

    user_id: str | None = None
    search: Condition | None = None
    after: str = ""
    """An entry that they come after, in whichever order ``page`` gives them."""


_ADD: Final = insert(JournalRow)

_OWN: Final = [name for name in LogEntry.__dataclass_fields__ if name in JournalRow.model_fields]
_USER_NAME: Final = func.coalesce(col(Account.email), col(Account.phone_number), col(Account.username))
ENTRIES: Final[Select[Any]] = (
    select(
        *(getattr(JournalRow, name) for name in _OWN),
        col(Connection.name).label("connection"),
        col(Client.settings)["name"].as_string().label("client_name"),
        _USER_NAME.label("user_name"),
    )
    .select_from(JournalRow)
    .outerjoin(Connection, col(Connection.id) == col(JournalRow.connection_id))
    .outerjoin(Client, col(Client.client_id) == col(JournalRow.client_id))
    .outerjoin(Account, col(Account.user_id) == col(JournalRow.user_id))
)
"""Entries with the names that their ids have today."""


_IN_CHAIN_ORDER: Final = (col(JournalRow.seal), col(JournalRow.log_id))
_SEALED_AFTER: Final = (
    ENTRIES.where(
        col(JournalRow.seal) >= bindparam("after_seal"),  # what the index finds; the rest cuts off the one batch
        or_(
            col(JournalRow.seal) > bindparam("after_seal"),
            and_(col(JournalRow.seal) == bindparam("after_seal"), col(JournalRow.log_id) > bindparam("after_id")),
        ),
    )
    .order_by(*_IN_CHAIN_ORDER)
    .limit(bindparam("most"))
)


def add(session: Session, *events: Event) -> None:
    """Write events."""
    if events:
        session.connection().execute(_ADD, [_row(event) for event in events])


def sealed_after(session: Session, seal: int, log_id: str, limit: int) -> list[LogEntry]:
    """Return the sealed entries that follow one in the chain (``0`` and ``""``: the first ones), in its order.

    No entry ever appears before one that was read already: what is committed late is sealed later.
    """
    after = {"after_seal": seal, "after_id": log_id, "most": limit}
    return [entry_of(row) for row in session.connection().execute(_SEALED_AFTER, after)]


def entry_of(row: Row[Any]) -> LogEntry:
    """Return a row of ``ENTRIES`` as a value."""
    return LogEntry(**row._mapping)


def get(session: Session, log_id: str) -> LogEntry | None:
    """Return one entry."""
    row = session.connection().execute(ENTRIES.where(col(JournalRow.log_id) == log_id)).first()
    return entry_of(row) if row else None


def place(session: Session, log_id: str) -> tuple[int | None] | None:
    """Return the batch that an entry is in, if it is in one; ``None`` where there is no such entry."""
    row = session.connection().execute(select(col(JournalRow.seal)).where(col(JournalRow.log_id) == log_id)).first()
    return (row.seal,) if row else None


def page(session: Session, which: LogFilter, offset: int, limit: int, *, newest_first: bool = True) -> list[LogEntry]:
    """Return entries by time."""
    log_id = col(JournalRow.log_id)
    conditions = _conditions(which)
    if which.after:
        conditions.append(log_id < which.after if newest_first else log_id > which.after)
    statement = ENTRIES.where(*conditions).order_by(log_id.desc() if newest_first else log_id)
    statement = statement.offset(offset).limit(limit)
    return [entry_of(row) for row in session.connection().execute(statement)]


def count(session: Session, which: LogFilter) -> int:
    """Return how many entries ``page`` finds in all."""
    return (
        session.connection()
        .execute(select(func.count()).select_from(JournalRow).where(*_conditions(which)))
        .scalar_one()
    )


def within(session: Session, after: str, before: str, limit: int) -> list[LogEntry]:
    """Return entries by time: those whose ids are behind one, and before another, if there is one."""
    between = [col(JournalRow.log_id) > after, *([col(JournalRow.log_id) < before] if before else [])]
    statement = ENTRIES.where(*between).order_by(col(JournalRow.log_id)).limit(limit)
    return [entry_of(row) for row in session.connection().execute(statement)]


def _conditions(which: LogFilter) -> list[ColumnElement[bool]]:
    of_user = [col(JournalRow.user_id) == which.user_id] if which.user_id is not None else []
    return of_user + ([matching(which.search)] if which.search else [])


def _row(event: Event) -> dict[str, Any]:
    who = event.caller
    caller = {"ip": who.address[:45], "user_agent": who.user_agent[:300], "decision": who.decision or None}
    caller |= {"request_id": who.request or None, "actor": who.actor or None}
    return event.model_dump(exclude={"caller"}) | caller


def failed_scripts(session: Session, connection_id: str, since: datetime, most: int) -> tuple[int, list[Failed]]:
    """Return how often action scripts of a connection failed since then, and the newest of these failures.

    By the date alone: nobody's login waits for an index of what is looked at so seldom.
    """
    details = col(JournalRow.details)
    wanted = and_(
        col(JournalRow.date) >= since,
        col(JournalRow.connection_id) == connection_id,
        col(JournalRow.description) == ScriptFailed.default_text,  # a script that refused has words of its own
        details["script"].as_string().is_not(None),
    )
    count = session.connection().execute(select(func.count()).select_from(JournalRow).where(wanted)).scalar_one()
    if not count:
        return 0, []
    columns = (col(JournalRow.date), details["script"].as_string(), details["reason"].as_string())
    order = (col(JournalRow.date).desc(), col(JournalRow.log_id).desc())  # by the id alone, SQLite walks the journal
    newest = select(*columns).where(wanted).order_by(*order).limit(most)
    found = [Failed(date, script, text or "") for date, script, text in session.connection().execute(newest)]
    return count, found
