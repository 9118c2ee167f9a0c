"""``/api/v2/clients`` over HTTP: exact bodies, secrets that are shown once, and every refusal."""

import re
from typing import Any

import pytest
from sqlmodel import select

from keystead.db import connections, tables, tenant
from world import PUBLIC_URL, World

pytestmark = pytest.mark.anyio

SHOWN: dict[str, Any] = {
    "global": False,
    "is_first_party": True,
    "oidc_conformant": True,
    "callbacks": [],
    "allowed_logout_urls": [],
    "web_origins": [],
    "allowed_origins": [],
    "is_token_endpoint_ip_header_trusted": False,
    "cross_origin_authentication": False,
    "custom_login_page_on": True,
    "sso_disabled": False,
    "require_pushed_authorization_requests": False,
    "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000, "secret_encoded": False, "scopes": {}},
    "refresh_token": {
        "rotation_type": "non-rotating",
        "expiration_type": "expiring",
        "leeway": 0,
        "token_lifetime": 2592000,
        "infinite_token_lifetime": False,
        "idle_token_lifetime": 1296000,
        "infinite_idle_token_lifetime": False,
    },
}
"""What a client that says nothing is shown with."""


async def made(world: World, **body: Any) -> dict[str, Any]:
    """Make a client and return the answer's body."""
    answer = await world.manage("POST", "/clients", {"name": "App"} | body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def token_of(world: World, client_id: str, secret: str) -> int:
    """Return the status of a token request that only the secret decides."""
    body = {"grant_type": "refresh_token", "client_id": client_id, "client_secret": secret, "refresh_token": "x"}
    return (await world.client.post("/oauth/token", json=body)).status_code


async def test_a_confidential_client_gets_a_secret_that_is_shown_once(world: World) -> None:
    answer = await world.manage("POST", "/clients", {"name": "Web", "app_type": "regular_web"})
    found = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[A-Za-z0-9]{32}", found["client_id"])
    assert len(found["client_secret"]) == 64
    assert found == SHOWN | {
        "client_id": found["client_id"],
        "client_secret": found["client_secret"],
        "name": "Web",
        "app_type": "regular_web",
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    again = (await world.manage("GET", f"/clients/{found['client_id']}")).json()
    assert again == {name: value for name, value in found.items() if name != "client_secret"}
    assert await token_of(world, found["client_id"], found["client_secret"]) == 403
    assert await token_of(world, found["client_id"], "wrong") == 401


async def test_a_public_client_has_no_secret(world: World) -> None:
    found = await made(world, app_type="spa")
    assert "client_secret" not in found
    assert found["token_endpoint_auth_method"] == "none"


async def test_everything_that_can_be_said_is_shown(world: World) -> None:
    body = {
        "name": "Everything",
        "description": "d",
        "logo_uri": "https://example.com/logo.png",
        "app_type": "native",
        "is_first_party": False,
        "oidc_conformant": True,
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "implicit"],
        "callbacks": ["https://example.com/cb", "com.example:/cb"],
        "allowed_logout_urls": ["https://example.com/"],
        "web_origins": ["https://example.com"],
        "allowed_origins": ["https://example.org"],
        "initiate_login_uri": "https://example.com/login",
        "is_token_endpoint_ip_header_trusted": True,
        "cross_origin_authentication": True,
        "custom_login_page_on": False,
        "sso_disabled": True,
        "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 60, "secret_encoded": True, "scopes": {}},
        "refresh_token": SHOWN["refresh_token"] | {"rotation_type": "rotating", "leeway": 5},
        "mobile": {"ios": {"team_id": "T", "app_bundle_identifier": "com.example"}},
        "client_metadata": {"tier": "gold"},
    }
    found = await made(world, **body)
    assert {name: found[name] for name in body} == body


async def test_what_get_gives_can_be_patched_and_changes_nothing(world: World) -> None:
    web = await made(world, app_type="regular_web", client_metadata={"a": "b"}, mobile={"ios": {"team_id": "T"}})
    for client_id in (world.client_id, web["client_id"], world.first["clients"]["management"]["client_id"]):
        before = (await world.manage("GET", f"/clients/{client_id}")).json()
        answer = await world.manage("PATCH", f"/clients/{client_id}", before)
        assert (answer.status_code, answer.json()) == (200, before)
        assert (await world.manage("GET", f"/clients/{client_id}")).json() == before


async def test_our_own_urls_are_shown_in_full_and_stay_ours(world: World) -> None:
    path = f"/clients/{world.client_id}"
    assert (await world.manage("GET", path)).json()["callbacks"] == [f"{PUBLIC_URL}/"]
    await world.manage("PATCH", path, {"callbacks": [f"{PUBLIC_URL}/", "https://app.example.com/cb"]})
    stored = await world.db.read(lambda session: session.get_one(tables.Client, world.client_id).settings)
    assert stored["callbacks"] == ["/", "https://app.example.com/cb"]


async def test_a_patch_replaces_merges_and_resets(world: World) -> None:
    client = await made(world, description="d", callbacks=["https://a"], jwt_configuration={"secret_encoded": True})
    path = f"/clients/{client['client_id']}"
    body = {
        "name": "New",
        "description": None,
        "callbacks": ["https://b"],
        "cross_origin_auth": True,
        "jwt_configuration": {"lifetime_in_seconds": 60},
        "client_metadata": {"a": "1"},
    }
    found = (await world.manage("PATCH", path, body)).json()
    assert "client_secret" not in found
    assert "description" not in found
    assert (found["name"], found["callbacks"], found["client_metadata"]) == ("New", ["https://b"], {"a": "1"})
    assert found["cross_origin_authentication"] is True
    assert found["jwt_configuration"]["secret_encoded"] is True
    assert found["jwt_configuration"]["lifetime_in_seconds"] == 60
    emptied = (await world.manage("PATCH", path, {"client_metadata": {"a": None}})).json()
    assert "client_metadata" not in emptied


async def test_a_client_that_can_keep_a_secret_gets_one_and_keeps_it(world: World) -> None:
    client = await made(world, app_type="spa")
    path = f"/clients/{client['client_id']}"
    first = (await world.manage("PATCH", path, {"token_endpoint_auth_method": "client_secret_basic"})).json()
    assert await token_of(world, client["client_id"], first["client_secret"]) == 403
    kept = (await world.manage("PATCH", path, {"name": "x"})).json()
    assert "client_secret" not in kept
    assert await token_of(world, client["client_id"], first["client_secret"]) == 403
    public = (await world.manage("PATCH", path, {"token_endpoint_auth_method": "none"})).json()
    assert "client_secret" not in public
    again = (await world.manage("PATCH", path, {"token_endpoint_auth_method": "client_secret_post"})).json()
    assert "client_secret" not in again
    assert await token_of(world, client["client_id"], first["client_secret"]) == 403
    assert await token_of(world, client["client_id"], "another secret") == 401


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Payload validation error: 'Missing required property: name'."),
        ({"name": "a", "foo": 1}, "Payload validation error: 'Additional properties not allowed: foo'."),
        ({"name": 1}, "Payload validation error: 'Expected type string but found type integer' on property name."),
        (
            {"name": "a", "app_type": "toaster"},
            "Payload validation error: 'No enum match for: toaster' on property app_type.",
        ),
        (
            {"name": "a", "callbacks": ["javascript:x"]},
            "Payload validation error: 'must be an absolute URL' on property callbacks.0.",
        ),
        (
            {"name": "a", "app_type": "spa", "grant_types": ["client_credentials"]},
            "Payload validation error: 'A client without a secret cannot use client_credentials'"
            " on property grant_types.",
        ),
    ],
)
async def test_a_client_that_cannot_be_leaves_nothing_behind(world: World, body: dict[str, Any], message: str) -> None:
    before = await world.count(tables.Client)
    answer = await world.manage("POST", "/clients", body)
    expected = {"statusCode": 400, "error": "Bad Request", "message": message, "errorCode": "invalid_body"}
    assert (answer.status_code, answer.json()) == (400, expected)
    assert await world.count(tables.Client) == before
    if body.get("name") == "a":
        path = f"/clients/{(await made(world, app_type='spa'))['client_id']}"
        assert (await world.manage("PATCH", path, body)).json() == expected


async def test_the_list_is_an_array_or_counted(world: World) -> None:
    world.clock.advance(seconds=1)
    third = (await made(world, app_type="native", is_first_party=False))["client_id"]
    bare = (await world.manage("GET", "/clients")).json()
    assert len(bare) == 3
    assert third in [each["client_id"] for each in bare]
    counted = (await world.manage("GET", "/clients?page=0&per_page=100&include_totals=true&is_global=false")).json()
    assert counted == {"start": 0, "limit": 100, "total": 3, "clients": bare}
    assert all("client_secret" not in each for each in bare)
    assert (await world.manage("GET", "/clients?page=1&per_page=2")).json() == bare[2:]
    assert (await world.manage("GET", "/clients?page=7")).json() == []
    assert (await world.manage("GET", "/clients?fields=name&per_page=1")).json() == [{"name": bare[0]["name"]}]


async def test_the_list_is_filtered(world: World) -> None:
    third = (await made(world, app_type="native", is_first_party=False))["client_id"]

    async def ids(query: str) -> set[str]:
        return {each["client_id"] for each in (await world.manage("GET", f"/clients?{query}")).json()}

    management = world.first["clients"]["management"]["client_id"]
    assert await ids("is_first_party=false") == {third}
    assert await ids("is_first_party=true") == {world.client_id, management}
    assert await ids("app_type=native") == {third}
    assert await ids("app_type=native,spa") == {third, world.client_id}
    assert await ids("app_type=regular_web") == set()
    assert await ids("is_global=true") == set()
    counted = (await world.manage("GET", "/clients?app_type=native&include_totals=true")).json()
    assert counted["total"] == 1


async def test_the_list_goes_on_from_a_checkpoint(world: World) -> None:
    for name in ("a", "b", "c"):
        await world.new_client(name)
    everybody = {each["client_id"] for each in (await world.manage("GET", "/clients")).json()}
    seen: list[str] = []
    query, rounds = "take=2&include_totals=true", 0
    while query:
        part = (await world.manage("GET", f"/clients?{query}")).json()
        assert set(part) <= {"clients", "next"}
        seen += [each["client_id"] for each in part["clients"]]
        query = f"take=2&from={part['next']}" if "next" in part else ""
        rounds += 1
    assert (set(seen), len(seen)) == (everybody, len(everybody))
    assert rounds == (len(everybody) + 1) // 2


async def test_a_checkpoint_keeps_to_the_filters(world: World) -> None:
    await world.new_client("third", is_first_party=False)
    for query, names in (
        ("is_first_party=false", ["third"]),
        ("is_global=true", []),
        ("external_client_id=https://app.example", []),
    ):
        part = (await world.manage("GET", f"/clients?take=10&{query}")).json()
        assert ([each["name"] for each in part["clients"]], "next" in part) == (names, False)
    assert (await world.manage("GET", "/clients?external_client_id=x&include_totals=true")).json()["total"] == 0


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    for client_id in ("nobody", "x" * 1000, "%F0%9F%94%91"):
        for method, body in (("GET", None), ("PATCH", {"name": "x"})):
            answer = await world.manage(method, f"/clients/{client_id}", body)
            assert (answer.status_code, answer.json()) == (
                404,
                {
                    "statusCode": 404,
                    "error": "Not Found",
                    "message": "The client does not exist",
                    "errorCode": "inexistent_client",
                },
            )
        assert (await world.manage("DELETE", f"/clients/{client_id}")).status_code == 204


async def test_a_deleted_client_takes_its_tokens_along(world: World) -> None:
    await world.signup()
    await world.login(scope="openid offline_access")
    assert await world.count(tables.RefreshToken) == 1
    answer = await world.manage("DELETE", f"/clients/{world.client_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await world.count(tables.RefreshToken) == 0
    assert await world.count(tables.Account) == 1
    assert (await world.login()).status_code == 401


async def test_a_new_client_may_use_every_connection(world: World) -> None:
    body = {"name": "db1", "strategy": "auth0", "is_domain_connection": True}
    open_to_all = (await world.manage("POST", "/connections", body)).json()["id"]
    ours, theirs = await made(world), await made(world, is_first_party=False)
    assert ours["client_id"] in await world.db.read(connections.clients_of, world.connection_id)
    assert await world.db.read(connections.clients_of, open_to_all) == sorted([ours["client_id"], theirs["client_id"]])
    assert theirs["client_id"] not in await world.db.read(connections.clients_of, world.connection_id)


async def test_a_flag_keeps_new_clients_from_every_connection(world: World) -> None:
    await world.db.write(tenant.put, "flags", {"enable_client_connections": False})
    client = await made(world)
    assert client["client_id"] not in await world.db.read(connections.clients_of, world.connection_id)


async def test_every_change_is_in_the_journal_and_no_secret_is(world: World) -> None:
    client = await made(world)
    path = f"/clients/{client['client_id']}"
    await world.manage("PATCH", path, {"name": "x"})
    await world.manage("PATCH", path, {"name": 1})
    await world.manage("DELETE", path)
    await world.manage("DELETE", path)
    assert [each for each in await world.journal() if each == "sapi"] == ["sapi"] * 3
    rows = await world.db.read(lambda session: session.exec(select(tables.JournalRow)).all())
    assert rows
    assert client["client_secret"] not in str(rows)


async def test_a_search_is_refused_rather_than_ignored(shared_world: World) -> None:
    answer = await shared_world.manage("GET", "/clients?q=name:x")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string")
