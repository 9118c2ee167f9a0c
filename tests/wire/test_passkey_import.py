"""``POST /api/v2/users/{id}/authentication-methods``: passkeys that were made elsewhere log in here (PK-33)."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest

from account import MyAccount
from attestation import Maker, Service, entry
from authenticator import AAGUID, EDDSA, ES256, RS256, Authenticator, b64url
from elsewhere_made import HANDLE, made_elsewhere
from keystead.db import tables
from visitor import Visitor
from world import PUBLIC_URL, World, claims_of

pytestmark = pytest.mark.anyio

sqlite_alone = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


async def add(world: World, user_id: str, body: Mapping[str, Any]) -> httpx.Response:
    """Import a passkey."""
    return await world.manage("POST", f"/users/{user_id}/authentication-methods", body)


async def refused(world: World, user_id: str, body: Mapping[str, Any]) -> tuple[int, str]:
    """Import what must not be; return the status and what is said."""
    before = await world.counts()
    answer = await add(world, user_id, body)
    assert await world.counts() == before
    return answer.status_code, answer.json()["message"]


def payload(why: str, path: str) -> tuple[int, str]:
    """Return how a member at fault is answered."""
    return 400, f"Payload validation error: '{why}' on property {path}."


# --- what comes of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
async def test_it_logs_in(world: World, algorithm: int) -> None:
    device = Authenticator(algorithms=(algorithm,), counts=True, synced=False)
    user_id = await world.person()
    answer = await add(world, user_id, made_elsewhere(device))
    assert answer.status_code == 201, answer.text
    assert claims_of((await world.passkey_login(device)).json()["id_token"])["sub"] == user_id
    visitor = Visitor.of(world)
    landed = await visitor.decline(await visitor.log_in_with(device, await visitor.authorize()))
    assert "code" in landed.answer


async def test_it_is_answered_as_it_is_stored(world: World) -> None:
    user_id = await world.person()
    more = {"name": "A key that she brought along", "user_agent": "Old Portal 3", "identity_user_id": user_id}
    body = made_elsewhere(Authenticator(), **more)
    made = (await add(world, user_id, body)).json()
    assert made | {"public_key": body["public_key"]} == body | {
        "id": made["id"],
        "created_at": "2026-06-01T12:00:00.000Z",
    }
    listed = (await world.manage("GET", f"/users/{user_id}/authentication-methods")).json()
    (shown,) = [each for each in listed if each["type"] == "passkey"]
    assert shown == made | {"confirmed": True, "name": "A key that she broug"}
    (full,) = (await world.manage("GET", f"/keystead/users/{user_id}/passkeys")).json()
    said_nothing = ("trust", "attestation_format", "sign_count", "user_verified", "attachment")
    assert [full[name] for name in said_nothing] == ["none", "none", 0, False, ""]
    assert full["name"] == more["name"]


async def test_it_is_journalled_and_nothing_of_the_key_is(world: World) -> None:
    user_id = await world.person()
    body = made_elsewhere(Authenticator())
    made = (await add(world, user_id, body)).json()
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Create an authentication method")
    assert (entry["user_id"], entry["client_id"]) == (user_id, world.first["clients"]["management"]["client_id"])
    assert entry["details"]["authentication_method_id"] == made["id"]
    assert body["public_key"] not in str(entry)


@sqlite_alone
async def test_its_owner_is_told(world: World) -> None:
    user_id = await world.person()
    before = len(await world.letters())
    await add(world, user_id, made_elsewhere(Authenticator(), name="Old phone"))
    newest, *others = await world.letters()
    assert len(others) == before
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey was added to your account")
    assert "Old phone." in newest.text


@sqlite_alone
async def test_only_what_it_needs_must_be_said(world: World) -> None:
    device = Authenticator(synced=False)
    user_id = await world.person()
    needed = ("type", "key_id", "public_key", "user_handle", "relying_party_identifier", "credential_device_type")
    body = {name: value for name, value in made_elsewhere(device).items() if name in needed}
    for name in needed[1:]:
        assert await refused(world, user_id, {each: body[each] for each in body if each != name}) == (
            400,
            f"Payload validation error: 'Missing required property: {name}'.",
        )
    made = (await add(world, user_id, body)).json()
    assert (made["aaguid"], made["transports"], made["credential_backed_up"]) == (str(UUID(int=0)), [], False)
    assert (await world.passkey_login(device)).status_code == 200


@sqlite_alone
async def test_an_export_of_ours_can_be_imported_again(world: World) -> None:
    """What GET shows of a passkey that was deleted by mistake; but for what Auth0's body has no member for."""
    device = Authenticator()
    user_id = claims_of((await world.register(device))["id_token"])["sub"]
    path = f"/users/{user_id}/authentication-methods"
    (shown,) = (await world.manage("GET", path)).json()
    assert (await world.manage("DELETE", f"{path}/{shown['id']}")).status_code == 204
    body = {name: shown[name] for name in shown if name not in ("id", "created_at", "last_auth_at", "confirmed")}
    assert (await add(world, user_id, body)).status_code == 201
    assert (await world.passkey_login(device)).status_code == 200


@sqlite_alone
async def test_its_counter_counts_from_its_first_login_on(world: World) -> None:
    device = Authenticator(counts=True, synced=False)
    user_id = await world.person()
    body = made_elsewhere(device)
    device.credentials[0].sign_count = 41
    await add(world, user_id, body)
    assert (await world.passkey_login(device)).status_code == 200
    device.credentials[0].sign_count = 20
    assert (await world.passkey_login(device)).status_code == 403


@sqlite_alone
async def test_it_may_be_of_an_older_id_as_long_as_its_passkeys_log_in(world: World) -> None:
    user_id = await world.person()
    body = made_elsewhere(Authenticator(), rp_id="old.example")
    unknown = payload("must be localhost", "relying_party_identifier")
    assert await refused(world, user_id, body) == unknown
    await world.manage("PATCH", "/keystead/relying-party", {"retiring": ["old.example"]})
    assert (await add(world, user_id, body)).status_code == 201
    path = f"/keystead/users/{user_id}/passkeys"
    assert [each["may_log_in"] for each in (await world.manage("GET", path)).json()] == [True]
    await world.manage("PATCH", "/keystead/relying-party", {"retiring": []})
    (shown,) = (await world.manage("GET", path)).json()
    assert (shown["may_log_in"], [each["field"] for each in shown["reasons"]]) == (False, ["relying_party"])


# --- user handles (WebAuthn Level 3 §14.6.1) -------------------------------------------------------------------------


async def test_an_account_takes_the_handle_of_its_first_passkey_and_keeps_it(world: World) -> None:
    first, second, third = Authenticator(), Authenticator(), Authenticator()
    user_id = await world.person()
    assert (await add(world, user_id, made_elsewhere(first))).status_code == 201
    other = made_elsewhere(third, handle=b64url(b"another handle"))
    assert await refused(world, user_id, other) == payload("must be that of the user's other passkeys", "user_handle")
    assert (await add(world, user_id, made_elsewhere(second))).status_code == 201
    for device in (first, second):
        assert claims_of((await world.passkey_login(device)).json()["id_token"])["sub"] == user_id
    mine = await MyAccount.of(world)
    begun = await mine.begin()
    assert begun["authn_params_public_key"]["user"]["id"] == HANDLE
    made_here = await mine.verify(begun, third.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert made_here.status_code == 201, made_here.text
    assert (await world.passkey_login(third)).status_code == 200


async def test_nobody_gets_the_handle_of_somebody_else(world: World) -> None:
    ann, bob = await world.person(), await world.person("bob@example.com")
    assert (await add(world, ann, made_elsewhere(Authenticator()))).status_code == 201
    assert await refused(world, bob, made_elsewhere(Authenticator())) == payload(
        "is that of another user", "user_handle"
    )


async def test_of_two_that_bring_one_handle_at_once_one_gets_it(world: World) -> None:
    people = [await world.person(f"{name}@example.com") for name in ("ann", "bob", "carl")]
    await world.management_token()
    bodies = [made_elsewhere(Authenticator()) for _ in people]
    answers = await asyncio.gather(*(add(world, who, body) for who, body in zip(people, bodies, strict=True)))
    assert sorted(each.status_code for each in answers)[0] == 201
    assert all(each.status_code in (400, 409) for each in answers if each.status_code != 201)
    assert await world.count(tables.Passkey) == 1


async def test_an_enrolment_under_way_does_not_outlive_the_handle_that_it_names(world: World) -> None:
    """Its passkey would name an account that there is not, and open nothing, for ever."""
    user_id = await world.person()
    mine = await MyAccount.of(world)
    begun = await mine.begin()
    assert (await add(world, user_id, made_elsewhere(Authenticator()))).status_code == 201
    answer = await mine.verify(begun, Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:keystead:error:session-expired")
    assert await world.count(tables.Passkey) == 1
    assert (await world.last_entry())["type"] == "gd_webauthn_enrollment_failed"


# --- what is refused -----------------------------------------------------------------------------------------------


async def test_nobody_has_the_passkey_of_somebody_else(world: World) -> None:
    device = Authenticator()
    await world.register(device, "eve@example.com")
    ann = await world.person()
    body = made_elsewhere(Authenticator(), key_id=b64url(device.credentials[0].id))
    for who in (ann, claims_of((await world.passkey_login(device)).json()["id_token"])["sub"]):
        before = await world.counts()
        handle = b64url(device.credentials[0].user_handle) if who != ann else HANDLE
        answer = await add(world, who, body | {"user_handle": handle})
        assert answer.status_code == 409
        assert answer.json()["message"] == "Authentication method already exists."
        assert await world.counts() == before
    answer = await add(world, ann, made_elsewhere(Authenticator()))
    assert answer.status_code == 201, "the account kept its handle when the other one was refused"


@sqlite_alone
@pytest.mark.parametrize("kind", ["phone", "email", "totp", "webauthn-roaming"])
async def test_other_types_are_refused_by_name(world: World, kind: str) -> None:
    user_id = await world.person()
    answer = await add(world, user_id, {"type": kind, "phone_number": "+14155552671"})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "operation_not_supported"
    assert answer.json()["message"] == (
        f"Authentication methods of type {kind} are not supported; passkey is the only type."
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a type that nobody has": ({"type": "push"}, "type"),
    "no type": ({"type": None}, ""),
    "what is not a passkey's": ({"totp_secret": "x"}, ""),
    "a sign count": ({"sign_count": 3}, ""),
    "an empty credential id": ({"key_id": ""}, "key_id"),
    "a credential id of padding": ({"key_id": "=="}, "key_id"),
    "a credential id that is no base64": ({"key_id": "a key!"}, "key_id"),
    "a credential id of 1024 bytes": ({"key_id": b64url(bytes(1024))}, "key_id"),
    "no key": ({"public_key": "AAAA"}, "public_key"),
    "a handle of 65 bytes": ({"user_handle": b64url(bytes(65))}, "user_handle"),
    "a handle that is text": ({"user_handle": "ann@example.com"}, "user_handle"),
    "another relying party": ({"relying_party_identifier": "example.com"}, "relying_party_identifier"),
    "a relying party below ours": ({"relying_party_identifier": "a.localhost"}, "relying_party_identifier"),
    "backed up on one device": ({"credential_device_type": "single_device"}, "credential_backed_up"),
    "half a flag": ({"credential_backed_up": "true"}, "credential_backed_up"),
    "an AAGUID that is none": ({"aaguid": "b84e4048"}, "aaguid"),
    "the identity of somebody else": ({"identity_user_id": "auth0|0"}, "identity_user_id"),
    "a transport with markup": ({"transports": ["<b>"]}, "transports.0"),
    "a crowd of transports": ({"transports": ["usb"] * 11}, "transports"),
    "a name of 101 letters": ({"name": "x" * 101}, "name"),
    "a name that turns around": ({"name": "\N{RIGHT-TO-LEFT OVERRIDE}x"}, "name"),
}


@sqlite_alone
@pytest.mark.parametrize("name", WRONG)
async def test_what_no_registration_would_take_is_refused_by_path(world: World, name: str) -> None:
    user_id = await world.person()
    changes, path = WRONG[name]
    status, message = await refused(world, user_id, made_elsewhere(Authenticator()) | changes)
    assert status == 400
    assert message.endswith(f"' on property {path}." if path else "'.")


async def test_the_longest_credential_id_is_stored(world: World) -> None:
    user_id = await world.person()
    longest = b64url(bytes(range(256)) * 4)[:1364]
    answer = await add(world, user_id, made_elsewhere(Authenticator(), key_id=longest))
    assert (answer.status_code, answer.json()["key_id"]) == (201, longest)


@sqlite_alone
async def test_nobody_can_be_given_one(world: World) -> None:
    assert await refused(world, "auth0%7C0", made_elsewhere(Authenticator())) == (404, "The user does not exist.")


@sqlite_alone
async def test_a_connection_without_passkeys_takes_none(world: World) -> None:
    user_id = await world.person()
    await world.patch_options(authentication_methods={"password": {"enabled": True}, "passkey": {"enabled": False}})
    assert await refused(world, user_id, made_elsewhere(Authenticator())) == (
        400,
        "Passkeys are not enabled for the connection.",
    )


# --- the policy ----------------------------------------------------------------------------------------------------


NEVER: dict[str, tuple[dict[str, Any], str]] = {
    "synced": ({"backup": "device_bound_only"}, "backup: the passkey can be synced"),
    "inside": ({"attachment": "cross_platform"}, "attachment: the passkey is reached by internal"),
    "algorithm": ({"algorithms": [-8]}, "algorithms: algorithm -7"),
    "unattested": ({"attestation": "direct"}, "attestation: there is no attestation"),
    "model": (
        {"authenticators": {"deny": [{"aaguid": str(UUID(bytes=AAGUID))}]}},
        f"authenticators: the authenticator {UUID(bytes=AAGUID)} is denied",
    ),
}


@sqlite_alone
@pytest.mark.parametrize("name", NEVER)
async def test_a_passkey_that_could_never_log_in_is_refused_with_the_reason(world: World, name: str) -> None:
    policy, reason = NEVER[name]
    user_id = await world.person()
    body = made_elsewhere(Authenticator(transports=("internal",)))
    assert (await world.patch_options(passkey_policy=policy)).status_code == 200
    assert await refused(world, user_id, body) == (403, f"passkey policy: {reason}")
    assert (await world.patch_options(passkey_policy=policy | {"mode": "advise"})).status_code == 200
    assert (await add(world, user_id, body)).status_code == 201
    field, why = reason.split(": ", 1)
    assert (await world.last_entry())["details"]["policy"] == [{"field": field, "why": why}]


@sqlite_alone
async def test_a_model_that_is_compromised_is_refused_in_every_mode(world: World) -> None:
    """Who says to be of it is believed; without attestation nobody could prove the contrary either."""
    user_id = await world.person()
    await Service().brings(world, entry(AAGUID, Maker(), statuses=[("REVOKED", "2026-01-01")]))
    for mode in ("enforce", "advise"):
        await world.patch_options(passkey_policy={"mode": mode})
        assert await refused(world, user_id, made_elsewhere(Authenticator())) == (
            403,
            "passkey policy: quarantine: the passkey is in quarantine: fido_metadata: REVOKED since 2026-01-01",
        )


@sqlite_alone
async def test_nobody_has_seen_it_verify_anybody_and_it_may(world: World) -> None:
    device = Authenticator()
    user_id = await world.person()
    assert (await world.patch_options(passkey_policy={"user_verification": "required"})).status_code == 200
    assert (await add(world, user_id, made_elsewhere(device))).status_code == 201
    path = f"/keystead/users/{user_id}/passkeys"
    assert [each["may_log_in"] for each in (await world.manage("GET", path)).json()] == [False]
    assert (await world.passkey_login(device)).status_code == 200
    assert [each["may_log_in"] for each in (await world.manage("GET", path)).json()] == [True]


async def test_the_limit_holds_for_imports_too(world: World) -> None:
    user_id = await world.person()
    assert (await world.patch_options(passkey_policy={"max_per_user": 2})).status_code == 200
    await world.management_token()
    bodies = [made_elsewhere(Authenticator()) for _ in range(4)]
    answers = await asyncio.gather(*(add(world, user_id, body) for body in bodies))
    assert sorted(each.status_code for each in answers) == [201, 201, 403, 403]
    (message,) = {each.json()["message"] for each in answers if each.status_code == 403}
    assert message == "You reached the limit of entities of this type for this user."
    assert await world.count(tables.Passkey) == 2
