"""Who of a connection has a password here, or a passkey at least: how far a move to this place has come."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, case, exists, func, not_, or_, select
from sqlmodel import Session, col

from keystead.db.tables import Account, Passkey
from keystead.rules.returned_profiles import MARK


@dataclass(frozen=True, slots=True)
class PasswordCount:
    """The people of a connection who are here, by what they could log in with if their old database were gone."""

    here: int
    with_password: int
    with_passkey_alone: int
    """No password here, but a passkey that is in use."""
    not_moved: int
    """Neither."""
    examples: tuple[str, ...]
    """Ids of some who have not moved."""


# Where a password is kept by the customer's database, a mark stands for it.
_PASSWORD: Final = and_(
    col(Account.password_hash).is_not(None), not_(col(Account.password_hash).startswith(MARK, autoescape=True))
)
_NONE: Final = or_(col(Account.password_hash).is_(None), col(Account.password_hash).startswith(MARK, autoescape=True))
_PASSKEY: Final = exists().where(col(Passkey.user_id) == col(Account.user_id), col(Passkey.quarantined_at).is_(None))


def of_connection(session: Session, connection_id: str, most: int) -> PasswordCount:
    """Count the people of a connection, with ``most`` examples of those who have not moved."""
    here = col(Account.connection_id) == connection_id
    columns = (
        func.count(),
        func.count(case((_PASSWORD, 1))),
        func.count(case((_PASSWORD, None), (_PASSKEY, 1))),
    )
    people, passwords, passkeys = session.connection().execute(select(*columns).where(here)).one()
    left = people - passwords - passkeys
    ids = select(col(Account.user_id)).where(here, _NONE, not_(_PASSKEY)).order_by(col(Account.created_at))
    found = session.connection().execute(ids.limit(most)).scalars().all() if left and most else ()
    return PasswordCount(people, passwords, passkeys, left, tuple(found))
