"""Hashes of passwords that accounts had before (PW-5), and the one way to replace a password."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlmodel import Session, col

from keystead.db import accounts
from keystead.db.tables import OldPassword


def hashes(session: Session, user_id: str, size: int) -> list[str]:
    """Return the hashes of the last passwords, at most ``size`` of them: the current one, then the latest replaced."""
    known = accounts.with_password(session, user_id) if size else None
    current = [known.password_hash] if known and known.password_hash else []
    statement = select(col(OldPassword.password_hash)).where(col(OldPassword.user_id) == user_id)
    older = session.connection().execute(statement.order_by(col(OldPassword.id).desc()).limit(size)).scalars()
    return [*current, *older][:size]


def replace(session: Session, user_id: str, hashed: str | None, now: datetime, *, size: int) -> bool:
    """Give an account a new password, or with ``None`` take the one that it has; ``False`` where there is no account.

    What it had before is kept for as long as the policy looks back, ``size`` passwords with the new one among them,
    and is forgotten where it does not.
    """
    known = accounts.with_password(session, user_id)
    if known and known.password_hash and size:
        row = {"user_id": user_id, "password_hash": known.password_hash, "replaced_at": now}
        session.connection().execute(insert(OldPassword).values(row))
    _trim(session, user_id, max(size - 1, 0))
    values = {"password_hash": hashed, "last_password_reset": now, "updated_at": now}
    return accounts.change(session, user_id, values)


def remove_all(session: Session, user_id: str) -> None:
    """Forget the passwords that an account had before."""
    session.connection().execute(delete(OldPassword).where(col(OldPassword.user_id) == user_id))


def _trim(session: Session, user_id: str, keep: int) -> None:
    of_account = col(OldPassword.user_id) == user_id
    newest = select(col(OldPassword.id)).where(of_account).order_by(col(OldPassword.id).desc()).limit(keep)
    session.connection().execute(delete(OldPassword).where(of_account, col(OldPassword.id).not_in(newest)))
