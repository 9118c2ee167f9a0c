"""Authorization requests that clients left beforehand, used once."""

from datetime import datetime

from sqlalchemy import delete, insert
from sqlmodel import Session, col

from keystead.db.tables import PushedRequest
from keystead.secrecy import fingerprint


def put(session: Session, uri: str, client_id: str, parameters: dict[str, str], expires_at: datetime) -> None:
    """Store a request under the hash of its name."""
    values = {
        "uri_hash": fingerprint(uri),
        "client_id": client_id,
        "parameters": parameters,
        "expires_at": expires_at,
    }
    session.connection().execute(insert(PushedRequest).values(values))


def take(session: Session, uri: str, client_id: str, now: datetime) -> dict[str, str] | None:
    """Delete and return a client's request; ``None`` where it is unknown, late, used or another client's."""
    statement = (
        delete(PushedRequest)
        .where(
            col(PushedRequest.uri_hash) == fingerprint(uri),
            col(PushedRequest.client_id) == client_id,
            col(PushedRequest.expires_at) > now,
        )
        .returning(col(PushedRequest.parameters))
    )
    return session.connection().execute(statement).scalar()


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody came back for; return how many."""
    return session.connection().execute(delete(PushedRequest).where(col(PushedRequest.expires_at) <= now)).rowcount
