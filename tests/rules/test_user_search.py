"""What a search for users asks of the store, and what it cannot ask."""

from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.errors import InvalidQuery
from keystead.rules.folding import LONGEST, folded, searched_by
from keystead.rules.lucene import MAX_STARS, parse
from keystead.rules.user_search import (
    ANYWHERE,
    FIELDS,
    INDEXED,
    MAX_COMPARISONS,
    MAX_PATH,
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
    bookmark,
    condition,
    read_bookmark,
)


def day(month: int, number: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    return datetime(2026, month, number, hour, minute, second, micro, tzinfo=UTC)


def made(low: datetime | None, high: datetime | None) -> Between:
    return Between("created_at", low, high, with_high=False)


ASKED: list[tuple[str, Condition]] = [
    ("email:Ann@Example.COM", OneOf("email", ("ann@example.com",))),
    ("email.domain:Example.com", OneOf("email_domain", ("example.com",))),
    ('name:"STRASSE Ä"', OneOf("name_folded", ("strasse ä",))),
    ('name:"straße a\u0308"', OneOf("name_folded", ("strasse ä",))),
    ("given_name:ANN", OneOf("given_name_folded", ("ann",))),
    ("user_id:auth0|Ab", OneOf("user_id", ("auth0|Ab",))),
    ("identities.user_id:Ab", OneOf("user_id", ("auth0|Ab",))),
    ("identities.user_id:A*", Like("user_id", ("auth0|A", ""))),
    ("identities.user_id:[a TO b]", Between("user_id", "auth0|a", "auth0|b")),
    ("identities.connection:Db", OneOf("connection", ("Db",))),
    ("identities.provider:auth0", Always(True)),
    ("identities.provider:google", Always(False)),
    ("identities.isSocial:false", Always(True)),
    ("name:j*", Like("name_folded", ("j", ""))),
    ("name:*USA", Like("name_folded", ("", "usa"))),
    ("name:[A TO b}", Between("name_folded", "a", "b", with_high=False)),
    ('name:""', Always(False)),
    ("name:*", Every((Present("name_folded"),))),
    ("_exists_:name", Every((Present("name_folded"),))),
    ("_exists_:logins_count", Every((Present("logins_count"), Present("last_login")))),
    ("*", Always(True)),
    ("*:*", Always(True)),
    ("blocked:true", OneOf("blocked", (True,))),
    ("email_verified:false", Every((Present("email"), OneOf("email_verified", (False,))))),
    ("logins_count:5", Every((Present("last_login"), OneOf("logins_count", (5,))))),
    ("logins_count:9999999999", Every((Present("last_login"), OneOf("logins_count", (2**31 - 1,))))),
    ("logins_count:2.5", Every((Present("last_login"), Always(False)))),
    (
        "logins_count:[-9999999999 TO 9999999999.5]",
        Every((Present("last_login"), Between("logins_count", -1, 2**31 - 1))),
    ),
    (
        "logins_count:{100 TO *]",
        Every((Present("last_login"), Between("logins_count", 100, None, with_low=False))),
    ),
    ("NOT blocked:true", Without(OneOf("blocked", (True,)))),
    ("email:a OR email:b", Some((OneOf("email", ("a", "b")),))),
    ("email:(a OR b OR a) OR name:c", Some((OneOf("email", ("a", "b")), OneOf("name_folded", ("c",))))),
    ("blocked:true AND name:c", Every((OneOf("blocked", (True,)), OneOf("name_folded", ("c",))))),
    # a date is all of what it names
    ("created_at:2026", made(day(1, 1), datetime(2027, 1, 1, tzinfo=UTC))),
    ("created_at:2026-12", made(day(12, 1), datetime(2027, 1, 1, tzinfo=UTC))),
    ("created_at:2026-02-28", made(day(2, 28), day(3, 1))),
    ('created_at:"2026-02-28T10:11Z"', made(day(2, 28, 10, 11), day(2, 28, 10, 12))),
    ('created_at:"2026-02-28T10:11:12+02:00"', made(day(2, 28, 8, 11, 12), day(2, 28, 8, 11, 13))),
    ('created_at:"2026-02-28T10:11:12.5"', made(day(2, 28, 10, 11, 12, 500_000), day(2, 28, 10, 11, 12, 600_000))),
    ("created_at:[2026-01-01 TO 2026-01-31]", made(day(1, 1), day(2, 1))),
    ("created_at:{2026-01-01 TO 2026-01-31}", made(day(1, 2), day(1, 31))),
    ("created_at:[2026-01-01 TO *]", made(day(1, 1), None)),
    ("created_at:>2026-01-01", made(day(1, 2), None)),
    ("created_at:<2026-01-01", made(None, day(1, 1))),
    ("created_at:[2026 TO 9999-12-31]", made(day(1, 1), datetime.max.replace(tzinfo=UTC))),
    # metadata
    ("app_metadata.plan:full", InMetadata("app_metadata", ("plan",), ("full",))),
    ("user_metadata.a.b:5", InMetadata("user_metadata", ("a", "b"), ("5", 5))),
    ("user_metadata.a:1.50", InMetadata("user_metadata", ("a",), ("1.50", 1.5))),
    ("user_metadata.a:05", InMetadata("user_metadata", ("a",), ("05",))),
    ("user_metadata.a:true", InMetadata("user_metadata", ("a",), ("true", True))),
    ('user_metadata.a:"5"', InMetadata("user_metadata", ("a",), ("5",))),
    (r"user_metadata.a\ b:x", InMetadata("user_metadata", ("a b",), ("x",))),
    ("_exists_:app_metadata.plan", InMetadata("app_metadata", ("plan",))),
    ("_exists_:app_metadata", InMetadata("app_metadata", ())),
    ("app_metadata.plan:*", InMetadata("app_metadata", ("plan",))),
    ('app_metadata.plan:""', Always(False)),
]

REFUSED = [
    ("shoe:5", 1, "there is no field 'shoe' to search in"),
    ("a AND shoe:5", 7, "there is no field 'shoe' to search in"),
    ("_exists_:shoe", 10, "there is no field 'shoe' to search in"),
    ("_exists_:e*", 10, "the name of a field was expected behind _exists_"),
    ("password_hash:*", 1, "there is no field 'password_hash' to search in"),
    ("name_folded:ann", 1, "there is no field 'name_folded' to search in"),
    ("name:*sa", 6, "a wildcard that is not at the end needs 3 other characters at least"),
    ("name:*a*b*", 6, "a wildcard that is not at the end needs 3 other characters at least"),
    ("name:aaa*b*c*d*e*", 6, f"a value may have {MAX_STARS} wildcards at most"),
    ("blocked:yes", 9, "blocked is true or false"),
    ("blocked:[true TO false]", 9, "blocked is true or false"),
    ("logins_count:many", 14, "'many' is not a number"),
    ("logins_count:1e5", 14, "'1e5' is not a number"),
    ("logins_count:99999999999999999999", 14, "'99999999999999999999' is not a number"),
    ("logins_count:1*", 14, "a single value was expected for logins_count"),
    ("created_at:soon", 12, "'soon' is not a date such as 2026-01-31"),
    ("created_at:2026-02-30", 12, "'2026-02-30' is not a date"),
    ("created_at:20*", 12, "wildcards are not available for created_at"),
    ('created_at:"0001-01-01T00:00:00+14:00"', 12, "'0001-01-01T00:00:00+14:00' is not a date"),
    ('created_at:["2026-01-01T00:00:00-25:00" TO *]', 12, "'2026-01-01T00:00:00-25:00' is not a date"),
    ("[a TO b]", 1, "a range needs a field"),
    ("*:ann", 1, "'*' is every field only in *:*"),
    ("user_metadata.a:x*", 17, "wildcards are not available for metadata"),
    ("user_metadata.a:[1 TO 2]", 17, "ranges are not available for metadata"),
    ("user_metadata:x", 1, "a member of user_metadata was expected, such as user_metadata.color"),
    ("user_metadata..a:x", 1, "'user_metadata..a' has an empty member"),
    (f"user_metadata{'.a' * (MAX_PATH + 1)}:x", 1, f"metadata is searched {MAX_PATH} levels deep at most"),
    ("identities.provider:au*", 21, "a single value was expected for identities.provider"),
    ("identities:x", 1, "there is no field 'identities' to search in"),
]


@pytest.mark.parametrize(("query", "asked"), ASKED, ids=[query for query, _ in ASKED])
def test_what_is_asked(query: str, asked: Condition) -> None:
    assert condition(parse(query)) == asked


@pytest.mark.parametrize(("query", "at", "why"), REFUSED, ids=[query[:30] for query, _, _ in REFUSED])
def test_what_cannot_be_asked(query: str, at: int, why: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        condition(parse(query))
    assert refused.value.text.startswith(f"Wrong query at character {at}: {why}")


def test_a_term_without_a_field_is_looked_for_in_several() -> None:
    found = condition(parse("Ann"))
    assert isinstance(found, Some)
    columns = [each.column for each in found.conditions if isinstance(each, OneOf)]
    assert columns == [FIELDS[name].column for name in ANYWHERE]
    with pytest.raises(InvalidQuery, match=f"makes 408 comparisons, maximum {MAX_COMPARISONS}"):
        condition(parse("a " * 51))


def test_what_is_promised_to_be_fast_can_be_asked() -> None:
    assert set(INDEXED) <= set(FIELDS)


@pytest.mark.parametrize(("one", "other"), [("STRASSE", "straße"), ("É", "e\u0301"), ("ΣΟΦΟΣ", "σοφος")])
def test_names_are_the_same_in_any_case(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_what_is_compared_has_a_bound() -> None:
    assert len(folded("ΐ" * 300)) == LONGEST


@pytest.mark.parametrize(
    ("given", "follows"),
    [
        ({"email": "a@b.example"}, {"email_domain": "b.example"}),
        ({"email": None}, {"email_domain": None}),
        ({"name": "Ann", "nickname": None, "blocked": None}, {"name_folded": "ann", "nickname_folded": None}),
        ({}, {}),
    ],
)
def test_columns_that_follow_from_others(given: dict[str, Any], follows: dict[str, Any]) -> None:
    assert searched_by(given) == follows


def test_bookmarks_are_read_again() -> None:
    place = (day(6, 1, 12, 30, 0, 123_456), "auth0|Дарья and a space")
    assert read_bookmark(bookmark(*place)) == place


@pytest.mark.parametrize("text", ["", "x", "!!", "YQ", "MjAyNg", "//79", "a" * 1000])
def test_any_other_text_is_no_bookmark(text: str) -> None:
    with pytest.raises(InvalidQuery, match="not what an answer gave as next"):
        read_bookmark(text)
