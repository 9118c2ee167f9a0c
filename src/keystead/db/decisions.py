"""Why requests were refused: one row for each, under the id that its answer carried."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select
from sqlmodel import Session, col

from keystead.db import tables
from keystead.db.tables import AccountIdentifier, JournalRow
from keystead.rules.decisions import KEPT, Decision
from keystead.rules.identifiers import KINDS
from keystead.rules.profiles import Profile

_ROW: Final = tables.Decision
_COLUMNS: Final = [getattr(_ROW, name) for name in Decision._fields]
_ADD: Final = insert(_ROW)
_NAMED: Final = ("connection_id", "user_id", "client_id", "ip")

Whose = ColumnElement[bool]
"""Selects decisions by whom they are about."""


def add(session: Session, decision: Decision) -> None:
    """Keep a refusal. Whom the journal says that its request was about, and from where, it was."""
    about: dict[str, Any] = {name: getattr(decision, name) for name in _NAMED}
    columns = [func.max(getattr(JournalRow, name)).label(name) for name in _NAMED]
    said = session.connection().execute(select(*columns).where(col(JournalRow.decision) == decision.id)).one()
    about = {name: value or getattr(said, name) for name, value in about.items()}
    about["ip"] = said.ip or decision.ip  # of the person, where a client that may has named it (LG-4)
    session.connection().execute(_ADD, decision._asdict() | about)


def get(session: Session, decision_id: str) -> Decision | None:
    """Return what was decided under an id."""
    row = session.connection().execute(select(*_COLUMNS).where(col(_ROW.id) == decision_id)).first()
    return Decision(*row) if row else None


def newest(session: Session, whose: Whose, *, offset: int = 0, limit: int = 50) -> list[Decision]:
    """Return decisions, newest first."""
    statement = select(*_COLUMNS).where(whose).order_by(col(_ROW.date).desc(), col(_ROW.id).desc())
    return [Decision(*row) for row in session.connection().execute(statement.offset(offset).limit(limit))]


def count(session: Session, whose: Whose) -> int:
    """Return how many ``newest`` would find in all."""
    return session.connection().execute(select(func.count()).select_from(_ROW).where(whose)).scalar_one()


def about_user(profile: Profile) -> Whose:
    """Select the decisions about an account: by its id, or by what it logs in with on its connection.

    The latter since the account is there: whoever has an address now is not told what its former holder did.
    What was typed may have been read as another kind than the account has it as (``identifiers.parse``).
    """
    values = [each for each in (profile.email, profile.phone_number, profile.username) if each]
    typed = col(_ROW.identifier).in_([f"{kind}:{value}" for kind in KINDS for value in values])
    here = and_(col(_ROW.connection_id) == profile.connection_id, col(_ROW.date) >= profile.created_at)
    return or_(col(_ROW.user_id) == profile.user_id, and_(here, typed))


def about_connection(connection_id: str) -> Whose:
    """Select the decisions about anybody on a connection."""
    return col(_ROW.connection_id) == connection_id


def about_identifiers(pairs: Sequence[tuple[str, str]]) -> Whose:
    """Select the decisions about whoever logs in with one of these, on whatever connection."""
    typed = col(_ROW.identifier).in_([f"{kind}:{value}" for kind, value in pairs])
    holders = [
        and_(col(AccountIdentifier.kind) == kind, col(AccountIdentifier.value) == value) for kind, value in pairs
    ]
    return or_(typed, col(_ROW.user_id).in_(select(col(AccountIdentifier.user_id)).where(or_(*holders))))


def events_of(session: Session, decision_ids: Collection[str]) -> dict[str, tuple[tuple[str, datetime], ...]]:
    """Return what else was recorded of the same requests: type and date, by decision, in order."""
    columns = select(col(JournalRow.decision), col(JournalRow.type), col(JournalRow.date))
    statement = columns.where(col(JournalRow.decision).in_(decision_ids)).order_by(col(JournalRow.log_id))
    found: dict[str, tuple[tuple[str, datetime], ...]] = {}
    for row in session.connection().execute(statement):
        found[row.decision] = (*found.get(row.decision, ()), (row.type, row.date))
    return found


def forget(session: Session, whose: Whose) -> None:
    """Delete decisions, as when the person is deleted that they are about."""
    session.connection().execute(delete(_ROW).where(whose))


def sweep(session: Session, now: datetime) -> int:
    """Delete what is older than thirty days; return how many rows went."""
    return session.connection().execute(delete(_ROW).where(col(_ROW.date) <= now - KEPT)).rowcount
