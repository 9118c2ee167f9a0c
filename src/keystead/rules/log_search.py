"""Which entries of the journal a query means: its fields, and what may be asked of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from keystead.rules.lucene import EXISTS, And, Match, Node, Not, Pattern, Range, Term, check_pattern, parse, wrong
from keystead.rules.moments import bounds

TEXTS: Final = (
    *("type", "user_id", "connection_id", "client_id", "ip", "user_agent", "description"),
    *("actor", "request_id", "decision_id", "log_id"),
)
"""Fields that are compared as they are; ``description`` and ``user_agent`` also where the word is within them."""

CONNECTION: Final = "connection"
DATE: Final = "date"
FIELDS: Final = (*TEXTS, CONNECTION, DATE)


@dataclass(frozen=True, slots=True)
class Between:
    """Entries from one moment, and before another; ``None`` where there is no bound."""

    since: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True)
class Field:
    """Entries in which a field has a value; any, where there is none."""

    name: str
    value: Term | Pattern | None


@dataclass(frozen=True, slots=True)
class Every:
    """Entries of which all of these are true."""

    items: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """Entries of which any of these is true."""

    items: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Unlike:
    """Entries of which this is not true."""

    item: "Condition"


Condition = Between | Field | Every | Some | Unlike


def read(text: str, name: str) -> Condition:
    """Return what a query means; ``name`` is the parameter that it came in.

    Raises ``InvalidQuery``, which says where.
    """
    return _read(parse(text, name), name)


def _read(node: Node, name: str) -> Condition:
    if isinstance(node, Not):
        return Unlike(_read(node.item, name))
    if isinstance(node, Match):
        return _matched(node, name)
    items = tuple(_read(each, name) for each in node.items)
    return Every(items) if isinstance(node, And) else Some(items)


def _matched(match: Match, name: str) -> Condition:
    value = match.value
    if match.field == EXISTS and isinstance(value, Term) and value.text in FIELDS:
        return Field(value.text, None)
    if match.field not in FIELDS:
        known = ", ".join(sorted(FIELDS))
        raise wrong(match.field_at, f"the journal is searched by {known}", name=name)
    if match.field == DATE:
        return Between(*bounds(match, name=name))
    if isinstance(value, Range):
        raise wrong(match.at, f"a range is of {DATE} only", name=name)
    if isinstance(value, Pattern):
        if value.is_anything:
            return Field(match.field, None)
        check_pattern(value, match.at, name=name)
    return Field(match.field, value)
