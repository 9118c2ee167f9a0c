"""``GET /api/v2/users`` as a search, ``/users-by-email``, and users deleted by address: exact bodies and refusals."""

from typing import Any
from urllib.parse import quote

import pytest

from keystead.db import tables
from world import PASSWORD, World

pytestmark = pytest.mark.anyio


async def made(world: World, email: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    """Make an account and return the answer's body."""
    body = {"connection": world.connection, "email": email, "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def owner(world: World) -> str:
    """Open the set-up link, and return the id of the administrator that this makes."""
    ticket = world.first["administrator_setup_url"].partition("ticket=")[2]
    form = {"email": "root@example.com", "password": "a very long password"}
    answer = await world.client.post(f"/u/setup?ticket={ticket}", data=form | {"ticket": ticket})
    assert answer.status_code == 200, answer.text
    (admin,) = await world.rows(tables.Administrator)
    return str(admin["user_id"])


def refusal(message: str, status: int = 400, error: str = "Bad Request", code: str = "invalid_body") -> dict[str, Any]:
    """Return the body of a refusal."""
    return {"statusCode": status, "error": error, "message": message, "errorCode": code}


async def found(world: World, query: str, **more: Any) -> list[str]:
    """Return the local parts of the addresses of whom a search finds."""
    answer = await world.manage("GET", "/users", params={"q": query, "search_engine": "v3"} | more)
    assert answer.status_code == 200, answer.text
    return [each["email"].partition("@")[0] for each in answer.json()]


async def three(world: World) -> list[dict[str, Any]]:
    """Make Ann, Bob and Eve, a minute apart."""
    people = []
    for name, surname in (("ann", "Smith"), ("bob", "Smithers"), ("eve", "Jones")):
        people.append(await made(world, f"{name}@{surname.lower()}.example", family_name=surname))
        world.clock.advance(minutes=1)
    return people


async def test_a_search_finds_by_what_answers_show(world: World) -> None:
    await three(world)
    assert await found(world, "family_name:SMITH") == ["ann"]
    assert await found(world, "family_name:smith*") == ["ann", "bob"]
    assert await found(world, "family_name:smith* AND NOT email.domain:smith.example") == ["bob"]
    assert await found(world, "EVE@jones.example") == ["eve"]
    assert await found(world, "nickname:(ann eve)", sort="email:-1") == ["eve", "ann"]
    assert await found(world, f'identities.connection:"{world.connection}" AND created_at:{{2026-05 TO *]') == [
        "ann",
        "bob",
        "eve",
    ]
    await world.login("bob@smithers.example")
    assert await found(world, "logins_count:[1 TO *]") == ["bob"]
    assert await found(world, "-_exists_:last_login") == ["ann", "eve"]


async def test_a_change_is_found_at_once(world: World) -> None:
    ann, bob, _ = await three(world)
    path = f"/users/{quote(ann['user_id'])}"
    await world.manage("PATCH", path, {"email": "Ann@New.example", "family_name": "Ñandú", "nickname": None})
    assert await found(world, "email.domain:new.example AND family_name:ñANDÚ") == ["ann"]
    assert await found(world, "family_name:smith") == []
    assert await found(world, "_exists_:nickname") == ["bob", "eve"]
    await world.delete_user(bob["user_id"])
    assert await found(world, "email.domain:smith*") == []


async def test_a_search_is_counted_and_picked_like_a_list(world: World) -> None:
    ann, _, eve = await three(world)
    query = "/users?search_engine=v3&include_totals=true&per_page=1&page=1&q=nickname:(ann+OR+eve)"
    answer = await world.manage("GET", query)
    assert answer.json() == {"start": 1, "limit": 1, "length": 1, "total": 2, "users": [eve]}
    picked = await world.manage("GET", "/users?search_engine=v3&q=nickname:ann&fields=user_id")
    assert picked.json() == [{"user_id": ann["user_id"]}]


async def test_a_connection_narrows_a_list(world: World) -> None:
    people = await three(world)
    await world.new_connection("Second")
    body = {"connection": "Second", "email": "ann@smith.example", "password": PASSWORD}
    other = (await world.manage("POST", "/users", body)).json()
    assert (await world.manage("GET", "/users?connection=Second")).json() == [other]
    assert (await world.manage("GET", f"/users?connection={world.connection}")).json() == people
    assert (await world.manage("GET", "/users?connection=nobody&include_totals=true")).json()["total"] == 0
    assert await found(world, "email:ann*", connection="Second") == ["ann"]
    assert await found(world, "email:eve*", connection="Second") == []
    by_email = (await world.manage("GET", "/users-by-email?email=ANN@smith.example")).json()
    assert by_email == [people[0], other]
    assert (await world.manage("GET", "/users-by-email?email=ann@smith.example&fields=email")).json() == [
        {"email": "ann@smith.example"}
    ] * 2
    assert (await world.manage("GET", "/users-by-email?email=nobody")).json() == []


async def test_everybody_is_read_piece_by_piece(world: World) -> None:
    people = await three(world)
    first = (await world.manage("GET", "/users?take=2&include_totals=true")).json()
    assert first == {"users": people[:2], "next": first["next"]}
    await world.delete_user(people[1]["user_id"])  # whoever was last may be gone when the next are read
    late = await made(world, "zoe@example.com")
    rest = (await world.manage("GET", f"/users?take=2&from={first['next']}")).json()
    assert rest == {"users": [people[2], late]}
    searched = await world.manage("GET", f"/users?from={first['next']}&search_engine=v3&q=nickname:z*")
    assert searched.json() == {"users": [late]}


@pytest.mark.parametrize("field", ["email", "name", "last_login", "logins_count", "updated_at", "user_id"])
async def test_lists_are_sorted_by_what_they_show(world: World, field: str) -> None:
    people = await three(world)
    for email in ("bob@smithers.example", "eve@jones.example"):
        world.clock.advance(minutes=1)
        await world.login(email)
    people = (await world.manage("GET", "/users")).json()
    for way, reverse in (("1", False), ("-1", True)):
        answer = (await world.manage("GET", f"/users?sort={field}:{way}")).json()
        shown = [each for each in people if field in each]
        expected = sorted(shown, key=lambda each: (each[field], each["user_id"]), reverse=reverse)
        assert answer == expected + [each for each in people if field not in each]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "search_engine=v3&q=name:(ann",
            "Query validation error: 'Wrong query at character 10: the end where ')' was expected' on property q.",
        ),
        (
            "search_engine=v3&q=shoe:5",
            "Query validation error: 'Wrong query at character 1: there is no field 'shoe' to search in' on"
            " property q.",
        ),
        (
            f"search_engine=v3&q={'a' * 4001}",
            "Query validation error: 'String is too long (4001 chars), maximum 4000' on property q.",
        ),
        ("q=email:ann*", "The 'q' parameter is available only if you specify 'search_engine=v2|v3'."),
        (
            "search_engine=v1&q=ann",
            "Query validation error: 'You are not allowed to use search_engine=v1.' on property search_engine.",
        ),
        (
            "take=5&sort=email:1",
            "Query validation error: 'With from and take users come by age, the oldest first' on property sort.",
        ),
        (
            "from=me",
            "Query validation error: 'It is not what an answer gave as next' on property from.",
        ),
        (
            "take=0",
            "Query validation error: 'Value 0 is less than minimum 1' on property take.",
        ),
    ],
)
async def test_what_cannot_be_searched_is_refused(world: World, query: str, message: str) -> None:
    answer = await world.manage("GET", f"/users?{query}")
    assert (answer.status_code, answer.json()) == (400, refusal(message, code="invalid_query_string"))


async def test_an_empty_query_is_none(world: World) -> None:
    people = await three(world)
    assert (await world.manage("GET", "/users?q=")).json() == people


@pytest.mark.parametrize(("query", "status"), [("page=19", 200), ("page=20", 400), ("page=9&per_page=100", 200)])
async def test_a_list_is_read_by_number_only_so_far(world: World, query: str, status: int) -> None:
    answer = await world.manage("GET", f"/users?{query}")
    assert answer.status_code == status
    if status == 400:
        text = "You can only page through the first 1000 records. Read on with from and take."
        assert answer.json() == refusal(text, code="invalid_paging")


async def test_users_are_deleted_by_their_address(world: World) -> None:
    ann, bob, eve = await three(world)
    await world.new_connection("Second")
    body = {"connection": "Second", "email": "ann@smith.example", "password": PASSWORD}
    other = (await world.manage("POST", "/users", body)).json()
    path = f"/connections/{world.connection_id}/users"
    for _ in range(2):
        answer = await world.manage("DELETE", f"{path}?email=Ann@Smith.example")
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.manage("GET", "/users")).json() == [bob, eve, other]
    assert (await world.journal(ann["user_id"]))[-2:] == ["sapi", "sdu"]
    gone = refusal("The connection does not exist", 404, "Not Found", "inexistent_connection")
    answer = await world.manage("DELETE", "/connections/con_0000000000000000/users?email=x")
    assert (answer.status_code, answer.json()) == (404, gone)
    missing = refusal("Query validation error: 'Missing required property: email'.", code="invalid_query_string")
    answer = await world.manage("DELETE", path)
    assert (answer.status_code, answer.json()) == (400, missing)
    assert (await world.manage("DELETE", f"{path}?email=x", scope="delete:connections")).status_code == 403


async def test_administrators_are_out_of_reach_of_all_of_it(world: World) -> None:
    admin = await owner(world)
    await three(world)
    connections = {row["id"]: row for row in await world.rows(tables.Connection)}
    theirs = next(each for each in connections.values() if each["for_administrators"])
    for query in (
        "email:root*",
        f'user_id:"{admin}"',
        "*:*",
        "-email:ann*",
        f'identities.connection:"{theirs["name"]}"',
    ):
        assert "root" not in await found(world, query), query
        counted = await world.manage("GET", f"/users?search_engine=v3&include_totals=true&q={quote(query)}")
        assert counted.json()["total"] == len(await found(world, query))
    assert (await world.manage("GET", f"/users?connection={quote(theirs['name'])}")).json() == []
    assert (await world.manage("GET", "/users?include_totals=true")).json()["total"] == 3
    assert len((await world.manage("GET", "/users?take=100")).json()["users"]) == 3
    assert (await world.manage("GET", "/users-by-email?email=root@example.com")).json() == []
    path = f"/connections/{theirs['id']}/users?email=root@example.com"
    assert (await world.manage("DELETE", path)).status_code == 404
    assert await world.count(tables.Administrator) == 1


async def test_app_metadata_alone_may_be_changed_with_a_scope_of_its_own(world: World) -> None:
    ann = await made(world)
    path, scope = f"/users/{quote(ann['user_id'])}", "update:users_app_metadata"
    answer = await world.manage("PATCH", path, {"app_metadata": {"plan": "full"}}, scope=scope)
    assert (answer.status_code, answer.json()["app_metadata"]) == (200, {"plan": "full"})
    for body in ({"name": "x"}, {"app_metadata": {}, "blocked": True}, {"user_metadata": {"a": 1}}, {"nonsense": 1}):
        answer = await world.manage("PATCH", path, body, scope=scope)
        text = "Insufficient scope, expected any of: update:users"
        assert (answer.status_code, answer.json()) == (403, refusal(text, 403, "Forbidden", "insufficient_scope"))
    assert (await world.manage("GET", path)).json()["name"] == ann["name"]


async def test_metadata_has_a_bound_and_what_is_large_is_noted(world: World) -> None:
    ann = await made(world)
    path = f"/users/{quote(ann['user_id'])}"
    await world.manage("PATCH", path, {"user_metadata": {"a": "x" * 10_000}})
    assert "large_metadata" not in (await world.last_entry())["details"]
    await world.manage("PATCH", path, {"user_metadata": {"b": "x" * 10_000}})
    assert (await world.last_entry())["details"]["large_metadata"] == {"user_metadata": 20_015}
    before = (await world.manage("GET", path)).json()
    answer = await world.manage("PATCH", path, {"user_metadata": {"c": "é" * 50_000}})
    text = "Payload validation error: 'Metadata is too large (120022 bytes), maximum 102400' on property user_metadata."
    assert (answer.status_code, answer.json()) == (400, refusal(text))
    assert (await world.manage("GET", path)).json() == before
    body = {"connection": world.connection, "email": "b@example.com", "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | {"app_metadata": {"c": "x" * 102_400}})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_body")
