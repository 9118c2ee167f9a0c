"""Passwords, addresses and passkeys of people whom a customer's own database keeps, or kept until they came (5.1).

The scripts run in children of their own, against a database behind HTTP; each journey goes over HTTP too.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from account import MyAccount
from authenticator import Authenticator
from customer import Answer, Customer, customer, scripts
from keystead.db import tables
from recovery import at_the_code, at_the_passkey, create, recover
from visitor import Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

ANN: Final = "ann@example.com"
NEW: Final = "another horse battery"
OLD: Final = "the old horse battery"
ON_SQLITE: Final = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
BY_CODE: Final = {"email": {"signup": {"status": "required"}, "verification_method": "code"}}
PASSWORDLESS: Final = {"passwordless_accounts": True}

ENDS: Final = "import os\n\ndef NAME(*given, context=None):\n    os._exit(1)\n"
FAILURES: Final[dict[str, Callable[[list[Any]], Answer]]] = {
    "error": lambda given: {"refusal": {"kind": "error", "message": "the database is down"}},
    "false": lambda given: {"value": False},
    "refused": lambda given: {"refusal": {"kind": "unauthorized", "message": "Ask the help desk."}},
}
"""What a script answers that does not do what it should."""

Home = Literal["python", "node", "migrating"]
HOMES: Final[tuple[Home, ...]] = ("python", "node", "migrating")


@pytest.fixture
def theirs() -> Iterator[Customer]:
    """A customer's database, where Ann is, with an old password."""
    with customer() as found:
        found.add(ANN, OLD, email_verified=True)
        yield found


@pytest.fixture(params=HOMES)
async def home(world: World, theirs: Customer, request: pytest.FixtureRequest) -> Home:
    """Where Ann lives: there, behind scripts of either language, or there until she comes here."""
    await live(world, theirs, request.param)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def scripted(world: World, theirs: Customer) -> Customer:
    """The same where she stays, behind scripts in Python."""
    await live(world, theirs, "python")
    return theirs


async def live(world: World, theirs: Customer, home: Home, **options: Any) -> None:
    """Have the people of the default connection live somewhere."""
    methods = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    more = {"authentication_methods": methods} | options
    names = ("login", "get_user") if home == "migrating" else ()
    more |= {"import_mode": home == "migrating", "enable_script_context": True}
    answer = await world.patch_options(**theirs.options("node" if home == "node" else "python", *names, **more))
    assert answer.status_code == 200, answer.text


async def break_off(world: World, script: str, *, again: bool = False) -> None:
    """Have a script in Python end its process, so that nothing answers; or answer again."""
    options = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    source = scripts("python")[script] if again else ENDS.replace("NAME", script)
    answer = await world.patch_options(customScripts=options["customScripts"] | {script: source})
    assert answer.status_code == 200, answer.text


def asked(theirs: Customer, script: str) -> list[list[Any]]:
    """Return what a script was called with, each time."""
    return [given for name, given in theirs.asked if name == script]


async def ask(world: World, email: str = ANN) -> tuple[int, str]:
    """Ask for a link to a new password by API."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": email}
    answer = await world.client.post("/dbconnections/change_password", json=body)
    return answer.status_code, answer.text


async def choose(world: World, link: str, password: str = NEW) -> Landed:
    """Follow a link to a new password, in a browser that was never here."""
    visitor = Visitor.of(world)
    page = await visitor.open(link.rstrip("#"))
    assert page.response.status_code == 200, page.text
    return await visitor.send(page.form("/reset-password"), password=password)


async def reset_links(world: World) -> list[str]:
    """Return whom links to a new password went to."""
    return [letter.to for letter in await world.letters() if "/u/reset-password" in letter.text]


async def entries(world: World, kind: str) -> list[dict[str, Any]]:
    """Return what the journal says in its entries of a type."""
    return [row["details"] for row in await world.rows(tables.JournalRow) if row["type"] == kind]


async def ann(world: World) -> dict[str, Any]:
    """Return Ann, as administrators see her."""
    (found,) = (await world.manage("GET", "/users-by-email", params={"email": ANN})).json()
    return found  # type: ignore[no-any-return]


async def with_a_passkey(world: World, password: str = OLD) -> Authenticator:
    """Have Ann sign in and make a passkey."""
    device = Authenticator()
    await (await MyAccount.of(world, password=password)).enrols(device)
    return device


# --- a forgotten password -------------------------------------------------------------------------------------------


async def test_a_password_is_reset_by_a_link(world: World, theirs: Customer, home: Home) -> None:
    """Of somebody who was never here; and whoever asks sees no more of her than of nobody."""
    assert await ask(world) == await ask(world, "nobody@example.com")
    assert await reset_links(world) == [ANN]
    assert [given[0] for given in asked(theirs, "get_user")] == [ANN, "nobody@example.com"], "for both alike"
    assert (await world.login(password=OLD)).status_code == 200, "asking takes nobody's password away"
    await ask(world)  # where she has come here by that, there is another password to be replaced
    link = await world.link(page="/u/reset-password")
    assert (await choose(world, link)).response.status_code == 200
    assert [(await world.login(password=each)).status_code for each in (OLD, NEW)] == [403, 200]
    assert theirs.people["1"]["password"] == (OLD if home == "migrating" else NEW)
    assert (await Visitor.of(world).open(link)).response.status_code == 400, "once"
    assert {"scpr", "scp"} <= set(await world.journal((await ann(world))["user_id"]))


async def test_a_password_is_reset_by_a_code(world: World, theirs: Customer, home: Home) -> None:
    assert (await world.patch_options(attributes=BY_CODE)).status_code == 200
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=ANN)
    landed = await visitor.open(landed.text[landed.text.index("/u/reset-password/request") :].partition('"')[0])
    landed = await visitor.send(landed.form("/reset-password/request"), username=ANN)
    assert landed.path == "/u/reset-password/code"
    landed = await visitor.send(landed.form("/reset-password/code"), code=await world.code())
    landed = await visitor.send(landed.form("/reset-password"), password=NEW)
    assert landed.response.status_code == 200
    assert (await world.login(password=NEW)).status_code == 200


@ON_SQLITE
async def test_a_reset_is_asked_for_while_the_database_is_down(world: World, scripted: Customer) -> None:
    """An error that a script answers may be about whom it found: nobody is told. One that ends fails for everybody."""
    scripted.instead["get_user"] = FAILURES["error"]
    assert (await ask(world))[0] == 200
    assert await reset_links(world) == []
    assert [each["script"] for each in await entries(world, "fcpr")] == ["get_user"]
    await break_off(world, "get_user")
    assert [(await ask(world, email))[0] for email in (ANN, "nobody@example.com")] == [500, 500]
    answers = [(await ask(world))[0] for _ in range(9)]
    assert answers == [500] * 8 + [429], "charged before, and not given back: it ran"


@ON_SQLITE
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_password_that_was_not_changed(world: World, scripted: Customer, failure: Any) -> None:
    """It is said plainly, the link is used up, and nothing says that there is another password."""
    await ask(world)
    link = await world.link(page="/u/reset-password")
    scripted.instead["change_password"] = FAILURES[failure]
    landed = await choose(world, link)
    said = "Ask the help desk." if failure == "refused" else "Your password was not changed."
    assert said in landed.text
    assert landed.response.status_code == (403 if failure == "refused" else 503)
    assert (await Visitor.of(world).open(link)).response.status_code == 400
    scripted.instead.clear()
    assert [(await world.login(password=each)).status_code for each in (OLD, NEW)] == [200, 403]
    assert [each["script"] for each in await entries(world, "fcp")] == ["change_password"]
    assert await entries(world, "scp") == []
    assert not [letter for letter in await world.letters() if "password was changed" in letter.text]


@ON_SQLITE
async def test_a_link_ends_with_what_it_was_sent_to(world: World, scripted: Customer) -> None:
    await ask(world)
    link = await world.link(page="/u/reset-password")
    scripted.people["1"]["email"] = "ann@elsewhere.example"
    assert (await choose(world, link)).response.status_code == 400
    await ask(world, "ann@elsewhere.example")
    link = await world.link("ann@elsewhere.example", page="/u/reset-password")
    scripted.people.clear()
    assert (await choose(world, link)).response.status_code == 400
    assert asked(scripted, "change_password") == []


@ON_SQLITE
async def test_a_reset_leaves_what_the_other_database_said(world: World, theirs: Customer) -> None:
    """Nobody had shown the address here. But nobody here had put anything into the account either."""
    theirs.people["1"] |= {"email_verified": False, "name": "Ann Lee", "app_metadata": {"plan": "gold"}}
    await live(world, theirs, "migrating")
    await ask(world)
    await choose(world, await world.link(page="/u/reset-password"))
    after = await ann(world)
    assert (after["name"], after["app_metadata"], after["email_verified"]) == ("Ann Lee", {"plan": "gold"}, True)


# --- a password changed by its owner --------------------------------------------------------------------------------


async def test_a_password_is_changed_by_its_owner(world: World, theirs: Customer, home: Home) -> None:
    mine = await MyAccount.of(world, password=OLD)
    begun = (await mine.call("POST", "", json={"type": "password"})).json()["auth_session"]
    body = {"auth_session": begun, "new_password": NEW}
    assert (await mine.call("POST", "/password%7Cnew/verify", json=body)).status_code == 201
    assert [(await world.login(password=each)).status_code for each in (OLD, NEW)] == [403, 200]
    assert theirs.people["1"]["password"] == (OLD if home == "migrating" else NEW)


@ON_SQLITE
@pytest.mark.parametrize(("script", "failure"), [("change_password", "false"), ("get_user", "error")])
async def test_a_change_that_fails(world: World, scripted: Customer, script: str, failure: Any) -> None:
    mine = await MyAccount.of(world, password=OLD)
    begun = (await mine.call("POST", "", json={"type": "password"})).json()["auth_session"]
    scripted.instead[script] = FAILURES[failure]
    body = {"auth_session": begun, "new_password": NEW}
    answer = await mine.call("POST", "/password%7Cnew/verify", json=body)
    assert answer.status_code == 503
    scripted.instead.clear()
    assert (await mine.call("POST", "/password%7Cnew/verify", json=body)).status_code in (400, 401), "used up"
    assert (await world.login(password=OLD)).status_code == 200
    assert [each["script"] for each in await entries(world, "fcp")] == [script]
    assert await entries(world, "scp") == []


@ON_SQLITE
async def test_what_no_script_is_there_for(world: World, theirs: Customer) -> None:
    """Nothing is offered that could not be done in the end; and a password that is theirs cannot be removed here."""
    await live(world, theirs, "python", passkey_policy=PASSWORDLESS)
    mine = await MyAccount.of(world, password=OLD)
    await mine.enrols(Authenticator())
    (password,) = [each for each in await mine.methods() if each["type"] == "password"]
    refused = await mine.call("DELETE", f"/{quote(password['id'], safe='')}")
    assert (refused.status_code, "another database" in refused.text) == (400, True)
    options = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    scripts = {name: text for name, text in options["customScripts"].items() if name != "change_password"}
    assert (await world.patch_options(customScripts=scripts)).status_code == 200
    assert (await ask(world))[0] == 400
    assert (await mine.call("POST", "", json={"type": "password"})).status_code == 400
    body = {"user_id": (await ann(world))["user_id"]}
    assert (await world.manage("POST", "/tickets/password-change", body)).status_code == 400


# --- tickets --------------------------------------------------------------------------------------------------------


async def test_tickets_for_somebody_who_was_never_here(world: World, theirs: Customer, home: Home) -> None:
    whom = {"connection_id": world.connection_id, "email": ANN}
    nobody = whom | {"email": "nobody@example.com"}
    assert (await world.manage("POST", "/tickets/password-change", nobody)).status_code == 404
    answer = await world.manage("POST", "/tickets/password-change", whom | {"result_url": "https://shop.example/in"})
    assert answer.status_code == 201, answer.text
    link = answer.json()["ticket"]
    if home != "migrating":
        theirs.instead["change_password"] = FAILURES["false"]
        told = dict(parse_qsl(urlsplit((await choose(world, link)).target).query))
        assert (told["success"], told["email"]) == ("false", ANN)
        theirs.instead.clear()
        answer = await world.manage("POST", "/tickets/password-change", whom | {"result_url": "https://shop.example"})
        link = answer.json()["ticket"]
    assert "success=true" in (await choose(world, link)).target
    assert (await world.login(password=NEW)).status_code == 200
    theirs.instead["get_user"] = FAILURES["error"]
    answer = await world.manage("POST", "/tickets/password-change", whom)
    assert answer.status_code == (201 if home == "migrating" else 500)


# --- addresses ------------------------------------------------------------------------------------------------------


async def signed_up(world: World, theirs: Customer, home: Home) -> tuple[Visitor, str]:
    """Have Ann sign up on our pages, where nobody knew her; return her browser and the link that verifies."""
    theirs.people.clear()
    visitor = Visitor.of(world)
    assert (await visitor.sign_up(await visitor.authorize(screen_hint="signup"))).answer["code"]
    return visitor, await world.link(page="/u/email-verification")


async def test_an_address_is_verified_by_a_link(world: World, theirs: Customer, home: Home) -> None:
    visitor, link = await signed_up(world, theirs, home)
    page = await visitor.open(link)
    assert (await visitor.send(page.form("/email-verification"))).response.status_code == 200
    assert (await ann(world))["email_verified"] is True
    assert [given[0] for given in asked(theirs, "verify")] == ([] if home == "migrating" else [ANN])
    assert (await world.login()).status_code == 200
    assert (await ann(world))["email_verified"] is True, "there, too"


@ON_SQLITE
@pytest.mark.parametrize("failure", FAILURES)
async def test_an_address_that_was_not_verified(world: World, scripted: Customer, failure: Any) -> None:
    visitor, link = await signed_up(world, scripted, "python")
    scripted.instead["verify"] = FAILURES[failure]
    page = await visitor.open(link)
    landed = await visitor.send(page.form("/email-verification"))
    assert ("Ask the help desk." if failure == "refused" else "Nothing was confirmed.") in landed.text
    assert (await ann(world))["email_verified"] is False
    assert (await visitor.open(link)).response.status_code == 400, "used up"
    assert [each["script"] for each in await entries(world, "fv")] == ["verify"]
    assert await entries(world, "sv") == []
    ticket = {"user_id": (await ann(world))["user_id"], "result_url": "https://shop.example/"}
    link = (await world.manage("POST", "/tickets/email-verification", ticket)).json()["ticket"]
    page = await visitor.open(link.rstrip("#"))
    target = (await visitor.send(page.form("/email-verification"), password=PASSWORD)).target
    assert dict(parse_qsl(urlsplit(target).query))["success"] == "false"


@ON_SQLITE
async def test_whoever_signed_up_with_a_strangers_address_is_kept_out(world: World, scripted: Customer) -> None:
    """Their password is good in the customer's database until it is replaced there: until then nothing is verified."""
    scripted.people.clear()
    await world.signup(password="the password of eve")
    eves = await with_a_passkey(world, "the password of eve")
    link = await world.link(page="/u/email-verification")
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    taken = await visitor.send(page.form("/email-verification"), action="take-over")
    assert (await world.login(password="the password of eve")).status_code == 403, "not verified"
    choice = taken.text[taken.text.index("/u/reset-password?ticket=") :].partition('"')[0]
    scripted.instead["change_password"] = FAILURES["error"]
    assert (await choose(world, choice)).response.status_code == 503
    scripted.instead.clear()
    assert (await world.login(password="the password of eve")).status_code == 403, "nor after it failed"
    assert (await world.passkey_login(eves)).status_code == 403
    await ask(world)
    assert (await choose(world, await world.link(page="/u/reset-password"))).response.status_code == 200
    assert [(await world.login(password=each)).status_code for each in ("the password of eve", NEW)] == [403, 200]
    assert scripted.people["1"]["email_verified"] is True, "told there as well"


@ON_SQLITE
@pytest.mark.parametrize("where", ["python", "migrating"])
async def test_a_sign_up_by_code_ends_at_whoever_is_there(world: World, theirs: Customer, where: Home) -> None:
    """The page is the same; it is the owner who hears of it, and no code is right."""
    signup = {"status": "required", "verification": {"active": True}}
    await live(world, theirs, where, attributes={"email": {"signup": signup, "verification_method": "code"}})
    await world.patch_options(security_profile="hardened")
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email=ANN)
    assert landed.path == "/u/email-identifier-challenge"
    (letter,) = [each for each in await world.letters() if each.to == ANN]
    assert "code" not in letter.text
    await break_off(world, "get_user")
    landed = await visitor.send(landed.form("/email-identifier-challenge"), action="resend")
    assert landed.response.status_code == (503 if where == "python" else 200)


@ON_SQLITE
async def test_whoever_was_never_here_hears_of_a_lock(world: World, scripted: Customer) -> None:
    for _ in range(10):
        await world.guess()
    scripted.instead["get_user"] = FAILURES["error"]
    assert await world.letters() == []
    scripted.instead.clear()
    world.clock.advance(minutes=10)
    link, visitor = await world.link(page="/u/unblock"), Visitor.of(world)
    assert (await world.login(password=OLD)).status_code == 429
    page = await visitor.open(link)
    await visitor.send(page.form("/u/unblock"))
    assert (await world.login(password=OLD)).status_code == 200


# --- passkeys -------------------------------------------------------------------------------------------------------


async def test_a_passkey_opens_while_its_owner_is_there(world: World, theirs: Customer, home: Home) -> None:
    device = await with_a_passkey(world)
    before = len(asked(theirs, "get_user"))
    assert (await world.passkey_login(device)).status_code == 200
    calls = asked(theirs, "get_user")[before:]
    if home == "migrating":
        assert calls == [], "she lives here"
        theirs.people.clear()
        assert (await world.passkey_login(device)).status_code == 200
        return
    assert calls == [["1", {"identifierType": "user_id"}]]
    theirs.people["1"]["name"] = "Ann Lee"
    assert (await world.passkey_login(device)).status_code == 200
    assert (await ann(world))["name"] == "Ann Lee", "up to date"
    theirs.instead["get_user"] = FAILURES["error"]
    assert (await world.passkey_login(device)).status_code == 500
    theirs.instead.clear()
    theirs.people.clear()
    refused = await world.passkey_login(device)
    assert (refused.status_code, refused.json()["error"]) == (403, "invalid_grant")
    failures = [each.get("script") for each in await entries(world, "f")]
    assert failures == ["get_user", None]
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.authorize())
    assert "The account no longer exists." in landed.text
    theirs.add(ANN, OLD)
    assert (await world.passkey_login(device)).status_code == 200, "it was never taken away"


@ON_SQLITE
async def test_a_passkey_is_offered_after_a_password(world: World, scripted: Customer) -> None:
    visitor, device = Visitor.of(world), Authenticator()
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=ANN)
    landed = await visitor.send(landed.form("/login/password"), password=OLD)
    assert landed.path == "/u/passkey-enrollment"
    options = await visitor.options(landed, "/u/passkey-enrollment")
    response = device.create(options["authn_params_public_key"], origin=PUBLIC_URL)
    answer = {"auth_session": options["auth_session"], "response": json.dumps(response)}
    landed = await visitor.send(landed.form("/u/passkey-enrollment"), **answer)
    assert landed.answer["code"], landed.text
    assert (await world.passkey_login(device)).status_code == 200


@ON_SQLITE
async def test_somebody_signs_up_with_a_passkey(world: World, scripted: Customer) -> None:
    """They are created there, without a password, and may choose one later (PK-4)."""
    device = Authenticator()
    await world.register(device, "bob@example.com")
    assert [given[0].get("password") for given in asked(scripted, "create")] == [None]
    assert (await world.passkey_login(device)).status_code == 200
    await ask(world, "bob@example.com")
    assert (await choose(world, await world.link("bob@example.com", page="/u/reset-password"))).response.is_success
    assert (await world.login("bob@example.com", NEW)).status_code == 200


async def test_a_lost_passkey_is_replaced(world: World, theirs: Customer, home: Home) -> None:
    await live(world, theirs, home, passkey_policy=PASSWORDLESS)
    await with_a_passkey(world)
    new = Authenticator()
    assert "Your new passkey is ready" in (await recover(world, new)).text
    assert (await world.passkey_login(new)).status_code == 200


@ON_SQLITE
async def test_a_lost_passkey_is_replaced_for_whoever_is_there_still(world: World, theirs: Customer) -> None:
    await live(world, theirs, "python", passkey_policy=PASSWORDLESS)
    visitor, device = Visitor.of(world), Authenticator()
    page = await at_the_passkey(world, visitor)
    await break_off(world, "get_user")
    assert (await create(visitor, page, device)).response.status_code == 503
    await break_off(world, "get_user", again=True)
    theirs.people["1"]["email"] = "ann@elsewhere.example"
    assert (await create(visitor, page, device)).response.status_code == 403
    assert await world.count(tables.Passkey) == 0
    await break_off(world, "get_user")
    for each in (ANN, "nobody@example.com"):
        assert (await at_the_code(Visitor.of(world), each)).response.status_code == 503
    theirs.instead["get_user"] = FAILURES["error"]
    await break_off(world, "get_user", again=True)
    seen = [(await at_the_code(Visitor.of(world), each)).path for each in (ANN, "nobody@example.com")]
    assert seen == ["/u/passkey-recovery/code"] * 2
    assert {each.get("script") for each in await entries(world, "passkey_recovery_failed")} >= {"get_user"}
