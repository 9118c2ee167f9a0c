"""Somebody who lost their passkeys makes a new one, by a code that was sent to a verified address."""

import html
import json
import re
from typing import Any

import pytest

from authenticator import Authenticator, b64url, untold
from keystead.db import tables
from recovery import (
    ENTRY,
    NO_PASSWORDS,
    PAGE,
    PASSWORDLESS,
    ann_with_a_passkey,
    at_the_code,
    at_the_passkey,
    at_the_request,
    create,
    enter,
    recover,
)
from visitor import Form, Visitor
from world import PASSWORD, PUBLIC_URL, World

PHONE = "+14155552671"
BOTH_KINDS = {"email": {"signup": {"status": "optional"}}, "phone_number": {"signup": {"status": "optional"}}}


@pytest.fixture
async def bare(world: World) -> World:
    """A connection that has no passwords."""
    assert (await world.patch_options(**NO_PASSWORDS)).status_code == 200
    return world


async def sent(world: World, subject: str) -> list[str]:
    """Return whom a message went to, oldest first."""
    return [letter.to for letter in reversed(await world.letters()) if subject in (letter.subject or letter.text)]


async def details(world: World, kind: str) -> list[dict[str, Any]]:
    """Return what the journal says in its entries of a type."""
    return [row["details"] for row in await world.rows(tables.JournalRow) if row["type"] == kind]


@pytest.mark.parametrize("options", [NO_PASSWORDS, PASSWORDLESS], ids=["no passwords", "passwordless accounts"])
async def test_a_code_ends_in_a_new_passkey_and_in_nothing_else(world: World, options: dict[str, Any]) -> None:
    """Not in a session, nor in tokens: whoever made it signs in with it, in the login that they came from (V6.3.6)."""
    assert (await world.patch_options(**options)).status_code == 200
    old, new, visitor = Authenticator(), Authenticator(), Visitor.of(world)
    user_id = await ann_with_a_passkey(world, old)
    before = await world.counts()
    landed = await create(visitor, await at_the_passkey(world, visitor), new)
    assert "Your new passkey is ready" in landed.text
    after = await world.counts()
    assert {name for name in after if after[name] != before[name]} == {"Passkey"}
    assert "keystead-session" not in visitor.client.cookies
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    form = landed.form("/u/login")
    page = await visitor.open(form.action, params=form.fields)
    assert page.path == "/u/login/identifier"
    assert "code" in (await visitor.log_in_with(new, page)).answer
    assert (await world.passkey_login(old)).status_code == 200, "the others keep working"
    assert [*await world.journal(user_id)][-5:-2] == [
        "passkey_recovery_requested",
        "gd_enrollment_complete",
        "passkey_recovery_succeeded",
    ]


async def test_lost_passkeys_are_removed_for_whoever_says_so(bare: World) -> None:
    first, second, new = Authenticator(), Authenticator(), Authenticator()
    await ann_with_a_passkey(bare, first)
    await recover(bare, second)
    landed = await recover(bare, new, remove_others="1")
    assert "Your other passkeys were removed" in landed.text
    said = json.loads(html.unescape(re.search(r'data-signals="([^"]+)"', landed.text)[1]))  # type: ignore[index]
    (accepted,) = [each["options"] for each in said if each["type"] == "allAcceptedCredentials"]
    assert accepted["allAcceptedCredentialIds"] == [b64url(new.credentials[0].id)], "and the browser hears of it"
    assert [(await bare.passkey_login(each)).status_code for each in (first, second, new)] == [403, 403, 200]
    assert [each["removed"] for each in await details(bare, "passkey_recovery_succeeded")] == [0, 2]


async def test_everybody_concerned_is_told(bare: World) -> None:
    """At every address and number that was verified, and no other (SP 800-63B-4 4.6)."""
    await bare.patch_options(attributes=BOTH_KINDS)
    user_id = await ann_with_a_passkey(bare, Authenticator())
    await bare.manage("PATCH", f"/users/{user_id}", {"phone_number": PHONE})
    await recover(bare, Authenticator())
    assert await sent(bare, "was recovered") == ["ann@example.com"]
    await bare.manage("PATCH", f"/users/{user_id}", {"phone_verified": True})
    await recover(bare, Authenticator(), remove_others="1")
    told = [letter for letter in await bare.letters() if letter.to == PHONE]
    assert "The passkeys that you had were removed." in told[0].text
    assert "code that was sent to you" in told[0].text


async def test_messages_speak_german_and_carry_no_link(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    visitor = Visitor.of(bare)
    visitor.client.headers["accept-language"] = "de"
    landed = await at_the_passkey(bare, visitor)
    assert "einen neuen Passkey" in (await bare.letters())[0].text
    await create(visitor, landed, Authenticator())
    assert (await bare.letters())[0].subject == "Ihr Konto wurde wiederhergestellt"
    assert not [letter for letter in await bare.letters() if "http" in letter.text and "Confirm" not in letter.subject]


async def test_a_verified_number_is_sent_a_text(bare: World) -> None:
    await bare.patch_options(attributes=BOTH_KINDS)
    user_id = await ann_with_a_passkey(bare, Authenticator())
    await bare.manage("PATCH", f"/users/{user_id}", {"phone_number": PHONE})
    await bare.manage("PATCH", f"/users/{user_id}", {"phone_verified": True})
    device, visitor = Authenticator(), Visitor.of(bare)
    await create(visitor, await at_the_passkey(bare, visitor, PHONE), device)
    assert (await bare.passkey_login(device)).status_code == 200
    assert (await details(bare, "passkey_recovery_succeeded"))[0]["identifier"] == "phone_number"


async def test_whatever_was_typed_the_code_goes_where_only_the_owner_reads_it(bare: World) -> None:
    """A username has no address, and a number that nobody verified may be a stranger's."""
    optional = {"signup": {"status": "optional"}}
    await bare.patch_options(attributes=BOTH_KINDS | {"username": optional})
    user_id = await ann_with_a_passkey(bare, Authenticator())
    await bare.manage("PATCH", f"/users/{user_id}", {"phone_number": PHONE})
    await bare.manage("PATCH", f"/users/{user_id}", {"username": "ann"})
    for typed in ("ann", PHONE, " Ann@Example.com"):
        device, visitor = Authenticator(), Visitor.of(bare)
        await create(visitor, await at_the_passkey(bare, visitor, typed, to="ann@example.com"), device)
        assert (await bare.passkey_login(device)).status_code == 200
    assert {letter.to for letter in await bare.letters() if letter.to} == {"ann@example.com"}


async def test_an_address_that_several_share_recovers_the_account_that_was_named(world: World) -> None:
    attributes = {"email": {"unique": False, "identifier": {"active": False}}, "username": {}}
    await world.new_connection("shared", clients=[world.client_id], attributes=attributes, **NO_PASSWORDS)
    named = {"realm": "shared"}
    for name in ("ann", "bob"):
        profile = {"email": "both@example.com", "username": name}
        device = Authenticator()
        begun = (await world.begin_register(**named, user_profile=profile)).json()
        answer = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
        assert (await world.exchange(begun["auth_session"], answer, **named)).status_code == 200
    people = [each for each in (await world.manage("GET", "/users")).json() if each.get("username")]
    for each in people:
        await world.manage("PATCH", f"/users/{each['user_id']}", {"email_verified": True})
    visitor = Visitor.of(world)
    landed = await at_the_code(visitor, "bob", connection="shared")
    landed = await enter(visitor, landed, await world.code("both@example.com"))
    await create(visitor, landed, Authenticator())
    bob = next(each["user_id"] for each in people if each["username"] == "bob")
    owners = [row["user_id"] for row in await world.rows(tables.Passkey)]
    assert sorted(owners.count(each["user_id"]) for each in people) == [1, 2]
    assert owners.count(bob) == 2


async def test_what_was_signed_in_before_is_signed_out_and_blocks_are_lifted(world: World) -> None:
    """The row of the matrix is walked elsewhere; here are the blocks (RS-5), and the password that stays."""
    await world.patch_options(**PASSWORDLESS)
    user_id = await world.person()
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    for _ in range(11):
        blocked = await world.guess()
    assert blocked.status_code == 429
    device = Authenticator()
    await recover(world, device)
    assert (await world.passkey_login(device)).status_code == 200
    assert (await world.login()).status_code == 200


@pytest.mark.parametrize(
    ("policy", "violates"),
    [
        ({"user_verification": "required"}, {"verifies": False}),
        ({"backup": "device_bound_only"}, {"synced": True}),
        ({"backup": "synced_only"}, {"synced": False}),
        ({"attachment": "cross_platform"}, {"attachment": "platform", "transports": ("internal",)}),
        ({"algorithms": [-7]}, {"algorithms": (-8,)}),
        ({"attestation": "direct"}, {"attestation": "none"}),
    ],
    ids=str,
)
async def test_the_policy_holds_for_what_is_made_here(
    bare: World, policy: dict[str, Any], violates: dict[str, Any]
) -> None:
    """Whatever the page's script passes on (rows 2 and 16). Nothing is lost by it, and another passkey can be made."""
    old, visitor = Authenticator(), Visitor.of(bare)
    await ann_with_a_passkey(bare, old)
    await bare.patch_options(passkey_policy=policy)
    landed = await at_the_passkey(bare, visitor)
    options = await visitor.options(landed, f"{PAGE}/passkey")
    response = Authenticator(**violates).create(untold(options["authn_params_public_key"]), origin=PUBLIC_URL)
    form = {"auth_session": options["auth_session"], "response": json.dumps(response), "remove_others": "1"}
    refused = await visitor.send(Form(landed.form(f"{PAGE}/passkey").action), **form)
    assert refused.response.status_code == 403
    assert "checked" in refused.text, "what they chose is still chosen"
    assert len(await bare.rows(tables.Passkey)) == 1, "and the others are not gone"
    assert (await details(bare, "passkey_recovery_failed"))[-1]["reason"]
    good = Authenticator(attestation="packed", attachment="cross-platform", transports=("usb",), algorithms=(-7,))
    good.synced = policy.get("backup") != "device_bound_only"
    landed = await create(visitor, refused, good)
    assert "is ready" in landed.text
    assert len(await bare.rows(tables.Passkey)) == 2, "the box was ticked before; this time nobody sent it"


async def test_a_full_account_exchanges_its_passkeys(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    await bare.patch_options(passkey_policy={"max_per_user": 1})
    visitor, device = Visitor.of(bare), Authenticator()
    landed = await at_the_passkey(bare, visitor)
    assert "as many passkeys as it may have" in landed.text
    form = Form(landed.form(f"{PAGE}/passkey").action)
    options = await visitor.options(landed, f"{PAGE}/passkey")
    response = json.dumps(Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL))
    refused = await visitor.send(form, auth_session=options["auth_session"], response=response)
    assert refused.response.status_code == 403, "whoever does not send what the page says has not agreed to it"
    assert "is ready" in (await create(visitor, landed, device)).text
    assert [row["credential_id"] for row in await bare.rows(tables.Passkey)] == [device.credentials[0].id]


async def test_one_entry_leads_to_all_ways_and_tells_of_none(world: World) -> None:
    await world.signup()
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    assert ENTRY not in landed.text
    await world.patch_options(**PASSWORDLESS)
    page = await at_the_request(visitor)
    assert "I forgot my password" in page.text
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    assert ENTRY in landed.text
    assert "Forgot your password?" not in landed.text
    action = re.search(r'formaction="([^"]+)"', page.text)
    assert action is not None
    told = await visitor.send(Form(action[1]), username="ann@example.com")
    assert "we have sent a message with a link" in told.text
    assert await sent(world, "Choose a new password") == ["ann@example.com"]


async def test_no_password_is_spoken_of_where_there_is_none(bare: World) -> None:
    page = await at_the_request(Visitor.of(bare))
    assert "password" not in page.text.lower()


@pytest.mark.parametrize(
    "options",
    [
        {},
        NO_PASSWORDS | {"disable_self_service_change_password": True},
        PASSWORDLESS | {"disable_self_service_change_password": True},
    ],
    ids=["accounts need a password", "switched off, no passwords", "switched off"],
)
async def test_where_there_is_no_recovery(world: World, options: dict[str, Any]) -> None:
    await ann_with_a_passkey(world, Authenticator())
    await world.patch_options(**NO_PASSWORDS)
    visitor = Visitor.of(world)
    page = await at_the_request(visitor)
    on = await at_the_passkey(world, Visitor.of(world))
    connection = f"/connections/{world.connection_id}"
    now = (await world.manage("GET", connection)).json()["options"] | {
        "authentication_methods": {"passkey": {"enabled": True}}
    }
    assert (await world.manage("PATCH", connection, {"options": now | options})).status_code == 200
    assert ENTRY not in (await Visitor.of(world).authorize()).text
    letters = len(await world.letters())
    landed = await visitor.send(page.form(PAGE), username="ann@example.com")
    assert landed.path == "/u/login/identifier"
    assert len(await world.letters()) == letters
    for path in ("", "/code", "/passkey"):
        assert (await visitor.open(f"{PAGE}{path}?{page.response.url.query.decode()}")).path == "/u/login/identifier"
    assert (await visitor.open(str(on.response.url))).response.status_code == 400, "of another browser"


async def test_pages_out_of_turn(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    visitor = Visitor.of(bare)
    page = await at_the_code(visitor)
    query = page.response.url.query.decode()
    assert (await visitor.open(f"{PAGE}/passkey?{query}")).path == PAGE
    assert (await visitor.send(Form(f"{PAGE}/passkey/options?{query}"))).response.status_code == 403
    assert (await visitor.send(Form(f"{PAGE}/passkey?{query}"), response="{}")).path == PAGE
    for path in ("", "/code", "/passkey"):
        assert (await visitor.open(f"{PAGE}{path}")).response.status_code == 400, "of no login at all"


async def test_whoever_is_signed_in_goes_on(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    await world.signup()
    visitor = Visitor.of(world)
    page = await visitor.authorize()
    query = page.response.url.query.decode()
    landed = await visitor.send(page.form("/login/identifier"), username="ann@example.com")
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert landed.path == "/u/passkey-enrollment"
    for path in ("", "/code", "/passkey"):
        assert (await visitor.open(f"{PAGE}{path}?{query}")).path == "/u/passkey-enrollment"
    assert (await visitor.send(Form(f"{PAGE}/passkey/options?{query}"))).response.status_code == 403


async def test_codes_and_the_way_that_they_open_live_for_ten_minutes(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    visitor = Visitor.of(bare)
    landed = await at_the_code(visitor)
    code = await bare.code()
    assert "for 10 minutes" in (await bare.letters())[0].text
    bare.clock.advance(seconds=601)
    assert (await enter(visitor, landed, code)).response.status_code == 403
    landed = await at_the_passkey(bare, visitor)
    bare.clock.advance(seconds=599)
    options = await visitor.options(landed, f"{PAGE}/passkey")
    bare.clock.advance(seconds=2)
    response = json.dumps(Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL))
    late = await visitor.send(landed.form(f"{PAGE}/passkey"), auth_session=options["auth_session"], response=response)
    assert late.path == PAGE
    assert await bare.count(tables.Passkey) == 1


async def test_another_code_ends_the_one_before(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    visitor = Visitor.of(bare)
    page = await at_the_request(visitor)
    await visitor.send(page.form(PAGE), username="ann@example.com")
    first = await bare.code()
    again = await visitor.send(page.form(PAGE), username="ann@example.com")
    assert (await enter(visitor, again, first)).response.status_code == 403
    assert (await enter(visitor, again, await bare.code())).path == f"{PAGE}/passkey"


async def test_ten_codes_and_then_one_a_minute(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator())
    visitor = Visitor.of(bare)
    page = await at_the_request(visitor)
    answers = [
        (await visitor.send(page.form(PAGE), username="ann@example.com")).response.status_code for _ in range(11)
    ]
    assert answers == [200] * 10 + [429]
    bare.clock.advance(seconds=61)
    assert (await visitor.send(page.form(PAGE), username="ann@example.com")).path == f"{PAGE}/code"


async def test_the_same_page_serves_one_person_after_another(bare: World) -> None:
    """In the same login, and also where the way of the first is over and not yet swept away."""
    await ann_with_a_passkey(bare, Authenticator())
    await ann_with_a_passkey(bare, Authenticator(), "bob@example.com")
    visitor = Visitor.of(bare)
    await at_the_passkey(bare, visitor)
    page = await at_the_request(visitor)
    for email in ("ann@example.com", "bob@example.com", "ann@example.com"):
        landed = await visitor.send(page.form(PAGE), username=email)
        landed = await enter(visitor, landed, await bare.code(email))
        assert email in landed.text
        bare.clock.advance(seconds=700)
    assert await bare.count(tables.Passkey) == 2
