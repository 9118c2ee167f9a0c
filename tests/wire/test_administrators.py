"""Administrators: invited, seen, changed and deleted by owners; what their tokens open, and for how long."""

import json
from urllib.parse import quote

import pytest

from authenticator import Authenticator
from keystead.db import tables
from keystead.rules.authority import MANAGEMENT_SCOPES, scopes_of
from owners import (
    CALLBACK,
    call,
    confirmed,
    first_owner,
    follow,
    logged_in,
    path_of,
    redeem,
    request_of,
    signed_in,
)
from visitor import Form, Visitor, authorize_url
from world import PASSWORD, PUBLIC_URL, World, claims_of

LAST = "This is the last owner who can sign in. Make another owner first."


async def test_an_owner_logs_in_and_may_do_everything(world: World) -> None:
    root = await first_owner(world)
    assert root.scope == {*MANAGEMENT_SCOPES, "openid", "profile", "email", "phone", "address"}
    claims = claims_of(root.token)
    assert claims["sub"] == root.user_id
    assert claims["azp"] == "keystead-cli"
    assert claims["exp"] - claims["iat"] == 8 * 3600
    assert (await root.manage("GET", "/users")).status_code == 200
    assert (await root.manage("GET", "/keys/signing")).status_code == 200
    answer = await root.manage("GET", "/keystead/administrators?include_totals=true")
    assert answer.json() == {
        "start": 0,
        "limit": 50,
        "total": 1,
        "administrators": [
            {
                "user_id": root.user_id,
                "email": "root@example.com",
                "name": "root@example.com",
                "role": "owner",
                "blocked": False,
                "invited": False,
                "created_at": "2026-06-01T12:00:00.000Z",
                "last_login": "2026-06-01T12:00:00.000Z",
            }
        ],
    }


async def test_the_journal_names_the_administrator(world: World) -> None:
    root = await first_owner(world)
    assert (await root.manage("POST", "/clients", {"name": "Shop"})).status_code == 201
    entry = await world.last_entry()
    assert (entry["type"], entry["actor"], entry["client_id"]) == ("sapi", root.user_id, "keystead-cli")


async def test_an_invitation_makes_an_account_that_its_link_opens(world: World) -> None:
    root = await first_owner(world)
    answer = await root.manage("POST", "/keystead/administrators", {"email": "Ann@example.com", "role": "editor"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    invited = answer.json()
    assert invited.pop("ticket").startswith(f"{PUBLIC_URL}/u/setup?ticket=")
    assert (invited["email"], invited["role"], invited["invited"]) == ("ann@example.com", "editor", True)
    entry = (await world.last_entry()) | {}
    assert (entry["type"], entry["description"]) == ("sapi", "Invite an administrator")
    assert entry["user_id"] == invited["user_id"]
    assert entry["details"]["role"] == "editor"
    shown = await root.manage("GET", f"/keystead/administrators/{quote(invited['user_id'])}")
    assert shown.json() == invited
    assert "ticket" not in shown.text

    link = answer.json()["ticket"]
    page = await Visitor.of(world).open(link)
    assert "You administer this server as editor." in page.text
    assert 'value="ann@example.com"' in page.text
    assert "readonly" in page.text
    assert (await follow(world, link, "somebody-else@example.com", "short")).status_code == 400
    assert (await follow(world, link, "somebody-else@example.com")).status_code == 200
    assert (await follow(world, link)).status_code == 400
    ann = await logged_in(world, "ann@example.com")
    assert ann.user_id == invited["user_id"]
    assert ann.scope & set(MANAGEMENT_SCOPES) == scopes_of("editor")
    assert await world.journal(ann.user_id) == ["sapi", "ss", "s"]


async def test_the_invitation_is_mailed_in_our_own_words(world: World) -> None:
    body = "<p>{{ url }} <img src='https://evil.example/?{{ url }}'></p>"
    template = {
        "template": "user_invitation",
        "subject": "x",
        "body": body,
        "from": "a@example.com",
        "syntax": "liquid",
    }
    answer = await world.manage("POST", "/email-templates", template | {"enabled": True})
    assert answer.status_code == 200, answer.text
    root = await first_owner(world)
    answer = await root.manage("POST", "/keystead/administrators", {"email": "ann@example.com", "role": "viewer"})
    (letter,) = await world.letters()
    assert letter.to == "ann@example.com"
    assert letter.subject == "You are invited to administer localhost:8000"
    assert answer.json()["ticket"] in letter.text
    assert "evil.example" not in letter.html
    assert "for 7 days" in letter.text


async def test_a_link_ends_with_the_account_and_after_a_week(world: World) -> None:
    root = await first_owner(world)
    links = []
    for email in ("ann@example.com", "bea@example.com"):
        answer = await root.manage("POST", "/keystead/administrators", {"email": email, "role": "viewer"})
        links.append(answer.json())
    await root.manage("DELETE", f"/keystead/administrators/{quote(links[0]['user_id'])}")
    assert (await follow(world, links[0]["ticket"])).status_code == 400
    world.clock.advance(days=7)
    assert (await follow(world, links[1]["ticket"])).status_code == 400


async def test_a_change_of_role_holds_for_the_token_that_is_there(world: World) -> None:
    root = await first_owner(world)
    ann = await root.invites("ann@example.com", "owner")
    assert (await ann.manage("GET", "/keys/signing")).status_code == 200
    answer = await root.patches(ann, role="viewer")
    assert (answer.status_code, answer.json()["role"]) == (200, "viewer")
    assert (await ann.manage("GET", "/users")).status_code == 200
    refused = await ann.manage("GET", "/keys/signing")
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "Insufficient scope, expected any of: read:signing_keys",
    )
    assert (await root.patches(ann, role="owner")).status_code == 200
    assert (await ann.manage("GET", "/keys/signing")).status_code == 200


@pytest.mark.parametrize("how", ["blocked", "deleted", "logged out"])
async def test_whoever_is_gone_has_no_token_any_more(world: World, how: str) -> None:
    root = await first_owner(world)
    ann = await root.invites("ann@example.com", "editor")
    if how == "blocked":
        assert (await root.patches(ann, blocked=True)).json()["blocked"] is True
    elif how == "deleted":
        assert (await root.deletes(ann)).status_code == 204
    else:
        assert ann.visitor is not None
        await ann.visitor.open("/v2/logout")
    answer = await ann.manage("GET", "/users")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid token")
    landed = await Visitor.of(world).authorize(request_of())
    assert "/u/login" in landed.path


async def test_a_block_keeps_out_until_it_is_lifted(world: World) -> None:
    root = await first_owner(world)
    ann = await root.invites("ann@example.com", "editor")
    await root.patches(ann, blocked=True)
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(request_of()), "ann@example.com")
    assert landed.answer["error"] == "unauthorized"
    assert (await root.patches(ann, blocked=False)).json()["blocked"] is False
    assert (await logged_in(world, "ann@example.com")).user_id == ann.user_id


async def test_the_last_owner_stays(world: World) -> None:
    root = await first_owner(world)
    ann = await root.invites("ann@example.com", "editor")
    waiting = await root.manage("POST", "/keystead/administrators", {"email": "bea@example.com", "role": "owner"})
    for answer in (
        await root.deletes(root),
        await root.patches(root, role="editor"),
        await root.patches(root, blocked=True),
        await world.manage("DELETE", path_of(root)),
    ):
        assert (answer.status_code, answer.json()["message"]) == (400, LAST)
        assert answer.json()["errorCode"] == "operation_not_supported"
    assert (
        await root.manage("DELETE", f"/keystead/administrators/{quote(waiting.json()['user_id'])}")
    ).status_code == 204
    assert (await root.patches(root, role="owner")).status_code == 200
    assert (await root.patches(ann, role="owner")).status_code == 200
    assert (await root.deletes(root)).status_code == 204
    ann = await logged_in(world, "ann@example.com")  # the token of before holds what an editor may
    assert (await ann.patches(ann, role="viewer")).json()["message"] == LAST


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing required property: email"),
        ({"email": "ann@example.com"}, "Missing required property: role"),
        ({"email": "ann@example.com", "role": "king"}, "No enum match for: king"),
        ({"email": 1, "role": "owner"}, "Expected type string but found type integer"),
        ({"email": "ann", "role": "owner"}, ""),
        ({"email": "ann@example.com", "role": "owner", "user_id": "x"}, "Additional properties not allowed: user_id"),
    ],
)
async def test_invitations_that_are_none(world: World, body: dict[str, object], text: str) -> None:
    root = await first_owner(world)
    answer = await root.manage("POST", "/keystead/administrators", body)
    assert answer.status_code == 400
    assert text in answer.json()["message"]
    assert await world.count(tables.Administrator) == 1


async def test_an_address_has_one_administrator(world: World) -> None:
    root = await first_owner(world)
    answer = await root.manage("POST", "/keystead/administrators", {"email": "ROOT@example.com", "role": "viewer"})
    assert (answer.status_code, answer.json()["message"]) == (409, "The user already exists.")
    await world.person("ann@example.com")
    assert await root.invites("ann@example.com", "viewer")


async def test_nobody_who_is_not_there(world: World) -> None:
    root, path = await first_owner(world), "/keystead/administrators/auth0%7Cnobody"
    for method, body in (("GET", None), ("PATCH", {"role": "viewer"})):
        answer = await root.manage(method, path, body)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_user")
    assert (await root.manage("DELETE", path)).status_code == 204
    assert (await root.manage("PATCH", path, {})).status_code == 400
    person = await world.person()
    assert (await root.manage("GET", f"/keystead/administrators/{quote(person)}")).status_code == 404
    assert (await root.manage("DELETE", f"/keystead/administrators/{quote(person)}")).status_code == 204
    assert (await root.manage("GET", f"/users/{quote(person)}")).status_code == 200


async def add_passkey(world: World, device: Authenticator) -> None:
    """Take the offer of a passkey, as the first owner."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize(request_of())
    landed = await visitor.send(landed.form("/login/identifier"), username="root@example.com")
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    begun = await visitor.options(landed, "/passkey-enrollment")
    made = json.dumps(device.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    form = Form(landed.form("/u/passkey-enrollment").action)
    await visitor.send(form, auth_session=begun["auth_session"], response=made)


async def test_an_administrator_s_passkey_is_nobody_s_to_ask_for(world: World) -> None:
    """Neither the answer nor the journal says that it is there."""
    root = await first_owner(world)
    await add_passkey(world, Authenticator())
    before = await world.journal(root.user_id)
    answer = await world.manage("DELETE", f"/users/{quote(root.user_id)}/authentication-methods")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await world.journal(root.user_id) == before
    assert await world.count(tables.Passkey) == 1


async def test_a_passkey_lets_administrators_in_as_anybody(world: World) -> None:
    await first_owner(world)
    device = Authenticator()
    await add_passkey(world, device)
    other = Visitor.of(world)
    landed = await confirmed(other, await other.log_in_with(device, await other.authorize(request_of())))
    found = (await redeem(world, landed.answer["code"])).json()
    assert claims_of(found["access_token"])["amr"] == ["phr"]
    assert (await call(world, found["access_token"], "GET", "/keystead/administrators")).status_code == 200


async def test_what_is_asked_for_is_what_is_given(world: World) -> None:
    root = await first_owner(world)
    ann = await root.invites("ann@example.com", "viewer")
    narrow = await logged_in(world, "root@example.com", scope="openid read:users offline_access nothing:such")
    assert narrow.scope == {"openid", "read:users"}
    refused = await narrow.manage("GET", "/clients")
    assert refused.status_code == 403
    wide = await logged_in(world, "ann@example.com", scope="openid create:users read:users read:administrators")
    assert wide.user_id == ann.user_id
    assert wide.scope == {"openid", "read:users"}
    assert await world.count(tables.RefreshToken) == 0


async def test_an_administrators_token_is_for_our_own_apis(world: World) -> None:
    await first_owner(world)
    await world.manage("POST", "/resource-servers", {"identifier": "https://api.example.com"})
    landed = await Visitor.of(world).authorize(request_of(audience="https://api.example.com"))
    assert landed.answer["error"] == "access_denied"
    mine = await logged_in(world, "root@example.com", audience=f"{PUBLIC_URL}/me/", scope="openid read:me:factors")
    assert mine.scope == {"openid", "read:me:factors"}
    assert (await mine.manage("GET", "/users")).status_code == 401


async def test_keysteads_own_clients_are_nobodys_to_see_or_change(world: World) -> None:
    listed = (await world.manage("GET", "/clients?include_totals=true")).json()
    assert listed["total"] == len(listed["clients"]) == 2
    for client_id in ("keystead-cli", "keystead-dashboard"):
        for method, path, body in (
            ("GET", f"/clients/{client_id}", None),
            ("PATCH", f"/clients/{client_id}", {"callbacks": ["https://evil.example/"]}),
            ("POST", f"/clients/{client_id}/rotate-secret", {}),
            ("GET", f"/clients/{client_id}/credentials", None),
            (
                "POST",
                "/client-grants",
                {"client_id": client_id, "audience": world.first["management_audience"], "scope": []},
            ),
            ("PATCH", f"/connections/{world.connection_id}/clients", [{"client_id": client_id, "status": True}]),
        ):
            answer = await world.manage(method, path, body)
            assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_client"), path
        deleted = await world.manage("DELETE", f"/clients/{client_id}")
        assert (deleted.status_code, deleted.json()["errorCode"]) == (400, "operation_not_supported")
        body = {"name": "Third", "strategy": "auth0", "enabled_clients": [client_id]}
        assert (await world.manage("POST", "/connections", body)).status_code == 400
    await world.new_client("Another")
    await world.new_connection("Second")
    enabled = {(row["client_id"], row["connection_id"]) for row in await world.rows(tables.EnabledClient)}
    (administrators,) = [row["id"] for row in await world.rows(tables.Connection) if row["for_administrators"]]
    assert {row for row in enabled if row[1] == administrators or row[0].startswith("keystead-")} == {
        ("keystead-cli", administrators),
        ("keystead-dashboard", administrators),
    }


@pytest.mark.parametrize(
    ("redirect_uri", "good"),
    [
        ("http://127.0.0.1:1234/callback", True),
        ("http://127.0.0.1/callback", True),
        ("http://localhost:1234/callback", False),
        ("http://[::1]:1234/callback", False),
        ("http://127.0.0.1:1234/other", False),
        ("http://127.0.0.1.evil.example/callback", False),
        ("https://127.0.0.1/callback", False),
    ],
)
async def test_where_the_command_line_is_sent_back_to(world: World, redirect_uri: str, good: bool) -> None:
    landed = await Visitor.of(world).authorize(request_of(redirect_uri=redirect_uri))
    assert landed.response.status_code == (200 if good else 400)


async def test_the_dashboards_own_client(world: World) -> None:
    await first_owner(world)
    visitor, back = Visitor.of(world), f"{PUBLIC_URL}/dashboard/"
    asked = request_of(client_id="keystead-dashboard", redirect_uri=back)
    landed = await visitor.send((await visitor.authorize(asked)).form("/login/identifier"), username="root@example.com")
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    form = landed.form("/u/passkey-enrollment")
    answer = await visitor.client.post(form.action, data={"action": "skip"}, headers={"origin": PUBLIC_URL})
    while answer.headers["location"].startswith("/u/"):
        answer = await visitor.client.get(answer.headers["location"])
    assert answer.headers["location"].startswith(f"{back}?code=")


async def test_the_command_line_is_never_let_in_unasked(world: World) -> None:
    """Any program on the device can listen at a port: somebody must say that it was they who began."""
    root = await first_owner(world)
    assert root.visitor is not None
    for _ in range(2):  # a yes is for one time
        at = await root.visitor.authorize(request_of(redirect_uri="http://127.0.0.1:31337/callback"))
        assert at.path == "/u/consent"
        assert "Keystead Command Line" in at.text
        assert "127.0.0.1:31337" in at.text
        silent = await root.visitor.authorize(request_of(prompt="none"))
        assert silent.answer["error"] == "interaction_required"
        assert "code" in (await confirmed(root.visitor, at)).answer
    dashboard = request_of(client_id="keystead-dashboard", redirect_uri=f"{PUBLIC_URL}/dashboard/", prompt="none")
    answer = await root.visitor.client.get(authorize_url(world, dashboard))
    assert answer.headers["location"].startswith(f"{PUBLIC_URL}/dashboard/?code=")


async def test_a_code_goes_to_the_client_that_asked(world: World) -> None:
    await first_owner(world)
    visitor = Visitor.of(world)
    landed = await signed_in(visitor, await visitor.authorize(request_of()), "root@example.com")
    for client_id in ("keystead-dashboard", world.client_id):
        answer = await redeem(world, landed.answer["code"], client_id)
        assert answer.status_code == 403
    assert landed.target.startswith(CALLBACK)


async def test_no_scope_but_that_of_the_route(world: World) -> None:
    root = await first_owner(world)
    narrow = await logged_in(world, "root@example.com", scope="openid read:administrators")
    assert (await narrow.manage("GET", path_of(root))).status_code == 200
    assert (await narrow.manage("DELETE", path_of(root))).status_code == 403
    assert (await call(world, narrow.token, "POST", "/keystead/administrators", {})).status_code == 403
