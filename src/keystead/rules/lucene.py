"""The query language of searches: a part of Lucene's, from a text to a tree that means what it says (US-6).

Terms between which nothing stands are alternatives, as in Lucene; ``+`` makes one necessary, ``-``, ``!`` and ``NOT``
exclude one. ``AND`` binds closer than ``OR``, and that closer than nothing. Whatever is not of the language is refused
with the place of the first character that is in the way. What the fields are is not known here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as member
from functools import cache
from typing import Final

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from keystead.errors import InvalidQuery

MAX_LENGTH: Final = 4000
MAX_DEPTH: Final = 20
MAX_TERMS: Final = 200
MAX_STARS: Final = 4
_LEAST_LITERALS: Final = 3

EXISTS: Final = "_exists_"

_GRAMMAR: Final = r"""
    start: sequence
    sequence: disjunction+
    ?disjunction: conjunction (_OR conjunction)*
    ?conjunction: clause (_AND clause)*
    ?clause: primary | _PLUS primary -> needed | (_MINUS | _NOT) primary -> excluded
    ?primary: value | group | within
    within: FIELD _COLON (value | group)
    ?group: _OPENING sequence _CLOSING
    value: TERM -> term | PHRASE -> phrase | COMPARISON (TERM | PHRASE) -> compared | range
    range: FROM (BOUND | PHRASE) _TO (BOUND | PHRASE) UPTO

    _OR.2: /(OR|\|\|)(?!WORD)/
    _AND.2: /(AND|&&)(?!WORD)/
    _NOT.2: /NOT(?!WORD)|!/
    _TO.2: /TO(?=\s|$)/
    _PLUS: "+"
    _MINUS: "-"
    _COLON: ":"
    _OPENING: "("
    _CLOSING: ")"
    FIELD.3: /TEXT(?=\s*:)/s
    TERM: /(?!(AND|OR|NOT|&&|\|\|)(?!WORD))TEXT/s
    PHRASE: /"([^"\\]|\\.)*"/s
    COMPARISON: />=?|<=?/
    FROM: /[\[{]/
    UPTO: /[\]}]/
    BOUND: /([^\s"\\\[\]{}]|\\.)+/s
    %ignore /\s+/
"""
_WORD: Final = r"""([^\s!():^\[\]"{}~?\\\/]|\\.)"""
_TEXT: Final = r"""([^\s+\-!():^\[\]"{}~?\\\/<>]|\\.)WORD*"""


@dataclass(frozen=True, slots=True)
class Term:
    """A value: a word, or a phrase in quotes."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word with ``*`` in it, which stands for any characters or none: what is between the stars."""

    parts: tuple[str, ...]

    @property
    def is_anything(self) -> bool:
        """Whether there is nothing but stars."""
        return not any(self.parts)

    @property
    def prefix(self) -> str | None:
        """What a value begins with, where the pattern says nothing else."""
        return self.parts[0] if len(self.parts) == 2 and not self.parts[1] else None


@dataclass(frozen=True, slots=True)
class Range:
    """All values from one to another; ``None`` where there is no bound."""

    low: str | None
    high: str | None
    with_low: bool = True
    with_high: bool = True


Value = Term | Pattern | Range


@dataclass(frozen=True, slots=True)
class Match:
    """A field with a value; the field is empty where none is named. Places count from one."""

    field: str
    value: Value
    at: int = member(default=1, compare=False)
    field_at: int = member(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """All that something does not mean."""

    item: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """What all of these mean."""

    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """What any of these means."""

    items: "tuple[Node, ...]"


Node = Match | Not | And | Or


def parse(text: str, name: str = "q") -> Node:
    """Return what a query means; ``name`` is the parameter that it came in.

    Raises ``InvalidQuery``, which says where.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(f"String is too long ({len(text)} chars), maximum {MAX_LENGTH}", path=name)
    _check_depth(text, name)
    try:
        found: Node = _parser().parse(text)  # type: ignore[assignment]  # the transformer makes it
    except UnexpectedInput as error:
        raise wrong(*_reason(text, error), name=name) from None
    for count, each in enumerate(matches(found)):
        if count >= MAX_TERMS:
            raise wrong(each.at, f"a query may have {MAX_TERMS} terms at most", name=name)
    return found


def wrong(at: int, why: str, *, name: str = "q") -> InvalidQuery:
    """Return the refusal of a query for what stands at a place."""
    return InvalidQuery(f"Wrong query at character {at}: {why}", path=name)


def check_pattern(value: Pattern, at: int, *, name: str = "q") -> None:
    """Refuse a pattern that takes long to compare, or that nearly everything fits. Raises ``InvalidQuery``."""
    if len(value.parts) - 1 > MAX_STARS:
        raise wrong(at, f"a value may have {MAX_STARS} wildcards at most", name=name)
    if value.prefix is None and sum(map(len, value.parts)) < _LEAST_LITERALS:
        why = f"a wildcard that is not at the end needs {_LEAST_LITERALS} other characters at least"
        raise wrong(at, why, name=name)


def matches(node: Node) -> Iterator[Match]:
    """Give every term of a query, from left to right."""
    if isinstance(node, Match):
        yield node
    else:
        for each in (node.item,) if isinstance(node, Not) else node.items:
            yield from matches(each)


@cache
def _parser() -> Lark:
    grammar = _GRAMMAR.replace("TEXT", _TEXT, 2).replace("WORD", _WORD)
    return Lark(grammar, parser="lalr", transformer=_Tree())


@dataclass(frozen=True, slots=True)
class _Signed:
    """A clause with a sign before it, which means something only beside others."""

    item: Node
    needed: bool

    @property
    def alone(self) -> Node:
        return self.item if self.needed else Not(self.item)


class _Tree(Transformer[Token, Node]):
    """Makes the tree while the text is read, from the leaves up: nothing here calls itself, however long it is."""

    def start(self, found: list[Node]) -> Node:
        return found[0]

    def sequence(self, found: list[Node | _Signed]) -> Node:
        signed = [each for each in found if isinstance(each, _Signed)]
        optional = [each for each in found if not isinstance(each, _Signed)]
        wanted = [each.item for each in signed if each.needed] or ([_or(optional)] if optional else [])
        return _and([*wanted, *(each.alone for each in signed if not each.needed)])

    def disjunction(self, found: list[Node | _Signed]) -> Node:
        return _or([_alone(each) for each in found])

    def conjunction(self, found: list[Node | _Signed]) -> Node:
        return _and([_alone(each) for each in found])

    def needed(self, found: list[Node]) -> _Signed:
        return _Signed(found[0], needed=True)

    def excluded(self, found: list[Node]) -> _Signed:
        return _Signed(found[0], needed=False)

    def within(self, found: list[Token | Node]) -> Node:
        token, node = found
        assert isinstance(token, Token)
        assert not isinstance(node, Token)
        return _within(_unescaped(token), _place(token), node)

    def term(self, found: list[Token]) -> Node:
        parts = _parts(found[0])
        return _loose(found[0], Term(parts[0]) if len(parts) == 1 else Pattern(parts))

    def phrase(self, found: list[Token]) -> Node:
        return _loose(found[0], Term(_text(found[0]), quoted=True))

    def compared(self, found: list[Token]) -> Node:
        how, token = found
        bound = _text(token)
        low, high = (bound, None) if how.startswith(">") else (None, bound)
        inclusive = how.endswith("=")
        return _loose(how, Range(low, high, with_low=inclusive or low is None, with_high=inclusive or high is None))

    def range(self, found: list[Token]) -> Node:
        before, low, high, behind = found
        return _loose(before, Range(_bound(low), _bound(high), with_low=before == "[", with_high=behind == "]"))

    def value(self, found: list[Node]) -> Node:
        return found[0]


def _loose(token: Token, value: Value) -> Match:
    return Match("", value, _place(token), _place(token))


def _place(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _within(name: str, at: int, node: Node) -> Node:
    """Give a field to every term that has none; ``f:(a OR b)`` is ``f:a OR f:b``."""
    if isinstance(node, Match):
        return node if node.field else replace(node, field=name, field_at=at)
    if isinstance(node, Not):
        return Not(_within(name, at, node.item))
    return replace(node, items=tuple(_within(name, at, each) for each in node.items))


def _alone(node: Node | _Signed) -> Node:
    return node.alone if isinstance(node, _Signed) else node


def _and(items: Sequence[Node]) -> Node:
    flat = tuple(inner for each in items for inner in (each.items if isinstance(each, And) else (each,)))
    return flat[0] if len(flat) == 1 else And(flat)


def _or(items: Sequence[Node]) -> Node:
    flat = tuple(inner for each in items for inner in (each.items if isinstance(each, Or) else (each,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def _text(token: Token) -> str:
    return _unescaped(token[1:-1] if token.type == "PHRASE" else token)


def _bound(written: Token) -> str | None:
    return None if written == "*" else _text(written)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _parts(text: str) -> tuple[str, ...]:
    """Return what is between the stars of a word; several of them side by side are one."""
    found = [""]
    for each in re.findall(r"\\.|\*+|[^\\*]+", text, flags=re.DOTALL):
        if each.startswith("*"):
            found.append("")
        else:
            found[-1] += _unescaped(each)
    return tuple(found)


def _check_depth(text: str, name: str) -> None:
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|\\.|[()]', text, flags=re.DOTALL):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise wrong(found.start() + 1, f"parentheses may be nested {MAX_DEPTH} deep at most", name=name)


_HINTS: Final = {
    '"': "the quote is never closed",
    "\\": "there is nothing to escape",
    "?": r"'?' is not a wildcard here; write \? for the character itself",
    "~": r"fuzzy searches are not available; write \~ for the character itself",
    "^": r"terms have no weight; write \^ for the character itself",
    "/": r"regular expressions are not available; write \/ for the character itself",
    ":": r"a colon within a value is written \: or in quotes",
}
_WORDS: Final = (
    ({"FIELD"}, "a term"),
    ({"TERM"}, "a value"),
    ({"BOUND"}, "a bound or *"),
    ({"_TO"}, "TO"),
    ({"UPTO"}, "']' or '}'"),
    ({"_AND", "_OR"}, "AND, OR"),
    ({"_CLOSING"}, "')'"),
    ({"$END"}, "the end"),
)


def _reason(text: str, error: UnexpectedInput) -> tuple[int, str]:
    """Return the place of the first character that is in the way, and why it is."""
    at, wanted = _stop(text, error)
    found = (re.match(r"\w+|.|$", text[at:], flags=re.DOTALL) or [""])[0][:20]
    words = [word for names, word in _WORDS if names & wanted]
    if "a term" in words:
        words.remove("a value")
    elif "a value" in words and found in ("+", "-", "!"):
        return at + 1, f"a value that begins with '{found}' is escaped or in quotes"
    return at + 1, _HINTS.get(found) or f"{_named(found)} where {' or '.join(words)} was expected"


def _stop(text: str, error: UnexpectedInput) -> tuple[int, set[str]]:
    """Return how far the text was read, and what could have gone on from there."""
    if isinstance(error, UnexpectedCharacters):
        return error.pos_in_stream or 0, set(error.allowed or ())
    assert isinstance(error, UnexpectedToken)
    ended = error.token.type == "$END"
    return len(text) if ended else error.pos_in_stream or 0, set(error.accepts or error.expected)


def _named(found: str) -> str:
    if not found:
        return "the end"
    return f"'{found}'" if found.isprintable() else "this character"
