"""``/api/v2/users`` over HTTP: exact bodies, every refusal, and that blocking ends what was open."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from keystead.db import sessions, tables
from keystead.db.sessions import SessionRecord
from keystead.rules.events import Caller
from world import PASSWORD, PUBLIC_URL, World

pytestmark = pytest.mark.anyio


async def made(world: World, email: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    """Make an account and return the answer's body."""
    body = {"connection": world.connection, "email": email, "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def owner(world: World) -> str:
    """Open the set-up link, and return the id of the administrator that this makes."""
    ticket = world.first["administrator_setup_url"].partition("ticket=")[2]
    form = {"email": "root@example.com", "password": "a very long password"}
    answer = await world.client.post(f"/u/setup?ticket={ticket}", data=form | {"ticket": ticket})
    assert answer.status_code == 200, answer.text
    return await world.db.read(lambda session: session.exec(select(tables.Administrator)).one().user_id)


async def open_session(world: World, user_id: str) -> None:
    """Put a login session of a browser where the hosted pages would."""
    now = world.clock()
    later = now + timedelta(hours=1)
    record = SessionRecord("s", user_id, [], now, now, later, later)
    await world.db.write(sessions.put, record, "secret", Caller())


def refusal(message: str, status: int = 400, error: str = "Bad Request", code: str = "invalid_body") -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message, "errorCode": code}


GONE = refusal("The user does not exist.", 404, "Not Found", "inexistent_user")


async def test_a_new_user_is_the_recorded_one(world: World) -> None:
    answer = await world.manage(
        "POST", "/users", {"connection": world.connection, "email": "Ann@Example.com", "password": PASSWORD}
    )
    found = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch(r"auth0\|[0-9a-f]{24}", found["user_id"])
    assert found == {
        "user_id": found["user_id"],
        "email": "ann@example.com",
        "email_verified": False,
        "identities": [
            {
                "connection": world.connection,
                "user_id": found["user_id"].removeprefix("auth0|"),
                "provider": "auth0",
                "isSocial": False,
            }
        ],
        "name": "ann@example.com",
        "nickname": "ann",
        "picture": f"{PUBLIC_URL}/avatars/an.svg",
        "created_at": "2026-06-01T12:00:00.000Z",
        "updated_at": "2026-06-01T12:00:00.000Z",
    }
    assert (await world.login()).status_code == 200


async def test_everything_that_can_be_said_is_kept(world: World) -> None:
    await world.patch_options(requires_username=False, attributes={"email": {}, "username": {}, "phone_number": {}})
    body: dict[str, Any] = {
        "username": "Ann",
        "phone_number": "+14155552671",
        "phone_verified": True,
        "email_verified": True,
        "user_id": "abc",
        "blocked": False,
        "given_name": "Ann",
        "family_name": "Other",
        "name": "Ann Other",
        "nickname": "annie",
        "picture": "https://example.com/a.png",
        "user_metadata": {"hobby": "surfing", "n": [1, 2.5, None]},
        "app_metadata": {"plan": "full"},
    }
    found = await made(world, **body, verify_email=False, verify_phone_number=False)
    expected = body | {"username": "ann", "user_id": "auth0|abc"}
    assert {name: found[name] for name in body} == expected
    assert (await world.manage("GET", "/users/auth0%7Cabc")).json() == found
    assert (await world.manage("GET", "/users/auth0|abc")).json() == found
    for identifier in ("ann", "ann@example.com", "+14155552671"):
        assert (await world.login(identifier)).status_code == 200


async def test_a_login_shows(world: World) -> None:
    user = await made(world)
    world.clock.advance(seconds=90)
    await world.login()
    found = (await world.manage("GET", f"/users/{user['user_id']}")).json()
    assert {name: found[name] for name in found.keys() - user.keys()} == {
        "last_login": "2026-06-01T12:01:30.000Z",
        "last_ip": "203.0.113.9",
        "logins_count": 1,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"connection": None}, "Payload validation error: 'Missing required property: connection'."),
        ({"connection": "nobody"}, "Connection does not exist."),
        ({"foo": 1}, "Payload validation error: 'Additional properties not allowed: foo'."),
        ({"email": None}, "Payload validation error: 'Missing required property: email'."),
        ({"email": "no address"}, "The email contains characters that are not allowed."),
        ({"email": "ann@example"}, "The email is not a valid address."),
        ({"email": f"{'x' * 65}@example.com"}, "The email is not a valid address."),
        ({"email": 1}, "Payload validation error: 'Expected type string but found type integer' on property email."),
        ({"password": None}, "Payload validation error: 'Missing required property: password'."),
        (
            {"password": 1},
            "Payload validation error: 'Expected type string but found type integer' on property password.",
        ),
        ({"username": "ann"}, "Cannot set username for connection without requires_username."),
        (
            {"user_id": "a b"},
            "Payload validation error: 'String does not match pattern ^\\S*$: a b' on property user_id.",
        ),
        (
            {"name": "x" * 301},
            "Payload validation error: 'String is too long (301 chars), maximum 300' on property name.",
        ),
        (
            {"user_metadata": {"a.b": 1}},
            "Payload validation error: 'user_metadata keys must not be empty, longer than 100 characters or contain"
            " '.' or '$'.' on property user_metadata.",
        ),
    ],
)
async def test_a_user_that_cannot_be_leaves_nothing_behind(world: World, change: dict[str, Any], message: str) -> None:
    before, journalled = await world.counts(), await world.journal()
    body = {"connection": world.connection, "email": "ann@example.com", "password": PASSWORD} | change
    answer = await world.manage("POST", "/users", body)
    assert (answer.status_code, answer.json()) == (400, refusal(message))
    assert (await world.counts(), await world.journal()) == (before, journalled)
    assert world.hasher.hashed == 0


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("short", "PasswordStrengthError: Password is too weak"),
        ("x" * 73, "PasswordStrengthError: Password is too weak"),
    ],
)
async def test_the_password_policy_holds_for_administrators_too(world: World, password: str, message: str) -> None:
    before = await world.counts()
    body = {"connection": world.connection, "email": "ann@example.com", "password": password}
    answer = await world.manage("POST", "/users", body)
    assert (answer.status_code, answer.json()) == (400, refusal(message, code="auth0_idp_error"))
    assert password not in answer.text
    assert await world.counts() == before


async def test_a_password_that_holds_personal_data_is_refused(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"]
    options["password_options"]["profile_data"]["active"] = True
    await world.manage("PATCH", path, {"options": options})
    body = {"connection": world.connection, "email": "ann@example.com", "password": "my name is ann@example.com"}
    answer = await world.manage("POST", "/users", body)
    message = "PasswordNoUserInfoError: Password contains user information"
    assert (answer.status_code, answer.json()) == (400, refusal(message, code="auth0_idp_error"))


async def test_an_identifier_belongs_to_one_account(world: World) -> None:
    taken = refusal("The user already exists.", 409, "Conflict", "auth0_idp_error")
    first = await made(world, phone_number="+14155552671", user_id="abc")
    for change in (
        {},
        {"email": "ANN@EXAMPLE.COM"},
        {"email": "bob@example.com", "phone_number": "+14155552671"},
        {"email": "bob@example.com", "user_id": "abc"},
    ):
        body = {"connection": world.connection, "email": "ann@example.com", "password": PASSWORD}
        answer = await world.manage("POST", "/users", body | change)
        assert (answer.status_code, answer.json()) == (409, taken)
    assert (await world.manage("GET", "/users")).json() == [first]
    assert await world.count(tables.AccountIdentifier) == 2


async def test_of_many_who_take_an_address_at_once_one_gets_it(world: World) -> None:
    body = {"connection": world.connection, "email": "ann@example.com", "password": PASSWORD}
    answers = await asyncio.gather(*(world.manage("POST", "/users", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await world.count(tables.Account) == 1


async def test_an_account_without_a_password_where_the_connection_allows_it(world: World) -> None:
    methods = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    await made(world, password=None)
    assert (await world.login()).status_code == 403


async def test_the_list_is_an_array_or_counted(world: World) -> None:
    people = []
    for name in ("ann", "bob", "eve"):
        people.append(await made(world, f"{name}@example.com"))
        world.clock.advance(seconds=1)
    assert (await world.manage("GET", "/users")).json() == people
    counted = (await world.manage("GET", "/users?page=0&per_page=2&include_totals=true")).json()
    assert counted == {"start": 0, "limit": 2, "length": 2, "total": 3, "users": people[:2]}
    last = (await world.manage("GET", "/users?page=1&per_page=2&include_totals=true")).json()
    assert last == {"start": 2, "limit": 2, "length": 1, "total": 3, "users": people[2:]}
    past = (await world.manage("GET", "/users?page=2&per_page=2&include_totals=true")).json()
    assert (past["users"], past["total"]) == ([], 3)
    assert (await world.manage("GET", "/users?per_page=0")).json() == []
    newest = (await world.manage("GET", "/users?sort=created_at:-1&search_engine=v3&primary_order=false")).json()
    assert newest == people[::-1]
    assert (await world.manage("GET", "/users?sort=created_at:1")).json() == people


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "sort=blocked:1",
            "Query validation error: 'Users can be sorted by email, username, phone_number, name, nickname, given_name,"
            " family_name, user_id, created_at, updated_at, last_login, last_ip, logins_count, each with :1 or :-1' on"
            " property sort.",
        ),
        (
            "search_engine=v1",
            "Query validation error: 'You are not allowed to use search_engine=v1.' on property search_engine.",
        ),
        (
            "per_page=101",
            "Query validation error: 'Value 101 is greater than maximum 100' on property per_page.",
        ),
    ],
)
async def test_what_a_list_cannot_do_is_refused_rather_than_ignored(world: World, query: str, message: str) -> None:
    answer = await world.manage("GET", f"/users?{query}")
    assert (answer.status_code, answer.json()) == (400, refusal(message, code="invalid_query_string"))


async def test_members_are_picked_by_name(world: World) -> None:
    user = await made(world)
    path = f"/users/{user['user_id']}"
    assert (await world.manage("GET", f"{path}?fields=email,user_id")).json() == {
        "user_id": user["user_id"],
        "email": "ann@example.com",
    }
    without = (await world.manage("GET", f"{path}?fields=identities,picture&include_fields=false")).json()
    assert without.keys() == user.keys() - {"identities", "picture"}
    assert (await world.manage("GET", "/users?fields=email")).json() == [{"email": "ann@example.com"}]


async def test_a_patch_sets_removes_and_merges(world: World) -> None:
    user = await made(world, user_metadata={"a": 1, "b": {"c": 2}}, app_metadata={"x": 1})
    world.clock.advance(seconds=1)
    body = {
        "name": "Ann",
        "nickname": None,
        "given_name": "A",
        "email_verified": True,
        "user_metadata": {"a": None, "b": {"d": 3}},
        "app_metadata": {},
    }
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
    expected = user | {
        "name": "Ann",
        "given_name": "A",
        "email_verified": True,
        "user_metadata": {"b": {"d": 3}},
        "updated_at": "2026-06-01T12:00:01.000Z",
    }
    for name in ("nickname", "app_metadata"):
        del expected[name]
    assert (answer.status_code, answer.json()) == (200, expected)
    assert (await world.manage("GET", f"/users/{user['user_id']}")).json() == expected


async def test_a_patch_that_changes_nothing_changes_nothing(world: World) -> None:
    user = await made(world, user_metadata={"a": 1})
    world.clock.advance(seconds=1)
    for body in ({}, {"name": user["name"], "email_verified": False, "user_metadata": {"a": 1}}):
        answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
        assert (answer.status_code, answer.json()) == (200, user)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"foo": 1}, "Payload validation error: 'Additional properties not allowed: foo'."),
        (
            {"blocked": "yes"},
            "Payload validation error: 'Expected type boolean but found type string' on property blocked.",
        ),
        (
            {"blocked": None},
            "Payload validation error: 'Expected type boolean but found type null' on property blocked.",
        ),
        ({"email": "nobody"}, "The email is not a valid address."),
        ({"email": None}, "Payload validation error: 'Missing required property: email'."),
        ({"phone_number": "+1415"}, "The phone_number must be in international form, such as +14155552671."),
        (
            {"phone_number": "4155552671"},
            "Payload validation error: 'String does not match pattern ^\\+[0-9]{1,15}$: 4155552671' on property"
            " phone_number.",
        ),
        ({"username": "ann"}, "Cannot set username for connection without requires_username."),
        ({"connection": "nobody"}, "Connection does not exist."),
        ({"connection": "Administrators"}, "Connection does not exist."),
        (
            {"email": "b@example.com", "client_id": "nobody"},
            "Payload validation error: 'The client does not exist.' on property client_id.",
        ),
        (
            {"password": None},
            "Payload validation error: 'Expected type string but found type null' on property password.",
        ),
        (
            {"password": "x" * 20, "email": "b@example.com"},
            "Cannot update password and email simultaneously.",
        ),
        (
            {"password": "x" * 20, "email_verified": True},
            "Cannot update password and email_verified simultaneously.",
        ),
        ({"username": "b", "email": "b@example.com"}, "Cannot update username and email simultaneously."),
        ({"username": "b", "email_verified": True}, "Cannot update username and email_verified simultaneously."),
        ({"username": "b", "password": "x" * 20}, "Cannot update username and password simultaneously."),
    ],
)
async def test_a_wrong_patch_changes_nothing(world: World, body: dict[str, Any], message: str) -> None:
    user = await made(world)
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", {"name": "New"} | body)
    assert (answer.status_code, answer.json()) == (400, refusal(message))
    assert (await world.manage("GET", f"/users/{user['user_id']}")).json() == user


async def test_patches_at_once_lose_nothing(world: World) -> None:
    user = await made(world)
    path = f"/users/{user['user_id']}"
    bodies = [{"user_metadata": {f"k{n}": n}} for n in range(10)]
    await asyncio.gather(*(world.manage("PATCH", path, body) for body in bodies))
    found = (await world.manage("GET", path)).json()["user_metadata"]
    assert found == {f"k{n}": n for n in range(10)}


async def test_blocking_ends_what_was_open_and_nothing_of_others(world: World) -> None:
    user = await made(world)
    await made(world, "bob@example.com")
    tokens = (await world.login(scope="openid offline_access")).json()
    await world.login("bob@example.com", scope="openid offline_access")
    await open_session(world, user["user_id"])
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", {"blocked": True})
    assert (answer.status_code, answer.json()["blocked"]) == (200, True)
    assert await world.open_sessions() == 0
    body = {"grant_type": "refresh_token", "client_id": world.client_id, "refresh_token": tokens["refresh_token"]}
    assert (await world.client.post("/oauth/token", json=body)).status_code == 403
    assert await world.count(tables.RefreshToken) == 1
    refused = await world.login()
    assert (refused.status_code, refused.json()["error_description"]) == (401, "user is blocked")
    assert (await world.login(password="wrong password altogether")).status_code == 403
    freed = await world.manage("PATCH", f"/users/{user['user_id']}", {"blocked": False})
    assert freed.json()["blocked"] is False
    assert (await world.login()).status_code == 200


async def test_an_address_that_is_not_known_to_be_theirs_any_more_ends_sessions(world: World) -> None:
    user = await made(world, email_verified=True)
    path = f"/users/{user['user_id']}"
    await open_session(world, user["user_id"])
    await world.manage("PATCH", path, {"email_verified": True, "name": "x"})
    assert await world.open_sessions() == 1
    await world.manage("PATCH", path, {"email_verified": False})
    assert await world.open_sessions() == 0


async def test_deleting_is_the_same_the_second_time(world: World) -> None:
    user = await made(world)
    await world.login(scope="openid offline_access")
    path = f"/users/{user['user_id'].replace('|', '%7C')}"
    for _ in range(2):
        answer = await world.manage("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.manage("GET", path)).status_code == 404
    assert not any((await world.counts()).values())
    assert (await world.journal(user["user_id"]))[-2:] == ["sapi", "sdu"]
    assert list(await world.journal()).count("sdu") == 1
    await made(world)


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    for user_id in ("auth0%7C0", "x", "auth0%7C" + "0" * 500, "%F0%9F%94%91"):
        for method, body in (("GET", None), ("PATCH", {"blocked": True})):
            answer = await world.manage(method, f"/users/{user_id}", body)
            assert (answer.status_code, answer.json()) == (404, GONE)


async def test_administrators_are_out_of_reach(world: World) -> None:
    root = await owner(world)
    user = await made(world)
    assert (await world.manage("GET", "/users")).json() == [user]
    assert (await world.manage("GET", "/users?include_totals=true")).json()["total"] == 1
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"blocked": True}),
        ("GET", "/authentication-methods", None),
        ("DELETE", "/authentication-methods/x", None),
        ("PATCH", "/authentication-methods/x", {"name": "x"}),
        ("PUT", "/authentication-methods", []),
        ("POST", "/authentication-methods", made_elsewhere(Authenticator())),
    ):
        answer = await world.manage(method, f"/users/{root}{path}", body)
        assert (answer.status_code, answer.json()) == (404, GONE), (method, path)
    assert (await world.manage("DELETE", f"/users/{root}")).status_code == 204
    assert await world.count(tables.Account) == 2


async def test_every_change_is_in_the_journal_and_no_password_is(world: World) -> None:
    user = await made(world, password="correct horse marked staple")
    path = f"/users/{user['user_id']}"
    await world.manage("PATCH", path, {"name": "x", "user_metadata": {"marked": "marked"}})
    await world.manage("GET", path)
    await world.manage("PATCH", path, {"foo": "x"})
    await world.manage("DELETE", path)
    assert list(await world.journal(user["user_id"])) == ["sapi", "svr", "sapi", "sapi", "sdu"]
    rows = await world.db.read(
        lambda session: session.exec(select(tables.JournalRow).order_by(col(tables.JournalRow.log_id))).all()
    )
    assert "marked" not in str(rows)
    changed = [row.details for row in rows if "changed" in row.details]
    assert changed == [{"request": {"method": "PATCH", "path": f"/api/v2{path}"}, "changed": ["name", "user_metadata"]}]
    assert rows[-1].client_id == world.first["clients"]["management"]["client_id"]
