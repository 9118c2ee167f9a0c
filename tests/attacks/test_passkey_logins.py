"""Logins with passkeys that went wrong in other products (security incidents 6, 17 and 20), tried here."""

from typing import Any

import pytest

from authenticator import Authenticator, b64url
from keystead.db import tables
from world import PUBLIC_URL, World, claims_of

REFUSED = (403, "invalid_grant", "Passkey could not be verified.")


async def outcome(world: World, response: Any) -> tuple[int, str, str]:
    """Answer a challenge of the moment with what was made for it."""
    begun = (await world.begin_challenge()).json()
    made = response(begun["authn_params_public_key"])
    answer = await world.exchange(begun["auth_session"], made)
    return answer.status_code, answer.json().get("error", ""), answer.json().get("error_description", "")


@pytest.mark.parametrize("handle", ["alice's", "none", "empty", "bob's, twice"])
async def test_incident_6_bob_s_key_is_nobody_s_but_bob_s(world: World, handle: str) -> None:
    """YSA-2026-02: an assertion succeeded although the key belonged to another user than the one named."""
    alice, bob = Authenticator(), Authenticator()
    await world.register(alice, "alice@example.com")
    await world.register(bob, "bob@example.com")

    def answered(options: Any) -> Any:
        response: Any = bob.get(options, origin=PUBLIC_URL)
        inner, own = response["response"], response["response"].pop("userHandle")
        said = {"alice's": b64url(alice.credentials[0].user_handle), "empty": "", "bob's, twice": own + own}
        return response | {"response": inner | ({"userHandle": said[handle]} if handle in said else {})}

    logins = await world.journal()
    assert await outcome(world, answered) == REFUSED
    assert (await world.journal())[len(logins) :] == ["passkey_challenge_started", "f"]
    found = claims_of((await world.passkey_login(bob)).json()["id_token"])
    assert found["email"] == "bob@example.com"


async def test_incident_17_a_device_that_asks_nobody_counts_as_one_factor_and_is_warned_of(world: World) -> None:
    """kanidm#2274: browsers skipped user verification where it was only preferred."""
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    saved = await world.patch_options(authentication_methods=methods)
    assert saved.status_code == 200, saved.text
    warned = (await world.last_entry())["details"]["warnings"]
    assert [each for each in warned if each.startswith("user_verification: preferred")]
    device = Authenticator(verifies=False)
    await world.register(device)
    claims = claims_of((await world.passkey_login(device)).json()["id_token"])
    assert claims["amr"] == ["phr"], "and nothing of two factors"
    (row,) = await world.rows(tables.Passkey)
    assert row["user_verified"] is False
    await world.patch_options(passkey_policy={"user_verification": "required"})
    assert (await world.passkey_login(device)).status_code == 403


@pytest.mark.parametrize("synced", [True, False], ids=["synced", "device-bound"])
@pytest.mark.parametrize(("stored", "shown"), [(0, 0), (5, 7), (0, 7), (7, 5)])
async def test_incident_20_a_counter_is_held_against_those_alone_that_keep_one(
    world: World, synced: bool, stored: int, shown: int
) -> None:
    """securo#534: synced passkeys were refused for their counter. The other policies: the tests at the doors."""
    device = Authenticator(synced=synced)
    await world.register(device)
    device.credentials[0].sign_count = stored
    assert (await world.passkey_login(device)).status_code == 200
    device.credentials[0].sign_count = shown
    allowed = synced or shown > stored or shown == stored == 0
    assert (await world.passkey_login(device)).status_code == (200 if allowed else 403)
    (row,) = await world.rows(tables.Passkey)
    assert row["sign_count"] == (shown if allowed else stored)
