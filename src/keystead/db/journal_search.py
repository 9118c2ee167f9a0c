"""What a search of the journal means in SQL."""

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from keystead.db.tables import Connection, JournalRow
from keystead.rules.log_search import CONNECTION, DATE, Between, Condition, Every, Field, Some, Unlike
from keystead.rules.lucene import Pattern, Term

_WITHIN: Final = ("description", "user_agent")
"""Texts that are searched for a word, whatever its case."""

Column = ColumnElement[Any] | Mapped[Any]

_ESCAPE: Final = "\\"


def matching(condition: Condition) -> ColumnElement[bool]:
    """Return a search as a condition on entries, which is true or false of each, never neither."""
    if isinstance(condition, Every | Some):
        joined = and_ if isinstance(condition, Every) else or_
        return joined(*(matching(each) for each in condition.items))
    if isinstance(condition, Unlike):
        return not_(matching(condition.item))
    return _between(condition) if isinstance(condition, Between) else _field(condition)


def _between(wanted: Between) -> ColumnElement[bool]:
    date = col(JournalRow.date)
    since = date >= wanted.since if wanted.since else date.is_not(None)
    return and_(since, date < wanted.before) if wanted.before else since


def _field(wanted: Field) -> ColumnElement[bool]:
    column, value = _column(wanted.name), wanted.value
    there = column.is_not(None) if wanted.name == DATE else and_(column.is_not(None), column != "")
    if value is None:
        return there
    if wanted.name == CONNECTION:
        return and_(there, column.in_(select(col(Connection.id)).where(_like(col(Connection.name), value))))
    if wanted.name in _WITHIN and isinstance(value, Term):
        return and_(there, _like(func.lower(column), Pattern(("", value.text.lower(), ""))))
    return and_(there, _like(column, value))


def _column(name: str) -> Mapped[Any]:
    columns = {CONNECTION: "connection_id", "decision_id": "decision"}
    return col(getattr(JournalRow, columns.get(name, name)))


def _like(column: Column, value: Term | Pattern) -> ColumnElement[bool]:
    if isinstance(value, Term):
        return column == value.text
    escaped = [_escaped(part) for part in value.parts]
    return column.like("%".join(escaped), escape=_ESCAPE)


def _escaped(text: str) -> str:
    for each in (_ESCAPE, "%", "_"):
        text = text.replace(each, _ESCAPE + each)
    return text
