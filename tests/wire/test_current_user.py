"""People's own tokens for the Management API: they see themselves, and change their own metadata (2.5)."""

from typing import Any
from urllib.parse import quote

import pytest

from owners import call
from visitor import Visitor, exchange
from world import PUBLIC_URL, World

AUDIENCE = f"{PUBLIC_URL}/api/v2/"
SCOPE = "openid read:current_user update:current_user_metadata"
ANOTHER = "User to be acted on does not match subject in bearer token."


async def token_of(world: World, email: str = "ann@example.com", scope: str = SCOPE, **more: Any) -> str:
    """Log somebody in for the Management API."""
    return str((await world.tokens(email, audience=AUDIENCE, scope=scope, **more))["access_token"])


async def test_a_person_sees_and_describes_themselves(world: World) -> None:
    ann = await world.person()
    path, token = f"/users/{quote(ann)}", await token_of(world)
    seen = await call(world, token, "GET", path)
    assert (seen.status_code, seen.json()["email"]) == (200, "ann@example.com")
    changed = await call(world, token, "PATCH", path, {"user_metadata": {"theme": "dark"}})
    assert (changed.status_code, changed.json()["user_metadata"]) == (200, {"theme": "dark"})
    entry = await world.last_entry()
    assert (entry["actor"], entry["user_id"], entry["client_id"]) == (ann, ann, world.client_id)
    assert entry["details"]["changed"] == ["user_metadata"]
    assert (await call(world, token, "GET", f"{path}?fields=user_metadata")).json() == {
        "user_metadata": {"theme": "dark"}
    }


async def test_of_somebody_else_nothing(world: World) -> None:
    await world.person()
    bea, token = await world.person("bea@example.com"), await token_of(world)
    for path in (f"/users/{quote(bea)}", "/users/auth0%7Cnobody"):
        for method, body in (("GET", None), ("PATCH", {"user_metadata": {}}), ("PATCH", {"blocked": True})):
            answer = await call(world, token, method, path, body)
            assert (answer.status_code, answer.json()["message"]) == (403, ANOTHER)


@pytest.mark.parametrize(
    "member",
    [
        "app_metadata",
        "blocked",
        "email",
        "email_verified",
        "password",
        "name",
        "phone_number",
        "username",
        "connection",
    ],
)
async def test_nothing_but_the_metadata_may_change(world: World, member: str) -> None:
    ann = await world.person()
    before = (await world.manage("GET", f"/users/{quote(ann)}")).json()
    body = {"user_metadata": {"a": 1}, member: None}
    answer = await call(world, await token_of(world), "PATCH", f"/users/{quote(ann)}", body)
    assert (answer.status_code, answer.json()["message"]) == (403, "Insufficient scope, expected any of: update:users")
    after = (await world.manage("GET", f"/users/{quote(ann)}")).json()
    assert {**after, "last_login": "", "updated_at": ""} == {
        **before,
        "last_login": "",
        "updated_at": "",
        "last_ip": after["last_ip"],
        "logins_count": 1,
    }


async def test_each_scope_opens_its_own_half(world: World) -> None:
    path = f"/users/{quote(await world.person())}"
    sees = await token_of(world, scope="read:current_user")
    assert (await call(world, sees, "GET", path)).status_code == 200
    refused = await call(world, sees, "PATCH", path, {"user_metadata": {}})
    assert refused.json()["message"] == (
        "Insufficient scope, expected any of: update:users,update:users_app_metadata,update:current_user_metadata"
    )
    describes = await token_of(world, scope="update:current_user_metadata")
    assert (await call(world, describes, "PATCH", path, {"user_metadata": {}})).status_code == 200
    refused = await call(world, describes, "GET", path)
    assert refused.json()["message"] == "Insufficient scope, expected any of: read:users,read:current_user"
    for scope in ("create:current_user_metadata", "delete:current_user_metadata", "openid"):
        token = await token_of(world, scope=scope)
        assert (await call(world, token, "GET", path)).status_code == 403
        assert (await call(world, token, "PATCH", path, {"user_metadata": {}})).status_code == 403


async def test_what_is_given_is_what_people_may_have(world: World) -> None:
    await world.person()
    found = await world.tokens(audience=AUDIENCE, scope=f"{SCOPE} read:users update:users offline_access")
    assert found["scope"].split() == SCOPE.split()
    assert "refresh_token" not in found
    everything = await world.tokens(audience=AUDIENCE, scope="")
    assert set(everything["scope"].split()) >= {"read:current_user", "update:current_user_metadata"}
    assert not {each for each in everything["scope"].split() if each.endswith(":users")}


@pytest.mark.parametrize("how", ["blocked", "deleted", "signed out", "client deleted", "connection off", "password"])
async def test_what_ends_a_persons_tokens_ends_these(world: World, how: str) -> None:
    client = await world.new_client(app_type="spa", grant_types=["password"])
    ann = await world.person()
    path = f"/users/{quote(ann)}"
    token = await token_of(world, client_id=client["client_id"])
    assert (await call(world, token, "GET", path)).status_code == 200
    world.clock.advance(seconds=1)
    if how == "blocked":
        await world.block(ann)
    elif how == "deleted":
        await world.delete_user(ann)
    elif how == "signed out":
        assert (await world.manage("POST", f"{path}/revoke-access", {})).status_code == 202
    elif how == "client deleted":
        assert (await world.manage("DELETE", f"/clients/{client['client_id']}")).status_code == 204
    elif how == "connection off":
        await world.manage("PATCH", f"/connections/{world.connection_id}", {"authentication": {"active": False}})
    else:
        await world.manage("PATCH", path, {"password": "another horse battery"})
    for method, body in (("GET", None), ("PATCH", {"user_metadata": {}})):
        answer = await call(world, token, method, path, body)
        assert (answer.status_code, answer.json()["message"]) == (401, "Invalid token")


async def test_a_third_party_asks_first(world: World) -> None:
    await world.patch_client(world.client_id, is_first_party=False)
    await world.manage("PATCH", f"/connections/{world.connection_id}", {"is_domain_connection": True})
    ann, visitor = await world.person(), Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(audience=AUDIENCE, scope=SCOPE))
    assert landed.path == "/u/consent"
    assert "Change your preferences" in landed.text
    landed = await visitor.send(landed.form("/u/consent"), action="accept")
    token = (await exchange(world, landed.answer["code"])).json()["access_token"]
    assert (await call(world, token, "GET", f"/users/{quote(ann)}")).status_code == 200


async def test_a_page_of_the_client_may_ask(world: World) -> None:
    await world.patch_client(world.client_id, web_origins=["https://app.example.com"])
    path, token = f"/api/v2/users/{quote(await world.person())}", await token_of(world)
    headers = {"authorization": f"Bearer {token}", "origin": "https://app.example.com", "sec-fetch-site": "cross-site"}
    answer = await world.client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.example.com")
    answer = await world.client.get(path, headers=headers | {"origin": "https://evil.example.com"})
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)


async def test_a_client_may_change_the_app_metadata_alone(world: World) -> None:
    path = f"/users/{quote(await world.person())}"
    scope = "update:users_app_metadata"
    changed = await world.manage("PATCH", path, {"app_metadata": {"plan": "gold"}}, scope=scope)
    assert (changed.status_code, changed.json()["app_metadata"]) == (200, {"plan": "gold"})
    bodies: list[dict[str, object]] = [
        {"user_metadata": {}},
        {"blocked": True},
        {"app_metadata": {}, "email": "x@example.com"},
    ]
    for body in bodies:
        refused = await world.manage("PATCH", path, body, scope=scope)
        assert refused.json()["message"] == "Insufficient scope, expected any of: update:users"


async def test_no_client_has_them_in_its_own_name(world: World) -> None:
    body = {
        "client_id": (await world.new_client(app_type="non_interactive"))["client_id"],
        "audience": world.first["management_audience"],
        "scope": ["read:current_user"],
    }
    answer = await world.manage("POST", "/client-grants", body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_body")
