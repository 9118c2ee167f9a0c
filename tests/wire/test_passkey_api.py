"""Passkeys by API: ``/passkey/*`` and the grant (auth0-behaviour 2.3, PK-20 to PK-26)."""

import json
from typing import Any

import pytest

from authenticator import BS, EDDSA, ES256, RS256, Authenticator, Flaw, certified, flags, unb64url
from keystead.db import tables
from world import PASSKEY_GRANT, PUBLIC_URL, World, claims_of

ALGORITHMS = {"ES256": ES256, "EdDSA": EDDSA, "RS256": RS256}


async def test_the_options_of_a_registration(world: World) -> None:
    answer = await world.begin_register("Ann@Example.com")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert sorted(found) == ["auth_session", "authn_params_public_key"]
    options = found["authn_params_public_key"]
    assert len(unb64url(options.pop("challenge"))) == 32
    assert len(unb64url(options["user"].pop("id"))) == 32
    assert options == {
        "timeout": 60_000,
        "rp": {"id": "localhost", "name": "localhost"},
        "user": {"name": "ann@example.com", "displayName": "ann@example.com"},
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (-8, -7, -257)],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "preferred"},
    }
    assert await world.journal() == ["passkey_challenge_started"]
    assert (await world.last_entry())["details"]["purpose"] == "register"


async def test_the_options_of_a_login(world: World) -> None:
    answer = await world.begin_challenge()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    options = answer.json()["authn_params_public_key"]
    assert len(unb64url(options.pop("challenge"))) == 32
    assert options == {"timeout": 60_000, "rpId": "localhost", "userVerification": "preferred"}
    assert (await world.last_entry())["details"]["purpose"] == "login"


async def test_no_two_ceremonies_are_alike(world: World) -> None:
    begun = [(await world.begin_register()).json() for _ in range(3)]
    begun += [(await world.begin_challenge()).json() for _ in range(3)]
    assert len({each["auth_session"] for each in begun}) == 6
    assert len({each["authn_params_public_key"]["challenge"] for each in begun}) == 6
    assert len({each["authn_params_public_key"]["user"]["id"] for each in begun[:3]}) == 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_sign_up_and_log_in(world: World, algorithm: str) -> None:
    device = Authenticator(algorithms=(ALGORITHMS[algorithm],))
    signed_up = await world.register(device, "Ann@Example.com")
    assert list(signed_up) == ["access_token", "id_token", "scope", "expires_in", "token_type"]
    claims = claims_of(signed_up["id_token"])
    assert (claims["email"], claims["email_verified"], claims["amr"]) == ("ann@example.com", False, ["phr"])
    world.clock.advance(seconds=100)
    answer = await world.passkey_login(device, scope="openid offline_access")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    logged_in = claims_of(answer.json()["id_token"])
    assert logged_in["sub"] == claims["sub"]
    assert logged_in["auth_time"] == claims["auth_time"] + 100
    assert "refresh_token" in answer.json()
    assert await world.journal(claims["sub"]) == ["gd_enrollment_complete", "ss", "svr", "s"]
    assert (await world.userinfo(answer.json()["access_token"])).json()["sub"] == claims["sub"]


@pytest.mark.parametrize("attestation", ["none", "packed"])
async def test_attestations_that_are_taken(world: World, attestation: Any) -> None:
    device = Authenticator(attestation=attestation)
    await world.register(device)
    assert (await world.passkey_login(device)).status_code == 200
    assert [row["attestation_format"] for row in await world.rows(tables.Passkey)] == [attestation]


async def test_an_attestation_by_certificate(world: World) -> None:
    device = Authenticator(algorithms=(ES256,))
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=certified())
    assert (await world.exchange(begun["auth_session"], response)).status_code == 200
    assert (await world.passkey_login(device)).status_code == 200


@pytest.mark.parametrize("synced", [True, False])
@pytest.mark.parametrize("verifies", [True, False])
async def test_what_is_stored_is_what_the_device_said(world: World, synced: bool, verifies: bool) -> None:
    device = Authenticator(synced=synced, verifies=verifies, transports=("usb", "nfc"), algorithms=(ES256,))
    await world.register(device)
    (row,) = await world.rows(tables.Passkey)
    assert row["credential_id"] == device.credentials[0].id
    assert (row["backup_eligible"], row["backed_up"], row["user_verified"]) == (synced, synced, verifies)
    assert (row["transports"], row["algorithm"], row["rp_id"]) == (["usb", "nfc"], ES256, "localhost")
    (account,) = await world.rows(tables.Account)
    assert account["user_handle"] == device.credentials[0].user_handle
    assert account["password_hash"] is None


async def test_nothing_exists_before_the_exchange(world: World) -> None:
    before = await world.counts()
    begun = (await world.begin_register()).json()
    assert await world.counts() == before | {"CeremonyRow": 1}
    assert (await world.login()).status_code == 403
    assert (await world.manage("GET", "/users")).json() == []
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.signup()).status_code == 200, "the address is still free"
    assert (await world.exchange(begun["auth_session"], response)).status_code == 400
    assert (await world.counts())["Account"] == 1


async def test_a_profile_and_metadata_come_along(world: World) -> None:
    profile = {
        "email": "ann@example.com",
        "name": "Ann B",
        "given_name": "Ann",
        "family_name": "B",
        "nickname": "annie",
    }
    profile["picture"] = "https://example.com/ann.png"
    begun = (await world.begin_register(user_profile=profile, user_metadata={"lang": "en"})).json()
    assert begun["authn_params_public_key"]["user"]["displayName"] == "Ann B"
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    claims = claims_of((await world.exchange(begun["auth_session"], response)).json()["id_token"])
    assert {name: claims[name] for name in profile} == profile
    person = (await world.manage("GET", f"/users/{claims['sub'].replace('|', '%7C')}")).json()
    assert person["user_metadata"] == {"lang": "en"}


async def test_another_realm_and_other_identifiers(world: World) -> None:
    attributes = {"username": {}, "phone_number": {"signup": {"status": "optional"}}}
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.new_connection("Second", attributes=attributes, authentication_methods=methods)
    device = Authenticator()
    begun = (await world.begin_register(realm="Second", user_profile={"username": "Ann"})).json()
    assert begun["authn_params_public_key"]["user"]["name"] == "ann"
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = await world.exchange(begun["auth_session"], response, realm="Second")
    assert answer.status_code == 200, answer.text
    begun = (await world.begin_challenge(realm="Second")).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.exchange(begun["auth_session"], response)).status_code == 200


@pytest.mark.parametrize("empty", [None, ""])
async def test_null_and_empty_are_absent(shared_world: World, empty: str | None) -> None:
    device = Authenticator()
    name = f"empty{empty!r}@example.com".replace("'", "")
    begun = (await shared_world.begin_register(name, realm=empty, client_secret=empty, organization=None)).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = await shared_world.exchange(begun["auth_session"], response, realm=empty, audience=empty, scope=empty)
    assert answer.status_code == 200
    assert answer.json()["scope"] == "openid profile email phone address"


async def test_a_form_carries_the_answer_as_json(world: World) -> None:
    device = Authenticator()
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    form = {"grant_type": PASSKEY_GRANT, "client_id": world.client_id, "auth_session": begun["auth_session"]}
    answer = await world.client.post("/oauth/token", data=form | {"authn_response": json.dumps(response)})
    assert answer.status_code == 200
    challenge = (await world.client.post("/passkey/challenge", data={"client_id": world.client_id})).json()
    response = device.get(challenge["authn_params_public_key"], origin=PUBLIC_URL)
    form["auth_session"] = challenge["auth_session"]
    answer = await world.client.post("/oauth/token", data=form | {"authn_response": json.dumps(response)})
    assert answer.status_code == 200


async def test_members_that_nobody_knows_are_ignored(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response: dict[str, Any] = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    response["response"] |= {"attestationObject": "x", "publicKey": None, "new": {"in": ["level", 4]}}
    response |= {"userHandle": 7, "clientExtensionResults": {"prf": {"enabled": True}}}
    assert (await world.exchange(begun["auth_session"], response)).status_code == 200


async def test_a_page_of_the_client_s_own(world: World) -> None:
    await world.patch_client(
        world.client_id,
        web_origins=["https://shop.example"],
        mobile={"android": {"app_package_name": "com.example", "sha256_cert_fingerprints": [":".join(["AB"] * 32)]}},
    )
    device = Authenticator()
    for number, origin in enumerate(
        ("https://shop.example", PUBLIC_URL, "android:apk-key-hash:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s")
    ):
        begun = (await world.begin_register(f"person{number}@example.com")).json()
        response = device.create(begun["authn_params_public_key"], origin=origin)
        assert (await world.exchange(begun["auth_session"], response)).status_code == 200, origin
        begun = (await world.begin_challenge()).json()
        response = device.get(begun["authn_params_public_key"], origin=origin)
        assert (await world.exchange(begun["auth_session"], response)).status_code == 200, origin


async def test_a_confidential_client(world: World) -> None:
    client = await world.new_client(app_type="regular_web", grant_types=[PASSKEY_GRANT])
    pair = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    device = Authenticator()
    begun = (await world.begin_register(**pair)).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.exchange(begun["auth_session"], response, **pair)).status_code == 200


async def test_a_ceremony_may_take_five_minutes(world: World) -> None:
    device = Authenticator()
    begun = (await world.begin_register()).json()
    world.clock.advance(seconds=299)
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.exchange(begun["auth_session"], response)).status_code == 200


async def test_the_counter_is_kept(world: World) -> None:
    device = Authenticator(synced=False, counts=True)
    await world.register(device)
    for expected in (1, 2, 3):
        assert (await world.passkey_login(device)).status_code == 200
        (row,) = await world.rows(tables.Passkey)
        assert row["sign_count"] == expected
        assert row["last_used_at"] == world.clock()


async def test_a_counter_that_goes_back_refuses_a_device_bound_passkey(world: World) -> None:
    device = Authenticator(synced=False, counts=True)
    await world.register(device)
    await world.passkey_login(device)
    before = await world.counts()
    device.credentials[0].sign_count = 0
    answer = await world.passkey_login(device)
    assert answer.status_code == 403
    assert answer.json() == {"error": "invalid_grant", "error_description": "Passkey could not be verified."}
    assert await world.counts() == before
    entry = await world.last_entry()
    assert entry["type"] == "f"
    assert entry["details"]["counter"] == {"stored": 1, "reported": 1}
    assert (await world.passkey_login(device)).status_code == 200, "the device itself counts on"


async def test_a_counter_that_goes_back_is_a_warning_for_a_synced_passkey(world: World) -> None:
    device = Authenticator(synced=True, counts=True)
    await world.register(device)
    await world.passkey_login(device)
    assert "counter_went_back" not in (await world.last_entry())["details"]
    device.credentials[0].sign_count = 0
    assert (await world.passkey_login(device)).status_code == 200
    entry = await world.last_entry()
    assert entry["type"] == "s"
    assert entry["details"]["counter_went_back"] == {"stored": 1, "reported": 1}


async def test_an_eligible_key_may_become_backed_up(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=Flaw(fields=flags(off=BS)))
    assert (await world.exchange(begun["auth_session"], response)).status_code == 200
    assert [row["backed_up"] for row in await world.rows(tables.Passkey)] == [False]
