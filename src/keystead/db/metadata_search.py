"""What metadata holds at a path, on both databases: members by name, through lists as though they were not there.

A list stands for its elements, at each step of the path and at its end; lists within lists are not looked into. Names
and values are bound, never written into a statement. No index helps: these are read row by row.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, TableValuedAlias, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from keystead.rules.user_search import Scalar

Test = ColumnElement[bool]
Document = ColumnElement[Any]


def by_postgresql(document: Document, path: Sequence[str], values: Sequence[Scalar] | None) -> Test:
    """Whether it has one of the values at the path; any, without values. Never unknown."""
    members = "".join(f".{json.dumps(each)}" for each in path)
    if values is None:
        tests, names = ['@.type() == "string" && @ != ""', '@.type() == "number"', '@.type() == "boolean"'], {}
        members += ".**"
    else:
        names = {f"v{number}": value for number, value in enumerate(values)}
        tests = [f'@.type() == "{_kind(value)}" && @ == ${name}' for name, value in names.items()]
    wanted = " || ".join(f"({each})" for each in tests)
    found = func.jsonb_path_exists(
        document, cast(literal(f"${members} ? ({wanted})"), JSONPATH), cast(literal(json.dumps(names)), JSONB)
    )
    return and_(document.is_not(None), found)


def _kind(value: Scalar) -> str:
    return "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"


def by_sqlite(document: Document, path: Sequence[str], values: Sequence[Scalar] | None) -> Test:
    """Whether it has one of the values at the path; any, without values. Never unknown."""
    if not path:
        return and_(document.is_not(None), _some_leaf(document))
    sources: list[FromClause] = []
    steps: list[Test] = []
    for name in path[:-1]:
        member = _each(document)
        element = _each(_as_list(member))
        sources += [member, element]
        steps.append(member.c.key == name)
        document = case((element.c.type == "object", element.c.value), else_="{}")
    last = _each(document)
    steps.append(last.c.key == path[-1])
    found = select(literal(1)).select_from(*sources, last).where(*steps, _is_wanted(last, values))
    return exists(found)


def _is_wanted(last: TableValuedAlias, values: Sequence[Scalar] | None) -> Test:
    if values is None:
        return or_(_is_leaf(last), _some_leaf(case((last.c.type.in_(("array", "object")), last.c.value), else_="[]")))
    element = _each(case((last.c.type == "array", last.c.value), else_="[]"))
    return or_(_is_one(last, values), exists(select(literal(1)).select_from(element).where(_is_one(element, values))))


def _each(document: Document) -> TableValuedAlias:
    return func.json_each(document).table_valued("key", "value", "type", "atom", joins_implicitly=True)


def _as_list(member: TableValuedAlias) -> Document:
    alone = func.json_array(func.json(member.c.value))
    return case((member.c.type == "array", member.c.value), (member.c.type == "object", alone), else_="[]")


def _is_one(found: TableValuedAlias, values: Sequence[Scalar]) -> Test:
    return or_(*(_equals(found, each) for each in values))


def _equals(found: TableValuedAlias, value: Scalar) -> Test:
    if isinstance(value, bool):
        return found.c.type == ("true" if value else "false")
    kinds = ("text",) if isinstance(value, str) else ("integer", "real")
    return and_(found.c.type.in_(kinds), found.c.atom == value)


def _some_leaf(document: Document) -> Test:
    tree = func.json_tree(document).table_valued("type", "atom", joins_implicitly=True)
    return exists(select(literal(1)).select_from(tree).where(_is_leaf(tree)))


def _is_leaf(found: TableValuedAlias) -> Test:
    """Whether it is a value that can be searched for: nothing, and an empty text, cannot."""
    return or_(found.c.type.in_(("integer", "real", "true", "false")), and_(found.c.type == "text", found.c.atom != ""))
