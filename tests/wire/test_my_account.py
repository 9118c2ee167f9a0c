"""``/me/v1/authentication-methods``: people and their own passkeys (auth0-behaviour 2.9)."""

from typing import Any

import pytest

from account import SCOPE, MyAccount
from authenticator import Authenticator, InvalidStateError, b64url
from keystead.db import tables
from world import PUBLIC_URL, World

STEP_UP = 'Bearer error="insufficient_user_authentication", max_age="300"'


def problem(answer: Any) -> dict[str, Any]:
    """Return a problem document, once it looks like one."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert list(found)[:4] == ["type", "status", "title", "detail"]
    assert found["status"] == answer.status_code
    return found


async def test_a_passkey_beside_the_password(world: World) -> None:
    user_id = await world.person()
    account, device = await MyAccount.of(world), Authenticator(transports=("internal",))
    started = await account.start()
    assert started.status_code == 202
    assert started.headers["location"] == f"{PUBLIC_URL}/me/v1/authentication-methods/passkey%7Cnew"
    assert started.headers["cache-control"] == "no-store"
    begun = started.json()
    assert sorted(begun) == ["auth_session", "authn_params_public_key"]
    options = begun["authn_params_public_key"]
    assert (options["user"]["name"], options["rp"]["id"]) == ("ann@example.com", "localhost")
    assert "excludeCredentials" not in options
    answer = await account.verify(begun, device.create(options, origin=PUBLIC_URL))
    assert answer.status_code == 201
    shown = answer.json()
    made = shown.pop("id")
    assert made.startswith("passkey|dev_")
    assert answer.headers["location"] == f"{PUBLIC_URL}/me/v1/authentication-methods/{made.replace('|', '%7C')}"
    assert shown.pop("public_key")
    key = device.credentials[0]
    assert shown == {
        "type": "passkey",
        "created_at": "2026-06-01T12:00:00.000Z",
        "usage": ["primary"],
        "identity_user_id": user_id.partition("|")[2],
        "key_id": b64url(key.id),
        "user_handle": b64url(key.user_handle),
        "credential_device_type": "multi_device",
        "credential_backed_up": True,
        "transports": ["internal"],
        "user_agent": "python-httpx/0.28.1",
        "aaguid": "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16",
        "relying_party_id": "localhost",
    }
    assert (await world.passkey_login(device)).status_code == 200
    assert (await world.login()).status_code == 200, "PK-10: it is added to what there is"
    (listed,) = await account.passkeys()
    assert listed["last_auth_at"] == "2026-06-01T12:00:00.000Z"
    assert {name: listed[name] for name in shown} == shown


async def test_list_get_and_delete(world: World) -> None:
    await world.person()
    account, device, other = await MyAccount.of(world), Authenticator(), Authenticator()
    assert await account.passkeys() == []
    first, second = await account.enrols(device), await account.enrols(other)
    assert sorted(each["id"] for each in await account.passkeys()) == sorted([first["id"], second["id"]])
    assert (await account.call("GET", "?type=passkey")).json()["authentication_methods"]
    for spelling in (first["id"], first["id"].replace("|", "%7C")):
        one = await account.call("GET", f"/{spelling}")
        assert (one.status_code, one.json()["id"]) == (200, first["id"])
    gone = await account.call("DELETE", f"/{first['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "my_account_authentication_method_succeeded" in await world.journal()
    assert (await world.passkey_login(device)).status_code == 403
    assert (await world.passkey_login(other)).status_code == 200
    assert problem(await account.call("DELETE", f"/{first['id']}"))["status"] == 404
    assert problem(await account.call("GET", f"/{first['id']}"))["status"] == 404
    assert problem(await account.call("GET", "?type=telepathy"))["status"] == 400


async def test_a_device_that_has_one_already(world: World) -> None:
    await world.person()
    account, device = await MyAccount.of(world), Authenticator(transports=("usb",))
    made = await account.enrols(device)
    begun = await account.begin(use_exclude_credentials=True)
    assert begun["authn_params_public_key"]["excludeCredentials"] == [
        {"id": made["key_id"], "type": "public-key", "transports": ["usb"]}
    ]
    with pytest.raises(InvalidStateError):
        device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)


async def test_people_see_and_touch_only_their_own(world: World) -> None:
    await world.person()
    await world.person("bob@example.com")
    ann, bob, device = await MyAccount.of(world), await MyAccount.of(world, username="bob@example.com"), Authenticator()
    made = await ann.enrols(device)
    assert await bob.passkeys() == []
    assert (await bob.call("GET", f"/{made['id']}")).status_code == 404
    assert (await bob.call("DELETE", f"/{made['id']}")).status_code == 404
    assert len(await ann.passkeys()) == 1
    begun = await ann.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    stolen = await bob.verify(begun, response)
    assert problem(stolen)["type"] == "urn:keystead:error:session-expired"
    assert (await ann.verify(begun, response)).status_code == 400, "gone all the same"
    assert await world.count(tables.Passkey) == 1
    assert "gd_webauthn_enrollment_failed" in await world.journal()


async def test_a_login_that_is_too_old(world: World) -> None:
    await world.person()
    account, device = await MyAccount.of(world), Authenticator()
    made = await account.enrols(device)
    begun = await account.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    world.clock.advance(seconds=301)
    for answer in (
        await account.start(),
        await account.verify(begun, response),
        await account.call("DELETE", f"/{made['id']}"),
    ):
        assert problem(answer)["type"] == "urn:keystead:error:step-up-required"
        assert answer.headers["www-authenticate"] == STEP_UP
    assert len(await account.passkeys()) == 1, "looking is still allowed"


async def test_a_refresh_is_no_fresh_login(world: World) -> None:
    await world.person()
    scope = f"openid offline_access {SCOPE}"
    found = await world.tokens(audience=f"{PUBLIC_URL}/me/", scope=scope)
    world.clock.advance(seconds=301)
    renewed = (await world.token("refresh_token", refresh_token=found["refresh_token"])).json()["access_token"]
    assert problem(await MyAccount(world, renewed).start())["type"] == "urn:keystead:error:step-up-required"


@pytest.mark.parametrize("flaw", [{}, {"id": "x"}, {"type": "password"}, None, "text", 7, []])
async def test_an_answer_that_is_refused(world: World, flaw: Any) -> None:
    await world.person()
    account = await MyAccount.of(world)
    begun = await account.begin()
    assert problem(await account.verify(begun, flaw))["type"] == "urn:keystead:error:passkey-refused"
    good = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert problem(await account.verify(begun, good))["type"] == "urn:keystead:error:session-expired"
    assert await world.count(tables.Passkey) == 0
    assert "gd_webauthn_enrollment_failed" in await world.journal()


async def test_passkeys_switched_off(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    begun = await account.begin()
    methods = {"password": {"enabled": True}, "passkey": {"enabled": False}}
    await world.patch_options(authentication_methods=methods)
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert problem(await account.verify(begun, response))["detail"] == "Passkeys are not enabled for the connection."
    assert problem(await account.start())["detail"] == "Passkeys are not enabled for the connection."
    assert await world.count(tables.Passkey) == 0


async def test_bodies_that_are_not_understood(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    for body, field in (
        ({}, "type"),
        ({"type": "totp"}, "type"),
        ({"type": "passkey", "use_exclude_credentials": "yes"}, "use_exclude_credentials"),
    ):
        answer = await account.call("POST", "", json=body)
        assert problem(answer)["validation_errors"][0]["field"] == field
    for value in (None, "", 7):
        answer = await account.call("POST", "/passkey%7Cnew/verify", json={"auth_session": value})
        assert problem(answer)["validation_errors"][0]["field"] == "auth_session"
    begun = await account.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    right = {"auth_session": begun["auth_session"], "authn_response": response}
    assert problem(await account.call("POST", "/passkey%7Cold/verify", json=right))["status"] == 404
    assert (await account.call("POST", "/passkey|new/verify", json=right)).status_code == 201


async def test_every_call_wants_its_scope(world: World) -> None:
    await world.person()
    audience = f"{PUBLIC_URL}/me/"
    for method, path, scope in (
        ("GET", "", "read:me:authentication_methods"),
        ("GET", "/passkey|dev_1", "read:me:authentication_methods"),
        ("POST", "", "create:me:authentication_methods"),
        ("POST", "/passkey|new/verify", "create:me:authentication_methods"),
        ("PATCH", "/passkey|dev_1", "update:me:authentication_methods"),
        ("DELETE", "/passkey|dev_1", "delete:me:authentication_methods"),
        ("GET", "/../factors", "read:me:factors"),
        ("GET", "/../keystead/signals", "read:me:authentication_methods"),
    ):
        others = " ".join(each for each in SCOPE.split() if each != scope)
        token = (await world.tokens(audience=audience, scope=others))["access_token"]
        answer = await MyAccount(world, token).call(method, path, json={} if method in ("POST", "PATCH") else None)
        found = problem(answer)
        assert (found["status"], found["detail"]) == (403, f"Insufficient scope, expected any of: {scope}")
        assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'


async def test_a_token_for_something_else(world: World) -> None:
    await world.person()
    found = await world.tokens(scope=f"openid {SCOPE}")
    for token in (found["access_token"], found["id_token"], await world.management_token(), "nonsense", ""):
        answer = await MyAccount(world, token).call("GET", "")
        assert problem(answer)["status"] == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_token_does_not_outlive_a_block_or_the_account(world: World) -> None:
    user_id = await world.person()
    account = await MyAccount.of(world)
    begun = await account.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    await world.block(user_id)
    for answer in (await account.call("GET", ""), await account.start(), await account.verify(begun, response)):
        assert problem(answer)["status"] == 401
    await world.delete_user(user_id)
    for answer in (await account.call("GET", ""), await account.start(), await account.verify(begun, response)):
        assert problem(answer)["status"] == 401
    assert await world.count(tables.Passkey) == 0
