"""``/api/v2/users/{id}/authentication-methods``: what an account proves itself with, and taking it away."""

import re
from typing import Any

import pytest

from authenticator import Authenticator
from keystead.db import tables
from world import PASSWORD, World, claims_of

pytestmark = pytest.mark.anyio


async def somebody(world: World, authenticator: Authenticator) -> str:
    """Sign somebody up with a passkey, and return the path of their methods."""
    tokens = await world.register(authenticator)
    return f"/users/{claims_of(tokens['id_token'])['sub'].replace('|', '%7C')}/authentication-methods"


async def with_password(world: World) -> tuple[str, str]:
    """Make an account with a password, and return its id and the path of its methods."""
    body = {"connection": world.connection, "email": "bob@example.com", "password": PASSWORD}
    user_id = (await world.manage("POST", "/users", body)).json()["user_id"]
    return user_id, f"/users/{user_id}/authentication-methods"


def refusal(message: str, status: int, error: str, code: str) -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message, "errorCode": code}


NO_METHOD = refusal(
    "The authentication method could not be found.", 404, "Not Found", "inexistent_authentication_method"
)


async def test_a_passkey_is_shown_as_the_closed_schema_has_it(world: World) -> None:
    authenticator = Authenticator()
    path = await somebody(world, authenticator)
    [found] = (await world.manage("GET", path)).json()
    assert re.fullmatch(r"passkey\|dev_[A-Za-z0-9]{16}", found["id"])
    assert found.keys() == {
        *("id", "type", "key_id", "public_key", "credential_device_type", "credential_backed_up", "identity_user_id"),
        *("user_handle", "user_agent", "transports", "aaguid", "relying_party_identifier", "created_at", "confirmed"),
    }
    assert found["type"] == "passkey"
    assert found["created_at"] == "2026-06-01T12:00:00.000Z"
    assert found["credential_device_type"] in ("single_device", "multi_device")
    assert found["relying_party_identifier"] == "localhost"
    assert found["identity_user_id"].startswith("auth0|")
    assert found["confirmed"] is True
    world.clock.advance(seconds=5)
    assert (await world.passkey_login(authenticator)).status_code == 200
    after = (await world.manage("GET", f"{path}/{found['id']}")).json()
    assert after == found | {"last_auth_at": "2026-06-01T12:00:05.000Z"}


async def test_a_password_is_listed_too(world: World) -> None:
    user_id, path = await with_password(world)
    expected: dict[str, Any] = {
        "id": f"password|{user_id.removeprefix('auth0|')}",
        "type": "password",
        "confirmed": True,
        "created_at": "2026-06-01T12:00:00.000Z",
        "identity_user_id": user_id,
    }
    assert (await world.manage("GET", path)).json() == [expected]
    assert (await world.manage("GET", f"{path}/{expected['id'].replace('|', '%7C')}")).json() == expected


async def test_the_list_is_an_array_or_counted(world: World) -> None:
    path = await somebody(world, Authenticator())
    bare = (await world.manage("GET", path)).json()
    counted = (await world.manage("GET", f"{path}?page=0&per_page=10&include_totals=true")).json()
    assert counted == {"authenticators": bare, "start": 0, "limit": 10, "total": 1}
    past = (await world.manage("GET", f"{path}?page=1&per_page=10&include_totals=true")).json()
    assert past == {"authenticators": [], "start": 10, "limit": 10, "total": 1}
    assert (await world.manage("GET", f"{path}?page=1")).json() == []


async def test_a_deleted_passkey_opens_nothing(world: World) -> None:
    authenticator = Authenticator()
    path = await somebody(world, authenticator)
    [found] = (await world.manage("GET", path)).json()
    one = f"{path}/{found['id'].replace('|', '%7C')}"
    answer = await world.manage("DELETE", one)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.manage("GET", path)).json() == []
    assert (await world.passkey_login(authenticator)).status_code == 403
    again = await world.manage("DELETE", one)
    assert (again.status_code, again.json()) == (404, NO_METHOD)
    assert list(await world.journal()).count("sapi") == 1


async def test_all_at_once_is_refused_where_there_is_a_passkey(world: World) -> None:
    path = await somebody(world, Authenticator())
    answer = await world.manage("DELETE", path)
    message = "Operation not permitted when the user has registered at least 1 passkey"
    assert (answer.status_code, answer.json()["message"]) == (403, message)
    assert await world.count(tables.Passkey) == 1
    assert "sapi" not in await world.journal()


async def test_all_at_once_leaves_the_password_alone(world: World) -> None:
    _, path = await with_password(world)
    answer = await world.manage("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.login("bob@example.com")).status_code == 200
    assert (await world.manage("DELETE", "/users/auth0%7C0/authentication-methods")).status_code == 204


async def test_a_password_cannot_be_removed_here(world: World) -> None:
    user_id, path = await with_password(world)
    answer = await world.manage("DELETE", f"{path}/password%7C{user_id.removeprefix('auth0|')}")
    message = "A password is a part of the account and cannot be removed here."
    assert (answer.status_code, answer.json()) == (400, refusal(message, 400, "Bad Request", "operation_not_supported"))


async def test_the_passkey_of_somebody_else_is_not_found(world: World) -> None:
    path = await somebody(world, Authenticator())
    [found] = (await world.manage("GET", path)).json()
    _, other = await with_password(world)
    for method in ("GET", "DELETE"):
        answer = await world.manage(method, f"{other}/{found['id']}")
        assert (answer.status_code, answer.json()) == (404, NO_METHOD)
    assert await world.count(tables.Passkey) == 1


async def test_methods_of_nobody_are_not_found(world: World) -> None:
    for method, path in (("GET", ""), ("GET", "/x"), ("DELETE", "/x")):
        answer = await world.manage(method, f"/users/auth0%7C0/authentication-methods{path}")
        expected = refusal("The user does not exist.", 404, "Not Found", "inexistent_user")
        assert (answer.status_code, answer.json()) == (404, expected)
