"""The query language: what it takes and what that means, and where it says that something is wrong."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.errors import InvalidQuery
from keystead.rules.lucene import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_TERMS,
    And,
    Match,
    Node,
    Not,
    Or,
    Pattern,
    Range,
    Term,
    Value,
    matches,
    parse,
)


def m(field: str, value: str | Value) -> Match:
    return Match(field, Term(value) if isinstance(value, str) else value)


def quoted(text: str) -> Term:
    return Term(text, quoted=True)


A, B, C = m("", "a"), m("", "b"), m("", "c")

MEANINGS: list[tuple[str, Node]] = [
    # values
    ("jane", m("", "jane")),
    ("name:jane", m("name", "jane")),
    ("name : jane", m("name", "jane")),
    ('name:"jane smith"', m("name", quoted("jane smith"))),
    ('name:""', m("name", quoted(""))),
    (r'name:"say \"hi\" \\ now"', m("name", quoted('say "hi" \\ now'))),
    ('name:"a:(b) [c]*?"', m("name", quoted("a:(b) [c]*?"))),
    (r"name:jane\ smith", m("name", "jane smith")),
    (r"name:\-5\:\*\?\(\)", m("name", "-5:*?()")),
    ("user_id:auth0|abc", m("user_id", "auth0|abc")),
    ("a+b-c", m("", "a+b-c")),
    ("a&&b", m("", "a&&b")),
    ("email:ann@example.com", m("email", "ann@example.com")),
    ("name:Дарья", m("name", "Дарья")),
    ("user_metadata.a.b:x", m("user_metadata.a.b", "x")),
    (r"user_metadata.a\ b:x", m("user_metadata.a b", "x")),
    ("ORANGE", m("", "ORANGE")),
    ("NOTE", m("", "NOTE")),
    ("ANDY", m("", "ANDY")),
    ("TO", m("", "TO")),
    ("or", m("", "or")),
    # stars
    ("name:john*", m("name", Pattern(("john", "")))),
    ("name:*usa*", m("name", Pattern(("", "usa", "")))),
    ("name:j**n", m("name", Pattern(("j", "n")))),
    (r"name:j\**", m("name", Pattern(("j*", "")))),
    ("name:*", m("name", Pattern(("", "")))),
    ("*:*", m("*", Pattern(("", "")))),
    # ranges
    ("n:[1 TO 2]", m("n", Range("1", "2"))),
    ("n:{1 TO 2}", m("n", Range("1", "2", with_low=False, with_high=False))),
    ("n:[1 TO 2}", m("n", Range("1", "2", with_high=False))),
    ("n:{100 TO *]", m("n", Range("100", None, with_low=False))),
    ("n:[* TO -5]", m("n", Range(None, "-5"))),
    ('n:[2018-01-15T10:00:00Z TO "a b"]', m("n", Range("2018-01-15T10:00:00Z", "a b"))),
    ('n:["*" TO x]', m("n", Range("*", "x"))),
    ("n:>1", m("n", Range("1", None, with_low=False))),
    ("n:>=1", m("n", Range("1", None))),
    ("n:<1", m("n", Range(None, "1", with_high=False))),
    ('n:<="2018-01-15T10:00:00Z"', m("n", Range(None, "2018-01-15T10:00:00Z"))),
    ("n:(>1 AND <=2)", And((m("n", Range("1", None, with_low=False)), m("n", Range(None, "2"))))),
    # operators
    ("a b", Or((A, B))),
    ("a OR b", Or((A, B))),
    ("a || b", Or((A, B))),
    ("a AND b", And((A, B))),
    ("a && b", And((A, B))),
    ("a AND b AND c", And((A, B, C))),
    ("a OR b AND c", Or((A, And((B, C))))),
    ("(a OR b) AND c", And((Or((A, B)), C))),
    ("a AND b c", Or((And((A, B)), C))),
    ("NOT a", Not(A)),
    ("-a", Not(A)),
    ("!a", Not(A)),
    ("NOT a AND b", And((Not(A), B))),
    ("a AND NOT b", And((A, Not(B)))),
    ("a OR NOT b", Or((A, Not(B)))),
    ("a NOT b", And((A, Not(B)))),
    ("a b -c", And((Or((A, B)), Not(C)))),
    ("-a -b", And((Not(A), Not(B)))),
    ("+a b", A),
    ("+a +b -c", And((A, B, Not(C)))),
    ("+a AND b", And((A, B))),
    ("-(a b)", Not(Or((A, B)))),
    ("NOT (NOT a)", Not(Not(A))),
    ("((a))", A),
    # a field for several
    ("f:(a OR b)", Or((m("f", "a"), m("f", "b")))),
    ('f:(a "b c" -d)', And((Or((m("f", "a"), m("f", quoted("b c")))), Not(m("f", "d"))))),
    ("f:(a AND g:b)", And((m("f", "a"), m("g", "b")))),
]

REFUSALS = [
    ("", 1, "the end where a term was expected"),
    (" \t", 3, "the end where a term was expected"),
    ("name:", 6, "the end where a value was expected"),
    ("name: AND b", 7, "'AND' where a value was expected"),
    ("a AND", 6, "the end where a term was expected"),
    ("AND b", 1, "'AND' where a term was expected"),
    ("a OR OR b", 6, "'OR' where a term was expected"),
    ("NOT", 4, "the end where a term was expected"),
    ("(a", 3, "the end where ')' was expected"),
    ("a)", 2, "')' where the end was expected"),
    ("()", 2, "')' where a term was expected"),
    ("name:(a", 8, "the end where ')' was expected"),
    ('name:"abc', 6, "the quote is never closed"),
    ("a\\", 2, "there is nothing to escape"),
    ("name:a:b", 7, "a colon within a value is written"),
    ("name:-5", 6, "a value that begins with '-' is escaped or in quotes"),
    ("name:jo?n", 8, "'?' is not a wildcard here"),
    ("a~2", 2, "fuzzy searches are not available"),
    ("a^2", 2, "terms have no weight"),
    ("name:/jo.n/", 6, "regular expressions are not available"),
    ("n:[1 2]", 6, "'2' where TO was expected"),
    ("n:[1 TO", 8, "the end where a bound or * was expected"),
    ("n:[1 TO 2", 10, "the end where ']' or '}' was expected"),
    ("n:[1 TO 2)", 11, "the end where ']' or '}' was expected"),
    ("n:>", 4, "the end where a value was expected"),
    ("n:>[1 TO 2]", 4, "'[' where a value was expected"),
    (f"{'(' * (MAX_DEPTH + 1)}a{')' * (MAX_DEPTH + 1)}", MAX_DEPTH + 1, "parentheses may be nested 20 deep at most"),
    ("a " * (MAX_TERMS + 1), 2 * MAX_TERMS + 1, "a query may have 200 terms at most"),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_what_a_query_means(text: str, meaning: Node) -> None:
    assert parse(text) == meaning


@pytest.mark.parametrize(("text", "at", "why"), REFUSALS, ids=[text[:20] for text, _, _ in REFUSALS])
def test_what_is_wrong_with_a_query(text: str, at: int, why: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(text)
    assert refused.value.text.startswith(f"Wrong query at character {at}: {why}")
    assert refused.value.path == "q"


def test_places_are_remembered() -> None:
    found = {each.value: (each.field_at, each.at) for each in matches(parse('a name:"b c" AND n:(x [1 TO 2])'))}
    assert list(found.values()) == [(1, 1), (3, 8), (18, 21), (18, 23)]


def test_the_bounds_are_within() -> None:
    assert len(list(matches(parse("a " * MAX_TERMS)))) == MAX_TERMS
    assert parse(f"{'(' * MAX_DEPTH}a{')' * MAX_DEPTH}") == A
    assert parse('"((((((((((((((((((((((((("') == m("", quoted("((((((((((((((((((((((((("))
    with pytest.raises(InvalidQuery, match="String is too long"):
        parse("a" * (MAX_LENGTH + 1), "search")


# --- any tree, written down and read again ---------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def patterns() -> st.SearchStrategy[Pattern]:
    """Return patterns: between two stars there is something, before the first and behind the last there need not be."""
    ends = st.text(st.characters(codec="utf-8"), max_size=5)
    return st.builds(
        lambda first, middle, last: Pattern((first, *middle, last)), ends, st.lists(texts, max_size=2), ends
    )


def ranges() -> st.SearchStrategy[Range]:
    bounds = st.none() | texts
    return st.builds(Range, bounds, bounds, st.booleans(), st.booleans())


values = st.builds(Term, texts) | st.builds(quoted, st.text(max_size=8)) | patterns() | ranges()
leaves = st.builds(Match, st.just("") | texts, values)


def several(kind: type[And | Or]) -> "st.SearchStrategy[tuple[Node, ...]]":
    """Return what can stand beside each other in one of a kind: not another of the same, which would be one with it."""
    return st.lists(nodes.filter(lambda each: not isinstance(each, kind)), min_size=2, max_size=3).map(tuple)


nodes: st.SearchStrategy[Node] = st.deferred(
    lambda: leaves | st.builds(Not, nodes) | st.builds(And, several(And)) | st.builds(Or, several(Or))
)


def escaped(text: str) -> str:
    """Return a text so that it is one word, whatever it is."""
    plain = re.sub(r"""[\s+\-!():^\[\]"{}~*?\\/<>&|]""", lambda found: "\\" + found[0], text)
    return f"\\{plain}" if plain in ("AND", "OR", "NOT", "TO") else plain


def written(node: Node) -> str:
    """Return a query that means a tree."""
    if isinstance(node, Match):
        return (f"{escaped(node.field)}:" if node.field else "") + value_written(node.value)
    if isinstance(node, Not):
        return f"NOT ({written(node.item)})"
    return (" AND " if isinstance(node, And) else " OR ").join(f"({written(each)})" for each in node.items)


def value_written(value: Value) -> str:
    if isinstance(value, Term):
        inner = re.sub(r'(["\\])', r"\\\1", value.text)
        return f'"{inner}"' if value.quoted else escaped(value.text)
    if isinstance(value, Pattern):
        return "*".join(map(escaped, value.parts))
    low, high = ("*" if each is None else escaped(each) for each in (value.low, value.high))
    return f"{'[' if value.with_low else '{'}{low} TO {high}{']' if value.with_high else '}'}"


@settings(max_examples=300)
@given(nodes)
def test_whatever_is_written_down_is_read_the_same(node: Node) -> None:
    text = written(node)
    if text.count("(") <= MAX_DEPTH and len(text) <= MAX_LENGTH:
        assert parse(text) == node


@settings(max_examples=500)
@given(st.text(st.sampled_from('ab:"()[]{}*?\\/~^+-!<>=&| \tANDORTO1'), max_size=30))
def test_any_text_means_something_or_is_refused_where_it_is_wrong(text: str) -> None:
    found = re.match(r"Wrong query at character (\d+): .", refusal_of(text) or "Wrong query at character 1: .")
    assert found
    assert 1 <= int(found[1]) <= len(text) + 1


def refusal_of(text: str) -> str:
    try:
        parse(text)
    except InvalidQuery as refused:
        return refused.text
    return ""
