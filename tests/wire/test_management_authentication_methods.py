"""``/api/v2/users/{id}/authentication-methods``: what an account proves itself with, its names, taking it away."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from keystead.db import tables
from keystead.rules.authentication_methods import ImportedPasskey, MethodEdit, OtherMethod
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
    newest = (await world.letters())[0]
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey was removed from your account")
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


async def test_all_at_once_of_nobody_is_nothing(world: World) -> None:
    before = await world.journal()
    for user_id in ("auth0%7C0", "x" * 301):
        answer = await world.manage("DELETE", f"/users/{user_id}/authentication-methods")
        assert (answer.status_code, answer.content) == (204, b"")
    assert await world.journal() == before


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
    asked: tuple[tuple[str, str, object], ...] = (
        ("GET", "", None),
        ("GET", "/x", None),
        ("DELETE", "/x", None),
        ("PATCH", "/x", {}),
        ("PUT", "", []),
    )
    for method, path, body in asked:
        answer = await world.manage(method, f"/users/auth0%7C0/authentication-methods{path}", body)
        expected = refusal("The user does not exist.", 404, "Not Found", "inexistent_user")
        assert (answer.status_code, answer.json()) == (404, expected)


# --- names -----------------------------------------------------------------------------------------------------------


async def test_a_passkey_is_renamed(world: World) -> None:
    path = await somebody(world, Authenticator())
    [found] = (await world.manage("GET", path)).json()
    one = f"{path}/{found['id'].replace('|', '%7C')}"
    answer = await world.manage("PATCH", one, {"name": "  The key on the ring of the caretaker "})
    assert answer.status_code == 200, answer.text
    members = ("id", "type", "key_id", "public_key", "aaguid", "relying_party_identifier", "confirmed", "created_at")
    renamed = {name: found[name] for name in members} | {"name": "The key on the ring of the caretaker"}
    assert answer.json() == renamed, "no more than the closed schema has"
    assert (await world.manage("GET", one)).json()["name"] == "The key on the ring ", "20 characters, as it reads them"
    entry = await world.last_entry()
    assert (entry["description"], entry["details"]["authentication_method_id"]) == (
        "Update an authentication method",
        found["id"],
    )
    assert (await world.manage("PATCH", one, {})).json() == renamed
    assert (await world.manage("PATCH", one, {"name": None})).json() == renamed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": ""}, "Payload validation error: 'String is too short (0 chars), minimum 1' on property name."),
        ({"name": "   "}, "Payload validation error: 'must have 1 to 100 characters' on property name."),
        (
            {"name": "x" * 101},
            "Payload validation error: 'String is too long (101 chars), maximum 100' on property name.",
        ),
        ({"name": "a\nb"}, "Payload validation error: 'must not contain control characters' on property name."),
        ({"name": 7}, "Payload validation error: 'Expected type string but found type integer' on property name."),
        ({"confirmed": True}, "Payload validation error: 'Additional properties not allowed: confirmed'."),
        (
            {"preferred_authentication_method": "push"},
            "Payload validation error: 'No enum match for: push' on property preferred_authentication_method.",
        ),
        (
            {"preferred_authentication_method": "sms", "name": "x"},
            "Only a phone has a preferred authentication method, and there are none here.",
        ),
    ],
)
async def test_what_is_no_name_is_refused(world: World, body: dict[str, Any], message: str) -> None:
    path = await somebody(world, Authenticator())
    [found] = (await world.manage("GET", path)).json()
    answer = await world.manage("PATCH", f"{path}/{found['id']}", body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (await world.manage("GET", path)).json() == [found]


async def test_a_password_has_no_name(world: World) -> None:
    user_id, path = await with_password(world)
    answer = await world.manage("PATCH", f"{path}/password%7C{user_id.removeprefix('auth0|')}", {"name": "x"})
    expected = refusal("A password has no name.", 400, "Bad Request", "operation_not_supported")
    assert (answer.status_code, answer.json()) == (400, expected)


async def test_the_passkey_of_somebody_else_is_not_renamed(world: World) -> None:
    path = await somebody(world, Authenticator())
    [found] = (await world.manage("GET", path)).json()
    _, other = await with_password(world)
    answer = await world.manage("PATCH", f"{other}/{found['id']}", {"name": "mine"})
    assert (answer.status_code, answer.json()) == (404, NO_METHOD)
    assert (await world.manage("GET", path)).json() == [found]


# --- all of them (PK-34) ---------------------------------------------------------------------------------------------

PHONE = {"type": "phone", "phone_number": "+14155552671", "preferred_authentication_method": "sms", "name": "Mobile"}


@pytest.mark.parametrize("body", [[], [PHONE]])
async def test_nothing_replaces_a_passkey(world: World, body: list[Any]) -> None:
    path = await somebody(world, Authenticator())
    answer = await world.manage("PUT", path, body)
    message = "Operation not permitted when the user has registered at least 1 passkey"
    assert (answer.status_code, answer.json()["message"]) == (403, message)
    assert await world.count(tables.Passkey) == 1
    assert "sapi" not in await world.journal()


async def test_nothing_is_replaced_by_nothing(world: World) -> None:
    _, path = await with_password(world)
    answer = await world.manage("PUT", path, [])
    assert (answer.status_code, answer.json()) == (200, [])
    assert (await world.login("bob@example.com")).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            [PHONE, {"type": "totp", "totp_secret": "JBSWY3DPEHPK3PXP"}],
            "Authentication methods of type phone, totp are not supported; passkey is the only type.",
        ),
        ([{"type": "passkey"}], "Payload validation error: 'No enum match for: passkey' on property 0.type."),
        ([PHONE, {}], "Payload validation error: 'Missing required property: type' on property 1."),
        (
            [PHONE | {"key_id": "x"}],
            "Payload validation error: 'Additional properties not allowed: key_id' on property 0.",
        ),
        ({}, "Payload validation error: 'Expected type array but found type object'."),
    ],
)
async def test_what_there_is_not_replaces_nothing(world: World, body: object, message: str) -> None:
    _, path = await with_password(world)
    answer = await world.manage("PUT", path, body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert "JBSWY3DPEHPK3PXP" not in answer.text


# --- the schemas that clients are made of ----------------------------------------------------------------------------

SCHEMAS = json.loads((Path(__file__).parent.parent / "data" / "auth0-authentication-methods.json").read_text())


def is_as(schema: str, value: object) -> bool:
    """Whether a value is what one of Auth0's closed schemas says."""
    document = {"$ref": f"#/components/schemas/{schema}"} | SCHEMAS
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True).is_valid(value)


async def test_bodies_and_answers_are_as_auth0_s_closed_schemas_have_them(world: World) -> None:
    _, path = await with_password(world)
    body = made_elsewhere(Authenticator(), name="A name that is longer than what is read", user_agent="Old Portal 3")
    assert is_as("CreateUserAuthenticationMethodRequestContent", body)
    made = await world.manage("POST", path, body)
    assert made.status_code == 201
    assert is_as("CreateUserAuthenticationMethodResponseContent", made.json())
    one = f"{path}/{made.json()['id'].replace('|', '%7C')}"
    for each in ((await world.manage("GET", one)).json(), *(await world.manage("GET", path)).json()):
        assert is_as("GetUserAuthenticationMethodResponseContent", each)
        assert not is_as("GetUserAuthenticationMethodResponseContent", each | {"quarantine": "lost"}), "it is closed"
    counted = await world.manage("GET", f"{path}?include_totals=true")
    for listed in (counted, await world.manage("GET", path)):
        assert is_as("ListUserAuthenticationMethodsResponseContent", listed.json())
    edit = {"name": "A name that is longer than what is read, too"}
    assert is_as("UpdateUserAuthenticationMethodRequestContent", edit)
    renamed = await world.manage("PATCH", one, edit)
    assert renamed.status_code == 200
    other = {"type": "webauthn-roaming"}  # its answer knows no passkeys, while its request may be about one
    assert is_as("UpdateUserAuthenticationMethodResponseContent", renamed.json() | other)
    assert not is_as("UpdateUserAuthenticationMethodResponseContent", (await world.manage("GET", one)).json() | other)
    assert is_as("SetUserAuthenticationMethodsRequestContent", [PHONE])


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (ImportedPasskey, "CreateUserAuthenticationMethodRequestContent"),
        (MethodEdit, "UpdateUserAuthenticationMethodRequestContent"),
        (OtherMethod, "SetUserAuthenticationMethods"),
    ],
)
def test_nothing_is_taken_that_auth0_s_schemas_do_not_have(model: type[BaseModel], schema: str) -> None:
    assert set(model.model_fields) <= set(SCHEMAS["components"]["schemas"][schema]["properties"])
