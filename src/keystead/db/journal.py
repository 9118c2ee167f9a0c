"""The journal: one row per event, in the transaction of what it records."""

from typing import Any, Final

from sqlalchemy import insert, select
from sqlmodel import Session, col

from keystead.db.tables import JournalRow
from keystead.rules.events import Event

_ADD: Final = insert(JournalRow)


def add(session: Session, *events: Event) -> None:
    """Write events."""
    if events:
        session.connection().execute(_ADD, [_row(event) for event in events])


def _row(event: Event) -> dict[str, Any]:
    who = event.caller
    caller = {"ip": who.address[:45], "user_agent": who.user_agent[:300], "decision": who.decision or None}
    caller |= {"request_id": who.request or None, "actor": who.actor or None}
    return event.model_dump(exclude={"caller"}) | caller


def types_of(session: Session, user_id: str | None = None) -> list[str]:
    """Return the types of what was recorded, in order; of one account, where given."""
    statement = select(col(JournalRow.type)).order_by(col(JournalRow.log_id))
    if user_id is not None:
        statement = statement.where(col(JournalRow.user_id) == user_id)
    return list(session.connection().execute(statement).scalars())
