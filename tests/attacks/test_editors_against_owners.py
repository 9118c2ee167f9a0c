"""What an editor decides for everybody decides nothing about how the owners sign in."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlmodel import Session

from authenticator import Authenticator
from keystead.db import tables, templates
from keystead.db.connections import ConnectionRecord, of_administrators
from keystead.flows.ceremonies import Party
from keystead.rules.messages import LINK_LIFETIME
from keystead.rules.relying_party import RelyingParty
from keystead.rules.templates import MAX_LIFETIME
from owners import AUDIENCE, COMMAND_LINE, Owner, call, confirmed, first_owner, request_of
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

EVIL = "https://login.evil.example"


async def owner_and_editor(world: World) -> tuple[Owner, Owner]:
    """Return an owner, and an editor who means them no good."""
    root = await first_owner(world)
    return root, await root.invites("editor@example.com", "editor")


async def at_password(world: World, email: str = "root@example.com") -> tuple[Visitor, Landed]:
    """Return a browser on the page that asks an administrator for their password."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize(request_of())
    return visitor, await visitor.send(landed.form("/login/identifier"), username=email)


async def guesses(world: World, number: int) -> None:
    """Try passwords of the owner's, so slowly that only the locks that last take note."""
    for each in range(number):
        world.clock.advance(minutes=10)
        visitor, landed = await at_password(world)
        await visitor.send(landed.form("/login/password"), password=f"guess {each}")


# --- passkeys --------------------------------------------------------------------------------------------------------


async def test_an_answer_from_a_page_of_an_editors_opens_nothing(world: World) -> None:
    _, editor = await owner_and_editor(world)
    visitor, landed = await at_password(world)
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    begun, device = await visitor.options(landed, "/passkey-enrollment"), Authenticator()
    made = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    form = Form(landed.form("/u/passkey-enrollment").action)
    await visitor.send(form, auth_session=begun["auth_session"], response=json.dumps(made))
    assert await world.count(tables.Passkey) == 1
    changed = await editor.manage("PATCH", "/keystead/relying-party", {"related_origins": [EVIL]})
    assert changed.status_code == 200, changed.text
    for origin, opens in ((EVIL, False), (PUBLIC_URL, True)):
        attacker = Visitor.of(world)
        at = await attacker.authorize(request_of())
        options = await attacker.options(at, "/login/passkey")
        credential = device.credentials[0]
        answer = device.get(options["authn_params_public_key"], origin=origin, credential=credential)
        sent = {"auth_session": options["auth_session"], "response": json.dumps(answer)}
        got = await confirmed(attacker, await attacker.send(at.form("/login/passkey"), **sent))
        assert (got.response.status_code in (302, 303)) is opens, origin


async def test_no_passkey_of_an_owners_is_made_on_a_page_of_an_editors(world: World) -> None:
    root, editor = await owner_and_editor(world)
    assert root.visitor is not None
    await editor.manage("PATCH", "/keystead/relying-party", {"related_origins": [EVIL]})
    path, device = "/u/account/passkeys", Authenticator()
    for origin, stored in ((EVIL, 0), (PUBLIC_URL, 1)):
        begun: dict[str, Any] = (await root.visitor.send(Form(f"{path}/options"))).response.json()
        made = json.dumps(device.create(begun["authn_params_public_key"], origin=origin))
        await root.visitor.send(Form(path), auth_session=begun["auth_session"], response=made)
        assert await world.count(tables.Passkey) == stored, origin


@pytest.mark.parametrize("client_id", ["", COMMAND_LINE, "keystead-dashboard", "another"])
async def test_whatever_an_editor_says_of_the_relying_party(world: World, client_id: str) -> None:
    """By the connection, not by the client: the page of one's own passkeys is for none."""
    said = RelyingParty(
        id="example.com",
        name="Example",
        origin="https://login.example.com",
        origins=("https://blog.example.com", "android:apk-key-hash:" + "A" * 43),
        related_origins=(EVIL,),
        retiring=("login.example.com",),
    )
    ours = await world.db.read(of_administrators)
    assert isinstance(ours, ConnectionRecord)
    party = Party(client_id, ours, ("https://app.example.net",), page=EVIL)
    assert party.allowed(said) == ("https://login.example.com",)
    assert party.id_at(said) == "example.com"
    theirs = await world.app.state.flows.directory.by_id(world.connection_id, world.client_id)
    assert EVIL in Party(client_id, theirs).allowed(said)


# --- messages --------------------------------------------------------------------------------------------------------


async def test_links_to_administrators_live_and_lead_as_they_are_built_in(world: World) -> None:
    root, editor = await owner_and_editor(world)
    about = {"from": None, "body": None, "subject": None, "syntax": "liquid", "enabled": True}
    evil = {"urlLifetimeInSeconds": MAX_LIFETIME, "resultUrl": f"{EVIL}/signed-in"}
    for template in ("reset_email", "verify_email", "blocked_account"):
        answer = await editor.manage("POST", "/email-templates", {"template": template} | about | evil)
        assert answer.status_code == 200, answer.text
    asked = {"client_id": COMMAND_LINE, "connection": "Administrators", "email": "root@example.com"}
    await world.client.post("/dbconnections/change_password", json=asked)
    await guesses(world, 10)
    subjects = {each.subject for each in await world.letters() if each.to == "root@example.com"}
    assert len(subjects) == 2, subjects
    mailed = [row for row in await world.rows(tables.Ticket) if row["subject"] == root.user_id]
    assert {row["purpose"] for row in mailed} == {"reset-password", "unblock"}
    for row in mailed:
        assert row["expires_at"] - world.clock() <= LINK_LIFETIME + timedelta(seconds=1)
        assert EVIL not in str(row["record"])


async def test_no_template_is_in_force_for_administrators(world: World) -> None:
    _, editor = await owner_and_editor(world)
    written = {"from": None, "body": "x", "subject": None, "syntax": "liquid", "enabled": False}
    await editor.manage("POST", "/email-templates", {"template": "verify_email"} | written)

    def found(session: Session) -> tuple[bool, ...]:
        ours = of_administrators(session)
        assert ours is not None
        ids = (ours.id, world.connection_id, None)
        return tuple(templates.in_force(session, "verify_email", each) is not None for each in ids)

    assert await world.db.read(found) == (False, True, True)


# --- guesses ---------------------------------------------------------------------------------------------------------


async def test_guesses_at_an_owners_password_are_met_whatever_an_editor_switched_off(world: World) -> None:
    _, editor = await owner_and_editor(world)
    everywhere = ["0.0.0.0/0", "::/0"]
    for path, body in (
        (
            "/attack-protection/brute-force-protection",
            {"enabled": False, "allowlist": everywhere, "shields": [], "max_attempts": 100},
        ),
        ("/attack-protection/suspicious-ip-throttling", {"enabled": False, "allowlist": everywhere, "shields": []}),
        ("/keystead/attack-protection", {"lock_scope": "auth0", "max_attempts_by_strangers": 10_000}),
    ):
        changed = await editor.manage("PATCH", path, body)
        assert changed.status_code == 200, changed.text
    await guesses(world, 10)
    visitor, landed = await at_password(world)
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert (landed.path, landed.response.status_code) == ("/u/login/password", 429)
    await world.person("ann@example.com")
    for number in range(11):
        world.clock.advance(minutes=10)
        await world.login("ann@example.com", f"guess {number}")
    assert (await world.login("ann@example.com")).status_code == 200  # for people it is as it was said


# --- sessions and tokens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sessions/{session}", 404),
        ("PATCH", "/sessions/{session}", 404),
        ("DELETE", "/sessions/{session}", 202),  # as where there is none
        ("POST", "/sessions/{session}/revoke", 404),
        ("GET", "/users/{user}/sessions", 404),
        ("DELETE", "/users/{user}/sessions", 404),
        ("GET", "/users/{user}/refresh-tokens", 404),
        ("DELETE", "/users/{user}/refresh-tokens", 404),
        ("POST", "/users/{user}/revoke-access", 404),
        ("DELETE", "/users/{user}", 204),  # as where there is none
        ("PATCH", "/users/{user}", 404),
    ],
)
async def test_an_editor_ends_nothing_of_an_owners(world: World, method: str, path: str, status: int) -> None:
    root, editor = await owner_and_editor(world)
    (here,) = [row["id"] for row in await world.rows(tables.LoginSession) if row["user_id"] == root.user_id]
    body: dict[str, Any] = {"session_metadata": {}} if path.startswith("/sessions") else {"blocked": True}
    wanted = body if method == "PATCH" else {} if method == "POST" else None

    async def answers(session: str, user: str) -> tuple[int, str]:
        where = path.format(session=session, user=quote(user))
        answer = await editor.manage(method, where, wanted)
        return answer.status_code, answer.text

    told = await answers(here, root.user_id)
    assert told[0] == status
    assert told == await answers("sess_nobodys", "auth0|nobody")
    (after,) = [row["id"] for row in await world.rows(tables.LoginSession) if row["user_id"] == root.user_id]
    assert after == here
    assert root.visitor is not None
    assert (await root.visitor.authorize(request_of())).path == "/u/consent"  # signed in, that is
    assert (await root.manage("GET", "/keystead/administrators")).status_code == 200


# --- the Management API itself ---------------------------------------------------------------------------------------


async def test_an_editor_changes_no_api_of_keysteads_own(world: World) -> None:
    root, editor = await owner_and_editor(world)
    where = f"/resource-servers/{quote(AUDIENCE, safe='')}"
    for change in ({"token_lifetime": 2_592_000}, {"token_lifetime": 1}, {"signing_alg": "ES256"}):
        refused = await editor.manage("PATCH", where, change)
        assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope"), change
        assert "update:administrators" in refused.json()["message"]
    before = (await editor.manage("GET", where)).json()
    same = await editor.manage("PATCH", where, {"token_lifetime": before["token_lifetime"]})
    assert same.status_code == 200  # what tools send back as they read it
    narrow = await world.management_token("update:resource_servers")
    assert (await call(world, narrow, "PATCH", where, {"token_lifetime": 60})).status_code == 403
    changed = await root.manage("PATCH", where, {"token_lifetime": 600})
    assert (changed.status_code, changed.json()["token_lifetime"]) == (200, 600)
    own = await editor.manage("POST", "/resource-servers", {"identifier": "https://api.example.com"})
    mine = await editor.manage("PATCH", f"/resource-servers/{own.json()['id']}", {"token_lifetime": 60})
    assert mine.status_code == 200
