"""Administrators: accounts of the administrators' connection, and their roles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, exists, func, insert, or_, select, update
from sqlmodel import Session, col

from keystead.db.tables import Account, Administrator, Connection, Passkey
from keystead.rules.authority import OWNER, Role


@dataclass(frozen=True, slots=True)
class AdministratorRecord:
    """An administrator as the others see one."""

    user_id: str
    connection_id: str
    role: Role
    email: str | None
    name: str | None
    blocked: bool
    can_enter: bool
    """Whether there is a password or a passkey: there is none as long as an invitation waits."""
    created_at: datetime
    last_login: datetime | None

    @property
    def is_working_owner(self) -> bool:
        """Whether it is an owner who can sign in."""
        return self.role == OWNER and self.can_enter and not self.blocked


@dataclass(frozen=True, slots=True)
class AdministratorStanding:
    """Whether an account is of the administrators' connection, and the role that it has now."""

    is_one: bool
    role: Role | None


_HAS_PASSKEY: Final = exists().where(
    col(Passkey.user_id) == col(Account.user_id), col(Passkey.quarantined_at).is_(None)
)
CAN_ENTER: Final = or_(col(Account.password_hash).is_not(None), _HAS_PASSKEY)
"""Of an account joined: whether there is a way in, as there is none while an invitation waits."""
_ALL: Final[Select[*tuple[Any, ...]]] = select(
    *(col(Account.user_id), col(Account.connection_id), col(Administrator.role), col(Account.email)),
    *(col(Account.name), func.coalesce(col(Account.blocked), False).label("blocked"), CAN_ENTER.label("can_enter")),
    *(col(Account.created_at), col(Account.last_login)),
).join(Administrator, col(Administrator.user_id) == col(Account.user_id))
_STANDING: Final = (
    select(col(Connection.for_administrators), col(Administrator.role))
    .select_from(Account)
    .join(Connection, col(Connection.id) == col(Account.connection_id))
    .outerjoin(Administrator, col(Administrator.user_id) == col(Account.user_id))
    .where(col(Account.user_id) == bindparam("user_id"))
)


_WORKING_OWNERS = _ALL.where(
    col(Administrator.role) == OWNER, func.coalesce(col(Account.blocked), False).is_(False), CAN_ENTER
)


def add(session: Session, user_id: str, role: Role) -> None:
    """Give an account of the administrators' connection a role."""
    session.connection().execute(insert(Administrator).values(user_id=user_id, role=role))


def set_role(session: Session, user_id: str, role: Role) -> None:
    """Give an administrator another role."""
    statement = update(Administrator).where(col(Administrator.user_id) == user_id)
    session.connection().execute(statement.values(role=role))


def get(session: Session, user_id: str) -> AdministratorRecord | None:
    """Return an administrator."""
    return _first(session, _ALL.where(col(Account.user_id) == user_id))


def by_email(session: Session, email: str) -> AdministratorRecord | None:
    """Return the administrator with an address."""
    return _first(session, _ALL.where(col(Account.email) == email))


def page(session: Session, offset: int, limit: int) -> list[AdministratorRecord]:
    """Return administrators by age."""
    statement = _ALL.order_by(col(Account.created_at), col(Account.user_id)).offset(offset).limit(limit)
    return [_record(row) for row in session.connection().execute(statement)]


def total(session: Session) -> int:
    """Return how many there are."""
    found: int = session.connection().execute(select(func.count(col(Administrator.user_id)))).scalar_one()
    return found


def working_owners(session: Session, limit: int) -> list[AdministratorRecord]:
    """Return owners who can sign in, by age."""
    statement = _WORKING_OWNERS.order_by(col(Account.created_at), col(Account.user_id)).limit(limit)
    return [_record(row) for row in session.connection().execute(statement)]


def has_other_owner(session: Session, user_id: str) -> bool:
    """Whether another owner than this one can sign in."""
    others = _WORKING_OWNERS.where(col(Administrator.user_id) != user_id)
    return session.connection().execute(others.limit(1)).first() is not None


def standing(session: Session, user_id: str) -> AdministratorStanding:
    """Return whether somebody is an administrator, and which role they have now."""
    row = session.connection().execute(_STANDING, {"user_id": user_id}).first()
    return AdministratorStanding(bool(row and row.for_administrators), row.role if row else None)


def _first(session: Session, statement: Select[*tuple[Any, ...]]) -> AdministratorRecord | None:
    row = session.connection().execute(statement).first()
    return _record(row) if row else None


def _record(row: Row[*tuple[Any, ...]]) -> AdministratorRecord:
    return AdministratorRecord(**dict(row._mapping))
