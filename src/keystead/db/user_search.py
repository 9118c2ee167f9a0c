"""Users by what is asked for, in order, and by the piece; on both databases, and never administrators."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, collate, false, func, literal, or_, select, true, tuple_
from sqlalchemy import not_ as without
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlmodel import Session, SQLModel, col

from keystead.db import metadata_search
from keystead.db.accounts import PROFILE, profile_of
from keystead.db.tables import Account, Connection, Moment
from keystead.rules.folding import FOLDED
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
Expression = ColumnElement[Any]

_FOR_PEOPLE: Final = col(Connection.for_administrators).is_(False)
_FOR_ADMINISTRATORS: Final = select(col(Connection.id)).where(col(Connection.for_administrators).is_(True))
_NOT_OF_ADMINISTRATORS: Final = col(Account.connection_id).not_in(_FOR_ADMINISTRATORS)
"""As something that no index answers: few rows are left out, and the order of the list is what an index is for."""


_EVERYBODY: Final = select(
    select(func.count()).select_from(Account).scalar_subquery()
    - select(func.count()).where(col(Account.connection_id).in_(_FOR_ADMINISTRATORS)).scalar_subquery()
)
"""Counted as all rows but a few: to look at each of them would take a hundred times as long."""

_INDEXED: Final = ("created_at", "user_id", "email", "name_folded", "nickname_folded")
"""Columns by which all rows are read in order; by the others ids are sorted, which are smaller than rows."""

_SHOWN: Final = {"logins_count": case((col(Account.last_login).is_not(None), col(Account.logins_count)))}
"""What has a value that no answer shows."""

_NARROW: Final = ("email", "username", "phone_number", "user_id", *FOLDED.values())
_ENOUGH: Final = 3
"""Columns of which hardly two people have the same, and characters of a beginning that few of them share."""

_OTHERWISE: Final = ("account.user_id", "account.last_ip", "connection.name")
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
    asked = _asked(session, whom)
    columns = (_SHOWN.get(order.column, asked.column(order.column)), col(Account.user_id))
    keys = [each.desc() if order.descending else each.asc() for each in columns]
    if order.column in _SHOWN or SQLModel.metadata.tables["account"].c[order.column].nullable:
        keys[0] = keys[0].nulls_last()
    if order.column in _INDEXED:
        statement = select(*PROFILE).where(*asked.tests(whom))
        return _profiles(session, statement.order_by(*keys).offset(offset).limit(limit))
    first = select(col(Account.user_id)).where(*asked.tests(whom)).order_by(*keys).offset(offset).limit(limit)
    return _profiles(session, select(*PROFILE).where(col(Account.user_id).in_(first)).order_by(*keys))


def behind(session: Session, whom: Listed, last: tuple[datetime, str] | None, limit: int) -> list[Profile]:
    """Return who comes next on a list by age, the oldest first; ``last`` is the moment and the id of whom was last."""
    asked = _asked(session, whom)
    place = (asked.column("created_at"), col(Account.user_id))
    statement = select(*PROFILE).where(*asked.tests(whom)).order_by(*place).limit(limit)
    if last is not None:
        statement = statement.where(tuple_(*place) > tuple_(literal(last[0], Moment()), last[1]))
    return _profiles(session, statement)


def count(session: Session, whom: Listed) -> int:
    """Return how many are on a list."""
    some = select(func.count()).select_from(Account).where(*_asked(session, whom).tests(whom))
    found: int = session.connection().execute(_EVERYBODY if whom == Listed() else some).scalar_one()
    return found


def by_email(session: Session, email: str) -> list[Profile]:
    """Return everybody with an address, in whatever connection, the oldest first."""
    statement = select(*PROFILE).where(col(Account.email) == email, _NOT_OF_ADMINISTRATORS)
    return _profiles(session, statement.order_by(col(Account.created_at), col(Account.user_id)))


def _profiles(session: Session, statement: Select[Any]) -> list[Profile]:
    return [profile_of(row) for row in session.connection().execute(statement)]


def _asked(session: Session, whom: Listed) -> "_Asked":
    return _Asked(session.connection().dialect.name == "sqlite", whom.condition is not None and _few(whom.condition))


def _few(asked: Condition) -> bool:
    """Whether hardly anybody meets a condition, as far as it tells, and an index finds them."""
    if isinstance(asked, Every | Some):
        return (any if isinstance(asked, Every) else all)(_few(each) for each in asked.conditions)
    if isinstance(asked, OneOf):
        return asked.column in _NARROW
    return isinstance(asked, Like) and asked.column in _NARROW and len(asked.parts[0]) >= _ENOUGH


@dataclass(frozen=True, slots=True)
class _Asked:
    """Turns a condition into SQL. What it makes is true or false of everybody, never unknown, so that ``NOT`` holds."""

    sqlite: bool
    few: bool

    def tests(self, whom: Listed) -> Iterator[Test]:
        """Give what must hold of everybody on a list."""
        if whom.connection is None:
            yield _NOT_OF_ADMINISTRATORS
        else:
            named = select(col(Connection.id)).where(col(Connection.name) == whom.connection, _FOR_PEOPLE)
            yield self.column("connection_id") == named.scalar_subquery()
        if whom.condition is not None:
            yield self.test(whom.condition)

    def column(self, name: str) -> Expression:
        """Return a column, so that SQLite uses no index of it where another finds the few that are asked for.

        It keeps no count of values, and would read all of a connection in order rather than sort ten of them.
        """
        column: ColumnElement[Any] = SQLModel.metadata.tables["account"].c[name]
        aside = self.sqlite and self.few and name not in _NARROW
        return UnaryExpression(column, operator=custom_op("+")) if aside else column

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
        return self._of_column(self.column(asked.column), asked)

    def _of_connection(self, asked: OfColumn) -> Test:
        name = SQLModel.metadata.tables["connection"].c.name
        found = select(col(Connection.id)).where(self._of_column(name, asked))
        if isinstance(asked, OneOf) and len(asked.values) == 1:  # one at most, so that an index keeps them in order
            return self.column("connection_id") == func.coalesce(found.scalar_subquery(), "")
        return self.column("connection_id").in_(found)

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
        return (
            collate(column, "C") if isinstance(bound, str) and str(column) in _OTHERWISE and not self.sqlite else column
        )

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
