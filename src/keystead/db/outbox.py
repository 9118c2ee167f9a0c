"""Messages that were put aside instead of sent, for development."""

from datetime import datetime

from sqlalchemy import insert, select
from sqlmodel import Session, col

from keystead.db.tables import OutboxMessage
from keystead.rules.messages import Letter

KEPT = 100


def put(session: Session, id: str, letter: Letter, now: datetime) -> None:
    """Keep a message."""
    values = {"id": id, "recipient": letter.to, "created_at": now}
    values |= letter.model_dump(include={"channel", "subject", "text", "html"})
    session.connection().execute(insert(OutboxMessage).values(values))


def newest(session: Session, limit: int = KEPT) -> list[Letter]:
    """Return the newest messages, newest first."""
    columns = [getattr(OutboxMessage, name) for name in ("channel", "subject", "text", "html")]
    statement = select(col(OutboxMessage.recipient).label("to"), *columns)
    newest_first = statement.order_by(col(OutboxMessage.created_at).desc(), col(OutboxMessage.id).desc())
    rows = session.connection().execute(newest_first.limit(limit))
    return [Letter.model_validate(dict(row._mapping)) for row in rows]
