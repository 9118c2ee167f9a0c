"""One-time codes under way: a guess is charged before it is compared, and the right one is claimed by deletion."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.selection import of_people
from keystead.db.tables import OneTimeCode
from keystead.rules.revocation import Whose
from keystead.secrecy import fingerprint


@dataclass(frozen=True, slots=True)
class Guess:
    """What a guess that was charged is to be compared with."""

    mac: str
    record: dict[str, Any]


def put(session: Session, handle: str, mac: str, record: dict[str, Any], expires_at: datetime) -> None:
    """Store a code under the hash of its handle; an older one of the same handle stops working."""
    values = {"code_mac": mac, "record": record, "tries": 0, "expires_at": expires_at}
    statement = upsert(OneTimeCode).values(handle_hash=fingerprint(handle), **values)
    session.connection().execute(statement.on_conflict_do_update(index_elements=["handle_hash"], set_=values))


def guess(session: Session, handle: str, most: int, now: datetime) -> Guess | None:
    """Charge a guess; ``None`` where there is no code, or it is late, or ``most`` guesses were made.

    One statement, so that of any number of concurrent guesses no more than ``most`` are ever compared.
    """
    statement = (
        update(OneTimeCode)
        .where(
            col(OneTimeCode.handle_hash) == fingerprint(handle),
            col(OneTimeCode.tries) < most,
            col(OneTimeCode.expires_at) > now,
        )
        .values(tries=col(OneTimeCode.tries) + 1)
        .returning(col(OneTimeCode.code_mac), col(OneTimeCode.record))
    )
    row = session.connection().execute(statement).first()
    return Guess(row.code_mac, dict(row.record)) if row else None


def take(session: Session, handle: str, mac: str) -> bool:
    """Use a code up: of any number of right guesses, one gets ``True``."""
    statement = delete(OneTimeCode).where(
        col(OneTimeCode.handle_hash) == fingerprint(handle), col(OneTimeCode.code_mac) == mac
    )
    return session.connection().execute(statement).rowcount == 1


def end(session: Session, whose: Whose) -> int:
    """Delete the codes that were sent to these accounts; return how many. Rows live for minutes, so there are few."""
    which = of_people(col(OneTimeCode.record)["user_id"].as_string(), whose)
    return session.connection().execute(delete(OneTimeCode).where(*which)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody used in time; return how many."""
    return session.connection().execute(delete(OneTimeCode).where(col(OneTimeCode.expires_at) <= now)).rowcount
