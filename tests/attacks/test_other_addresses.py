"""Passkeys at an address that is not theirs, and pages that would like to be ours (WebAuthn Level 3 §13.4.9)."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from authenticator import Authenticator, Flaw
from conftest import Stencil
from storefront import LOGIN, PATH, Storefront, open_at, set_to
from visitor import Visitor
from world import World

FRIEND = "https://friend.example"
LOOK_ALIKES = [
    "https://evil-login.example.com",
    "https://login.example.com.evil.example",
    "https://evil.example/login.example.com",
    "https://login.example.com@evil.example",
    "https://login.example.com:444",
    "https://login.example.com:443",
    "https://login.example.com.",
    "https://login.example.com/",
    "https://LOGIN.example.com",
    "https://Login.Example.Com",
    "HTTPS://login.example.com",
    "http://login.example.com",
    "https://xn--login-9cd.example.com",
    "https://login.ex\u0430mple.com",
    "https://login.example.com\u200b",
    " https://login.example.com",
    "https://example.com",
    "https://a.login.example.com",
    "https://friend.example:8443",
    "https://evil-friend.example",
    "https://a.friend.example",
    "null",
    "*",
    "",
]


@pytest.fixture
async def house(installation: Stencil) -> AsyncIterator[World]:
    """Keystead at https://login.example.com, with a friend on another domain and an older address."""
    async with open_at(installation) as opened:
        await set_to(opened, related_origins=[FRIEND], retiring=["old.test"])
        yield opened


@pytest.mark.parametrize("origin", LOOK_ALIKES)
async def test_a_page_that_looks_like_ours_is_not(house: World, origin: str) -> None:
    device = Authenticator()
    await Storefront(house).signs_up(device)
    begun = await Storefront(house).ask("challenge")
    response = device.get(begun["authn_params_public_key"], origin=origin)
    assert (await house.exchange(begun["auth_session"], response)).status_code == 403
    begun = await Storefront(house).ask("register", user_profile={"email": "bob@example.com"})
    response = Authenticator().create(begun["authn_params_public_key"], origin=origin)
    assert (await house.exchange(begun["auth_session"], response)).status_code == 403


@pytest.mark.parametrize("origin", [*LOOK_ALIKES, "https://www.old.test", "https://old.test", "https://evil.example"])
async def test_an_origin_header_that_nobody_allowed_decides_nothing(house: World, origin: str) -> None:
    body = {"client_id": house.client_id}
    headers = {"origin": origin.encode()}
    if origin:
        answer = await house.client.post("/passkey/challenge", json=body, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 403
    headers["sec-fetch-site"] = b"same-origin"  # as a proxy passes it on
    answer = await house.client.post("/passkey/challenge", json=body, headers=headers)  # type: ignore[arg-type]
    assert answer.json()["authn_params_public_key"]["rpId"] == "login.example.com"
    assert (await set_to(house))["related_origins"] == [FRIEND]


async def test_an_origin_header_lets_no_page_in(house: World) -> None:
    """What a page says of itself when it asks for options is not what its browser signs."""
    device = Authenticator()
    await Storefront(house).signs_up(device)
    headers = {"origin": "https://evil.example", "sec-fetch-site": "same-origin"}
    body = {"client_id": house.client_id}
    begun = (await house.client.post("/passkey/challenge", json=body, headers=headers)).json()
    response = device.get(begun["authn_params_public_key"], origin="https://evil.example")
    assert (await house.exchange(begun["auth_session"], response)).status_code == 403


@pytest.mark.parametrize(
    "asked",
    ["evil.example", "example.com", "com", "OLD.test", "old.test.", "a.old.test", "evil-old.test", "old.test/", "*"],
)
async def test_an_id_that_is_not_in_the_list_cannot_be_asked_for(house: World, asked: str) -> None:
    visitor = Visitor.of(house)
    page = await visitor.authorize(redirect_uri=f"{LOGIN}/")
    path = page.form("/login/passkey").action.replace("?", "/options?")
    headers = {"origin": LOGIN, "sec-fetch-site": "same-origin"}
    for rp_id, status in (("old.test", 200), ("login.example.com", 200), (asked, 400)):
        answer = await visitor.client.post(f"{path}&rp_id={rp_id}", headers=headers)
        assert answer.status_code == status, rp_id
    assert "error_description" in answer.json()


async def test_a_client_cannot_ask_for_an_id(house: World) -> None:
    begun = await Storefront(house).ask("challenge", rp_id="old.test", rpId="old.test")
    assert begun["authn_params_public_key"]["rpId"] == "login.example.com"


async def older_and_newer(house: World) -> tuple[Authenticator, Visitor, str]:
    """Give Ann a passkey of login.example.com, which is then the older address, and bring her to the login page."""
    device = Authenticator()
    await Storefront(house).signs_up(device)
    await set_to(house, id="example.com")
    visitor = Visitor.of(house)
    page = await visitor.authorize(redirect_uri=f"{LOGIN}/")
    return device, visitor, page.form("/login/passkey").action


@pytest.mark.parametrize("flawed", [False, True], ids=["as it is", "hash of the ceremony's id"])
async def test_a_passkey_answers_for_no_other_address_than_its_own(house: World, flawed: bool) -> None:
    """Made for one id and shown for another: also where the authenticator puts the other's hash into what it signs."""
    device, visitor, action = await older_and_newer(house)
    headers = {"origin": LOGIN, "sec-fetch-site": "same-origin"}
    answer = await visitor.client.post(action.replace("?", "/options?"), headers=headers)
    options: dict[str, Any] = answer.json()
    assert options["authn_params_public_key"]["rpId"] == "example.com"
    flaw = Flaw(login=0, fields=lambda fields: replace(fields, rp_id="example.com")) if flawed else Flaw(login=0)
    (passkey,) = device.credentials
    response = device.get(options["authn_params_public_key"], origin=LOGIN, credential=passkey, flaw=flaw)
    sent = {"auth_session": options["auth_session"], "response": json.dumps(response)}
    refused = await visitor.client.post(action, data=sent, headers=headers)
    assert refused.status_code == 403
    reason = str((await house.last_entry())["details"])
    assert ("the passkey is of login.example.com" if flawed else "another relying party") in reason


async def test_changes_at_the_same_time_lose_nothing(house: World) -> None:
    """Of two administrators one would otherwise put back what the other has just replaced: an id with its passkeys."""
    for _ in range(5):
        await set_to(house, id=None, name=None, retiring=None, related_origins=None)
        changes = ({"id": "example.com"}, {"name": "Example"}, {"related_origins": [FRIEND]})
        answers = await asyncio.gather(*(house.manage("PATCH", PATH, each) for each in changes))
        assert [each.status_code for each in answers] == [200, 200, 200]
        assert (await house.manage("GET", PATH)).json() == {
            "id": "example.com",
            "name": "Example",
            "origins": [],
            "related_origins": [FRIEND],
            "retiring": ["login.example.com"],
        }
