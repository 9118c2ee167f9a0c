"""``PATCH /api/v2/users/{id}`` of what somebody logs in with, and whom the API asks to verify an address."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from keystead.db import sessions, tables
from keystead.db.sessions import SessionRecord
from keystead.rules.events import Caller
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

ANOTHER = "another long password"
ALL: dict[str, Any] = {"email": {}, "phone_number": {}, "username": {}}
TAKEN = {
    "statusCode": 409,
    "error": "Conflict",
    "message": "The user already exists.",
    "errorCode": "auth0_idp_error",
}


async def made(world: World, email: str | None = "ann@example.com", **more: Any) -> dict[str, Any]:
    """Make an account and return the answer's body."""
    body = {"connection": world.connection, "email": email, "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def patched(world: World, user: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Change an account and return the answer's body."""
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def open_session(world: World, user_id: str) -> None:
    """Put a login session of a browser where the hosted pages would."""
    now = world.clock()
    later = now + timedelta(hours=1)
    record = SessionRecord(user_id[-20:], user_id, [], now, now, later, later)
    await world.db.write(sessions.put, record, f"secret {user_id}", Caller())


async def test_an_address_changes_and_is_nobody_s_yet(world: World) -> None:
    user = await made(world, email_verified=True)
    await open_session(world, user["user_id"])
    world.clock.advance(seconds=1)
    found = await patched(world, user, email="Ben@Example.com", connection=world.connection, client_id=world.client_id)
    assert found == user | {
        "email": "ben@example.com",
        "email_verified": False,
        "updated_at": "2026-06-01T12:00:01.000Z",
    }
    assert await world.open_sessions() == 0
    assert (await world.login("ben@example.com")).status_code == 200
    assert (await world.login("ann@example.com")).status_code == 403
    assert (await world.signup("ann@example.com")).status_code == 200
    assert [letter.to for letter in await world.letters()] == ["ann@example.com"]


async def test_an_address_may_be_known_to_be_theirs(world: World) -> None:
    user = await made(world)
    found = await patched(world, user, email="ben@example.com", email_verified=True)
    assert (found["email"], found["email_verified"]) == ("ben@example.com", True)


async def test_the_same_address_in_another_spelling_changes_nothing(world: World) -> None:
    user = await made(world, email_verified=True)
    await open_session(world, user["user_id"])
    world.clock.advance(seconds=1)
    assert await patched(world, user, email=" ANN@EXAMPLE.COM ") == user
    assert await world.open_sessions() == 1


async def test_phone_and_name_change_and_end_nothing(world: World) -> None:
    await world.patch_options(attributes=ALL)
    user = await made(world, phone_number="+14155552671", phone_verified=True, username="ann")
    await world.tokens("ann", scope="openid offline_access")
    await open_session(world, user["user_id"])
    found = await patched(world, user, phone_number="+442079460958", username="Ann2")
    assert (found["phone_number"], found["phone_verified"], found["username"]) == ("+442079460958", False, "ann2")
    for old in ("+14155552671", "ann"):
        assert (await world.login(old)).status_code == 403
    for new in ("+442079460958", "ann2", "ann@example.com"):
        assert (await world.login(new)).status_code == 200
    assert await world.open_sessions() == 1
    assert await world.count(tables.RefreshToken) == 1


async def test_null_takes_an_identifier_away(world: World) -> None:
    await world.patch_options(attributes=ALL)
    user = await made(world, phone_number="+14155552671", username="ann")
    found = await patched(world, user, phone_number=None)
    assert "phone_number" not in found
    assert (await world.login("+14155552671")).status_code == 403
    await made(world, "ben@example.com", phone_number="+14155552671")
    await patched(world, user, username=None)
    for body, message in (({"email": None}, "At least one identifier is required: email, phone_number, username."),):
        answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
        assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (await world.login()).status_code == 200


async def test_what_somebody_else_has_changes_nothing(world: World) -> None:
    await world.patch_options(attributes=ALL)
    await made(world, "ben@example.com", phone_number="+14155552671", username="ben")
    user = await made(world, phone_number="+442079460958", username="ann")
    before = await world.rows(tables.AccountIdentifier)
    for body in (
        {"email": "BEN@example.com", "name": "x"},
        {"phone_number": "+14155552671", "password": ANOTHER},
        {"username": "Ben", "blocked": True},
    ):
        answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
        assert (answer.status_code, answer.json()) == (409, TAKEN)
    assert (await world.manage("GET", f"/users/{user['user_id']}")).json() == user
    assert await world.rows(tables.AccountIdentifier) == before
    assert (await world.login()).status_code == 200


async def test_of_many_who_change_to_one_address_one_gets_it(world: World) -> None:
    users = [await made(world, f"{name}@example.com") for name in "abcdef"]
    bodies = [world.manage("PATCH", f"/users/{user['user_id']}", {"email": "ann@example.com"}) for user in users]
    answers = await asyncio.gather(*bodies, world.signup("ann@example.com"))
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert {answer.status_code for answer in answers} <= {200, 400, 409}


async def test_two_who_swap_their_addresses_at_once_do_not_wait_for_ever(world: World) -> None:
    ann, ben = await made(world, "ann@example.com"), await made(world, "ben@example.com")
    for _ in range(5):
        answers = await asyncio.gather(
            world.manage("PATCH", f"/users/{ann['user_id']}", {"email": "ben@example.com"}),
            world.manage("PATCH", f"/users/{ben['user_id']}", {"email": "ann@example.com"}),
        )
        assert {answer.status_code for answer in answers} == {409}
    assert await world.count(tables.AccountIdentifier) == 2


async def test_a_new_password_ends_what_was_open_and_lifts_blocks(world: World) -> None:
    user = await made(world)
    other = await made(world, "ben@example.com")
    tokens = await world.tokens(scope="openid offline_access")
    await open_session(world, user["user_id"])
    await open_session(world, other["user_id"])
    for _ in range(11):
        answer = await world.guess()
    assert answer.status_code == 429
    world.clock.advance(seconds=1)
    found = await patched(world, user, password=ANOTHER, connection=world.connection)
    assert found["last_password_reset"] == "2026-06-01T12:00:01.000Z"
    assert (await world.login()).status_code == 403
    assert (await world.login(password=ANOTHER)).status_code == 200
    assert await world.open_sessions() == 1
    refused = await world.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.status_code == 403
    assert {letter.subject for letter in await world.letters()} == {"Confirm your email address"}
    assert ANOTHER not in str(await world.rows(tables.JournalRow))
    changed = [row["details"]["changed"] for row in await world.rows(tables.JournalRow) if "changed" in row["details"]]
    assert changed == [["password"]]


async def test_a_new_password_does_not_let_a_blocked_person_in(world: World) -> None:
    user = await made(world)
    await world.block(user["user_id"])
    assert (await patched(world, user, password=ANOTHER))["blocked"] is True
    assert (await world.login(password=ANOTHER)).status_code == 401


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("short", "PasswordStrengthError: Password is too weak"),
        ("i am ann@example.com", "PasswordNoUserInfoError: Password contains user information"),
        (PASSWORD, "PasswordHistoryError: Password has previously been used"),
    ],
)
async def test_a_new_password_is_judged_as_any_other(world: World, password: str, message: str) -> None:
    policy = {"profile_data": {"active": True}, "history": {"active": True}}
    await world.patch_options(password_options=policy)
    user = await made(world)
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", {"password": password, "name": "x"})
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json()["errorCode"] == "auth0_idp_error"
    assert (await world.manage("GET", f"/users/{user['user_id']}")).json() == user
    assert (await world.login()).status_code == 200


async def test_a_connection_that_is_off_or_another_s(world: World) -> None:
    await world.new_connection("Second")
    user = await made(world)
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", {"name": "x", "connection": "Second"})
    assert (answer.status_code, answer.json()["message"]) == (400, "Connection is not supported for this operation.")
    await world.manage("PATCH", f"/connections/{world.connection_id}", {"authentication": {"active": False}})
    for body in ({"email": "b@example.com"}, {"password": ANOTHER}):
        answer = await world.manage("PATCH", f"/users/{user['user_id']}", body)
        message = "Cannot change email or password for users in a disabled connection."
        assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (await patched(world, user, name="x"))["name"] == "x"


async def test_a_connection_without_passwords_takes_none(world: World) -> None:
    user = await made(world)
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    hashed = world.hasher.hashed
    answer = await world.manage("PATCH", f"/users/{user['user_id']}", {"password": ANOTHER})
    assert answer.status_code == 400
    assert world.hasher.hashed == hashed


async def test_a_new_owner_is_asked_unless_nobody_wants_that(world: World) -> None:
    await made(world, "asked@example.com")
    await made(world, "too@example.com", verify_email=True)
    await made(world, "not@example.com", verify_email=False)
    await made(world, "known@example.com", email_verified=True)
    await world.patch_options(attributes=ALL)
    await made(world, None, phone_number="+14155552671")
    await made(world, None, phone_number="+14155552672", verify_phone_number=True)
    sent = [letter.to for letter in await world.letters()]
    assert sorted(sent) == ["+14155552672", "asked@example.com", "too@example.com"]


async def test_a_change_asks_only_where_that_is_wanted(world: World) -> None:
    user = await made(world, verify_email=False)
    await patched(world, user, name="x")
    await patched(world, user, email="ben@example.com")
    assert await world.letters() == []
    await patched(world, user, verify_email=True)
    await patched(world, user, email="eve@example.com", verify_email=True, client_id=world.client_id)
    assert sorted(letter.to for letter in await world.letters()) == ["ben@example.com", "eve@example.com"]
    await patched(world, user, email_verified=True)
    await patched(world, user, verify_email=True)
    assert len(await world.letters()) == 2


async def test_an_address_that_several_may_have(world: World) -> None:
    shared = {"email": {"unique": False, "identifier": {"active": False}}, "username": {}}
    await world.new_connection("Family", attributes=shared)
    for name in ("ann", "ben"):
        await made(world, "home@example.com", connection="Family", username=name)
    answer = await world.signup("home@example.com", username="eve", connection="Family")
    assert answer.status_code == 200
    held = [(row["kind"], row["value"]) for row in await world.rows(tables.AccountIdentifier)]
    assert sorted(held) == [("username", "ann"), ("username", "ben"), ("username", "eve")]
    for name in ("ann", "ben", "eve"):
        assert (await world.login(name, realm="Family", grant_type=REALM)).status_code == 200
    assert (await world.login("home@example.com", realm="Family", grant_type=REALM)).status_code == 403
    user = await made(world, "other@example.com", connection="Family", username="dan")
    assert (await patched(world, user, email="home@example.com"))["email"] == "home@example.com"
    assert len(await world.rows(tables.AccountIdentifier)) == 4
    again = await world.manage("POST", "/users", {"connection": "Family", "username": "ann", "password": PASSWORD})
    assert (again.status_code, again.json()) == (409, TAKEN)


REALM = "http://auth0.com/oauth/grant-type/password-realm"
