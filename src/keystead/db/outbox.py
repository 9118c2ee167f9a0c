"""Messages that were put aside instead of sent, for development."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select
from sqlmodel import Session, col

from keystead.db.session import Database
from keystead.db.tables import OutboxMessage
from keystead.ports import Clock, Entropy
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
    entropy: Entropy
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    async def deliver(self, letter: Letter) -> None:
        """Keep a letter. Of one moment, ids sort by the order in which this process put letters aside."""
        number = f"out_{next(self._numbers) % 1_000_000:06d}{self.entropy.id('')}"
        await self.db.write(put, number, letter, self.clock())


def put(session: Session, id: str, letter: Letter, now: datetime) -> None:
    """Keep a letter."""
    values = {"id": id, "recipient": letter.to, "created_at": now}
    values |= letter.model_dump(include={"channel", "text", "html"}) | {"subject": letter.subject[:300]}
    session.connection().execute(insert(OutboxMessage).values(values))


def newest(session: Session, limit: int = SHOWN) -> list[PutAside]:
    """Return the newest letters, newest first."""
    columns = [getattr(OutboxMessage, name) for name in ("channel", "subject", "text", "html", "created_at")]
    statement = select(col(OutboxMessage.recipient).label("to"), *columns)
    newest_first = statement.order_by(col(OutboxMessage.created_at).desc(), col(OutboxMessage.id).desc())
    found = [dict(row._mapping) for row in session.connection().execute(newest_first.limit(limit))]
    return [PutAside(at=row.pop("created_at"), letter=Letter.model_validate(row)) for row in found]


def sweep(session: Session, now: datetime) -> int:
    """Delete what is older than a week; return how many."""
    old = delete(OutboxMessage).where(col(OutboxMessage.created_at) <= now - _KEPT)
    return session.connection().execute(old).rowcount
