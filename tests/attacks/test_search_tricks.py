"""Searches that want to be SQL, that want more than they may, or that want to be expensive."""

from typing import Any

import pytest

from keystead.db import tables
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

TRICKS = (
    "'; DROP TABLE account; --",
    "' OR '1'='1",
    '" OR ""="',
    "x') OR 1=1 --",
    "%",
    "_",
    "%%%%",
    "a_n",
    "[a-z]nn",
    "$$",
    ":name",
    "%(name)s",
    "?1",
    "\\",
    "\\'",
    "{{7*7}}",
    "$.a ? (1 == 1)",
    '"] || true || ["',
    "\ud7ff\ue000\U0010ffff",
)


async def made(world: World, email: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    """Make an account and return the answer's body."""
    body = {"connection": world.connection, "email": email, "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ask(world: World, query: str) -> Any:
    return await world.manage("GET", "/users", params={"q": query, "search_engine": "v3"})


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(text: str) -> str:
    return "".join(f"\\{each}" if not each.isalnum() else each for each in text)


@pytest.mark.parametrize("trick", TRICKS)
async def test_whatever_is_searched_for_is_only_a_value(world: World, trick: str) -> None:
    key = trick.translate({ord("."): None, ord("$"): None}) or "key"  # which no name of metadata may have
    await made(world, name="Ann", user_metadata={"color": "blue"})
    await made(world, "bob@example.com", name=trick, user_metadata={"color": trick, key: "x"})
    for query in (
        f"name:{quoted(trick)}",
        f"name:{escaped(trick)}",
        f"name:{escaped(trick)}*",
        f"user_metadata.color:{quoted(trick)}",
        f"user_metadata.{escaped(key)}:x",
        f"_exists_:{quoted('user_metadata.' + key)}",
        f"name:[{quoted(trick)} TO {quoted(trick)}]",
    ):
        answer = await ask(world, query)
        assert answer.status_code == 200, answer.text
        assert [each["email"] for each in answer.json()] == ["bob@example.com"], query
    if len(trick) >= 3:
        answer = await ask(world, f"name:*{escaped(trick)}*")
        assert [each["email"] for each in answer.json()] == ["bob@example.com"]
    assert await world.count(tables.Account) == 2


async def test_no_number_is_too_large_for_a_database(world: World) -> None:
    ann = await made(world)
    await world.tokens()
    nobody = ("9999999999", "999999999999999", ">9999999999", "[999999999999999 TO *]", "[* TO -9999999999]", "1.5")
    for query in (*nobody, "(7 OR 1.5)"):
        assert (await ask(world, f"logins_count:{query}")).json() == [], query
    for query in ("1", "1.0", "<9999999999", "[0 TO 999999999999999.5]", "{-999999999999999 TO 1]", ">0.5"):
        answer = await ask(world, f"logins_count:{query}")
        assert [each["user_id"] for each in answer.json()] == [ann["user_id"]], query


async def test_a_field_is_a_field_and_no_column(world: World) -> None:
    await made(world)
    for field in ("password_hash", "user_handle", "must_verify", "signed_out_at", "connection_id", "email_domain", "1"):
        assert (await ask(world, f"{field}:*")).status_code == 400
        answer = await world.manage("GET", f"/users?sort={field}:1")
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "(" * 4000,
        "a " * 2000,
        "NOT " * 1000,
        "-" * 4000,
        "name:" * 800,
        '"' * 3999,
        "\\" * 3999,
        "name:" + "*a" * 1900,
        "name:(" + " OR ".join(["*aaa*"] * 400) + ")",
        "user_metadata" + ".a" * 1900 + ":x",
        " OR ".join(["aaa"] * 60),
    ],
    ids=lambda query: f"{query[:10]}-{len(query)}",
)
async def test_what_would_cost_much_is_refused(world: World, query: str) -> None:
    assert (await ask(world, query)).status_code == 400


async def test_the_largest_that_is_allowed_is_answered(world: World) -> None:
    ann = await made(world)
    for query in (
        "name:(" + " OR ".join(f"*aa{number}*" for number in range(190)) + ")",
        "user_id:(" + " OR ".join([f'"auth0|{number:024d}"' for number in range(99)] + [quoted(ann["user_id"])]) + ")",
        " ".join(["aaa"] * 49),
        f"{'(' * 20}name:a{')' * 20}",
    ):
        assert (await ask(world, query)).status_code == 200, query[:50]
    assert (await ask(world, query.replace("name:a", "nickname:ann"))).json() == [ann]
