"""``/api/v2/keystead/users/{id}/passkeys``: what administrators see of passkeys, and how they take one out of use."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlmodel import Session

from account import MyAccount
from authenticator import Authenticator
from keystead.db import passkeys, tables
from visitor import Visitor
from world import PASSWORD, PUBLIC_URL, World, claims_of

pytestmark = pytest.mark.anyio

OFFLINE = "openid offline_access"
sqlite_alone = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


async def somebody(world: World, device: Authenticator, email: str = "ann@example.com") -> str:
    """Sign somebody up with a passkey alone, and return the user id."""
    return str(claims_of((await world.register(device, email))["id_token"])["sub"])


async def in_full(world: World, user_id: str) -> list[dict[str, Any]]:
    """Return all that is known of somebody's passkeys."""
    answer = await world.manage("GET", f"/keystead/users/{user_id}/passkeys")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def path_of(world: World, user_id: str, which: int = 0) -> str:
    """Return the path of a passkey's quarantine."""
    passkey = (await in_full(world, user_id))[which]["id"].replace("|", "%7C")
    return f"/keystead/users/{user_id}/passkeys/{passkey}/quarantine"


async def quarantine(world: World, user_id: str, which: int = 0, reason: str = "stolen") -> httpx.Response:
    """Take a passkey out of use."""
    return await world.manage("PUT", await path_of(world, user_id, which), {"reason": reason})


# --- what it ends --------------------------------------------------------------------------------------------------


async def test_it_opens_nothing_at_once_by_any_door_and_does_again_when_it_is_lifted(world: World) -> None:
    device, visitor = Authenticator(), Visitor.of(world)
    user_id = await somebody(world, device)
    begun = (await world.begin_challenge()).json()
    page = await visitor.authorize()
    answer = await quarantine(world, user_id)
    assert answer.status_code == 200, answer.text
    before_it = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.exchange(begun["auth_session"], before_it)).status_code == 403, "a ceremony from before"
    assert (await world.passkey_login(device)).status_code == 403
    me = {"audience": f"{PUBLIC_URL}/me/", "scope": "openid read:me:authentication_methods"}
    assert (await world.passkey_login(device, **me)).status_code == 403
    assert (await visitor.log_in_with(device, page)).response.status_code == 403
    assert (await world.last_entry())["details"]["policy"] == [
        {"field": "quarantine", "why": "the passkey is in quarantine: administrator: stolen"}
    ]
    assert (await world.manage("DELETE", await path_of(world, user_id))).status_code == 204
    assert (await world.passkey_login(device)).status_code == 200
    again = await visitor.decline(await visitor.log_in_with(device, await visitor.authorize()))
    assert "code" in again.answer


async def test_what_it_had_opened_ends(world: World) -> None:
    """A quarantine that left the thief's session would be none; nor does the option for removals let it live."""
    await world.manage("PATCH", "/keystead/sessions", {"end_others_when_credentials_change": False})
    device, visitor = Authenticator(), Visitor.of(world)
    user_id = await somebody(world, device)
    await visitor.decline(await visitor.log_in_with(device, await visitor.authorize()))
    scope = "openid offline_access read:me:authentication_methods"
    mine = (await world.passkey_login(device, audience=f"{PUBLIC_URL}/me/", scope=scope)).json()
    assert (await MyAccount(world, mine["access_token"]).call("GET", "")).status_code == 200
    world.clock.advance(seconds=1)
    assert (await quarantine(world, user_id)).status_code == 200
    assert (await MyAccount(world, mine["access_token"]).call("GET", "")).status_code == 401
    refreshed = await world.token("refresh_token", refresh_token=mine["refresh_token"])
    assert refreshed.status_code == 403
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    assert await world.open_sessions() == 0


@pytest.mark.parametrize("how", ["quarantine", "removal"])
@pytest.mark.parametrize("installation", ["postgres"], indirect=True)
async def test_a_login_that_comes_in_just_before_does_not_outlive_it(world: World, how: str) -> None:
    """On SQLite one writes at a time. Both wait for the passkey's row, and the login gets it first."""
    device = Authenticator()
    user_id = await somebody(world, device)
    path = await path_of(world, user_id)
    passkey = (
        path.removesuffix("/quarantine").replace("/keystead/", "/").replace("/passkeys/", "/authentication-methods/")
    )
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    world.clock.step = timedelta(microseconds=1)
    with world.db.engine.connect() as connection, connection.begin():
        connection.execute(select(tables.Passkey.__table__).with_for_update())  # type: ignore[attr-defined]
        logging_in = asyncio.ensure_future(world.exchange(begun["auth_session"], response, scope=OFFLINE))
        await waiting(world, 1)
        taking_out = asyncio.ensure_future(
            world.manage("PUT", path, {"reason": "stolen"}) if how == "quarantine" else world.manage("DELETE", passkey)
        )
        await waiting(world, 2)
    login = await logging_in
    assert (await taking_out).is_success
    if login.status_code == 200:
        token = login.json()["refresh_token"]
        assert (await world.token("refresh_token", refresh_token=token)).status_code == 403


async def waiting(world: World, how_many: int) -> None:
    """Wait until so many transactions wait for a row."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    def count(session: Session) -> int:
        return int(session.connection().execute(text(statement)).scalar_one())

    while await world.db.read(count) < how_many:
        pass


# --- whose it is to lift -------------------------------------------------------------------------------------------


async def test_nothing_but_an_administrator_lifts_an_administrators(world: World) -> None:
    device, other = Authenticator(), Authenticator()
    user_id = await world.person()
    mine = await MyAccount.of(world)
    for each in (device, other):
        begun = await mine.begin()
        stored = await mine.verify(begun, each.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
        assert stored.status_code == 201, stored.text
        world.clock.advance(seconds=1)
    assert (await quarantine(world, user_id)).status_code == 200
    (before, _) = await in_full(world, user_id)
    await world.patch_options(passkey_policy={"mode": "advise"})
    await world.passkey_login(device)
    await world.passkey_login(other)
    renamed = {"name": "Found again"}
    path = f"/users/{user_id}/authentication-methods/{before['id'].replace('|', '%7C')}"
    assert (await world.manage("PATCH", path, renamed)).status_code == 200
    assert (await world.manage("PATCH", f"/users/{user_id}", {"password": "another horse battery"})).status_code == 200
    (after, _) = await in_full(world, user_id)
    assert after == before | renamed | {"mode": "advise"}
    assert (await world.passkey_login(device)).status_code == 403


@sqlite_alone
async def test_an_administrator_lifts_one_of_metadata_too(world: World) -> None:
    device = Authenticator()
    user_id = await somebody(world, device)
    (shown,) = await in_full(world, user_id)
    why = "fido_metadata: REVOKED since 2026-05-01"
    await world.db.write(passkeys.quarantine, user_id, shown["id"], why, world.clock())
    (shown,) = await in_full(world, user_id)
    assert shown["quarantine"] == {"author": "fido_metadata", "reason": "REVOKED since 2026-05-01"}
    assert (await world.passkey_login(device)).status_code == 403
    assert (await world.manage("DELETE", await path_of(world, user_id))).status_code == 204
    assert (await world.passkey_login(device)).status_code == 200


# --- what is said of it --------------------------------------------------------------------------------------------


@sqlite_alone
async def test_it_is_journalled_with_who_did_it_and_why(world: World) -> None:
    user_id = await somebody(world, Authenticator())
    (shown,) = await in_full(world, user_id)
    path = await path_of(world, user_id)
    await world.manage("PUT", path, {"reason": "  seen at the flea market "})
    imposed, noted = (await world.rows(tables.JournalRow))[-2:]
    assert (imposed["type"], imposed["description"], imposed["user_id"]) == ("sapi", "Quarantine a passkey", user_id)
    assert imposed["client_id"] == world.first["clients"]["management"]["client_id"]
    about = {"authentication_method_id": shown["id"], "reason": "seen at the flea market", "stranded": True}
    assert about.items() <= imposed["details"].items()
    assert (noted["type"], noted["user_id"]) == ("passkey_quarantined", user_id)
    about = {"passkey": shown["id"], "aaguid": shown["aaguid"], "reason": "administrator: seen at the flea market"}
    assert about.items() <= noted["details"].items()
    await world.manage("DELETE", path)
    lifted, noted = (await world.rows(tables.JournalRow))[-2:]
    assert lifted["description"] == "Lift the quarantine of a passkey"
    assert lifted["details"]["lifted"] == "administrator: seen at the flea market"
    assert (noted["type"], noted["details"]["reason"]) == ("passkey_quarantine_lifted", None)
    assert (await world.manage("DELETE", path)).status_code == 204
    assert await world.last_entry() == noted, "what is not there was not lifted"


@sqlite_alone
async def test_its_owner_is_told_and_not_why(world: World) -> None:
    user_id = await somebody(world, Authenticator())
    path = await path_of(world, user_id)
    before = len(await world.letters())
    headers = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    token = await world.management_token()
    body = {"reason": "sold at the flea market"}
    headers |= {"authorization": f"Bearer {token}"}
    assert (await world.client.put(f"/api/v2{path}", json=body, headers=headers)).status_code == 200
    newest, *others = await world.letters()
    assert len(others) == before
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey of your account was taken out of use")
    assert "You were signed out everywhere. If you know nothing of it, tell whoever runs" in newest.text
    assert f"{PUBLIC_URL}/u/account/passkeys" in newest.text
    assert "flea market" not in newest.text
    assert "Firefox" not in newest.text, "an administrator's device is not the owner's"
    assert (await world.manage("DELETE", path)).status_code == 204
    assert len(await world.letters()) == before + 1


@sqlite_alone
async def test_the_last_way_in_may_be_taken_and_it_is_said(world: World) -> None:
    """A password that may be used is a way in, and so is another passkey that the policy lets in."""
    await world.patch_options(passkey_policy={"backup": "synced_only", "mode": "advise"})
    device = Authenticator()
    user_id = await somebody(world, device)
    mine = await owner(world, device)
    world.clock.advance(minutes=1)  # the list is by age
    begun = await mine.begin()
    bound = Authenticator(synced=False, attachment="cross-platform")
    stored = await mine.verify(begun, bound.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert stored.status_code == 201, stored.text
    answer = (await quarantine(world, user_id)).json()
    assert (answer["stranded"], answer["may_log_in"]) == (False, False)
    await world.patch_options(passkey_policy={"backup": "synced_only"})
    assert (await quarantine(world, user_id)).json()["stranded"] is True
    await world.manage("PATCH", f"/users/{user_id}", {"password": PASSWORD})
    assert (await quarantine(world, user_id)).json()["stranded"] is False
    without = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    assert (await world.patch_options(authentication_methods=without)).status_code == 200
    assert (await quarantine(world, user_id)).json()["stranded"] is True


async def owner(world: World, device: Authenticator) -> MyAccount:
    """Return the My Account API in the hands of whoever has a passkey alone."""
    me = {"audience": f"{PUBLIC_URL}/me/", "scope": "openid create:me:authentication_methods"}
    return MyAccount(world, (await world.passkey_login(device, **me)).json()["access_token"])


@sqlite_alone
async def test_all_is_shown_that_auth0_has_no_room_for(world: World) -> None:
    device = Authenticator(synced=False, counts=True, attestation="packed", attachment="cross-platform")
    user_id = await somebody(world, device)
    await world.passkey_login(device)
    await world.patch_options(passkey_policy={"backup": "synced_only"})
    (shown,) = await in_full(world, user_id)
    expected = {
        "relying_party_identifier": "localhost",
        "aaguid": "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16",
        "attestation_format": "packed",
        "algorithm": -8,
        "sign_count": 1,
        "user_verified": True,
        "credential_device_type": "single_device",
        "credential_backed_up": False,
        "transports": ["internal", "hybrid"],
        "attachment": "cross-platform",
        "created_at": "2026-06-01T12:00:00.000Z",
        "last_auth_at": "2026-06-01T12:00:00.000Z",
        "may_log_in": False,
        "mode": "enforce",
        "reasons": [{"field": "backup", "why": "the passkey is bound to one device"}],
    }
    assert expected.items() <= shown.items()
    assert not shown.keys() & {"quarantine", "quarantined_at", "name", "provider"}
    world.clock.advance(seconds=5)
    answer = (await quarantine(world, user_id)).json()
    assert answer["quarantine"] == {"author": "administrator", "reason": "stolen"}
    assert answer["quarantined_at"] == "2026-06-01T12:00:05.000Z"
    assert [each["field"] for each in answer["reasons"]] == ["quarantine", "backup"]
    assert await in_full(world, user_id) == [{name: answer[name] for name in answer if name != "stranded"}]


@sqlite_alone
async def test_a_provider_is_named(world: World) -> None:
    google = UUID("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4")
    user_id = await somebody(world, Authenticator(aaguid=google.bytes))
    (shown,) = await in_full(world, user_id)
    assert shown["provider"] == "Google Password Manager"
    assert (await quarantine(world, user_id)).json()["provider"] == "Google Password Manager"


@sqlite_alone
async def test_what_a_policy_advises_against_may_log_in(world: World) -> None:
    user_id = await somebody(world, Authenticator())
    await world.patch_options(passkey_policy={"backup": "device_bound_only", "mode": "advise"})
    (shown,) = await in_full(world, user_id)
    assert (shown["may_log_in"], shown["mode"], len(shown["reasons"])) == (True, "advise", 1)
    await world.patch_options(authentication_methods={"password": {"enabled": True}, "passkey": {"enabled": False}})
    (shown,) = await in_full(world, user_id)
    assert shown["may_log_in"] is False


@sqlite_alone
@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 151}, {"reason": 7}, {"reason": "x", "until": "y"}]
)
async def test_a_reason_is_needed(world: World, body: dict[str, Any]) -> None:
    device = Authenticator()
    user_id = await somebody(world, device)
    answer = await world.manage("PUT", await path_of(world, user_id), body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_body")
    assert (await world.passkey_login(device)).status_code == 200


@sqlite_alone
async def test_the_passkey_of_somebody_else_is_not_found(world: World) -> None:
    device = Authenticator()
    ann, bob = await somebody(world, device), await world.person("bob@example.com")
    path = (await path_of(world, ann)).replace(ann, bob)
    for method, body in (("PUT", {"reason": "stolen"}), ("DELETE", None)):
        answer = await world.manage(method, path, body)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_authentication_method")
    assert (await world.passkey_login(device)).status_code == 200


@sqlite_alone
async def test_administrators_are_out_of_reach(world: World) -> None:
    setup = Visitor.of(world)
    page = await setup.open(world.first["administrator_setup_url"])
    await setup.send(page.form(), email="root@example.com", password=PASSWORD, password_repeated=PASSWORD)
    (root,) = await world.rows(tables.Administrator)
    path = f"/keystead/users/{root['user_id']}/passkeys"
    for method, inner, body in (
        ("GET", "", None),
        ("PUT", "/x/quarantine", {"reason": "stolen"}),
        ("DELETE", "/x/quarantine", None),
    ):
        answer = await world.manage(method, path + inner, body)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_user")
