"""Login transactions: what the hosted pages remember between one screen and the next."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, delete, insert, select, update
from sqlmodel import Session, col

from keystead.db.selection import of_people
from keystead.db.tables import Transaction
from keystead.rules.login_steps import LoginTransaction
from keystead.rules.revocation import Whose
from keystead.secrecy import fingerprint

_REMEMBERED: Final = timedelta(days=1)
"""How long a transaction that is over can still say which client it was for."""


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
    """End and return a transaction: its code is made once, however often the last screen is sent.

    The row stays for a while, so that a bookmark or the back button finds the client that it was for.
    """
    statement = (
        update(Transaction)
        .where(col(Transaction.state_hash) == fingerprint(state), col(Transaction.expires_at) > now)
        .values(expires_at=now)
        .returning(col(Transaction.record))
    )
    record = session.connection().execute(statement).scalar()
    return _read(record, state) if record is not None else None


def client_of(session: Session, state: str) -> str | None:
    """Return the client of a transaction, also of one that is over."""
    statement = select(col(Transaction.record)).where(col(Transaction.state_hash) == fingerprint(state))
    record = session.connection().execute(statement).scalar()
    return str(record["request"]["client_id"]) if record is not None else None


def end(session: Session, whose: Whose) -> int:
    """Delete the logins in which these people have proved themselves; return how many."""
    which = of_people(col(Transaction.record)["proof"]["user_id"].as_string(), whose)
    return session.connection().execute(delete(Transaction).where(*which)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what was over a day ago; return how many."""
    over = delete(Transaction).where(col(Transaction.expires_at) <= now - _REMEMBERED)
    return session.connection().execute(over).rowcount


def _stored(transaction: LoginTransaction) -> dict[str, Any]:
    """Leave the id out: it is what the browser shows, and the database keeps only its hash."""
    return transaction.model_dump(mode="json", exclude={"id"})


def _read(record: dict[str, Any], state: str) -> LoginTransaction:
    return LoginTransaction.model_validate({**record, "id": state})


def _one(state: str, now: datetime) -> Select[tuple[dict[str, Any]]]:
    return select(col(Transaction.record)).where(
        col(Transaction.state_hash) == fingerprint(state), col(Transaction.expires_at) > now
    )
