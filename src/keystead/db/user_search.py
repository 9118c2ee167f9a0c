"""Users by what is asked for, in order, and by the piece; on both databases, and never administrators."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, collate, false, func, literal, or_, select, true, tuple_
from sqlalchemy import not_ as without
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, col

from keystead.db import metadata_search
from keystead.db.accounts import PROFILE, profile_of
from keystead.db.tables import Account, Connection, Moment
from keystead.rules.profiles import Profile
from keystead.rules.user_search import (
    Always,
    Between,
    Condition,
    Every,
    InMetadata,
    Like,
    OneOf,
    Present,
    Some,
    Without,
)

Test = ColumnElement[bool]
OfColumn = Present | OneOf | Between | Like
Expression = ColumnElement[Any] | Mapped[Any]

_NOT_OF_ADMINISTRATORS: Final = col(Account.connection_id).not_in(
    select(col(Connection.id)).where(col(Connection.for_administrators).is_(True))
)
"""As something that no index answers: few rows are left out, and the order of the list is what an index is for."""


_OTHERWISE: Final = (col(Account.user_id), col(Account.last_ip), col(Connection.name))
"""Texts that PostgreSQL compares by the rules of some language."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by a column, and what is equal in it by id; who has no value comes last."""

    column: str = "created_at"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Who is on a list: all people, those of one connection, and of them those who meet a condition."""

    connection: str | None = None
    condition: Condition | None = None


def page(session: Session, whom: Listed, order: Order, offset: int, limit: int) -> list[Profile]:
    """Return a part of a list by number."""
    statement = _narrowed(session, select(*PROFILE), whom)
    columns = (getattr(Account, order.column), col(Account.user_id))
    keys = [each.desc() if order.descending else each.asc() for each in columns]
    if getattr(SQLModel.metadata.tables["account"].c, order.column).nullable:
        keys[0] = keys[0].nulls_last()
    return _profiles(session, statement.order_by(*keys).offset(offset).limit(limit))


def behind(session: Session, whom: Listed, last: tuple[datetime, str] | None, limit: int) -> list[Profile]:
    """Return who comes next on a list by age, the oldest first; ``last`` is the moment and the id of whom was last."""
    statement, place = _narrowed(session, select(*PROFILE), whom), (col(Account.created_at), col(Account.user_id))
    if last is not None:
        statement = statement.where(tuple_(*place) > tuple_(literal(last[0], Moment()), last[1]))
    return _profiles(session, statement.order_by(*place).limit(limit))


def count(session: Session, whom: Listed) -> int:
    """Return how many are on a list."""
    statement = _narrowed(session, select(func.count()).select_from(Account), whom)
    found: int = session.connection().execute(statement).scalar_one()
    return found


def by_email(session: Session, email: str) -> list[Profile]:
    """Return everybody with an address, in whatever connection, the oldest first."""
    statement = select(*PROFILE).where(col(Account.email) == email, _NOT_OF_ADMINISTRATORS)
    return _profiles(session, statement.order_by(col(Account.created_at), col(Account.user_id)))


def _profiles(session: Session, statement: Select[Any]) -> list[Profile]:
    return [profile_of(row) for row in session.connection().execute(statement)]


def _narrowed(session: Session, statement: Select[Any], whom: Listed) -> Select[Any]:
    if whom.connection is None:
        statement = statement.where(_NOT_OF_ADMINISTRATORS)
    else:
        named = select(col(Connection.id)).where(
            col(Connection.name) == whom.connection, col(Connection.for_administrators).is_(False)
        )
        statement = statement.where(col(Account.connection_id) == named.scalar_subquery())
    if whom.condition is not None:
        statement = statement.where(_Asked(session.connection().dialect.name == "sqlite").test(whom.condition))
    return statement


@dataclass(frozen=True, slots=True)
class _Asked:
    """Turns a condition into SQL. What it makes is true or false of everybody, never unknown, so that ``NOT`` holds."""

    sqlite: bool

    def test(self, asked: Condition) -> Test:
        if isinstance(asked, Without):
            return without(self.test(asked.condition))
        if isinstance(asked, Every | Some):
            found = [self.test(each) for each in asked.conditions]
            return and_(true(), *found) if isinstance(asked, Every) else or_(false(), *found)
        if isinstance(asked, Always):
            return true() if asked.everybody else false()
        if isinstance(asked, InMetadata):
            return self._in_metadata(asked)
        if asked.column == "connection":
            return self._of_connection(asked)
        return self._of_column(getattr(Account, asked.column), asked)

    def _of_connection(self, asked: OfColumn) -> Test:
        found = select(col(Connection.id)).where(self._of_column(col(Connection.name), asked))
        return col(Account.connection_id).in_(found)

    def _of_column(self, column: Expression, asked: OfColumn) -> Test:
        return and_(column.is_not(None), *self._compared(column, asked))

    def _compared(self, column: Expression, asked: OfColumn) -> Iterator[Test]:
        if isinstance(asked, OneOf):
            yield column == asked.values[0] if len(asked.values) == 1 else column.in_(asked.values)
        elif isinstance(asked, Between):
            yield from self._between(self._bytewise(column, asked.low or asked.high), asked)
        elif isinstance(asked, Like) and len(asked.parts) == 2 and not asked.parts[1]:
            prefix = asked.parts[0]
            yield from self._between(
                self._bytewise(column, prefix), Between(asked.column, prefix, _behind(prefix), with_high=False)
            )
        elif isinstance(asked, Like):
            yield self._like(column, asked.parts)

    def _between(self, column: Expression, asked: Between) -> Iterator[Test]:
        if asked.low is not None:
            yield column >= asked.low if asked.with_low else column > asked.low
        if asked.high is not None:
            yield column <= asked.high if asked.with_high else column < asked.high

    def _bytewise(self, column: Expression, bound: object) -> Expression:
        """Compare texts byte by byte on PostgreSQL too, as the columns that are searched most do by themselves."""
        return collate(column, "C") if isinstance(bound, str) and column in _OTHERWISE and not self.sqlite else column

    def _like(self, column: Expression, parts: Sequence[str]) -> Test:
        if self.sqlite:  # whose LIKE does not tell capitals from small letters
            return column.op("GLOB", is_comparison=True)("*".join(_globbed(each) for each in parts))
        return column.like("%".join(_liked(each) for each in parts), escape="\\")

    def _in_metadata(self, asked: InMetadata) -> Test:
        found = metadata_search.by_sqlite if self.sqlite else metadata_search.by_postgresql
        return found(getattr(Account, asked.column), asked.path, asked.values)


def _behind(prefix: str) -> str | None:
    """Return the first text behind all that begin with a prefix; ``None`` where there is none."""
    for length in range(len(prefix), 0, -1):
        code = ord(prefix[length - 1]) + 1
        if code <= 0x10FFFF:
            return prefix[: length - 1] + chr(0xE000 if code == 0xD800 else code)  # what is between is no character
    return None


def _globbed(text: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in text)


def _liked(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\%_" else each for each in text)
