"""The Signal API, as data for clients and as what pages carry: whom it names, and that it never names a stranger."""

import html
import json
import re
from typing import Any

import httpx
import pytest

from account import MyAccount
from authenticator import Authenticator, b64url
from keystead.db import tables
from visitor import Landed, Visitor
from world import PUBLIC_URL, World, claims_of

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

Said = list[dict[str, Any]]


def said(landed: Landed) -> Said:
    """Return what a page tells the browser."""
    found = re.search(r'<main class="card" data-signals="([^"]*)"', landed.text)
    if found is None:
        assert "/static/js/signals.js" not in landed.text
        return []
    assert '<script type="module" src="/static/js/signals.js">' in landed.text
    signals: Said = json.loads(html.unescape(found[1]))
    return signals


def accepted(handle: bytes, *devices: Authenticator, rp_id: str = "localhost") -> dict[str, Any]:
    ids = [b64url(device.credentials[0].id) for device in devices]
    options = {"rpId": rp_id, "userId": b64url(handle), "allAcceptedCredentialIds": ids}
    return {"type": "allAcceptedCredentials", "options": options}


def named(handle: bytes, name: str, display_name: str = "") -> dict[str, Any]:
    options = {"rpId": "localhost", "userId": b64url(handle), "name": name, "displayName": display_name or name}
    return {"type": "currentUserDetails", "options": options}


def unknown(device: Authenticator) -> dict[str, Any]:
    options = {"rpId": "localhost", "credentialId": b64url(device.credentials[0].id)}
    return {"type": "unknownCredential", "options": options}


async def in_the_hands_of(world: World, device: Authenticator) -> MyAccount:
    """Log in with a passkey, for the My Account API."""
    scope = " ".join(f"{verb}:me:authentication_methods" for verb in ("read", "create", "delete"))
    answer = await world.passkey_login(device, audience=f"{PUBLIC_URL}/me/", scope=scope)
    return await MyAccount.of(world, answer.json()["access_token"])


# --- as data -------------------------------------------------------------------------------------------------------


async def test_what_holds_now(world: World) -> None:
    """After a login, an addition, a removal, a new address, a new name: one answer, of how things stand."""
    first, second = Authenticator(), Authenticator()
    tokens = await world.register(first)
    user_id, handle = claims_of(tokens["id_token"])["sub"], first.credentials[0].user_handle
    account = await in_the_hands_of(world, first)
    assert await account.signals() == [accepted(handle, first), named(handle, "ann@example.com")]
    world.clock.advance(seconds=1)
    made = await account.enrols(second)
    assert await account.signals() == [accepted(handle, first, second), named(handle, "ann@example.com")]
    await world.manage("PATCH", f"/users/{user_id}", {"name": "Ann <b>"})
    account = await in_the_hands_of(world, first)
    assert (await account.signals())[1] == named(handle, "ann@example.com", "Ann <b>")
    await world.manage("PATCH", f"/users/{user_id}", {"email": "bea@example.com"})
    account = await in_the_hands_of(world, second)
    assert (await account.signals())[1] == named(handle, "bea@example.com", "Ann <b>")
    (row,) = [row for row in await world.rows(tables.Passkey) if row["id"] != made["id"]]
    assert (await account.call("DELETE", f"/{row['id']}")).status_code == 204
    account = await in_the_hands_of(world, second)
    assert (await account.signals())[0] == accepted(handle, second)


async def test_without_a_passkey_whatever_the_device_holds_is_none(world: World) -> None:
    user_id = await world.person()
    (row,) = [row for row in await world.rows(tables.Account) if row["user_id"] == user_id]
    account = await MyAccount.of(world)
    assert await account.signals() == [accepted(row["user_handle"]), named(row["user_handle"], "ann@example.com")]


async def test_each_rp_id_has_signals_of_its_own(world: World) -> None:
    """Somebody who was there before the relying party moved has passkeys of the old one, too."""
    user_id, old, new = await world.person(), Authenticator(), Authenticator()
    account = await MyAccount.of(world)
    made = await account.enrols(old)
    await _change(world, made["id"], rp_id="old.example.com")
    await account.enrols(new)
    handle = old.credentials[0].user_handle
    found = await account.signals()
    assert found[:2] == [accepted(handle, new), accepted(handle, old, rp_id="old.example.com")]
    assert [each["options"]["rpId"] for each in found[2:]] == ["localhost", "old.example.com"]
    assert user_id not in json.dumps(found)


async def test_an_older_id_is_told_of_what_is_gone_as_well(world: World) -> None:
    """While it retires: the last passkey of it was removed, and a device that was not there then still has it."""
    await world.person()
    account, device = await MyAccount.of(world), Authenticator()
    await account.enrols(device)
    moved = {"retiring": ["old.example.com"]}
    assert (await world.manage("PATCH", "/keystead/relying-party", moved)).status_code == 200
    found, handle = await account.signals(), device.credentials[0].user_handle
    assert found[:2] == [accepted(handle, device), accepted(handle, rp_id="old.example.com")]
    assert len(found) == 4


async def test_one_that_is_refused_at_the_moment_stays_where_it_is(world: World) -> None:
    """Quarantine and policy can be lifted; a provider that deletes what is left out cannot take it back."""
    await world.person()
    account, device = await MyAccount.of(world), Authenticator()
    made = await account.enrols(device)
    await _change(world, made["id"], quarantine="REVOKED", quarantined_at=world.clock())
    await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    assert (await account.signals())[0] == accepted(device.credentials[0].user_handle, device)


async def test_nobody_sees_another_s(world: World) -> None:
    ann, bob = Authenticator(), Authenticator()
    await world.register(ann)
    await world.register(bob, "bob@example.com")
    found = await (await in_the_hands_of(world, ann)).signals()
    assert b64url(bob.credentials[0].id) not in json.dumps(found)
    for headers in ({}, {"authorization": "Bearer x"}):
        assert (await world.client.get("/me/v1/keystead/signals", headers=headers)).status_code == 401


# --- in the refusal of a passkey -----------------------------------------------------------------------------------


async def refused(world: World, device: Authenticator, *, badly_signed: bool = False, **asked: str) -> httpx.Response:
    """Answer a challenge at the token endpoint, and be refused."""
    begun = (await world.begin_challenge(**asked)).json()
    response: Any = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    if badly_signed:
        response["response"]["signature"] = "AAAA"
    answer = await world.exchange(begun["auth_session"], response)
    assert answer.status_code in (401, 403)
    return answer


async def test_one_that_nobody_owns_is_to_be_forgotten(world: World) -> None:
    device = Authenticator()
    tokens = await world.register(device)
    await world.delete_user(claims_of(tokens["id_token"])["sub"])
    assert (await refused(world, device)).json() == {
        "error": "invalid_grant",
        "error_description": "Passkey could not be verified.",
        "signals": [unknown(device)],
    }


async def test_never_one_that_somebody_owns(world: World) -> None:
    """A wrong signature, a blocked account, one out of use, another connection, one that is gone: all keep theirs."""
    device = Authenticator()
    tokens = await world.register(device)
    user_id = claims_of(tokens["id_token"])["sub"]
    passkeys = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    await world.new_connection("Second", authentication_methods=passkeys)
    answers = [await refused(world, device, badly_signed=True), await refused(world, device, realm="Second")]
    (row,) = await world.rows(tables.Passkey)
    await _change(world, row["id"], quarantine="REVOKED", quarantined_at=world.clock())
    answers.append(await refused(world, device))
    await _change(world, row["id"], quarantine=None, quarantined_at=None)
    await world.block(user_id)
    answers.append(await refused(world, device))
    assert ["signals" in answer.json() for answer in answers] == [False] * 4


async def test_nor_where_the_ceremony_s_own_connection_is_gone_meanwhile(world: World) -> None:
    """Its accounts went with it; the passkey may be of another that lives."""
    device = Authenticator()
    await world.register(device)
    passkeys = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    second = await world.new_connection("Second", authentication_methods=passkeys)
    visitor = Visitor.of(world)
    at = await visitor.authorize(connection="Second")
    begun = await visitor.options(at, "/login/passkey")
    response = json.dumps(device.get(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert (await world.manage("DELETE", f"/connections/{second}")).status_code == 202
    landed = await visitor.send(at.form("/login/passkey"), auth_session=begun["auth_session"], response=response)
    assert landed.response.status_code == 400
    assert said(landed) == []
    assert (await world.passkey_login(device)).status_code == 200


# --- on pages ------------------------------------------------------------------------------------------------------


async def test_the_login_page_after_an_unknown_passkey(world: World) -> None:
    device = Authenticator()
    tokens = await world.register(device)
    await world.delete_user(claims_of(tokens["id_token"])["sub"])
    visitor = Visitor.of(world)
    at = await visitor.authorize()
    assert said(at) == []
    assert said(await visitor.log_in_with(device, at)) == [unknown(device)]
    assert said(await visitor.authorize()) == []


async def test_the_pages_that_follow_a_login(world: World) -> None:
    """An offer of a passkey, a question about the client: shown anyway. Otherwise nobody waits."""
    await world.person()
    third = {"is_first_party": False, "app_type": "spa", "callbacks": ["https://two.example/"]}
    client_id = (await world.new_client("Third", **third))["client_id"]
    switched = [{"client_id": client_id, "status": True}]
    assert (await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switched)).is_success
    visitor = Visitor.of(world)
    at = await visitor.authorize(client_id=client_id, redirect_uri="https://two.example/")
    at = await visitor.send(at.form("/login/identifier"), username="ann@example.com")
    assert said(at) == []
    at = await visitor.send(at.form("/login/password"), password="correct horse battery")
    (row,) = await _accounts(world)
    both = [accepted(row["user_handle"]), named(row["user_handle"], "ann@example.com")]
    assert at.path == "/u/passkey-enrollment"
    assert said(at) == both
    at = await visitor.decline(at)
    assert at.path == "/u/consent"
    assert said(at) == both


async def test_the_passkey_page_of_the_account(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.open("/u/account/passkeys"))
    handle = device.credentials[0].user_handle
    assert said(landed) == [accepted(handle, device), named(handle, "ann@example.com")]
    assert said(await visitor.open("/u/account")) == [], "which has no script"


async def test_a_blocked_account_s_passkey_is_hidden_and_comes_back(world: World) -> None:
    """The client gets its error at once; the next login page of the browser says it, and later takes it back."""
    device = Authenticator()
    tokens = await world.register(device)
    user_id, handle = claims_of(tokens["id_token"])["sub"], device.credentials[0].user_handle
    await world.block(user_id)
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.authorize())
    assert landed.answer["error"] == "unauthorized"
    for _ in range(2):
        assert said(await visitor.authorize()) == [accepted(handle)], "as long as it is blocked"
    assert said(await Visitor.of(world).authorize()) == [], "no other browser is told"
    await world.block(user_id, blocked=False)
    assert said(await visitor.authorize()) == [accepted(handle, device)]
    assert said(await visitor.authorize()) == [], "once"


async def test_whoever_shows_no_passkey_is_told_nothing_of_a_block(world: World) -> None:
    """Of a password nothing follows about passkeys; and a cookie that somebody made up is not looked at."""
    device = Authenticator()
    await world.person()
    account = await MyAccount.of(world)
    await account.enrols(device)
    (row,) = await _accounts(world)
    await world.block(row["user_id"])
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    assert landed.answer["error"] == "unauthorized"
    assert said(await visitor.authorize()) == []
    visitor.client.cookies.set("keystead-blocked", row["user_id"])
    assert said(await visitor.authorize()) == []


async def test_a_blocked_account_that_is_gone(world: World) -> None:
    device = Authenticator()
    tokens = await world.register(device)
    user_id = claims_of(tokens["id_token"])["sub"]
    await world.block(user_id)
    visitor = Visitor.of(world)
    await visitor.log_in_with(device, await visitor.authorize())
    await world.delete_user(user_id)
    landed = await visitor.authorize()
    assert said(landed) == []
    assert "keystead-blocked" not in visitor.client.cookies


async def _accounts(world: World) -> list[dict[str, Any]]:
    return [row for row in await world.rows(tables.Account) if row["email"] == "ann@example.com"]


async def _change(world: World, passkey_id: str, **values: Any) -> None:
    """Write of a passkey what only a move of the relying party or an administrator changes."""

    def work(session: Any) -> None:
        table = tables.Passkey.__table__  # type: ignore[attr-defined]
        session.connection().execute(table.update().where(table.c.id == passkey_id).values(**values))

    await world.db.write(work)
