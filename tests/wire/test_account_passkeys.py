"""``/u/account/passkeys``: people and their passkeys on a page; by a browser without scripts, but for adding."""

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update
from sqlmodel import Session, col

from account import MyAccount
from authenticator import Authenticator, b64url
from keystead.db import tables
from visitor import MOVED, Form, Landed, Visitor
from world import PUBLIC_URL, World

PAGE = "/u/account/passkeys"
pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

BOTH = {"password": {"enabled": True}, "passkey": {"enabled": True}}


@pytest.fixture
async def ann(world: World) -> str:
    """Ann's account."""
    return await world.person()


async def signed_in(world: World) -> Visitor:
    """Sign Ann in on the way to the page."""
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.open(PAGE))
    assert landed.path == PAGE
    return visitor


async def options(visitor: Visitor) -> Any:
    """Ask for the options of one more passkey, as the page's script does."""
    headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    return await visitor.client.post(f"{PAGE}/options", headers=headers)


async def add(visitor: Visitor, device: Authenticator) -> Landed:
    """Add a passkey, as the page's script does."""
    begun = (await options(visitor)).json()
    response = json.dumps(device.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    return await visitor.send(Form(PAGE), auth_session=begun["auth_session"], response=response)


def text_of(landed: Landed) -> str:
    """Return what a page says, as it is read."""
    main = landed.text.partition("<main")[2].partition(">")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", main)).split())


def ids(landed: Landed) -> list[str]:
    """Return the passkeys that a page shows, in order."""
    return [form.fields["rename"] for form in landed.forms() if "rename" in form.fields]


async def quarantine(world: World, passkey_id: str) -> None:
    """Take a passkey out of use, as an administrator does; it ends the account's sessions."""
    (owner,) = {row["user_id"] for row in await world.rows(tables.Passkey)}
    path = f"/keystead/users/{quote(owner)}/passkeys/{quote(passkey_id)}/quarantine"
    assert (await world.manage("PUT", path, {"reason": "found in the street"})).status_code == 200


async def written(world: World, passkey_id: str, **values: Any) -> None:
    """Write of a passkey what only a move to another address changes."""

    def work(session: Session) -> None:
        which = update(tables.Passkey).where(col(tables.Passkey.id) == passkey_id)
        session.connection().execute(which.values(values))

    await world.db.write(work)


async def test_who_is_not_signed_in_signs_in_and_comes_back(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.open(PAGE)
    assert landed.path == "/u/login/identifier"
    landed = await visitor.log_in(landed)
    assert (landed.path, landed.response.status_code) == (PAGE, 200)
    assert "Your passkeys ann@example.com" in text_of(landed)
    assert "You have none yet." in text_of(landed)
    assert 'href="/u/account"' in landed.text
    assert f'href="{PAGE}"' in (await visitor.open("/u/account")).text


async def test_what_it_shows_of_a_passkey(world: World, ann: str) -> None:
    visitor, device = await signed_in(world), Authenticator(transports=("internal",))
    landed = await add(visitor, device)
    assert "The passkey was added." in text_of(landed)
    assert "Synced Created 1 Jun 2026, 12:00 UTC Not used yet" in text_of(landed)
    world.clock.advance(hours=1)
    await world.passkey_login(device)
    landed = await visitor.open(PAGE)
    assert "Last used 1 Jun 2026, 13:00 UTC" in text_of(landed)
    assert 'datetime="2026-06-01T12:00:00.000Z"' in landed.text
    assert "was added" not in landed.text
    assert "Out of use" not in landed.text


async def test_a_passkey_of_one_device_and_one_out_of_use(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator(transports=("usb",), synced=False))
    assert "Security key On one device only" in text_of(landed)
    await quarantine(world, ids(landed)[0])
    world.clock.advance(seconds=1)
    landed = await (await signed_in(world)).open(PAGE)
    assert "Out of use: it does not sign you in" in text_of(landed)
    assert "street" not in landed.text, "why is for administrators"


async def test_what_keeps_it_is_said_where_that_is_known(world: World, ann: str) -> None:
    """By the table of AAGUIDs; also beside a name of its owner's, and in the mail."""
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator(aaguid=bytes.fromhex("fbfc3007154e4ecc8c0b6e020557d7bd")))
    assert "Apple Passwords Synced" in text_of(landed)
    assert "Apple Passwords" in (await world.letters())[0].text
    landed = await visitor.send(Form(PAGE), rename=ids(landed)[0], name="Mine")
    assert "Mine Apple Passwords · Synced" in text_of(landed)


async def test_renaming(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    world.clock.advance(hours=2)
    name = " Küche <b> & „Balkon“ \U0001f468\u200d\U0001f469 "
    landed = await visitor.send(Form(PAGE), rename=ids(landed)[0], name=name)
    assert "The passkey has its new name." in text_of(landed)
    assert "Küche <b> & „Balkon“" in text_of(landed)
    assert "<b>" not in landed.text
    (row,) = await world.rows(tables.Passkey)
    assert row["name"] == name.strip()
    entry = await world.last_entry()
    assert (entry["type"], entry["details"]["operation"]) == ("my_account_authentication_method_succeeded", "update")
    assert (entry["user_id"], entry["client_id"]) == (ann, None)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\u202eb", "a\u2028b", "a\x07b", "\u200d"])
async def test_a_name_that_is_none(world: World, ann: str, name: str) -> None:
    visitor = await signed_in(world)
    landed = await visitor.send(Form(PAGE), rename=ids(await add(visitor, Authenticator()))[0], name=name)
    assert landed.response.status_code == 400
    assert "Choose a name of 1 to 100 characters that can be seen." in text_of(landed)
    (row,) = await world.rows(tables.Passkey)
    assert row["name"] is None


async def test_removing(world: World, ann: str) -> None:
    """Incident 44: the others stay. Whoever is signed in elsewhere is signed out, as with a changed password."""
    visitor, lost, kept = await signed_in(world), Authenticator(), Authenticator()
    await add(visitor, lost)
    world.clock.advance(seconds=1)
    landed = await add(visitor, kept)
    elsewhere = await signed_in(world)
    landed = await visitor.send(Form(PAGE), remove=ids(landed)[0])
    assert "The passkey was removed" in text_of(landed)
    assert len(ids(landed)) == 1
    assert (await world.passkey_login(lost)).status_code == 403
    assert (await world.passkey_login(kept)).status_code == 200
    assert (await elsewhere.open(PAGE)).path == "/u/login/identifier"
    assert (await visitor.open(PAGE)).path == PAGE


async def test_what_is_sent_again_changes_nothing(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    await add(visitor, Authenticator())
    landed = await add(visitor, Authenticator())
    gone, stays = ids(landed)
    await visitor.send(Form(PAGE), remove=gone)
    landed = await visitor.send(Form(PAGE), remove=gone)
    assert landed.response.status_code == 404
    assert ids(landed) == [stays]
    assert "could not be found" in text_of(landed)


async def test_the_last_way_in_stays(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.open(PAGE))
    assert landed.path == PAGE
    assert "This is your only way to sign in. Add another passkey first" in text_of(landed)
    assert not [form for form in landed.forms() if "remove" in form.fields]
    refused = await visitor.send(Form(PAGE), remove=ids(landed)[0])
    assert refused.response.status_code == 409
    assert "This is your only way to sign in." in text_of(refused)
    landed = await add(visitor, Authenticator())
    assert len([form for form in landed.forms() if "remove" in form.fields]) == 2
    landed = await visitor.send(Form(PAGE), remove=ids(landed)[0])
    assert "your only way to sign in" in text_of(landed)


async def test_a_passkey_that_opens_nothing_is_no_other_way_in(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    visitor = Visitor.of(world)
    await visitor.log_in_with(device, await visitor.open(PAGE))
    world.clock.advance(seconds=1)
    first, second = ids(await add(visitor, Authenticator()))
    await quarantine(world, second)
    world.clock.advance(seconds=1)
    landed = await visitor.log_in_with(device, await visitor.open(PAGE))
    assert [form.fields["remove"] for form in landed.forms() if "remove" in form.fields] == [second]
    assert (await visitor.send(Form(PAGE), remove=first)).response.status_code == 409
    assert (await visitor.send(Form(PAGE), remove=second)).response.status_code == 200


async def test_passkeys_of_other_addresses(world: World, ann: str) -> None:
    """One of an address that is given up still logs in until then; one of an address that there is not does nothing."""
    visitor = await signed_in(world)
    first, second = ids(await add(visitor, Authenticator())), ids(await add(visitor, Authenticator()))
    await written(world, first[0], rp_id="old.example.com")
    assert "Made for" in text_of(await visitor.open(PAGE))
    moved = {"retiring": ["old.example.com"]}
    assert (await world.manage("PATCH", "/keystead/relying-party", moved)).status_code == 200
    landed = await visitor.open(PAGE)
    assert "Made for old.example.com, an older address: add another here" in text_of(landed)
    assert "Out of use" not in text_of(landed)
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    assert "only way to sign in" not in text_of(await visitor.open(PAGE))
    await world.manage("PATCH", "/keystead/relying-party", {"retiring": []})
    landed = await visitor.open(PAGE)
    assert text_of(landed).count("Out of use") == 1
    assert text_of(landed).count("only way to sign in") == 1
    (last,) = set(second) - set(first)
    assert (await visitor.send(Form(PAGE), remove=last)).response.status_code == 409


async def test_passkeys_of_other_addresses_take_no_place(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"max_per_user": 1})
    visitor = await signed_in(world)
    (made,) = ids(await add(visitor, Authenticator()))
    assert "passkey-enrolment" not in (await visitor.open(PAGE)).text
    await written(world, made, rp_id="old.example.com")
    assert "passkey-enrolment" in (await visitor.open(PAGE)).text
    assert "The passkey was added." in text_of(await add(visitor, Authenticator()))


async def test_a_login_that_is_too_old_is_renewed_on_the_way(world: World, ann: str) -> None:
    """The change is not made by itself: they press again. They need not say again who they are."""
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    ((passkey_id,), before) = ids(landed), await world.count(tables.LoginSession)
    world.clock.advance(seconds=301)
    refused = await options(visitor)
    assert (refused.status_code, refused.json()["error"]) == (403, "step_up_required")
    assert (await visitor.send(Form(PAGE), auth_session="", response="")).path == "/u/login/identifier", (
        "what the script does then"
    )
    at = await visitor.send(Form(PAGE), remove=passkey_id)
    assert at.path == "/u/login/identifier"
    assert 'value="ann@example.com"' in at.text
    assert await world.count(tables.Passkey) == 1
    landed = await visitor.log_in(at)
    assert landed.path == PAGE
    assert await world.count(tables.Passkey) == 1
    opened = landed.text.partition(" open>")[2].partition("</details>")[0]
    assert f'value="{passkey_id}"' in opened
    assert "autofocus" in opened
    landed = await visitor.send(Form(PAGE), remove=passkey_id)
    assert "The passkey was removed" in text_of(landed)
    assert await world.count(tables.LoginSession) == before


async def test_how_old_is_for_the_policy_to_say(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"step_up_seconds": 30})
    visitor = await signed_in(world)
    assert (await options(visitor)).status_code == 200
    world.clock.advance(seconds=31)
    assert (await options(visitor)).status_code == 403


async def test_people_of_another_connection_come_back_to_theirs(world: World) -> None:
    """The landing page's client may not use it; the login is one by a client that may."""
    client_id = (await world.new_client("Staff", app_type="spa", callbacks=["https://staff.example/"]))["client_id"]
    await world.new_connection("staff", clients=[client_id], authentication_methods=BOTH)
    await world.manage("POST", "/users", {"connection": "staff", "email": "eve@example.com", "password": "p" * 15})
    visitor = Visitor.of(world)
    asked = {"client_id": client_id, "redirect_uri": "https://staff.example/", "connection": "staff"}
    assert "code" in (await visitor.log_in(await visitor.authorize(asked), "eve@example.com", "p" * 15)).answer
    assert "You have none yet." in text_of(await visitor.open(PAGE))
    world.clock.advance(seconds=301)
    at = await visitor.send(Form(PAGE), auth_session="", response="")
    assert "Staff" in text_of(at)
    assert 'value="eve@example.com"' in at.text
    landed = await visitor.log_in(at, "eve@example.com", "p" * 15)
    assert landed.path == PAGE
    assert "The passkey was added." in text_of(await add(visitor, Authenticator()))


async def test_a_device_that_has_one_is_told_so(world: World, ann: str) -> None:
    visitor, device = await signed_in(world), Authenticator()
    await add(visitor, device)
    found = (await options(visitor)).json()["authn_params_public_key"]["excludeCredentials"]
    assert [each["id"] for each in found] == [b64url(device.credentials[0].id)]


async def test_no_more_than_the_policy_allows(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"max_per_user": 1})
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    assert "You have reached the maximum number of passkeys." in text_of(landed)
    assert "passkey-enrolment" not in landed.text
    assert (await options(visitor)).json()["error"] == "passkey_limit_reached"


async def test_a_passkey_that_the_policy_refuses(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    assert landed.response.status_code == 403
    assert "Passkeys of this kind are not allowed here." in text_of(landed)
    assert await world.count(tables.Passkey) == 0


async def test_where_passkeys_are_off(world: World, ann: str) -> None:
    """Those that there are can still be removed."""
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    await world.patch_options(authentication_methods={"password": {"enabled": True}, "passkey": {"enabled": False}})
    landed = await visitor.open(PAGE)
    assert "Passkeys cannot be used here at the moment." in text_of(landed)
    assert (await options(visitor)).status_code == 400
    assert "The passkey was removed" in text_of(await visitor.send(Form(PAGE), remove=ids(landed)[0]))


async def test_a_connection_that_was_switched_off_changes_nothing_any_more(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    switched = {"authentication": {"active": False}}
    assert (await world.manage("PATCH", f"/connections/{world.connection_id}", switched)).status_code == 200
    for fields in ({"remove": ids(landed)[0]}, {"auth_session": "x", "response": "{}"}):
        assert (await visitor.send(Form(PAGE), **fields)).response.status_code == 400
    assert (await options(visitor)).status_code == 400
    assert await world.count(tables.Passkey) == 1


async def test_an_answer_that_is_none(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    begun = (await options(visitor)).json()
    landed = await visitor.send(Form(PAGE), auth_session=begun["auth_session"], response="nonsense")
    assert landed.response.status_code == 403
    landed = await visitor.send(Form(PAGE), auth_session="unknown", response="{}")
    assert "That took too long" in text_of(landed)
    assert await world.count(tables.Passkey) == 0


async def test_other_people_s_passkeys_are_left_alone(world: World, ann: str) -> None:
    await world.person("bob@example.com")
    bob, device = await MyAccount.of(world, username="bob@example.com"), Authenticator()
    passkey = await bob.enrols(device)
    visitor = await signed_in(world)
    for fields in ({"remove": passkey["id"]}, {"rename": passkey["id"], "name": "mine"}):
        landed = await visitor.send(Form(PAGE), **fields)
        assert landed.response.status_code == 404
    assert passkey["id"] not in (await visitor.open(PAGE)).text
    (row,) = await world.rows(tables.Passkey)
    assert row["name"] is None


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_nobody_else_s_page_presses_a_button(world: World, ann: str, headers: dict[str, str]) -> None:
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    for body in ({"remove": ids(landed)[0]}, {"rename": ids(landed)[0], "name": "x"}, {}):
        assert (await visitor.client.post(PAGE, data=body, headers=headers)).status_code == 403
    assert (await visitor.client.post(f"{PAGE}/options", headers=headers)).status_code == 403
    (row,) = await world.rows(tables.Passkey)
    assert row["name"] is None


async def test_without_a_session_nothing_is_done(world: World, ann: str) -> None:
    landed = await add(await signed_in(world), Authenticator())
    stranger = Visitor.of(world)
    for fields in ({"remove": ids(landed)[0]}, {"rename": ids(landed)[0], "name": "x"}, {"auth_session": "x"}):
        assert (await stranger.send(Form(PAGE), **fields)).path == "/u/login/identifier"
    assert (await options(stranger)).status_code == 401
    (row,) = await world.rows(tables.Passkey)
    assert row["name"] is None


async def test_a_ceremony_belongs_to_one_session(world: World, ann: str) -> None:
    """Options that one browser asked for are answered in no other, of the same person neither."""
    visitor, other = await signed_in(world), await signed_in(world)
    begun = (await options(visitor)).json()
    response = json.dumps(Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    for each in (other, visitor):
        landed = await each.send(Form(PAGE), auth_session=begun["auth_session"], response=response)
        assert "That took too long" in text_of(landed)
    assert await world.count(tables.Passkey) == 0


async def test_it_is_kept_by_nobody(world: World, ann: str) -> None:
    answer = (await (await signed_in(world)).open(PAGE)).response
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("query", ["done=%3Cscript%3E", "at=%22%3E%3Cscript%3E", "done=removed&at=passkey|dev_1"])
async def test_what_a_link_says_gets_nowhere(world: World, ann: str, query: str) -> None:
    landed = await (await signed_in(world)).open(f"{PAGE}?{query}")
    assert "<script>" not in landed.text
    assert " open>" not in landed.text


# --- who is told ---------------------------------------------------------------------------------------------------


async def added_by_page(world: World) -> None:
    await add(await signed_in(world), Authenticator())


async def added_by_api(world: World) -> None:
    await (await MyAccount.of(world)).enrols(Authenticator())


async def added_at_a_login(world: World) -> None:
    visitor, device = Visitor.of(world), Authenticator()
    at = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    at = await visitor.send(at.form("/login/password"), password="correct horse battery")
    begun = await visitor.options(at, "/u/passkey-enrollment")
    response = json.dumps(device.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    form = at.form("/u/passkey-enrollment")
    landed = await visitor.send(form, auth_session=begun["auth_session"], response=response)
    assert landed.response.status_code in MOVED


@pytest.mark.parametrize("door", [added_by_page, added_by_api, added_at_a_login])
async def test_the_owner_is_told_of_a_new_passkey(world: World, ann: str, door: Callable[[World], Any]) -> None:
    before = len(await world.letters())
    await door(world)
    newest, *others = await world.letters()
    assert len(others) == before
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey was added to your account")
    assert f"{PUBLIC_URL}{PAGE}" in newest.text
    assert "remove it now" in newest.text


async def test_the_owner_is_told_of_a_removal(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    landed = await add(visitor, Authenticator())
    await visitor.send(Form(PAGE), rename=ids(landed)[0], name="Ann's <phone>")
    renamed = len(await world.letters())
    await visitor.send(Form(PAGE), remove=ids(landed)[0])
    newest, *others = await world.letters()
    assert len(others) == renamed, "of a name nobody is told"
    assert newest.subject == "A passkey was removed from your account"
    assert "Ann's <phone>" in newest.text
    assert "Ann&#39;s &lt;phone&gt;" in newest.html


async def test_in_the_language_of_whoever_asks(world: World, ann: str) -> None:
    visitor = await signed_in(world)
    visitor.client.headers["accept-language"] = "de"
    await add(visitor, Authenticator())
    assert (await world.letters())[0].subject == "Ihr Konto hat einen neuen Passkey"


async def test_nobody_is_told_of_what_was_refused_nor_of_their_sign_up(world: World, ann: str) -> None:
    before = len(await world.letters())
    await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    await add(await signed_in(world), Authenticator())
    await world.patch_options(passkey_policy=None)
    await world.register(Authenticator(), "bob@example.com")
    found = await world.letters()
    assert not [letter for letter in found[: len(found) - before] if "passkey" in letter.subject]
