"""``/api/v2/connections`` over HTTP: exact bodies, every refusal, and that a policy holds from the next request on."""

import asyncio
import re
from typing import Any

import pytest

from keystead.db import connections, tables
from keystead.rules.own_clients import OWN_CLIENTS
from world import World, claims_of

pytestmark = pytest.mark.anyio

ALL = "read:connections read:connections_options create:connections update:connections update:connections_options"


async def made(world: World, name: str = "db1", **more: Any) -> dict[str, Any]:
    """Make a connection and return the answer's body."""
    answer = await world.manage("POST", "/connections", {"name": name, "strategy": "auth0"} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def administrators(world: World) -> str:
    """Return the id of the connection that is not there for the API."""
    found = await world.db.read(connections.of_administrators)
    assert found is not None
    return found.id


def refusal(message: str, status: int = 400, error: str = "Bad Request", code: str = "invalid_body") -> dict[str, Any]:
    return {"statusCode": status, "error": error, "message": message, "errorCode": code}


async def test_a_connection_of_nothing_but_a_name_is_the_recorded_one(world: World) -> None:
    found = await made(world)
    assert re.fullmatch(r"con_[A-Za-z0-9]{16}", found["id"])
    assert found == {
        "id": found["id"],
        "options": {
            "disable_self_service_change_password": False,
            "mfa": {"active": True, "return_enroll_settings": True},
            "brute_force_protection": True,
            "password_options": {
                "complexity": {
                    "min_length": 15,
                    "character_types": [],
                    "character_type_rule": "all",
                    "identical_characters": "allow",
                    "sequential_characters": "allow",
                    "max_length_exceeded": "error",
                },
                "profile_data": {
                    "active": False,
                    "blocked_fields": [
                        "name",
                        "username",
                        "nickname",
                        "email",
                        "phone_number",
                        "user_metadata.name",
                        "user_metadata.first",
                        "user_metadata.last",
                    ],
                },
                "history": {"active": False, "size": 3},
                "dictionary": {"active": False, "custom": [], "default": "en_100k"},
            },
            "strategy_version": 2,
            "authentication_methods": {
                "password": {"enabled": True, "api_behavior": "required", "signup_behavior": "allow"},
                "passkey": {"enabled": False},
            },
            "passkey_options": {
                "challenge_ui": "both",
                "progressive_enrollment_enabled": True,
                "local_enrollment_enabled": True,
            },
        },
        "strategy": "auth0",
        "name": "db1",
        "is_domain_connection": False,
        "authentication": {"active": True},
        "connected_accounts": {"active": False},
        "enabled_clients": [],
        "realms": ["db1"],
    }


async def test_a_connection_with_everything_is_shown_with_everything(world: World) -> None:
    body: dict[str, Any] = {
        "display_name": "Staff",
        "realms": ["staff", "employees"],
        "is_domain_connection": True,
        "show_as_button": True,
        "metadata": {"team": "a"},
        "authentication": {"active": False},
        "connected_accounts": {"active": True, "cross_app_access": False},
        "enabled_clients": [world.client_id],
        "options": {"disable_signup": True},
    }
    found = await made(world, **body)
    assert {name: found[name] for name in body if name != "options"} == {
        name: value for name, value in body.items() if name != "options"
    }
    assert found["options"]["disable_signup"] is True
    assert (await world.manage("GET", f"/connections/{found['id']}")).json() == found


async def test_what_get_gives_can_be_patched_and_changes_nothing(world: World) -> None:
    plain, full = (
        await made(world),
        await made(world, "db2", display_name="B", metadata={"a": "b"}, show_as_button=True),
    )
    for before in (plain, full, (await world.manage("GET", f"/connections/{world.connection_id}")).json()):
        answer = await world.manage("PATCH", f"/connections/{before['id']}", before)
        assert (answer.status_code, answer.json()) == (200, before)
        assert (await world.manage("GET", f"/connections/{before['id']}")).json() == before


async def test_the_list_is_an_array_or_counted(world: World) -> None:
    for name in ("db1", "db2"):
        await made(world, name)
    bare = (await world.manage("GET", "/connections")).json()
    assert {each["name"] for each in bare} == {"db1", "db2", world.connection}
    counted = (await world.manage("GET", "/connections?include_totals=true&per_page=2")).json()
    assert counted == {"start": 0, "limit": 2, "total": 3, "connections": bare[:2]}
    second = (await world.manage("GET", "/connections?include_totals=true&per_page=2&page=1")).json()
    assert second == {"start": 2, "limit": 2, "total": 3, "connections": bare[2:]}
    assert (await world.manage("GET", "/connections?page=9")).json() == []


async def test_the_list_goes_on_from_a_checkpoint(world: World) -> None:
    for name in ("db1", "db2", "db3", "db4"):
        await made(world, name)
    seen: list[str] = []
    query, rounds = "take=2&include_totals=true", 0
    while True:
        part = (await world.manage("GET", f"/connections?{query}")).json()
        seen += [each["name"] for each in part["connections"]]
        rounds += 1
        if "next" not in part:
            break
        assert set(part) == {"connections", "next"}
        query = f"take=2&from={part['next']}"
    assert rounds == 3
    assert sorted(seen) == sorted(["db1", "db2", "db3", "db4", world.connection])


async def test_the_last_full_part_has_no_next(world: World) -> None:
    part = (await world.manage("GET", "/connections?take=1")).json()
    assert set(part) == {"connections"}


async def test_the_list_is_filtered_by_name_and_strategy(world: World) -> None:
    await made(world)
    by_name = (await world.manage("GET", "/connections?name=db1&take=1&include_fields=true&include_totals=true")).json()
    assert [each["name"] for each in by_name["connections"]] == ["db1"]
    assert (await world.manage("GET", "/connections?name=nobody")).json() == []
    assert len((await world.manage("GET", "/connections?strategy=samlp&strategy=auth0")).json()) == 2
    assert (await world.manage("GET", "/connections?strategy=samlp")).json() == []


async def test_members_are_picked_by_name(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    assert (await world.manage("GET", f"{path}?fields=name,strategy")).json() == {
        "name": world.connection,
        "strategy": "auth0",
    }
    without = (await world.manage("GET", f"{path}?fields=options&include_fields=false")).json()
    assert "options" not in without
    assert without["name"] == world.connection
    assert (await world.manage("GET", "/connections?fields=name&take=1")).json() == {
        "connections": [{"name": world.connection}]
    }


async def test_the_connections_of_a_client_are_listed(world: World) -> None:
    mine = [await made(world, f"db{number}", enabled_clients=[world.client_id]) for number in range(3)]
    await made(world, "other")
    path = f"/clients/{world.client_id}/connections"
    wanted = sorted([world.connection_id, *(each["id"] for each in mine)])
    whole = (await world.manage("GET", path)).json()
    assert ([each["id"] for each in whole["connections"]], set(whole)) == (wanted, {"connections"})
    one = (await world.manage("GET", f"/connections/{wanted[0]}")).json()
    assert whole["connections"][0] == {name: one[name] for name in one if name != "enabled_clients"}
    part = (await world.manage("GET", f"{path}?take=3&fields=name")).json()
    assert (len(part["connections"]), part["next"]) == (3, wanted[2])
    assert all(set(each) == {"name"} for each in part["connections"])
    rest = (await world.manage("GET", f"{path}?take=3&from={part['next']}")).json()
    assert ([each["id"] for each in rest["connections"]], set(rest)) == (wanted[3:], {"connections"})
    assert (await world.manage("GET", f"{path}?strategy=samlp")).json() == {"connections": []}
    without = (await world.manage("GET", path, scope="read:clients")).json()
    assert all("options" not in each for each in without["connections"])


async def test_whether_a_connection_can_be_used(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    answer = await world.manage("GET", f"{path}/status")
    assert (answer.status_code, answer.content) == (200, b"")
    await world.manage("PATCH", path, {"authentication": {"active": False}})
    answer = await world.manage("GET", f"{path}/status")
    assert (answer.status_code, answer.json()["message"]) == (404, "The connection is switched off")
    assert (await world.manage("GET", "/connections/con_nobody/status")).status_code == 404


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "domain_alias=example.com",
            "Query validation error: 'Database connections have no domain aliases' on property domain_alias.",
        ),
        ("per_page=0", "Query validation error: 'Value 0 is less than minimum 1' on property per_page."),
        ("take=0", "Query validation error: 'Value 0 is less than minimum 1' on property take."),
        ("take=101", "Query validation error: 'Value 101 is greater than maximum 100' on property take."),
        (
            "from=" + "x" * 1001,
            "Query validation error: 'String is too long (1001 chars), maximum 1000' on property from.",
        ),
        (
            "page=10",
            "Query validation error: 'Only the first 1000 can be paged through; use take and from' on property page.",
        ),
        (
            "page=20&per_page=50",
            "Query validation error: 'Only the first 1000 can be paged through; use take and from' on property page.",
        ),
    ],
)
async def test_the_list_has_limits(world: World, query: str, message: str) -> None:
    answer = await world.manage("GET", f"/connections?{query}")
    assert (answer.status_code, answer.json()) == (400, refusal(message, code="invalid_query_string"))
    assert (await world.manage("GET", "/connections?page=9&per_page=100")).status_code == 200


async def test_options_are_shown_to_those_who_may_read_them(world: World) -> None:
    token = "read:connections create:connections update:connections update:connections_options"
    path = f"/connections/{world.connection_id}"
    answers = [
        await world.manage("GET", path, scope=token),
        await world.manage("PATCH", path, {"options": {"disable_signup": True}}, scope=token),
        await world.manage("POST", "/connections", {"name": "db1", "strategy": "auth0"}, scope=token),
    ]
    listed = (await world.manage("GET", "/connections", scope=token)).json()
    for found in [*(answer.json() for answer in answers), *listed]:
        assert "name" in found
        assert "options" not in found
    assert (await world.manage("GET", path)).json()["options"]["disable_signup"] is True


async def test_options_are_changed_by_those_who_may_change_them(world: World) -> None:
    path, token = f"/connections/{world.connection_id}", "read:connections update:connections"
    refused = await world.manage("PATCH", path, {"options": {}, "display_name": "x"}, scope=token)
    expected = "Insufficient scope, expected any of: update:connections_options"
    assert (refused.status_code, refused.json()["message"]) == (403, expected)
    allowed = await world.manage("PATCH", path, {"display_name": "Staff"}, scope=token)
    assert (allowed.status_code, allowed.json()["display_name"]) == (200, "Staff")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "db1"}, "Payload validation error: 'Missing required property: strategy'."),
        ({"strategy": "auth0"}, "Payload validation error: 'Missing required property: name'."),
        (
            {"name": "db1", "strategy": "auth0", "foo": 1},
            "Payload validation error: 'Additional properties not allowed: foo'.",
        ),
        (
            {"name": "db1", "strategy": "google-oauth2"},
            "Payload validation error: 'No enum match for: google-oauth2' on property strategy.",
        ),
        (
            {"name": "a_b", "strategy": "auth0"},
            "Payload validation error: 'String does not match pattern ^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$: a_b'"
            " on property name.",
        ),
        (
            {"name": "db1", "strategy": "auth0", "options": {"disable_signup": 1}},
            "Payload validation error: 'Expected type boolean but found type integer'"
            " on property options.disable_signup.",
        ),
        (
            {"name": "db1", "strategy": "auth0", "options": {"attributes": {}, "requires_username": True}},
            "Payload validation error: 'Cannot set both options.attributes and options.requires_username'"
            " on property options.attributes.",
        ),
        (
            {"name": "db1", "strategy": "auth0", "enabled_clients": ["nobody"]},
            "Payload validation error: 'The client does not exist' on property enabled_clients.",
        ),
    ],
)
async def test_a_connection_that_cannot_be_leaves_nothing_behind(
    world: World, body: dict[str, Any], message: str
) -> None:
    before = (await world.count(tables.Connection), await world.count(tables.Realm), len(await world.journal()))
    answer = await world.manage("POST", "/connections", body)
    assert (answer.status_code, answer.json()) == (400, refusal(message))
    assert (await world.count(tables.Connection), await world.count(tables.Realm), len(await world.journal())) == before


async def test_names_and_realms_belong_to_one_connection(world: World) -> None:
    first = await made(world, realms=["staff"])
    taken = await world.manage("POST", "/connections", {"name": "db1", "strategy": "auth0", "realms": ["other"]})
    assert (taken.status_code, taken.json()["message"]) == (409, "A connection with the same name already exists")
    realm = await world.manage("POST", "/connections", {"name": "db2", "strategy": "auth0", "realms": ["staff"]})
    message = 'There is already another connection with some realms from "realms" parameter'
    assert (realm.status_code, realm.json()["message"]) == (409, message)
    second = await made(world, "db2")
    patched = await world.manage("PATCH", f"/connections/{second['id']}", {"realms": ["db2", "staff"]})
    assert (patched.status_code, patched.json()["message"]) == (409, message)
    assert (await world.manage("GET", f"/connections/{second['id']}")).json()["realms"] == ["db2"]
    # what was given up can be had
    await world.manage("PATCH", f"/connections/{first['id']}", {"realms": ["db1"]})
    patched = await world.manage("PATCH", f"/connections/{second['id']}", {"realms": ["staff", "db2"]})
    assert patched.json()["realms"] == ["staff", "db2"]
    # none at all is its own name again
    assert (await world.manage("PATCH", f"/connections/{second['id']}", {"realms": []})).json()["realms"] == ["db2"]


async def test_of_many_who_take_a_name_at_once_one_gets_it(world: World) -> None:
    body = {"name": "db1", "strategy": "auth0"}
    answers = await asyncio.gather(*(world.manage("POST", "/connections", body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


async def test_a_display_name_goes_when_it_is_left_out(world: World) -> None:
    path = f"/connections/{(await made(world, display_name='Staff'))['id']}"
    assert (await world.manage("PATCH", path, {"is_domain_connection": True})).json()["display_name"] == "db1"


async def test_a_patch_of_unknown_or_unchanging_members_is_refused(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    for body in ({"foo": 1}, {"name": "other"}, {"strategy": "samlp"}, {"id": "con_0000000000000000"}):
        answer = await world.manage("PATCH", path, body)
        message = f"Payload validation error: 'Additional properties not allowed: {next(iter(body))}'."
        assert (answer.status_code, answer.json()) == (400, refusal(message))


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    gone = refusal("The connection does not exist", 404, "Not Found", "inexistent_connection")
    for connection_id in ("con_0000000000000000", "x", "con_%F0%9F%94%91", await administrators(world)):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"display_name": "x"}),
            ("GET", "/clients", None),
            ("PATCH", "/clients", [{"client_id": world.client_id, "status": True}]),
        ):
            answer = await world.manage(method, f"/connections/{connection_id}{path}", body)
            assert (answer.status_code, answer.json()) == (404, gone), (method, connection_id, path)
        assert (await world.manage("DELETE", f"/connections/{connection_id}")).status_code == 204


async def test_the_administrators_connection_is_out_of_reach(world: World) -> None:
    hidden = await administrators(world)
    assert hidden not in [each["id"] for each in (await world.manage("GET", "/connections")).json()]
    assert (await world.manage("GET", "/connections?name=Administrators")).json() == []
    assert (await world.manage("GET", "/connections?include_totals=true")).json()["total"] == 1
    assert (await world.manage("DELETE", f"/connections/{hidden}")).status_code == 204
    assert await administrators(world) == hidden
    created = (await world.manage("POST", "/clients", {"name": "new"})).json()
    assert await world.db.read(connections.clients_of, hidden) == sorted(OWN_CLIENTS)
    assert created["client_id"] in await world.db.read(connections.clients_of, world.connection_id)
    user = {"connection": "Administrators", "email": "eve@example.com", "password": "a very long password"}
    refused = await world.manage("POST", "/users", user)
    assert (refused.status_code, refused.json()["message"]) == (400, "Connection does not exist.")


async def test_deleting_takes_the_accounts_along(world: World) -> None:
    await world.signup()
    path = f"/connections/{world.connection_id}"
    answer = await world.manage("DELETE", path)
    assert (answer.status_code, answer.json()) == (202, {"deleted_at": "2026-06-01T12:00:00.000Z"})
    assert (await world.manage("DELETE", path)).status_code == 204
    assert (await world.manage("GET", path)).status_code == 404
    assert await world.count(tables.Account) == 0
    assert (await world.login()).status_code in (400, 403)
    await made(world, world.connection)


async def test_clients_are_switched_on_and_off(world: World) -> None:
    path = f"/connections/{(await made(world))['id']}/clients"
    management = world.first["clients"]["management"]["client_id"]
    both = [{"client_id": each, "status": True} for each in (world.client_id, management)]
    answer = await world.manage("PATCH", path, both)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.manage("PATCH", path, both)).status_code == 204
    ids = sorted([world.client_id, management])
    assert (await world.manage("GET", f"{path}?take=100")).json() == {"clients": [{"client_id": each} for each in ids]}
    first = (await world.manage("GET", f"{path}?take=1")).json()
    assert first == {"clients": [{"client_id": ids[0]}], "next": ids[0]}
    assert (await world.manage("GET", f"{path}?take=1&from={first['next']}")).json() == {
        "clients": [{"client_id": ids[1]}]
    }
    await world.manage("PATCH", path, [{"client_id": management, "status": False}])
    assert (await world.manage("GET", path)).json() == {"clients": [{"client_id": world.client_id}]}
    entries = [
        row["details"] for row in await world.rows(tables.JournalRow) if "enabled clients" in str(row["description"])
    ]
    told = [(each["enabled"], each["disabled"]) for each in entries]
    assert told == [(ids, []), ([], []), ([], [management])]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "Payload validation error: 'Expected type array but found type object'."),
        ([], 400, "Payload validation error: 'Array is too short (0), minimum 1'."),
        (
            [{"client_id": "x", "status": True}] * 51,
            400,
            "Payload validation error: 'Array is too long (51), maximum 50'.",
        ),
        ([{"client_id": "x"}], 400, "Payload validation error: 'Missing required property: status' on property 0."),
        (
            [{"client_id": "x", "status": "on"}],
            400,
            "Payload validation error: 'Expected type boolean but found type string' on property 0.status.",
        ),
        ([{"client_id": "nobody", "status": True}], 404, "The client does not exist"),
    ],
)
async def test_wrong_switches_change_nothing(world: World, body: Any, status: int, message: str) -> None:
    path = f"/connections/{world.connection_id}/clients"
    before = (await world.manage("GET", path)).json()
    answer = await world.manage("PATCH", path, body)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    good = {"client_id": world.client_id, "status": False}
    assert (await world.manage("PATCH", path, [good, {"client_id": "nobody", "status": True}])).status_code == 404
    assert (await world.manage("GET", path)).json() == before


async def test_a_client_that_was_switched_off_is_out_at_once(world: World) -> None:
    await world.signup()
    tokens = (await world.login(scope="openid offline_access")).json()
    path = f"/connections/{world.connection_id}/clients"
    await world.manage("PATCH", path, [{"client_id": world.client_id, "status": False}])
    assert (await world.login()).status_code == 400
    body = {"grant_type": "refresh_token", "client_id": world.client_id, "refresh_token": tokens["refresh_token"]}
    assert (await world.client.post("/oauth/token", json=body)).status_code in (400, 403)
    await world.manage("PATCH", path, [{"client_id": world.client_id, "status": True}])
    assert (await world.login()).status_code == 200


async def test_passkeys_are_off_from_the_next_request_on(world: World) -> None:
    assert (await world.begin_challenge()).status_code == 200
    methods = {"password": {"enabled": True}, "passkey": {"enabled": False}}
    assert (await world.patch_options(authentication_methods=methods)).status_code == 200
    assert (await world.begin_challenge()).status_code == 400
    assert (await world.begin_register()).status_code == 400
    methods["passkey"]["enabled"] = True
    await world.patch_options(authentication_methods=methods)
    assert (await world.begin_challenge()).status_code == 200


async def test_signup_is_off_from_the_next_request_on(world: World) -> None:
    await world.patch_options(disable_signup=True)
    refused = await world.signup()
    assert (refused.status_code, refused.json()) == (400, {"error": "public signup is disabled"})
    # administrators still make accounts
    user = {"connection": world.connection, "email": "ann@example.com", "password": "correct horse battery"}
    assert (await world.manage("POST", "/users", user)).status_code == 201


async def test_identifiers_change_from_the_next_request_on(world: World) -> None:
    await world.patch_options(attributes={"username": {}, "email": {"identifier": {"active": False}}})
    assert (await world.signup(username="ann")).status_code == 200
    assert (await world.login("ann")).status_code == 200
    assert (await world.login("ann@example.com")).status_code == 403
    await world.patch_options(attributes={"username": {}, "email": {}})
    assert (await world.login("ann@example.com")).status_code == 200


async def test_the_password_policy_changes_from_the_next_request_on(world: World) -> None:
    assert (await world.signup(password="short")).status_code == 400
    path = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"]
    options["password_options"]["complexity"]["min_length"] = 5
    await world.manage("PATCH", path, {"options": options})
    assert (await world.signup(password="short")).status_code == 200


async def test_a_connection_that_is_switched_off_lets_nobody_in(world: World) -> None:
    await world.signup()
    path = f"/connections/{world.connection_id}"
    await world.manage("PATCH", path, {"authentication": {"active": False}})
    assert (await world.login()).status_code == 400
    assert (await world.begin_challenge()).status_code == 400
    user = {"connection": world.connection, "email": "bob@example.com", "password": "correct horse battery"}
    refused = await world.manage("POST", "/users", user)
    assert (refused.status_code, refused.json()["message"]) == (400, "Connection is disabled.")
    await world.manage("PATCH", path, {"authentication": {"active": True}})
    assert (await world.login()).status_code == 200


async def test_a_realm_selects_the_connection(world: World) -> None:
    other = await made(world, "db1", realms=["staff"], enabled_clients=[world.client_id])
    assert (await world.signup(connection="db1")).status_code == 200
    body = {"grant_type": "http://auth0.com/oauth/grant-type/password-realm", "realm": "staff"}
    answer = await world.login(**body)
    assert answer.status_code == 200
    user_id = claims_of(answer.json()["id_token"])["sub"]
    found = (await world.manage("GET", f"/users/{user_id}")).json()
    assert found["identities"][0]["connection"] == other["name"]
    assert (await world.login(**(body | {"realm": "db1"}))).status_code == 400


async def test_two_patches_at_once_do_not_mix(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    whole = [
        {"disable_signup": True, "passkey_options": {"challenge_ui": "button"}},
        {"disable_signup": False, "passkey_options": {"challenge_ui": "autofill"}},
    ]
    answers = await asyncio.gather(*(world.manage("PATCH", path, {"options": whole[n % 2]}) for n in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    found = (await world.manage("GET", path)).json()["options"]
    assert (found["disable_signup"], found["passkey_options"]["challenge_ui"]) in (
        (True, "button"),
        (False, "autofill"),
    )


async def test_every_change_is_in_the_journal_and_no_refusal_is(world: World) -> None:
    connection = await made(world)
    path = f"/connections/{connection['id']}"
    await world.manage("PATCH", path, {"display_name": "x"})
    await world.manage("PATCH", path, {"options": {"disable_signup": 1}})
    await world.manage("PATCH", f"{path}/clients", [{"client_id": world.client_id, "status": True}])
    await world.manage("GET", path)
    await world.manage("DELETE", path)
    await world.manage("DELETE", path)
    assert [each for each in await world.journal() if each == "sapi"] == ["sapi"] * 4
