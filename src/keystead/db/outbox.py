"""Messages that were put aside instead of sent, for development."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.session import Database
from keystead.db.tables import OutboxMessage
from keystead.ports import Clock
from keystead.rules.messages import Letter

SHOWN: Final = 100
_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PutAside:
    """A letter, and when it would have been sent."""

    letter: Letter
    at: datetime


@dataclass(frozen=True)
class SqlOutbox:
    """The postman of a development server: puts letters aside in the database, to be read at ``/dev/outbox``."""

    db: Database
    clock: Clock

    async def deliver(self, letter: Letter) -> None:
        """Keep a letter."""
        await self.db.write(put, letter, self.clock())


def put(session: Session, letter: Letter, now: datetime) -> None:
    """Keep a letter, once."""
    values = {"id": letter.id, "recipient": letter.to, "subject": letter.subject[:300], "created_at": now}
    values |= letter.model_dump(include={"channel", "text", "html"})
    session.connection().execute(upsert(OutboxMessage).values(values).on_conflict_do_nothing())


def newest(session: Session, limit: int = SHOWN) -> list[PutAside]:
    """Return the letters that were asked for last, newest first: several are delivered at once, in any order."""
    columns = [getattr(OutboxMessage, name) for name in ("channel", "subject", "text", "html", "created_at")]
    statement = select(col(OutboxMessage.recipient).label("to"), *columns)
    newest_first = statement.order_by(col(OutboxMessage.id).desc())
    found = [dict(row._mapping) for row in session.connection().execute(newest_first.limit(limit))]
    return [PutAside(at=row.pop("created_at"), letter=Letter.model_validate(row)) for row in found]


def sweep(session: Session, now: datetime) -> int:
    """Delete what is older than a week; return how many."""
    old = delete(OutboxMessage).where(col(OutboxMessage.created_at) <= now - _KEPT)
    return session.connection().execute(old).rowcount
