"""``/api/v2/resource-servers`` over HTTP: shapes, limits, what is ours, and what tokens make of it."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from authenticator import unb64url
from keystead.db import tables
from world import PUBLIC_URL, World, claims_of

pytestmark = pytest.mark.anyio

AUDIENCE = "https://api.example.com/"
SCOPES = [{"value": "read:books", "description": "See books"}, {"value": "write:books"}]
SHOWN: dict[str, Any] = {
    "is_system": False,
    "scopes": [],
    "signing_alg": "RS256",
    "token_lifetime": 86_400,
    "token_lifetime_for_web": 7200,
    "allow_offline_access": False,
    "skip_consent_for_verifiable_first_party_clients": True,
    "token_dialect": "access_token",
    "enforce_policies": False,
    "subject_type_authorization": {"user": {"policy": "allow_all"}, "client": {"policy": "require_client_grant"}},
}
"""What an API that says nothing is shown with."""


async def made(world: World, identifier: str = AUDIENCE, **body: Any) -> dict[str, Any]:
    answer = await world.manage("POST", "/resource-servers", {"name": "Books", "identifier": identifier} | body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def header_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unb64url(token.split(".", maxsplit=1)[0]))
    return found


def invalid(text: str, path: str) -> dict[str, Any]:
    at = f" on property {path}" if path else ""
    message = f"Payload validation error: '{text}'{at}."
    return {"statusCode": 400, "error": "Bad Request", "message": message, "errorCode": "invalid_body"}


async def test_what_an_api_is_shown_with(world: World) -> None:
    found = await made(world)
    assert found.pop("id").startswith("api_")
    assert found == SHOWN | {"name": "Books", "identifier": AUDIENCE}
    full = {
        "scopes": SCOPES,
        "signing_alg": "ES256",
        "token_lifetime": 600,
        "token_lifetime_for_web": 300,
        "allow_offline_access": True,
        "skip_consent_for_verifiable_first_party_clients": False,
        "token_dialect": "rfc9068_profile",
        "subject_type_authorization": {"user": {"policy": "deny_all"}, "client": {"policy": "deny_all"}},
    }
    other = await made(world, "books", **full)
    assert other == SHOWN | full | {"id": other["id"], "name": "Books", "identifier": "books"}
    assert (await world.manage("GET", f"/resource-servers/{other['id']}")).json() == other
    listed = {each["identifier"] for each in (await world.manage("GET", "/resource-servers")).json()}
    assert listed == {f"{PUBLIC_URL}/api/v2/", f"{PUBLIC_URL}/me/", AUDIENCE, "books"}


async def test_found_by_id_and_by_identifier(world: World) -> None:
    found = await made(world)
    for name in (found["id"], AUDIENCE):
        path = f"/resource-servers/{quote(name, safe='')}"
        assert (await world.manage("GET", path)).json() == found
    ours = (await world.manage("GET", f"/resource-servers/{quote(PUBLIC_URL + '/api/v2/', safe='')}")).json()
    assert (ours["identifier"], ours["is_system"]) == (f"{PUBLIC_URL}/api/v2/", True)
    for name in ("api_nobody", "%2Fapi%2Fv2%2F", quote("https://nowhere.example", safe="")):
        for method, body in (("GET", None), ("PATCH", {"name": "x"})):
            answer = await world.manage(method, f"/resource-servers/{name}", body)
            assert answer.status_code == 404
            assert answer.json() == {
                "statusCode": 404,
                "error": "Not Found",
                "message": "The resource server does not exist",
                "errorCode": "inexistent_resource_server",
            }


async def test_an_id_comes_before_an_identifier_that_reads_like_it(world: World) -> None:
    first = await made(world)
    await made(world, first["id"], name="Looks alike")
    assert (await world.manage("GET", f"/resource-servers/{first['id']}")).json() == first
    assert (await world.manage("DELETE", f"/resource-servers/{first['id']}")).status_code == 204
    left = (await world.manage("GET", f"/resource-servers/{first['id']}")).json()
    assert left["name"] == "Looks alike"


async def test_lists(world: World) -> None:
    for number in range(3):
        await made(world, f"api-{number}")
    whole = (await world.manage("GET", "/resource-servers")).json()
    page = (await world.manage("GET", "/resource-servers?per_page=2&page=1&include_totals=true")).json()
    assert page == {"start": 2, "limit": 2, "total": 5, "resource_servers": whole[2:4]}
    some = await world.manage("GET", f"/resource-servers?identifiers=api-2&identifiers={PUBLIC_URL}/me/")
    assert {each["identifier"] for each in some.json()} == {f"{PUBLIC_URL}/me/", "api-2"}
    named = await world.manage("GET", "/resource-servers?fields=identifier&identifiers=api-1")
    assert named.json() == [{"identifier": "api-1"}]
    assert (await world.manage("GET", "/resource-servers?per_page=101")).status_code == 400


async def test_nobody_is_called_twice(world: World) -> None:
    await made(world)
    answer = await world.manage("POST", "/resource-servers", {"name": "Again", "identifier": AUDIENCE})
    assert answer.status_code == 409
    assert answer.json() == {
        "statusCode": 409,
        "error": "Conflict",
        "message": "A resource server with the same identifier already exists",
        "errorCode": "conflict",
    }


@pytest.mark.parametrize(
    ("body", "text", "path"),
    [
        ({"identifier": None}, "Missing required property: identifier", ""),
        ({"identifier": 7}, "must be 1 to 600 characters without spaces", "identifier"),
        ({"identifier": ""}, "must be 1 to 600 characters without spaces", "identifier"),
        ({"identifier": "x" * 601}, "must be 1 to 600 characters without spaces", "identifier"),
        ({"identifier": "a b"}, "must be 1 to 600 characters without spaces", "identifier"),
        ({"identifier": "/api/v2/"}, "Identifiers below Keystead's own URL are its own", "identifier"),
        ({"identifier": f"{PUBLIC_URL}/userinfo"}, "Identifiers below Keystead's own URL are its own", "identifier"),
        ({"identifier": f"{PUBLIC_URL}/"}, "Identifiers below Keystead's own URL are its own", "identifier"),
        ({"identifier": PUBLIC_URL}, "Identifiers below Keystead's own URL are its own", "identifier"),
        ({"name": "<b>"}, "String does not match pattern ^[^<>]+$: <b>", "name"),
        ({"name": "x" * 201}, "String is too long (201 chars), maximum 200", "name"),
        ({"colour": "red"}, "Additional properties not allowed: colour", ""),
        ({"scopes": [{"description": "x"}]}, "Missing required property: value", "scopes.0"),
        ({"scopes": ["read"]}, "Expected type object but found type string", "scopes.0"),
        ({"scopes": [{"value": "a b"}]}, "must be ASCII without spaces, quotes or backslashes", "scopes.0.value"),
        ({"scopes": [{"value": "x" * 281}]}, "String is too long (281 chars), maximum 280", "scopes.0.value"),
        (
            {"scopes": [{"value": "a", "description": "x" * 501}]},
            "String is too long (501 chars), maximum 500",
            "scopes.0.description",
        ),
        ({"scopes": [{"value": "a"}, {"value": "a"}]}, "a is there twice", "scopes"),
        (
            {"scopes": [{"value": "openid"}]},
            "openid is a scope of OpenID Connect, which no API has for its own",
            "scopes.0.value",
        ),
        ({"token_lifetime": 0}, "Value 0 is less than minimum 1", "token_lifetime"),
        ({"token_lifetime": 2_592_001}, "Value 2592001 is greater than maximum 2592000", "token_lifetime"),
        ({"token_lifetime": "600"}, "Expected type integer but found type string", "token_lifetime"),
        (
            {"token_lifetime": 600, "token_lifetime_for_web": 601},
            "must not be greater than token_lifetime",
            "token_lifetime_for_web",
        ),
        (
            {"signing_alg": "HS256"},
            "Keystead signs with RS256, ES256 or Ed25519, not with HS256",
            "signing_alg",
        ),
        ({"signing_alg": "none"}, "No enum match for: none", "signing_alg"),
        (
            {"signing_secret": "0123456789abcdef"},
            "Keystead signs access tokens with keys that everybody can check, never with a shared secret",
            "signing_secret",
        ),
        ({"enforce_policies": True}, "Keystead has no roles and permissions of people yet", "enforce_policies"),
        (
            {"token_dialect": "access_token_authz"},
            "Keystead has no permissions to put into access tokens yet",
            "token_dialect",
        ),
        ({"token_encryption": {"format": "x"}}, "Keystead does not encrypt access tokens", "token_encryption"),
        (
            {"proof_of_possession": {"mechanism": "dpop", "required": True}},
            "Keystead's access tokens are bearer tokens",
            "proof_of_possession.required",
        ),
        (
            {"subject_type_authorization": {"client": {"policy": "allow_all"}}},
            "No enum match for: allow_all",
            "subject_type_authorization.client.policy",
        ),
    ],
    ids=str,
)
async def test_what_is_refused(shared_world: World, body: dict[str, Any], text: str, path: str) -> None:
    answer = await shared_world.manage("POST", "/resource-servers", {"name": "x", "identifier": "x"} | body)
    assert answer.status_code == 400
    assert answer.json() == invalid(text, path)


async def test_what_is_switched_off_may_be_said(world: World) -> None:
    off: dict[str, Any] = {
        "enforce_policies": False,
        "token_encryption": None,
        "consent_policy": None,
        "authorization_details": [],
        "authorization_policy": None,
        "allow_online_access": False,
        "proof_of_possession": {"mechanism": "dpop", "required": False},
    }
    found = await made(world, **off)
    assert found == SHOWN | {"id": found["id"], "name": "Books", "identifier": AUDIENCE}


async def test_a_patch_changes_what_it_names(world: World) -> None:
    found = await made(world, scopes=SCOPES, token_lifetime=600)
    assert found["token_lifetime_for_web"] == 600
    path = f"/resource-servers/{found['id']}"
    # What was read may be sent back whole: nothing changes by it.
    assert (await world.manage("PATCH", path, found)).json() == found
    changed = (
        await world.manage("PATCH", path, {"name": "Shelf", "token_lifetime": None, "scopes": SCOPES[:1]})
    ).json()
    assert changed == found | {
        "name": "Shelf",
        "token_lifetime": 86_400,
        "token_lifetime_for_web": 600,
        "scopes": SCOPES[:1],
    }
    policy = {"subject_type_authorization": {"user": {"policy": "deny_all"}}}
    found = (await world.manage("PATCH", path, policy)).json()["subject_type_authorization"]
    assert found == {"user": {"policy": "deny_all"}, "client": {"policy": "require_client_grant"}}
    for body in ({"identifier": "other"}, {"id": "other"}, {"is_system": True}):
        answer = await world.manage("PATCH", path, body)
        assert answer.json() == invalid(f"Additional properties not allowed: {next(iter(body))}", "")


async def test_our_own_apis_change_little_and_never_go(world: World) -> None:
    for name in ("/api/v2/", "/me/"):
        path = f"/resource-servers/{quote(PUBLIC_URL + name, safe='')}"
        before = (await world.manage("GET", path)).json()
        assert (await world.manage("PATCH", path, before)).json() == before
        changed = await world.manage("PATCH", path, {"token_lifetime": 600})
        assert (changed.status_code, changed.json()["token_lifetime"]) == (200, 600)
        refused: list[dict[str, Any]] = [
            {"name": "Mine"},
            {"scopes": []},
            {"allow_offline_access": not before["allow_offline_access"]},
            {"subject_type_authorization": {"user": {"policy": "require_client_grant"}}},
        ]
        for body in refused:
            answer = await world.manage("PATCH", path, body)
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "operation_not_supported"), body
        gone = await world.manage("DELETE", path)
        assert (gone.status_code, gone.json()["errorCode"]) == (400, "operation_not_supported")
        assert (await world.manage("GET", path)).status_code == 200


async def test_a_lifetime_holds_for_the_next_token(world: World) -> None:
    await made(world, token_lifetime=600, scopes=SCOPES)
    await world.person()
    tokens = await world.tokens(audience=AUDIENCE, scope="openid read:books")
    claims = claims_of(tokens["access_token"])
    assert (tokens["expires_in"], claims["exp"] - claims["iat"]) == (600, 600)
    assert claims["aud"] == [AUDIENCE, f"{PUBLIC_URL}/userinfo"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
async def test_tokens_are_signed_as_the_api_says(world: World, algorithm: str) -> None:
    await made(world, signing_alg=algorithm, scopes=SCOPES)
    client = await world.new_client(app_type="non_interactive")
    await world.manage("POST", "/client-grants", {"client_id": client["client_id"], "audience": AUDIENCE})
    machine = await world.token(
        "client_credentials", auth=(client["client_id"], client["client_secret"]), audience=AUDIENCE
    )
    await world.person()
    person = await world.tokens(audience=AUDIENCE, scope="openid read:books")
    published = (await world.client.get("/.well-known/keystead-jwks.json")).json()["keys"]
    for token in (machine.json()["access_token"], person["access_token"]):
        header = header_of(token)
        assert (header["alg"], header["typ"]) == (algorithm, "at+jwt")
        (key,) = [key for key in published if key["kid"] == header["kid"]]
        assert key["alg"] == algorithm
    assert header_of(person["id_token"])["alg"] == "RS256"
    assert (await world.userinfo(person["access_token"])).status_code == 200


async def test_a_deleted_api_is_gone_with_its_grants(world: World) -> None:
    found = await made(world, scopes=SCOPES)
    client = await world.new_client(app_type="non_interactive")
    grant = {"client_id": client["client_id"], "audience": AUDIENCE, "scope": ["read:books"]}
    assert (await world.manage("POST", "/client-grants", grant)).status_code == 201
    shown = client["client_id"], client["client_secret"]
    assert (await world.token("client_credentials", auth=shown, audience=AUDIENCE)).status_code == 200
    before = await world.count(tables.ClientGrant)
    for _ in range(2):
        assert (await world.manage("DELETE", f"/resource-servers/{found['id']}")).status_code == 204
    assert await world.count(tables.ClientGrant) == before - 1
    refused = await world.token("client_credentials", auth=shown, audience=AUDIENCE)
    assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
    # Whoever comes after with the same name is another API, for which nobody was granted anything.
    await made(world, scopes=SCOPES)
    assert (await world.token("client_credentials", auth=shown, audience=AUDIENCE)).status_code == 403


@pytest.mark.parametrize(
    ("method", "scope"), [("GET", "read"), ("POST", "create"), ("PATCH", "update"), ("DELETE", "delete")]
)
async def test_scopes_are_needed(shared_world: World, method: str, scope: str) -> None:
    path = "/resource-servers" + ("" if method in ("GET", "POST") else "/x")
    answer = await shared_world.manage(method, path, {}, scope="read:users")
    assert answer.status_code == 403
    assert answer.json()["message"] == f"Insufficient scope, expected any of: {scope}:resource_servers"


async def test_the_journal_names_what_changed(world: World) -> None:
    found = await made(world)
    await world.manage("PATCH", f"/resource-servers/{found['id']}", {"name": "Other", "token_lifetime": 60})
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Update a resource server")
    assert entry["details"]["changed"] == ["name", "token_lifetime"]
    await world.manage("DELETE", f"/resource-servers/{found['id']}")
    changes = [
        row["details"] for row in await world.rows(tables.JournalRow) if "resource server" in str(row["description"])
    ]
    assert [each["identifier"] for each in changes] == [found["identifier"]] * 3
