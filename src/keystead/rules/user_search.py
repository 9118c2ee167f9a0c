"""What a search for users may ask for: fields, their types, and what is not to be had of them (US-6).

A query is about what the answers show: what an answer leaves out, a search does not find. Values are whole values, not
words within them. Whatever cannot be asked is refused with its place in the query.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from keystead.errors import InvalidQuery
from keystead.rules import base64url
from keystead.rules.folding import FOLDED, folded
from keystead.rules.lucene import EXISTS, And, Match, Node, Not, Pattern, Range, Term, check_pattern, matches, wrong
from keystead.rules.moments import bounds

Scalar = str | bool | int | float

MAX_COMPARISONS: Final = 400
"""A term without a field is compared with several."""
MAX_PATH: Final = 8
_PROVIDER: Final = "auth0"
_METADATA: Final = ("user_metadata", "app_metadata")
_MOST: Final = 2**31 - 1
"""More than anybody has signed in, and as much as is stored; -1 is less."""
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?")


# --- what is asked of the store --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Always:
    """Everybody, or nobody."""

    everybody: bool


@dataclass(frozen=True, slots=True)
class Present:
    """Whether a column has a value."""

    column: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether a column has one of these values."""

    column: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Whether the value of a column is at least, or more than, one, and at most, or less than, another."""

    column: str
    low: str | float | datetime | None = None
    high: str | float | datetime | None = None
    with_low: bool = True
    with_high: bool = True


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text has these parts, in order, its beginning and its end among them."""

    column: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InMetadata:
    """Whether metadata has, at a path, a value that is one of these, or a list with one; any at all, without values."""

    column: str
    path: tuple[str, ...]
    values: tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class Without:
    """Whoever does not meet a condition."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Every:
    """Whoever meets all of these."""

    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """Whoever meets any of these."""

    conditions: "tuple[Condition, ...]"


Condition = Always | Present | OneOf | Between | Like | InMetadata | Without | Every | Some


# --- the fields ------------------------------------------------------------------------------------------------------


def email_as_stored(text: str) -> str:
    """Return an address in the case that addresses are stored in, whatever else it is."""
    return unicodedata.normalize("NFKC", text.lower())


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an answer: where it is stored, and how it is compared."""

    column: str
    kind: Literal["text", "flag", "number", "moment"] = "text"
    fold: Callable[[str], str] = _as_it_is
    stored_with: str = ""
    """What is stored before its value, and not shown."""
    shown_with: str = ""
    """The column without which an answer leaves the field out."""


FIELDS: Final[Mapping[str, Field]] = {
    "email": Field("email", fold=email_as_stored),
    "email.domain": Field("email_domain", fold=email_as_stored),
    "email_verified": Field("email_verified", "flag", shown_with="email"),
    "username": Field("username", fold=email_as_stored),
    "phone_number": Field("phone_number"),
    "phone_verified": Field("phone_verified", "flag", shown_with="phone_number"),
    **{name: Field(column, fold=folded) for name, column in FOLDED.items()},
    "user_id": Field("user_id"),
    "identities.user_id": Field("user_id", stored_with=f"{_PROVIDER}|"),
    "identities.connection": Field("connection"),
    "blocked": Field("blocked", "flag"),
    "created_at": Field("created_at", "moment"),
    "updated_at": Field("updated_at", "moment"),
    "last_login": Field("last_login", "moment"),
    "last_password_reset": Field("last_password_reset", "moment"),
    "last_ip": Field("last_ip"),
    "logins_count": Field("logins_count", "number", shown_with="last_login"),
}
_CONSTANT: Final[Mapping[str, tuple[str, ...]]] = {
    "identities.provider": (_PROVIDER,),
    "identities.isSocial": ("false",),
}
ANYWHERE: Final = ("email", "username", "phone_number", *FOLDED, "user_id")
"""Where a term without a field is looked for."""

INDEXED: Final = (*ANYWHERE, "email.domain", "identities.connection", "identities.user_id", "created_at")
"""What is found as fast among many as among few, by value, and but for ids by what it begins with."""

SORTED_BY: Final[Mapping[str, str]] = {
    each: field.column
    for each, field in FIELDS.items()
    if "." not in each and field.kind != "flag" and field.column != "last_password_reset"
}
"""What a list may be in the order of, and the columns that say it."""


def condition(query: Node) -> Condition:
    """Return what a query asks of the store. Raises ``InvalidQuery``."""
    comparisons = sum(len(ANYWHERE) if each.field in ("", "*") else 1 for each in matches(query))
    if comparisons > MAX_COMPARISONS:
        raise wrong(1, f"the query makes {comparisons} comparisons, maximum {MAX_COMPARISONS}: name a field")
    return _condition(query)


def _condition(node: Node) -> Condition:
    if isinstance(node, Match):
        return _match(node)
    if isinstance(node, Not):
        return Without(_condition(node.item))
    found = tuple(_condition(each) for each in node.items)
    return Every(found) if isinstance(node, And) else Some(_collected(found))


def _collected(found: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Put alternatives for one column together: that is one look-up in an index for each, whatever their number."""
    values: dict[str, tuple[Scalar, ...]] = {}
    for each in found:
        if isinstance(each, OneOf):
            values[each.column] = (*values.get(each.column, ()), *each.values)
    together = tuple(OneOf(column, tuple(dict.fromkeys(several))) for column, several in values.items())
    return (*together, *(each for each in found if not isinstance(each, OneOf)))


def _match(term: Match) -> Condition:
    if term.field == EXISTS:
        return _exists(term)
    if term.field.partition(".")[0] in _METADATA:
        return _in_metadata(term)
    if term.field in ("", "*"):
        return _anywhere(term)
    if term.field in _CONSTANT:
        return Always(_holds(term, _CONSTANT[term.field]))
    field = FIELDS.get(term.field)
    if field is None:
        raise wrong(term.field_at, f"there is no field '{term.field[:50]}' to search in")
    if isinstance(term.value, Pattern) and term.value.is_anything:
        return _present(field)
    found = {"text": _text, "flag": _flag, "number": _number, "moment": _moment}[field.kind](term, field)
    return Every((Present(field.shown_with), found)) if field.shown_with else found


def _anywhere(term: Match) -> Condition:
    if isinstance(term.value, Pattern) and term.value.is_anything:
        return Always(True)
    if term.field == "*":
        raise wrong(term.field_at, "'*' is every field only in *:*")
    if isinstance(term.value, Range):
        raise wrong(term.at, "a range needs a field")
    return Some(tuple(_text(term, FIELDS[name]) for name in ANYWHERE))


def _exists(term: Match) -> Condition:
    if not isinstance(term.value, Term):
        raise wrong(term.at, f"the name of a field was expected behind {EXISTS}")
    name = term.value.text
    if name.partition(".")[0] in _METADATA:
        return InMetadata(*_path(name, term.at))
    if name in _CONSTANT:
        return Always(True)
    if name not in FIELDS:
        raise wrong(term.at, f"there is no field '{name[:50]}' to search in")
    return _present(FIELDS[name])


def _present(field: Field) -> Condition:
    return Every(tuple(Present(each) for each in (field.column, field.shown_with) if each))


# --- values ----------------------------------------------------------------------------------------------------------


def _text(term: Match, field: Field) -> Condition:
    value, before = term.value, field.stored_with
    if isinstance(value, Term):
        # What is empty is not there (and a text that ends before a NUL would be another one).
        return OneOf(field.column, (before + field.fold(value.text),)) if value.text else Always(False)
    if isinstance(value, Range):
        low, high = (None if each is None else before + field.fold(each) for each in (value.low, value.high))
        return Between(field.column, low, high, with_low=value.with_low, with_high=value.with_high)
    check_pattern(value, term.at)
    first, *others = value.parts
    return Like(field.column, (before + field.fold(first), *(field.fold(each) for each in others)))


def _flag(term: Match, field: Field) -> Condition:
    value = term.value
    if not isinstance(value, Term) or value.text not in ("true", "false"):
        raise wrong(term.at, f"{term.field} is true or false")
    return OneOf(field.column, (value.text == "true",))


def _number(term: Match, field: Field) -> Condition:
    value = term.value
    if isinstance(value, Range):
        low, high = (None if each is None else _read_number(each, term) for each in (value.low, value.high))
        return Between(field.column, low, high, with_low=value.with_low, with_high=value.with_high)
    number = _read_number(_plain(value, term), term)
    return OneOf(field.column, (int(number),)) if number == int(number) else Always(False)


def _moment(term: Match, field: Field) -> Condition:
    low, high = bounds(term)
    return Between(field.column, low, high, with_high=False)


def _plain(value: Term | Pattern | Range, term: Match) -> str:
    if not isinstance(value, Term):
        raise wrong(term.at, f"a single value was expected for {term.field}")
    return value.text


def _holds(term: Match, values: tuple[str, ...]) -> bool:
    """Whether something that is the same for everybody is what is asked for."""
    if isinstance(term.value, Pattern) and term.value.is_anything:
        return True
    return _plain(term.value, term) in values


def _read_number(text: str, term: Match) -> int | float:
    """Return a number; what nobody can have as the nearest that nobody has, which every database can compare with."""
    if not _NUMBER.fullmatch(text):
        raise wrong(term.at, f"'{text[:30]}' is not a number")
    return min(max(float(text) if "." in text else int(text), -1), _MOST)


# --- metadata --------------------------------------------------------------------------------------------------------


def _in_metadata(term: Match) -> Condition:
    column, path = _path(term.field, term.field_at)
    if isinstance(term.value, Pattern) and term.value.is_anything:
        return InMetadata(column, path)
    if not isinstance(term.value, Term):
        what = "ranges" if isinstance(term.value, Range) else "wildcards"
        raise wrong(term.at, f"{what} are not available for metadata")
    if not path:
        raise wrong(term.field_at, f"a member of {column} was expected, such as {column}.color")
    return InMetadata(column, path, tuple(_readings(term.value))) if term.value.text else Always(False)


def _readings(value: Term) -> Iterator[Scalar]:
    """Give what a value may be where nobody says of what type it is; in quotes it is a text."""
    yield value.text
    if not value.quoted and value.text in ("true", "false"):
        yield value.text == "true"
    if not value.quoted and _NUMBER.fullmatch(value.text):
        yield float(value.text) if "." in value.text else int(value.text)


def _path(name: str, at: int) -> tuple[str, tuple[str, ...]]:
    column, *path = name.split(".")
    if not all(path):
        raise wrong(at, f"'{name[:50]}' has an empty member")
    if len(path) > MAX_PATH:
        raise wrong(at, f"metadata is searched {MAX_PATH} levels deep at most")
    return column, tuple(path)


# --- lists that are read by the piece --------------------------------------------------------------------------------


def bookmark(moment: datetime, user_id: str) -> str:
    """Return what says that a list by age was read up to somebody; it holds also where they are deleted meanwhile."""
    return base64url.encode(f"{moment.isoformat()} {user_id}".encode())


def read_bookmark(text: str) -> tuple[datetime, str]:
    """Return since when whom a list was read up to has been there, and their id. Raises ``InvalidQuery``."""
    try:
        moment, _, user_id = base64url.read(text).decode().partition(" ")
        found = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidQuery("It is not what an answer gave as next", path="from") from None
    return found, user_id.replace("\0", "")
