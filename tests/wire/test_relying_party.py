"""``/api/v2/keystead/relying-party``: whom passkeys are for, page by page, and the way from one address to another."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from account import MyAccount
from authenticator import Authenticator, NotAllowedError, b64url
from conftest import Stencil
from keystead.db import tables
from keystead.flows.ceremonies import Party
from keystead.flows.passkey_enrolment import Proved
from keystead.rules.claims import iso
from keystead.rules.events import Caller
from storefront import LOGIN, PATH, Storefront, open_at, set_to
from visitor import Form, Landed, Visitor
from world import PASSWORD, World

SHOP = "https://shop.example"
OLD = "https://www.old.test"
APP = "android:apk-key-hash:" + "A" * 43
ALONE: dict[str, Any] = {"origins": [], "related_origins": [], "retiring": []}


@pytest.fixture
async def house(installation: Stencil) -> AsyncIterator[World]:
    """Keystead at https://login.example.com, whose default client has pages at a shop and at the old address."""
    async with open_at(installation) as opened:
        await opened.patch_client(opened.client_id, web_origins=[SHOP, OLD])
        yield opened


async def test_the_public_host_where_nobody_said_otherwise(house: World) -> None:
    expected = {"id": "login.example.com", "name": "login.example.com", **ALONE}
    assert (await house.manage("GET", PATH)).json() == expected
    assert await set_to(house) == expected


async def test_a_change_is_merged_and_recorded(house: World) -> None:
    first = await set_to(house, name="Example", related_origins=[SHOP])
    assert first == {"id": "login.example.com", "name": "Example", **ALONE, "related_origins": [SHOP]}
    after = await set_to(house, id="example.com", name=None)
    assert after == {
        "id": "example.com",
        "name": "example.com",
        "origins": [],
        "related_origins": [SHOP],
        "retiring": ["login.example.com"],
    }
    assert (await house.manage("GET", PATH)).json() == after
    entry = await house.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Update the relying party")
    assert entry["details"]["changed"] == ["id", "name"]
    assert "shut_out" not in entry["details"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"id": "com"}, "com is a public suffix"),
        ({"id": "other.example"}, "must be login.example.com or a parent"),
        ({"id": ["example.com"]}, "Expected type string but found type array"),
        ({"origins": [SHOP]}, "must be on login.example.com"),
        ({"related_origins": ["http://shop.example"]}, "must begin with https://"),
        ({"retiring": ["login.example.com"]}, "login.example.com is the current id"),
        ({"origin": LOGIN}, "Additional properties not allowed: origin"),
        ({"origin": None}, "Additional properties not allowed: origin"),
    ],
)
async def test_what_is_refused_changes_nothing(house: World, body: dict[str, Any], message: str) -> None:
    before = (await house.manage("GET", PATH)).json()
    answer = await house.manage("PATCH", PATH, {"name": "New", **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert message in answer.json()["message"]
    assert (await house.manage("GET", PATH)).json() == before


# --- ceremonies --------------------------------------------------------------------------------------------------


async def test_id_and_name_go_into_the_options(house: World) -> None:
    await set_to(house, id="example.com", name="Example")
    device = Authenticator()
    begun = await Storefront(house).ask("register", user_profile={"email": "ann@example.com"})
    assert begun["authn_params_public_key"]["rp"] == {"id": "example.com", "name": "Example"}
    assert (await Storefront(house).signs_up(device)).status_code == 200
    assert [row["rp_id"] for row in await house.rows(tables.Passkey)] == ["example.com"]
    assert (await Storefront(house).ask("challenge"))["authn_params_public_key"]["rpId"] == "example.com"
    assert (await Storefront(house).logs_in(device)).status_code == 200


@pytest.mark.parametrize(
    ("said", "origin", "opens"),
    [
        ({}, LOGIN, True),
        ({}, SHOP, True),  # the client's own page
        ({}, "https://a.login.example.com", False),
        ({"origins": ["https://a.login.example.com"]}, "https://a.login.example.com", True),
        ({"origins": ["https://a.login.example.com"]}, "https://b.login.example.com", False),
        ({}, "https://friend.example", False),
        ({"related_origins": ["https://friend.example"]}, "https://friend.example", True),
        ({"related_origins": ["https://friend.example"]}, "https://friend.example:8443", False),
        ({}, APP, False),
        ({"origins": [APP]}, APP, True),
    ],
)
async def test_where_a_dialog_may_be_shown(house: World, said: dict[str, Any], origin: str, opens: bool) -> None:
    await set_to(house, **said)
    device = Authenticator()
    await Storefront(house).signs_up(device)
    begun = (await house.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=origin)
    answer = await house.exchange(begun["auth_session"], response)
    assert (answer.status_code == 200) is opens, answer.text


@pytest.mark.parametrize(
    ("origin", "rp_id"),
    [
        (LOGIN, "example.com"),
        (OLD, "old.test"),
        (SHOP, "example.com"),  # not related: nothing fits, and the browser will say so
        ("https://friend.example", "example.com"),
        ("https://elsewhere.old.test", None),  # nobody allowed it
        ("https://www.old.test.evil.example", None),
        ("https://evil-www.old.test", None),
        ("null", None),
        (None, "example.com"),
    ],
)
@pytest.mark.parametrize("route", ["challenge", "register", "me"])
async def test_each_page_gets_the_newest_id_that_works_there(
    house: World, route: str, origin: str | None, rp_id: str | None
) -> None:
    said = {"id": "example.com", "retiring": ["old.test"], "related_origins": ["https://friend.example"]}
    await set_to(house, **said)
    headers = {"origin": origin} if origin else {}
    if route == "me":
        await house.signup()
        headers |= {"authorization": f"Bearer {(await MyAccount.of(house)).token}"}
        answer = await house.client.post("/me/v1/authentication-methods", json={"type": "passkey"}, headers=headers)
    else:
        body = {"client_id": house.client_id, "user_profile": {"email": "ann@example.com"}}
        answer = await house.client.post(f"/passkey/{route}", json=body, headers=headers)
    if rp_id is None:
        assert answer.status_code == 403
        return
    options = answer.json()["authn_params_public_key"]
    assert (options["rpId"] if route == "challenge" else options["rp"]["id"]) == rp_id


async def test_what_was_accepted_is_frozen_and_what_is_added_later_comes_too_late(house: World) -> None:
    await set_to(house, related_origins=["https://friend.example"])
    device = Authenticator()
    await Storefront(house).signs_up(device)
    begun = [await Storefront(house).ask("challenge") for _ in range(2)]
    await set_to(house, related_origins=["https://other.example"])
    for origin, each, status in zip(
        ("https://friend.example", "https://other.example"), begun, (200, 403), strict=True
    ):
        response = device.get(each["authn_params_public_key"], origin=origin)
        assert (await house.exchange(each["auth_session"], response)).status_code == status


async def test_an_id_that_is_out_of_use_lets_nobody_in(house: World) -> None:
    device = Authenticator()
    await Storefront(house).signs_up(device)
    begun = await Storefront(house).ask("challenge")
    response = device.get(begun["authn_params_public_key"], origin=LOGIN)
    await set_to(house, id="example.com", retiring=None)
    refused = await house.exchange(begun["auth_session"], response)
    assert (refused.status_code, refused.json()["error"]) == (403, "invalid_grant")
    details = (await house.last_entry())["details"]
    assert details["policy"] == [{"field": "relying_party", "why": "the passkey is of login.example.com"}]
    with pytest.raises(NotAllowedError):
        await Storefront(house).logs_in(device)


async def test_the_journal_says_how_many_a_change_shuts_out(house: World) -> None:
    for email in ("ann@example.com", "bob@example.com"):
        await Storefront(house).signs_up(Authenticator(), email)
    await set_to(house, id="example.com", retiring=[])
    gone = [{"rp_id": "login.example.com", "passkeys": 2, "people": 2}]
    assert (await house.last_entry())["details"]["shut_out"] == gone


async def test_a_policy_that_advises_does_not_take_passkeys_of_another_address(house: World) -> None:
    await house.patch_options(passkey_policy={"mode": "advise"})
    device = Authenticator()
    await Storefront(house).signs_up(device)
    begun = await Storefront(house).ask("challenge")
    response = device.get(begun["authn_params_public_key"], origin=LOGIN)
    await set_to(house, id="example.com", retiring=None)
    assert (await house.exchange(begun["auth_session"], response)).status_code == 403


async def test_no_passkey_is_made_for_an_address_that_went_out_of_use_meanwhile(house: World) -> None:
    begun = await Storefront(house).ask("register", user_profile={"email": "ann@example.com"})
    response = Authenticator().create(begun["authn_params_public_key"], origin=LOGIN)
    await set_to(house, id="example.com", retiring=None)
    before = await house.counts()
    assert (await house.exchange(begun["auth_session"], response)).status_code == 403
    assert await house.counts() == before | {"CeremonyRow": 0}


async def test_the_id_is_read_when_a_ceremony_begins_in_every_process(installation: Stencil) -> None:
    async with open_at(installation) as one, open_at(installation, seed="another") as other:
        assert (await Storefront(other).ask("challenge"))["authn_params_public_key"]["rpId"] == "login.example.com"
        await set_to(one, id="example.com")
        assert (await Storefront(other).ask("challenge"))["authn_params_public_key"]["rpId"] == "example.com"


# --- moving ------------------------------------------------------------------------------------------------------


async def test_more_passkeys_are_excluded_and_counted_by_the_address_they_are_for(house: World) -> None:
    await house.patch_options(passkey_policy={"max_per_user": 1})
    device = Authenticator()
    tokens = (await Storefront(house).signs_up(device)).json()
    assert "access_token" in tokens
    await house.manage("PATCH", f"/users/{quote((await people(house))['ann@example.com'])}", {"password": PASSWORD})
    account = await MyAccount.of(house)
    assert (await account.start()).status_code == 400
    await set_to(house, id="example.com")
    begun = await account.begin(use_exclude_credentials=True)
    assert "excludeCredentials" not in begun["authn_params_public_key"]
    response = device.create(begun["authn_params_public_key"], origin=LOGIN)
    assert (await account.verify(begun, response)).status_code == 201
    assert {each["relying_party_id"] for each in await account.passkeys()} == {"login.example.com", "example.com"}
    assert (await account.start()).status_code == 400
    await house.patch_options(passkey_policy={"max_per_user": 2})
    begun = await account.begin(use_exclude_credentials=True)
    (excluded,) = begun["authn_params_public_key"]["excludeCredentials"]
    assert excluded["id"] == b64url(device.credentials[1].id)


async def people(world: World) -> dict[str, str]:
    """Return everybody's user id, by address."""
    return {each["email"]: each["user_id"] for each in (await world.manage("GET", "/users")).json()}


@dataclass(frozen=True)
class Moving:
    """Somebody on the login pages with a passkey of an older address."""

    visitor: Visitor
    page: Landed
    device: Authenticator

    async def options(self, rp_id: str) -> httpx.Response:
        """Ask for the options of an older address, as the page's script does."""
        action = self.page.form("/login/passkey").action.replace("?", "/options?")
        headers = {"origin": self.visitor.world.settings.public_url, "sec-fetch-site": "same-origin"}
        return await self.visitor.client.post(f"{action}&rp_id={quote(rp_id)}", headers=headers)

    async def logs_in(self, rp_id: str = "login.example.com", origin: str = LOGIN) -> Landed:
        """Log in with a passkey of an older address."""
        asked = (await self.options(rp_id)).json()
        response = self.device.get(asked["authn_params_public_key"], origin=origin)
        form = self.page.form("/login/passkey")
        return await self.visitor.send(form, auth_session=asked["auth_session"], response=json.dumps(response))

    async def enrols(self, at: Landed) -> Landed:
        """Create the passkey that is offered."""
        options = await self.visitor.options(at, "/passkey-enrollment")
        response = self.device.create(options["authn_params_public_key"], origin=LOGIN)
        form = at.form("/passkey-enrollment")
        return await self.visitor.send(form, auth_session=options["auth_session"], response=json.dumps(response))


async def moving(house: World, **said: Any) -> Moving:
    """Have Ann make a passkey, change the address, and bring her to the login page."""
    device = Authenticator()
    await Storefront(house).signs_up(device)
    await set_to(house, **{"id": "example.com"} | said)
    visitor = Visitor.of(house)
    return Moving(visitor, await visitor.authorize(redirect_uri=f"{LOGIN}/"), device)


async def test_the_login_pages_ask_for_passkeys_of_older_addresses(house: World) -> None:
    assert "Use a passkey made for" not in (await Visitor.of(house).authorize(redirect_uri=f"{LOGIN}/")).text
    ann = await moving(house, retiring=["login.example.com", "old.test"])
    for older in ("login.example.com", "old.test"):
        assert f"Use a passkey made for {older}</button>" in ann.page.text
        assert (await ann.options(older)).json()["authn_params_public_key"]["rpId"] == older
    landed = await ann.logs_in()
    assert landed.path == "/u/passkey-enrollment"
    assert "We have moved to <bdi>example.com</bdi>" in landed.text
    done = await ann.enrols(landed)
    assert "code" in done.answer
    assert [each.rp_id for each in ann.device.credentials] == ["login.example.com", "example.com"]


async def test_the_offer_comes_once_the_person_has_moved_no_more(house: World) -> None:
    ann = await moving(house)
    await ann.enrols(await ann.logs_in())
    again = replace(ann, visitor=(visitor := Visitor.of(house)), page=await visitor.authorize(redirect_uri=f"{LOGIN}/"))
    assert "code" in (await again.logs_in()).answer


async def test_the_offer_comes_after_a_password_too_and_can_be_put_off(house: World) -> None:
    ann = await moving(house)
    user_id = (await people(house))["ann@example.com"]
    await house.manage("PATCH", f"/users/{quote(user_id)}", {"password": PASSWORD})
    await house.patch_options(passkey_options={"progressive_enrollment_enabled": False})
    landed = await ann.visitor.send(ann.page.form("/login/identifier"), username="ann@example.com")
    landed = await ann.visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert "We have moved to" in landed.text
    await ann.visitor.send(Form(landed.form("/passkey-enrollment").action), action="skip", dont_ask="1")
    for days, path in ((29, ""), (2, "/u/passkey-enrollment")):
        house.clock.advance(days=days)
        again = replace(ann, visitor=(new := Visitor.of(house)), page=await new.authorize(redirect_uri=f"{LOGIN}/"))
        landed = await again.logs_in()
        assert (landed.path == path) if path else ("code" in landed.answer)


async def test_a_move_is_not_put_off_for_good(house: World) -> None:
    await house.patch_options(passkey_policy={"allow_never_ask": True})
    landed = await (await moving(house)).logs_in()
    assert "Not now" in landed.text
    assert "Never ask again" not in landed.text


@pytest.mark.parametrize("ui", ["both", "button", "autofill"])
async def test_the_older_button_is_there_however_passkeys_are_asked_for(house: World, ui: str) -> None:
    await house.patch_options(passkey_options={"challenge_ui": ui})
    assert "Use a passkey made for login.example.com" in (await moving(house)).page.text


async def test_where_passkeys_are_off_nobody_is_asked_for_one(house: World) -> None:
    ann = await moving(house)
    methods = {"password": {"enabled": True}, "passkey": {"enabled": False}}
    assert (await house.patch_options(authentication_methods=methods)).status_code == 200
    page = await ann.visitor.authorize(redirect_uri=f"{LOGIN}/")
    assert "Use a passkey made for" not in page.text


async def test_hosted_pages_take_no_page_of_a_client(house: World) -> None:
    ann = await moving(house, origins=["https://www.example.com"])
    for origin, opens in ((SHOP, False), (OLD, False), ("https://www.example.com", True)):
        landed = await ann.logs_in(origin=origin)
        assert (landed.path == "/u/passkey-enrollment") is opens, origin


# --- the report --------------------------------------------------------------------------------------------------


async def report(world: World) -> dict[str, dict[str, Any]]:
    """Return the report, by id."""
    answer = await world.manage("GET", f"{PATH}/report")
    assert answer.status_code == 200, answer.text
    return {each.pop("rp_id"): each for each in answer.json()["rp_ids"]}


def left(people: int = 0, password: int = 0, address: int = 0, neither: int = 0) -> dict[str, int]:
    return {"people": people, "with_password": password, "with_verified_address": address, "with_neither": neither}


async def test_a_report_where_there_is_nothing(house: World) -> None:
    nothing = {"passkeys": 0, "people": 0, "moved": 0, "not_moved": left()}
    await set_to(house, retiring=["old.test"])
    assert await report(house) == {
        "login.example.com": {"status": "current", **nothing},
        "old.test": {"status": "retiring", **nothing, "can_go": True},
    }


async def test_the_report_counts_who_has_moved_and_what_the_others_have(house: World) -> None:
    devices = {name: Authenticator() for name in ("ann", "bob", "cat", "dan")}
    for name, device in devices.items():
        await Storefront(house).signs_up(device, f"{name}@example.com")
        house.clock.advance(minutes=1)
    ids = {email.partition("@")[0]: user_id for email, user_id in (await people(house)).items()}
    await house.manage("PATCH", f"/users/{quote(ids['bob'])}", {"password": PASSWORD})
    await house.manage("PATCH", f"/users/{quote(ids['cat'])}", {"email_verified": True})
    used = house.clock()
    await Storefront(house).logs_in(devices["dan"])
    await set_to(house, id="example.com")
    waiting = {"status": "retiring", "passkeys": 4, "people": 4, "last_used": iso(used), "can_go": False}
    found = await report(house)
    assert list(found) == ["example.com", "login.example.com"]
    assert found["login.example.com"] == waiting | {"moved": 0, "not_moved": left(4, 1, 1, 2)}

    await second_passkey(house, ids["ann"], devices["ann"])
    await second_passkey(house, ids["ann"], devices["ann"])
    found = await report(house)
    assert found["login.example.com"] == waiting | {"moved": 1, "not_moved": left(3, 1, 1, 1)}
    assert found["example.com"] == {"status": "current", "passkeys": 2, "people": 1, "moved": 1, "not_moved": left()}

    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    assert (await house.patch_options(authentication_methods=methods)).status_code == 200
    assert (await report(house))["login.example.com"]["not_moved"] == left(3, 0, 1, 2)

    for name in ("bob", "cat", "dan"):
        await second_passkey(house, ids[name], devices[name])
    assert (await report(house))["login.example.com"] == waiting | {"moved": 4, "not_moved": left(), "can_go": True}
    await set_to(house, retiring=None)
    gone = waiting | {"moved": 4, "not_moved": left(), "status": "unused"}
    gone.pop("can_go")
    assert (await report(house))["login.example.com"] == gone


async def test_a_passkey_in_quarantine_is_none(house: World) -> None:
    device = Authenticator()
    await Storefront(house).signs_up(device)
    await set_to(house, id="example.com")
    await second_passkey(house, (await people(house))["ann@example.com"], device)
    assert (await report(house))["login.example.com"]["can_go"]
    quarantine = update(tables.Passkey).where(col(tables.Passkey.rp_id) == "example.com")
    await house.db.write(
        lambda session: session.connection().execute(
            quarantine.values(quarantined_at=house.clock(), quarantine="for a test")
        )
    )
    found = await report(house)
    assert (found["example.com"]["passkeys"], found["login.example.com"]["not_moved"]["people"]) == (0, 1)
    assert not found["login.example.com"]["can_go"]


async def second_passkey(world: World, user_id: str, device: Authenticator) -> None:
    """Give somebody one more passkey, of the id that is current."""
    enrolment, clients = world.app.state.flows.enrolment, world.app.state.flows.directory
    connection = await clients.by_id(world.connection_id, world.client_id)
    options = await enrolment.begin(connection, user_id, Party(world.client_id, connection), exclude=False)
    response = device.create(options.public_key, origin=LOGIN)
    ceremony = await enrolment.ceremonies.claim(options.auth_session, ("enrolment",), client_id=world.client_id)
    await enrolment.finish(ceremony, Proved(user_id, world.clock()), response, Caller(address="", user_agent=""))
