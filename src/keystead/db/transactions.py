"""Login transactions: what the hosted pages remember between one screen and the next."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlmodel import Session, col

from keystead.db.tables import Transaction
from keystead.rules.login_steps import LoginTransaction
from keystead.secrecy import fingerprint


def put(session: Session, transaction: LoginTransaction) -> None:
    """Store a new transaction under the hash of its id."""
    values = {
        "state_hash": fingerprint(transaction.id),
        "record": _stored(transaction),
        "expires_at": transaction.expires_at,
    }
    session.connection().execute(insert(Transaction).values(values))


def get(session: Session, state: str, now: datetime) -> LoginTransaction | None:
    """Return a transaction that is still under way."""
    record = session.connection().execute(_one(state, now)).scalar()
    return _read(record, state) if record is not None else None


def change(
    session: Session, state: str, now: datetime, step: Callable[[LoginTransaction], LoginTransaction]
) -> LoginTransaction | None:
    """Apply a step to the stored transaction, with its row locked: two tabs must not undo each other."""
    record = session.connection().execute(_one(state, now).with_for_update()).scalar()
    if record is None:
        return None
    after = step(_read(record, state))
    statement = update(Transaction).where(col(Transaction.state_hash) == fingerprint(state))
    session.connection().execute(statement.values(record=_stored(after)))
    return after


def take(session: Session, state: str, now: datetime) -> LoginTransaction | None:
    """Delete and return a transaction: its code is made once, however often the last screen is sent."""
    statement = (
        delete(Transaction)
        .where(col(Transaction.state_hash) == fingerprint(state), col(Transaction.expires_at) > now)
        .returning(col(Transaction.record))
    )
    record = session.connection().execute(statement).scalar()
    return _read(record, state) if record is not None else None


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody finished in time; return how many."""
    return session.connection().execute(delete(Transaction).where(col(Transaction.expires_at) <= now)).rowcount


def _stored(transaction: LoginTransaction) -> dict[str, Any]:
    """Leave the id out: it is what the browser shows, and the database keeps only its hash."""
    return transaction.model_dump(mode="json", exclude={"id"})


def _read(record: dict[str, Any], state: str) -> LoginTransaction:
    return LoginTransaction.model_validate({**record, "id": state})


def _one(state: str, now: datetime) -> Select[tuple[dict[str, Any]]]:
    return select(col(Transaction.record)).where(
        col(Transaction.state_hash) == fingerprint(state), col(Transaction.expires_at) > now
    )
