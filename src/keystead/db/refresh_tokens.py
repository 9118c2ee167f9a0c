"""Refresh tokens and their families."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, update
from sqlmodel import Session, col

from keystead.db.selection import of_tokens
from keystead.db.tables import RefreshToken
from keystead.rules.events import Caller
from keystead.rules.revocation import Whose
from keystead.rules.tokens import RefreshRecord
from keystead.secrecy import fingerprint

PER_USER_AND_CLIENT: Final = 200
"""The oldest go when there are more (TK-4)."""


@dataclass(frozen=True, slots=True)
class TokenDetails:
    """A refresh token as administrators see it; ``ip`` and ``user_agent`` are those of its last exchange."""

    id: str
    family: str
    user_id: str
    client_id: str
    session_id: str
    record: RefreshRecord
    created_at: datetime
    idle_expires_at: datetime | None
    expires_at: datetime | None
    last_exchanged_at: datetime | None
    ip: str
    user_agent: str
    about: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """Which tokens are meant; what is empty does not matter."""

    ids: tuple[str, ...] = ()
    user_id: str = ""
    client_id: str = ""
    audience: str = ""


_DETAILS: Final = tuple(getattr(RefreshToken, name) for name in TokenDetails.__dataclass_fields__)
_LIVE: Final = (
    col(RefreshToken.rotated_at).is_(None),
    or_(col(RefreshToken.expires_at).is_(None), col(RefreshToken.expires_at) > bindparam("now")),
    or_(col(RefreshToken.idle_expires_at).is_(None), col(RefreshToken.idle_expires_at) > bindparam("now")),
)


def put(
    session: Session,
    token: str,
    record: RefreshRecord,
    idle_expires_at: datetime | None,
    expires_at: datetime | None,
    caller: Caller,
) -> None:
    """Store a token under its hash, and let the oldest of the same person and client go."""
    record = record.first_from(caller)
    who = (
        col(RefreshToken.user_id) == record.authority.user_id,
        col(RefreshToken.client_id) == record.authority.client_id,
        col(RefreshToken.rotated_at).is_(None),  # else one device that refreshes often would push out all others
    )
    kept = select(col(RefreshToken.id)).where(*who).order_by(col(RefreshToken.created_at).desc())
    old = list(session.connection().execute(kept.offset(PER_USER_AND_CLIENT - 1)).scalars())
    if old:
        session.connection().execute(delete(RefreshToken).where(col(RefreshToken.id).in_(old)))
    values = {
        "id": record.id,
        "token_hash": fingerprint(token),
        "family": record.family,
        "client_id": record.authority.client_id,
        "user_id": record.authority.user_id,
        "session_id": record.authority.session_id,
        "record": record.model_dump(mode="json", exclude={"rotated_at", "about", "exchanged_at"}),
        "created_at": record.created_at,
        "idle_expires_at": idle_expires_at,
        "expires_at": expires_at,
        "ip": caller.address[:45],
        "user_agent": caller.user_agent[:300],
        "about": record.about,
        "last_exchanged_at": record.exchanged_at,
    }
    session.connection().execute(insert(RefreshToken).values(values))


def find(session: Session, token: str, now: datetime) -> RefreshRecord | None:
    """Return a token that is still good, with its row locked; also one that was rotated, for its reuse to be seen."""
    statement = (
        select(
            *(col(RefreshToken.record), col(RefreshToken.rotated_at)),
            *(col(RefreshToken.session_id), col(RefreshToken.about)),
        )
        .where(
            col(RefreshToken.token_hash) == fingerprint(token),
            or_(col(RefreshToken.expires_at).is_(None), col(RefreshToken.expires_at) > now),
            or_(col(RefreshToken.idle_expires_at).is_(None), col(RefreshToken.idle_expires_at) > now),
        )
        .with_for_update()
    )
    row = session.connection().execute(statement).first()
    if row is None:
        return None
    found = RefreshRecord.model_validate({**row.record, "rotated_at": row.rotated_at, "about": row.about})
    # The row knows better than the record whether it still belongs to a session (``leave``).
    authority = found.authority.model_copy(update={"session_id": row.session_id})
    return found.model_copy(update={"authority": authority})


def rotate(session: Session, token_id: str, now: datetime) -> bool:
    """Mark a token as replaced; ``False`` where somebody else did it first."""
    statement = update(RefreshToken).where(col(RefreshToken.id) == token_id, col(RefreshToken.rotated_at).is_(None))
    return session.connection().execute(statement.values(rotated_at=now)).rowcount == 1


def touch(session: Session, token_id: str, idle_expires_at: datetime | None, now: datetime, caller: Caller) -> None:
    """Move the idle end of a token that does not rotate, and note who used it."""
    statement = update(RefreshToken).where(col(RefreshToken.id) == token_id)
    values: dict[str, Any] = {"idle_expires_at": idle_expires_at, "last_exchanged_at": now}
    values |= {"ip": caller.address[:45], "user_agent": caller.user_agent[:300]}
    session.connection().execute(statement.values(values))


def end(session: Session, whose: Whose) -> int:
    """Delete tokens; return how many."""
    return session.connection().execute(delete(RefreshToken).where(*of_tokens(RefreshToken, whose))).rowcount


def leave(session: Session, session_ids: list[str]) -> None:
    """Let what lives on of these sessions belong to no session: what it gives must not name one that has ended."""
    if session_ids:
        statement = update(RefreshToken).where(col(RefreshToken.session_id).in_(session_ids))
        session.connection().execute(statement.values(session_id=""))


def details(session: Session, token_id: str, now: datetime) -> TokenDetails | None:
    """Return a token that can still be used."""
    return next(iter(_found(session, now, 1, col(RefreshToken.id) == token_id)), None)


def page(
    session: Session, now: datetime, *, user_id: str = "", client_id: str = "", after: str = "", limit: int = 50
) -> list[TokenDetails]:
    """Return tokens that can still be used, from behind an id."""
    wanted = [col(RefreshToken.id) > after]
    wanted += [col(RefreshToken.user_id) == user_id] if user_id else []
    wanted += [col(RefreshToken.client_id) == client_id] if client_id else []
    return _found(session, now, limit, *wanted)


def count(session: Session, now: datetime, user_id: str) -> int:
    """Return how many tokens of an account can still be used."""
    statement = select(func.count(col(RefreshToken.id))).where(col(RefreshToken.user_id) == user_id, *_LIVE)
    return session.connection().execute(statement, {"now": now}).scalar_one()


def families(
    session: Session, now: datetime, wanted: TokenFilter, *, after: str = "", limit: int
) -> dict[str, list[str]]:
    """Return the families of tokens that can still be used, of the first accounts behind one, in their order.

    An id may be one that was shown before the token was replaced: it means the family, whatever became of the token.
    """
    conditions = [
        col(getattr(RefreshToken, name)) == value
        for name in ("user_id", "client_id")
        if (value := getattr(wanted, name))
    ]
    if wanted.ids:
        conditions.append(col(RefreshToken.id).in_(wanted.ids))
    if wanted.audience:
        conditions.append(col(RefreshToken.record)["authority"]["audience"].as_string() == wanted.audience)
    conditions += () if wanted.ids else _LIVE
    owners = select(col(RefreshToken.user_id)).where(*conditions, col(RefreshToken.user_id) > after).distinct()
    theirs = col(RefreshToken.user_id).in_(owners.order_by(col(RefreshToken.user_id)).limit(limit))
    statement = select(col(RefreshToken.user_id), col(RefreshToken.family)).where(*conditions, theirs).distinct()
    found: dict[str, list[str]] = {}
    for row in session.connection().execute(statement.order_by(col(RefreshToken.user_id)), {"now": now}):
        found.setdefault(row.user_id, []).append(row.family)
    return found


def describe(session: Session, token_id: str, about: Mapping[str, Any] | None) -> None:
    """Replace an administrator's notes about a token."""
    statement = update(RefreshToken).where(col(RefreshToken.id) == token_id)
    session.connection().execute(statement.values(about=dict(about) if about else None))


def sweep(session: Session, now: datetime) -> int:
    """Delete what is over; return how many."""
    over = or_(col(RefreshToken.expires_at) <= now, col(RefreshToken.idle_expires_at) <= now)
    return session.connection().execute(delete(RefreshToken).where(over)).rowcount


def _found(session: Session, now: datetime, limit: int, *wanted: ColumnElement[bool]) -> list[TokenDetails]:
    statement = select(*_DETAILS).where(*wanted, *_LIVE).order_by(col(RefreshToken.id)).limit(limit)
    rows = session.connection().execute(statement, {"now": now}).mappings()
    return [TokenDetails(**{**row, "record": RefreshRecord.model_validate(row["record"])}) for row in rows]
