"""Administrators see sessions, refresh tokens and consents, and end them (TK-5, TK-6)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from keystead.db import sessions, tables
from keystead.db.refresh_tokens import TokenFilter
from keystead.db.sessions import SessionRecord
from keystead.flows import access
from keystead.flows.operations import Operation
from keystead.rules.events import Caller
from visitor import Visitor, exchange
from world import PASSWORD, World

USER_AGENT = "Browser/1.0 (test)"
LIVE = {
    *("id", "user_id", "created_at", "updated_at", "authenticated_at", "idle_expires_at", "expires_at"),
    *("last_interacted_at", "device", "clients", "authentication", "cookie"),
}


async def signed_in(world: World, scope: str = "openid offline_access", **more: Any) -> tuple[Visitor, dict[str, Any]]:
    """Let Ann sign in with a browser, and return it with the tokens that her app got."""
    visitor = Visitor.of(world)
    visitor.client.headers["user-agent"] = USER_AGENT
    landed = await visitor.log_in(await visitor.authorize(scope=scope, **more))
    answer = await exchange(world, landed.answer["code"])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return visitor, found


async def sessions_of(world: World, user_id: str, **query: Any) -> list[dict[str, Any]]:
    answer = await world.manage("GET", f"/users/{quote(user_id)}/sessions", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


async def tokens_of(world: World, user_id: str) -> list[dict[str, Any]]:
    answer = await world.manage("GET", f"/users/{quote(user_id)}/refresh-tokens")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["tokens"]
    return found


async def silently(visitor: Visitor) -> dict[str, str]:
    """What the browser's session is still worth."""
    return (await visitor.authorize(prompt="none")).answer


async def test_a_session_is_shown(world: World) -> None:
    user_id = await world.person()
    await signed_in(world)
    (found,) = await sessions_of(world, user_id)
    assert found.keys() == LIVE
    assert found["user_id"] == user_id
    assert found["created_at"] == found["authenticated_at"] == "2026-06-01T12:00:00.000Z"
    assert found["idle_expires_at"] == "2026-06-04T12:00:00.000Z"
    assert found["expires_at"] == "2026-06-08T12:00:00.000Z"
    assert found["device"] == {
        "initial_ip": "203.0.113.9",
        "initial_user_agent": USER_AGENT,
        "last_ip": "203.0.113.9",
        "last_user_agent": USER_AGENT,
    }
    assert found["clients"] == [{"client_id": world.client_id}]
    assert found["authentication"] == {"methods": [{"name": "pwd", "timestamp": "2026-06-01T12:00:00.000Z"}]}
    assert found["cookie"] == {"mode": "persistent"}
    assert (await world.manage("GET", f"/sessions/{found['id']}")).json() == found


async def test_sessions_are_listed_in_parts(world: World) -> None:
    user_id = await world.person()
    for _ in range(3):
        await signed_in(world)
    answer = await world.manage(
        "GET", f"/users/{quote(user_id)}/sessions", params={"take": 2, "include_totals": "true"}
    )
    first = answer.json()
    assert (len(first["sessions"]), first["total"]) == (2, 3)
    rest = await sessions_of(world, user_id, **{"from": first["next"], "take": 2})
    assert {each["id"] for each in [*first["sessions"], *rest]} == {
        each["id"] for each in await sessions_of(world, user_id)
    }
    assert len(rest) == 1
    assert (await world.manage("GET", f"/users/{quote(user_id)}/sessions?take=101")).status_code == 400
    assert (await world.manage("GET", "/users/auth0%7Cnobody/sessions")).status_code == 404


async def test_notes_about_a_session(world: World) -> None:
    user_id = await world.person()
    await signed_in(world)
    (found,) = await sessions_of(world, user_id)
    path = f"/sessions/{found['id']}"
    answer = await world.manage("PATCH", path, {"session_metadata": {"till": "3"}})
    assert (answer.status_code, answer.json()["session_metadata"]) == (200, {"till": "3"})
    answer = await world.manage("PATCH", path, {"session_metadata": {"other": "x"}})
    assert answer.json()["session_metadata"] == {"other": "x"}, "replaced as a whole"
    assert "session_metadata" not in (await world.manage("PATCH", path, {"session_metadata": None})).json()


BAD_NOTES: list[tuple[dict[str, Any], str]] = [
    ({}, "Missing required property: {}"),
    ({"other": 1}, "Additional properties not allowed: other"),
    ({"{}": []}, "Expected type object but found type array"),
    ({"{}": {str(each): "x" for each in range(26)}}, "Too many properties defined (26), maximum 25"),
    ({"{}": {"a": "x" * 256}}, "String is too long (256 chars), maximum 255"),
    ({"{}": {"x" * 256: "a"}}, "String is too long (256 chars), maximum 255"),
    ({"{}": {"a": {"b": "c"}}}, "Expected type string but found type object"),
]


@pytest.mark.parametrize(("body", "text"), BAD_NOTES, ids=[text for _, text in BAD_NOTES])
async def test_notes_that_are_refused(world: World, body: dict[str, Any], text: str) -> None:
    user_id = await world.person()
    await signed_in(world)
    (session,), (token,) = await sessions_of(world, user_id), await tokens_of(world, user_id)
    for path, name in (
        (f"/sessions/{session['id']}", "session_metadata"),
        (f"/refresh-tokens/{token['id']}", "refresh_token_metadata"),
    ):
        answer = await world.manage("PATCH", path, {key.format(name): value for key, value in body.items()})
        assert answer.status_code == 400
        assert text.format(name) in answer.json()["message"]


async def test_a_session_is_deleted_and_offline_access_stays(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    (found,) = await sessions_of(world, user_id)
    answer = await world.manage("DELETE", f"/sessions/{found['id']}")
    assert (answer.status_code, answer.json()) == (202, {})
    assert (await silently(visitor))["error"] == "login_required"
    assert (await world.userinfo(tokens["access_token"])).status_code == 401
    fresh = await world.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert fresh.status_code == 200
    assert (await world.userinfo(fresh.json()["access_token"])).status_code == 200, "it belongs to no session now"
    assert (await tokens_of(world, user_id))[0]["session_id"] is None
    assert (await world.manage("DELETE", f"/sessions/{found['id']}")).status_code == 202, "again, and nothing happens"
    assert (await world.manage("GET", f"/sessions/{found['id']}")).status_code == 404


async def test_a_session_is_revoked_with_its_refresh_tokens(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    other, others = await signed_in(world)
    mine = next(each for each in await tokens_of(world, user_id) if each["session_id"])
    revoked = await world.manage("POST", f"/sessions/{mine['session_id']}/revoke")
    assert (revoked.status_code, revoked.json()) == (202, {})
    worth = [(await silently(each)).get("error", "") for each in (visitor, other)]
    assert sorted(worth) == ["", "login_required"]
    answers = [await world.token("refresh_token", refresh_token=each["refresh_token"]) for each in (tokens, others)]
    assert sorted(each.status_code for each in answers) == [200, 403]
    assert (await world.manage("POST", f"/sessions/{mine['session_id']}/revoke")).status_code == 404
    assert "sapi" in await world.journal(user_id)


async def test_refresh_tokens_are_shown(world: World) -> None:
    user_id = await world.person()
    _, tokens = await signed_in(world)
    (found,) = await tokens_of(world, user_id)
    (session,) = await sessions_of(world, user_id)
    assert found == {
        "id": found["id"],
        "user_id": user_id,
        "created_at": "2026-06-01T12:00:00.000Z",
        "idle_expires_at": "2026-06-16T12:00:00.000Z",
        "expires_at": "2026-07-01T12:00:00.000Z",
        "device": {
            "initial_ip": "203.0.113.9",
            "initial_user_agent": "python-httpx/" + found["device"]["initial_user_agent"].partition("/")[2],
            "last_ip": "203.0.113.9",
            "last_user_agent": found["device"]["initial_user_agent"],
        },
        "client_id": world.client_id,
        "session_id": session["id"],
        "rotating": False,
        "resource_servers": [{"audience": "http://localhost:8000/userinfo", "scopes": "openid offline_access"}],
        "last_exchanged_at": None,
    }
    assert (await world.manage("GET", f"/refresh-tokens/{found['id']}")).json() == found
    listed = (await world.manage("GET", "/refresh-tokens", params={"user_id": user_id, "fields": "id"})).json()
    assert listed == {"refresh_tokens": [{"id": found["id"]}]}
    other = await world.manage("GET", "/refresh-tokens", params={"user_id": user_id, "client_id": "another"})
    assert other.json() == {"refresh_tokens": []}
    assert (await world.manage("GET", "/refresh-tokens")).status_code == 400
    world.clock.advance(hours=1)
    await world.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert (await tokens_of(world, user_id))[0]["last_exchanged_at"] == "2026-06-01T13:00:00.000Z"


async def test_a_rotated_token_is_none_and_its_notes_go_on(world: World) -> None:
    user_id = await world.person()
    await world.patch_client(
        world.client_id, refresh_token={"rotation_type": "rotating", "expiration_type": "expiring"}
    )
    _, tokens = await signed_in(world)
    (before,) = await tokens_of(world, user_id)
    await world.manage("PATCH", f"/refresh-tokens/{before['id']}", {"refresh_token_metadata": {"of": "Ann's phone"}})
    world.clock.advance(hours=1)
    headers = {"user-agent": "App/2"}
    body = {"grant_type": "refresh_token", "client_id": world.client_id, "refresh_token": tokens["refresh_token"]}
    await world.client.post("/oauth/token", json=body, headers=headers)
    (after,) = await tokens_of(world, user_id)
    assert after["id"] != before["id"]
    assert after["rotating"] is True
    assert after["refresh_token_metadata"] == {"of": "Ann's phone"}
    assert after["created_at"] == before["created_at"]
    assert after["last_exchanged_at"] == "2026-06-01T13:00:00.000Z"
    assert after["device"]["initial_user_agent"] == before["device"]["initial_user_agent"]
    assert after["device"]["last_user_agent"] == "App/2"
    assert (await world.manage("GET", f"/refresh-tokens/{before['id']}")).status_code == 404


async def test_a_refresh_token_is_deleted(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    (found,) = await tokens_of(world, user_id)
    answer = await world.manage("DELETE", f"/refresh-tokens/{found['id']}")
    assert (answer.status_code, answer.json()) == (202, {})
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 403
    assert "code" in await silently(visitor), "the session lives"
    assert (await world.manage("DELETE", f"/refresh-tokens/{found['id']}")).status_code == 202


BODIES: list[dict[str, Any]] = [
    {"ids": ["{id}"]},
    {"user_id": "{user_id}"},
    {"client_id": "{client_id}"},
    {"user_id": "{user_id}", "client_id": "{client_id}"},
    {"user_id": "{user_id}", "audience": ""},
]


@pytest.mark.parametrize("body", BODIES, ids=[" ".join(body) for body in BODIES])
async def test_refresh_tokens_are_revoked_in_bulk(world: World, body: dict[str, Any]) -> None:
    user_id = await world.person()
    _, tokens = await signed_in(world)
    (found,) = await tokens_of(world, user_id)
    fill = {"id": found["id"], "user_id": user_id, "client_id": world.client_id}
    filled: dict[str, Any] = {
        name: [each.format(**fill) for each in value] if isinstance(value, list) else value.format(**fill)
        for name, value in body.items()
    }
    if "audience" in filled:
        assert (await world.manage("POST", "/refresh-tokens/revoke", filled)).status_code == 400
        filled["audience"] = "https://another.example"
        assert (await world.manage("POST", "/refresh-tokens/revoke", filled)).status_code == 202
        assert len(await tokens_of(world, user_id)) == 1, "it is for another audience"
        return
    answer = await world.manage("POST", "/refresh-tokens/revoke", filled)
    assert (answer.status_code, answer.json()) == (202, {})
    assert await tokens_of(world, user_id) == []
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 403


async def test_refresh_tokens_of_many_are_revoked_account_by_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's login waits for all of a client's people; what was done stays, and asking again ends the rest."""
    monkeypatch.setattr(access, "AT_ONCE", 2)
    addresses = [f"p{number}@example.com" for number in range(5)]
    people = sorted([await world.person(each) for each in addresses])
    for each in addresses * 2:
        await world.tokens(each, scope="openid offline_access")
    pieces, ours = 0, world.app.state.flows.management.access

    def killed() -> datetime:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            raise TimeoutError("the process ends")
        return world.clock()

    operation = Operation(world.client_id, Caller(), "POST", "/api/v2/refresh-tokens/revoke")
    with pytest.raises(TimeoutError):
        await replace(ours, clock=killed).end_tokens(TokenFilter(client_id=world.client_id), operation)
    left = [row["user_id"] for row in await world.rows(tables.RefreshToken)]
    assert (len(left), len(set(left))) == (2, 1), "the one account that was not reached has both its tokens"
    answer = await world.manage("POST", "/refresh-tokens/revoke", {"client_id": world.client_id})
    assert answer.status_code == 202
    assert await world.count(tables.RefreshToken) == 0
    entries = [row for row in await world.rows(tables.JournalRow) if row["description"] == "Delete refresh tokens"]
    assert sorted(row["user_id"] for row in entries) == people, "one entry for each account"


@pytest.mark.parametrize(
    "body", [{}, {"audience": "x"}, {"ids": []}, {"ids": ["a"], "user_id": "b"}, {"ids": "a"}, {"x": 1}]
)
async def test_bulk_revocations_of_nobody_in_particular(world: World, body: dict[str, Any]) -> None:
    assert (await world.manage("POST", "/refresh-tokens/revoke", body)).status_code == 400


async def test_all_of_a_user(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    assert (await world.manage("DELETE", f"/users/{quote(user_id)}/sessions")).status_code == 202
    assert (await silently(visitor))["error"] == "login_required"
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200
    assert (await world.manage("DELETE", f"/users/{quote(user_id)}/refresh-tokens")).status_code == 202
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 403
    for what in ("sessions", "refresh-tokens"):
        assert (await world.manage("DELETE", f"/users/auth0%7Cnobody/{what}")).status_code == 404


async def test_access_is_revoked(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    direct = await world.tokens(scope="openid offline_access")
    world.clock.advance(seconds=1)
    answer = await world.manage("POST", f"/users/{quote(user_id)}/revoke-access", {})
    assert (answer.status_code, answer.json()) == (202, {})
    assert (await silently(visitor))["error"] == "login_required"
    for each in (tokens, direct):
        assert (await world.userinfo(each["access_token"])).status_code == 401
        assert (await world.token("refresh_token", refresh_token=each["refresh_token"])).status_code == 403
    assert (await world.login()).status_code == 200


async def test_access_is_revoked_but_for_refresh_tokens(world: World) -> None:
    user_id = await world.person()
    visitor, tokens = await signed_in(world)
    body = {"preserve_refresh_tokens": True}
    assert (await world.manage("POST", f"/users/{quote(user_id)}/revoke-access", body)).status_code == 202
    assert (await silently(visitor))["error"] == "login_required"
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200


async def test_access_is_revoked_of_one_session(world: World) -> None:
    user_id = await world.person()
    eve = await world.person("eve@example.com")
    visitor, tokens = await signed_in(world)
    (found,) = await sessions_of(world, user_id)
    body = {"session_id": found["id"]}
    assert (await world.manage("POST", f"/users/{quote(eve)}/revoke-access", body)).status_code == 404
    assert "code" in await silently(visitor)
    assert (await world.manage("POST", f"/users/{quote(user_id)}/revoke-access", body)).status_code == 202
    assert (await silently(visitor))["error"] == "login_required"
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 403


@pytest.mark.parametrize(
    "body", [{"session_id": 5}, {"session_id": "x" * 51}, {"preserve_refresh_tokens": "yes"}, {"x": 1}]
)
async def test_revocations_of_access_that_are_refused(world: World, body: dict[str, Any]) -> None:
    user_id = await world.person()
    assert (await world.manage("POST", f"/users/{quote(user_id)}/revoke-access", body)).status_code == 400


SCOPES = [
    ("GET", "/sessions/x", "read:sessions"),
    ("PATCH", "/sessions/x", "update:sessions"),
    ("DELETE", "/sessions/x", "delete:sessions"),
    ("POST", "/sessions/x/revoke", "delete:sessions"),
    ("POST", "/sessions/x/revoke", "delete:refresh_tokens"),
    ("GET", "/users/x/sessions", "read:sessions"),
    ("DELETE", "/users/x/sessions", "delete:sessions"),
    ("GET", "/users/x/refresh-tokens", "read:refresh_tokens"),
    ("DELETE", "/users/x/refresh-tokens", "delete:refresh_tokens"),
    ("POST", "/users/x/revoke-access", "delete:sessions"),
    ("POST", "/users/x/revoke-access", "delete:refresh_tokens"),
    ("GET", "/refresh-tokens", "read:refresh_tokens"),
    ("POST", "/refresh-tokens/revoke", "delete:refresh_tokens"),
    ("GET", "/refresh-tokens/x", "read:refresh_tokens"),
    ("PATCH", "/refresh-tokens/x", "update:refresh_tokens"),
    ("DELETE", "/refresh-tokens/x", "delete:refresh_tokens"),
    ("GET", "/grants", "read:grants"),
    ("DELETE", "/grants", "delete:grants"),
    ("DELETE", "/grants/x", "delete:grants"),
    ("GET", "/tenants/settings", "read:tenant_settings"),
    ("PATCH", "/tenants/settings", "update:tenant_settings"),
    ("GET", "/keystead/sessions", "read:tenant_settings"),
    ("PATCH", "/keystead/sessions", "update:tenant_settings"),
]


@pytest.mark.parametrize(("method", "path", "scope"), SCOPES)
async def test_each_needs_its_scope(shared_world: World, method: str, path: str, scope: str) -> None:
    """All others are held, and the one that it needs is not."""
    every = {needed for _, _, needed in SCOPES} - {scope}
    answer = await shared_world.manage(
        method, path, {} if method in ("POST", "PATCH") else None, scope=" ".join(sorted(every))
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope")


async def test_administrators_are_out_of_reach(world: World) -> None:
    setup = Visitor.of(world)
    page = await setup.open(world.first["administrator_setup_url"])
    await setup.send(page.form(), email="root@example.com", password=PASSWORD, password_repeated=PASSWORD)
    (root,) = await world.rows(tables.Administrator)
    later = world.clock() + timedelta(hours=1)
    record = SessionRecord("of-root", root["user_id"], [], world.clock(), world.clock(), later, later)
    await world.db.write(sessions.put, record, "secret", Caller())
    path = f"/users/{quote(root['user_id'])}"
    assert (await world.manage("GET", f"{path}/sessions")).status_code == 404
    assert (await world.manage("DELETE", f"{path}/sessions")).status_code == 404
    assert (await world.manage("POST", f"{path}/revoke-access", {})).status_code == 404
    assert (await world.manage("GET", "/sessions/of-root")).status_code == 404
    assert (await world.manage("DELETE", "/sessions/of-root")).status_code == 202
    assert await world.open_sessions() == 1
