"""Searches find whom they should, by indexes where that is promised, and not for ever; on both databases."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, insert, select, text
from sqlmodel import Session, col

from conftest import Stencil
from keystead.db import user_search
from keystead.db.session import Database, limited
from keystead.db.tables import Account
from keystead.db.user_search import Listed, Order
from keystead.errors import Unavailable
from keystead.flows.users import people
from keystead.rules.lucene import And, Match, Node, Not, Or, Pattern, Range, Term, Value, parse
from keystead.rules.user_search import ANYWHERE, FIELDS, INDEXED, condition
from keystead.web.management.users import shown

THEN = datetime(2026, 1, 30, 22, 0, tzinfo=UTC)
NAMES = (
    "Ann",
    "ann other",
    "Änne",
    "ÄNNE",
    "Straße",
    "a*b",
    "a%b",
    "a_b",
    "x[y]",
    "back\\slash",
    "李",
    "\U0001f600 smile",
)
METADATA: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"a": 1, "b": {"c": "x", "d": [1, "y", None]}},
    {"a": "1", "b": [{"c": "x"}, {"c": ["z", 2.5]}, "w"]},
    {"a": True, "b": None, 'it\'s "quoted"': "x"},
    {"a": "true", "b": {"c": {"c": "x"}}, "e": ""},
    {"a": [[1], "deep"], "b": [], "e": {"f": ""}},
    {"a": 1.0, "b": {"c": False}},
    {"a": "%", "b": {"$[*]": "x"}},
)
PATHS = ("a", "b", "b.c", "b.d", "b.c.c", "e", "e.f", 'it\'s "quoted"', "b.$[*]", "none")
MEMBERS = ("x", "y", "z", "w", "1", "2.5", "true", "false", "deep", "%", "")


def crowd(connection_id: str) -> Iterator[dict[str, Any]]:
    """Give some two dozen people who differ in everything that can be searched for."""
    for number in range(27):
        moment = THEN + timedelta(hours=number, milliseconds=number)
        entered = number % 3 == 0
        yield {
            "user_id": f"auth0|{'Ab'[number % 2]}{number:02d}",
            "connection_id": connection_id,
            "email": f"person{number % 5}.{number}@{('one', 'two')[number % 2]}.example" if number % 4 else None,
            "email_verified": number % 2 == 0,
            "phone_number": f"+1415555267{number % 10}" if number % 6 == 1 else None,
            "phone_verified": number % 12 == 1,
            "username": f"user_{number}" if number % 4 in (0, 1) else None,
            "name": NAMES[number % len(NAMES)],
            "nickname": NAMES[-number % len(NAMES)].upper() if number % 5 else None,
            "given_name": NAMES[number % 3] if number % 2 else None,
            "family_name": None,
            "user_metadata": METADATA[number % len(METADATA)],
            "app_metadata": METADATA[(number * 4 + 1) % len(METADATA)],
            "blocked": (None, True, False)[number % 3],
            "user_handle": f"handle {number}".encode(),
            "created_at": moment,
            "updated_at": moment + timedelta(days=number),
            "last_login": moment + timedelta(days=1) if entered else None,
            "last_ip": f"203.0.113.{number}" if entered else None,
            "logins_count": number if entered else 0,
            "must_verify": [],
        }


@pytest.fixture
def db(installation: Stencil) -> Iterator[Database]:
    """A database with a crowd in its default connection, and an administrator who looks like one of them."""
    opened = Database(installation.settings.database_url.reveal())
    rows = list(crowd(installation.document["connection"]["id"]))
    admins = opened.read_now(lambda it: it.execute(text("SELECT id FROM connection WHERE for_administrators")).scalar())
    admin = rows[2] | {"user_id": "auth0|admin", "connection_id": admins, "user_handle": b"admin"}
    opened.write_now(lambda it: it.connection().execute(insert(Account), [*rows, admin]) and None)
    yield opened
    opened.close()


@pytest.fixture
def crowded(db: Database) -> Database:
    """The same, so full on PostgreSQL that it goes by its statistics: of two dozen any index gives all as cheaply."""
    if not db.is_sqlite:
        with db.engine.begin() as connection:
            connection.execute(text(FILL))
            connection.execute(text("ANALYZE account"))
    return db


FILL = """
INSERT INTO account (user_id, connection_id, email, email_domain, username, phone_number, name, name_folded, nickname,
  nickname_folded, given_name, given_name_folded, family_name, family_name_folded, email_verified, phone_verified,
  user_handle, created_at, updated_at, logins_count, must_verify)
SELECT 'auth0|many' || n, connection_id, 'm' || n || '@d' || n || '.example', 'd' || n || '.example', 'm' || n,
  '+1202555' || n, 'm' || n, 'm' || n, 'm' || n, 'm' || n, 'm' || n, 'm' || n, 'm' || n, 'm' || n, true, false,
  convert_to('many' || n, 'UTF8'), created_at - n * interval '1 day', updated_at, 0, '[]'
FROM account, generate_series(1000, 3999) AS n WHERE user_id = 'auth0|A00'
"""


# --- what should be found, worked out by hand -----------------------------------------------------------------------


def meets(node: Node, user: dict[str, Any]) -> bool:
    if isinstance(node, Not):
        return not meets(node.item, user)
    if isinstance(node, And | Or):
        return (all if isinstance(node, And) else any)(meets(each, user) for each in node.items)
    if node.field == "_exists_":
        assert isinstance(node.value, Term)
        return bool([each for each in values_of(user, node.value.text, deep=True) if each not in ("", None)])
    if "metadata" in node.field and isinstance(node.value, Pattern):
        return meets(Match("_exists_", Term(node.field)), user)
    fields = (node.field,) if node.field else ANYWHERE
    return any(is_meant(node.value, each, name) for name in fields for each in values_of(user, name))


def values_of(user: dict[str, Any], name: str, *, deep: bool = False) -> list[Any]:
    if name == "email.domain":
        return [user["email"].partition("@")[2]] if "email" in user else []
    first, *path = name.split(".")
    found = at(user.get(first), tuple(path))
    return [leaf for each in found for leaf in leaves(each)] if deep else found


def at(value: Any, path: tuple[str, ...]) -> list[Any]:
    several = value if isinstance(value, list) else [value]
    if not path:
        return several
    return [
        leaf for each in several if isinstance(each, dict) and path[0] in each for leaf in at(each[path[0]], path[1:])
    ]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]
    return [value]


def is_meant(value: Value, found: Any, name: str) -> bool:
    if found is None or found == "" or isinstance(found, dict | list):
        return False
    return (isinstance(value, Pattern) and value.is_anything) or is_equal(value, found, name)


def is_equal(value: Value, found: Any, name: str) -> bool:
    if "metadata" in name:
        assert isinstance(value, Term)
        return found in readings(value) and type(found) in {type(each) for each in readings(value) if each == found}
    if isinstance(found, bool):
        return isinstance(value, Term) and found == (value.text == "true")
    if isinstance(found, int):
        return in_range(value, found, int)
    if name.endswith(("_at", "last_login")):
        return at_that_time(value, found)
    return is_text(value, found, str.casefold if name.endswith("name") and name != "username" else folding(name))


def readings(value: Term) -> list[Any]:
    found: list[Any] = [value.text]
    if not value.quoted and value.text in ("true", "false"):
        found.append(value.text == "true")
    if not value.quoted and re.fullmatch(r"-?\d+(\.\d+)?", value.text):
        found += [float(value.text), *([int(value.text)] if "." not in value.text else [])]
    return found


def folding(name: str) -> Any:
    return str.lower if name in ("email", "email.domain", "username") else str


def is_text(value: Value, found: str, fold: Any) -> bool:
    if isinstance(value, Pattern):
        pattern = ".*".join(re.escape(fold(each)) for each in value.parts)
        return re.fullmatch(pattern, fold(found), flags=re.DOTALL) is not None
    return in_range(value, fold(found).encode(), lambda each: fold(each).encode())


def in_range(value: Value, found: Any, read: Any) -> bool:
    if isinstance(value, Term):
        return bool(found == read(value.text))
    assert isinstance(value, Range)
    above = value.low is None or (found >= read(value.low) if value.with_low else found > read(value.low))
    below = value.high is None or (found <= read(value.high) if value.with_high else found < read(value.high))
    return bool(above and below)


def at_that_time(value: Value, found: str) -> bool:
    if isinstance(value, Term):
        return found.startswith(value.text)
    assert isinstance(value, Range)
    low, high = value.low or "", value.high or "9"
    after = found > low and (value.with_low or not (low and found.startswith(low)))
    before = found < high or (value.with_high and found.startswith(high))
    return after and before


# --- any query ------------------------------------------------------------------------------------------------------

TEXTS = (
    *NAMES,
    "person1.1@one.example",
    "ONE.example",
    "user_4",
    "+14155552671",
    "auth0|A00",
    "b01",
    "203.0.113.3",
    "auth0",
)
TEXT_FIELDS = (*(each for each in FIELDS if FIELDS[each].kind == "text" and "." not in each), "email.domain")
MOMENTS = ("2026", "2026-01", "2026-02", "2026-01-31", "2026-02-01", "2026-01-31T05:00:00.007")


def matches() -> st.SearchStrategy[Match]:
    words = st.sampled_from(TEXTS).flatmap(
        lambda each: st.sampled_from([each, each.upper(), each[:3], each[:1], each[2:]])
    )
    words = words.filter(bool)
    numbers, moments = st.integers(-1, 30).map(str), st.sampled_from(MOMENTS)
    patterns = words.map(lambda each: Pattern((each, "")))
    inner = words.filter(lambda each: len(each) >= 3).map(lambda each: Pattern(("", each, "")))
    texts = words.map(Term) | patterns | inner | ranges(words)
    members = st.builds(Term, st.sampled_from(MEMBERS), st.booleans()) | st.just(Pattern(("", "")))
    paths = st.builds("{}.{}".format, st.sampled_from(("user_metadata", "app_metadata")), st.sampled_from(PATHS))
    names = st.sampled_from([each for each in FIELDS if "." not in each] + ["email.domain", "user_metadata"]) | paths
    return (
        st.builds(Match, st.sampled_from(TEXT_FIELDS), texts)
        | st.builds(Match, st.just(""), words.map(Term) | patterns)
        | st.builds(Match, st.sampled_from(kinds("flag")), st.sampled_from(("true", "false")).map(Term))
        | st.builds(Match, st.just("logins_count"), numbers.map(Term) | ranges(numbers))
        | st.builds(Match, st.sampled_from(kinds("moment")), moments.map(Term) | ranges(moments))
        | st.builds(Match, paths, members)
        | st.builds(Match, st.just("_exists_"), names.map(Term))
    )


def kinds(kind: str) -> list[str]:
    return [each for each, field in FIELDS.items() if field.kind == kind]


def ranges(bounds: st.SearchStrategy[str]) -> st.SearchStrategy[Range]:
    return st.builds(Range, st.none() | bounds, st.none() | bounds, st.booleans(), st.booleans())


nodes: st.SearchStrategy[Node] = st.recursive(
    matches(),
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=2, max_size=3).map(lambda several: And(tuple(several)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda several: Or(tuple(several)))
    ),
    max_leaves=5,
)


def test_a_search_finds_whom_it_should(db: Database) -> None:
    everybody = [shown(each, "") for each in listed(db, Listed())]
    assert len(everybody) == 27

    def work(session: Session) -> None:
        @settings(max_examples=120, suppress_health_check=list(HealthCheck))
        @given(nodes)
        def check(node: Node) -> None:
            whom = Listed(None, condition(node))
            found = [each.user_id for each in user_search.page(session, whom, Order(), 0, 100)]
            assert found == [each["user_id"] for each in everybody if meets(node, each)]
            assert user_search.count(session, whom) == len(found)

        check()

    db.read_now(work)


def listed(db: Database, whom: Listed, order: Order | None = None) -> list[Any]:
    return db.read_now(lambda it: people(it, user_search.page(it, whom, order or Order(), 0, 100)))


def test_everybody_is_read_once_piece_by_piece(db: Database) -> None:
    for whom in (Listed(), Listed(None, condition(parse("email:person*"))), Listed("Username-Password-Authentication")):
        found, last = [], None
        while part := db.read_now(user_search.behind, whom, last, 4):
            found += [each.user_id for each in part]
            last = (part[-1].created_at, part[-1].user_id)
        assert found == [each.profile.user_id for each in listed(db, whom)]


@pytest.mark.parametrize("column", ["created_at", "email", "name_folded", "last_login", "user_id"])
def test_lists_are_in_order_and_who_has_no_value_comes_last(db: Database, column: str) -> None:
    columns = (col(Account.user_id), getattr(Account, column))
    values = {row[0]: row[1] for row in db.read_now(lambda it: it.connection().execute(select(*columns)).all())}
    for descending in (False, True):
        order = [values[each.profile.user_id] for each in listed(db, Listed(), Order(column, descending=descending))]
        given = [each for each in order if each is not None]
        key = (lambda each: each.encode()) if isinstance(given[0], str) else None
        assert given == sorted(given, key=key, reverse=descending)
        assert order == given + [None] * (len(order) - len(given))


# --- how it is found ------------------------------------------------------------------------------------------------

EXAMPLES = {
    "email": "ann@example.com",
    "username": "ann",
    "phone_number": '"+14155552671"',
    "name": "ann",
    "nickname": "ann",
    "given_name": "ann",
    "family_name": "ann",
    "user_id": '"auth0|1"',
    "identities.user_id": "1",
    "email.domain": "example.com",
    "identities.connection": "db",
    "created_at": "2026-01-31",
}


def plan(db: Database, whom: Listed, order: Order | None = None) -> str:
    """Return how the database goes about a list; PostgreSQL, where it must not read a small table as a whole."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        seen.append((statement, parameters))

    def work(session: Session) -> str:
        connection = session.connection()
        if not db.is_sqlite:
            for setting in ("enable_seqscan", "enable_bitmapscan"):
                connection.execute(text(f"SET LOCAL {setting} = off"))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            user_search.page(session, whom, order or Order(), 0, 50)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        statement, parameters = seen[-1]
        explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)

    return db.read_now(work)


@pytest.mark.parametrize("field", INDEXED)
def test_what_is_promised_to_be_fast_is_found_by_an_index(crowded: Database, field: str) -> None:
    found = plan(crowded, Listed(None, condition(parse(f"{field}:{EXAMPLES[field]}"))))
    column = {"connection": "connection_id"}.get(FIELDS[field].column, FIELDS[field].column)
    name = (
        f"ix_account_{column}"
        if column != "user_id"
        else "sqlite_autoindex_account_1"
        if crowded.is_sqlite
        else "pk_account"
    )
    assert name in found, found
    assert not re.search(r"SCAN account\b|Seq Scan on account", found), found


@pytest.mark.parametrize(
    "field", ["email", "username", "name", "nickname", "given_name", "family_name", "email.domain"]
)
def test_beginnings_are_found_by_an_index_too(crowded: Database, field: str) -> None:
    found = plan(crowded, Listed(None, condition(parse(f"{field}:per*"))))
    assert f"ix_account_{FIELDS[field].column}" in found, found


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_narrower_of_two_is_what_is_looked_up(crowded: Database) -> None:
    """SQLite would read all of a connection in order, rather than sort the few with the name; PostgreSQL counts."""
    for other in ("email.domain:example.com", "identities.connection:db", "created_at:[2020 TO *]"):
        assert "ix_account_name_folded" in plan(crowded, Listed(None, condition(parse(f"{other} AND name:per*"))))
    assert "ix_account_name_folded" in plan(crowded, Listed("db", condition(parse("name:per*"))))


def test_lists_are_read_in_the_order_of_an_index(crowded: Database) -> None:
    for whom in (Listed(), Listed("db"), Listed(None, condition(parse("email.domain:example.com")))):
        for descending in (False, True):
            found = plan(crowded, whom, Order(descending=descending))
            assert not re.search(r"TEMP B-TREE|Sort", found), found


# --- and for how long -----------------------------------------------------------------------------------------------


def test_what_takes_too_long_is_ended_and_nothing_else(db: Database) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"

    def work(session: Session) -> None:
        with limited(session, 0.1):
            session.connection().execute(text(endless if db.is_sqlite else "SELECT pg_sleep(60)"))

    with pytest.raises(Unavailable, match="took too long"):
        db.read_now(work)
    assert len(listed(db, Listed())) == 27


def test_a_mistake_is_not_taken_for_slowness(db: Database) -> None:
    def work(session: Session) -> None:
        with limited(session, 60):
            session.connection().execute(text("SELECT 1 FROM nowhere"))

    with pytest.raises(Exception, match="nowhere"):
        db.read_now(work)
