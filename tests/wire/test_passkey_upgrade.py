"""Conditional create: a passkey that the browser makes by itself after a password, the notice, and the way back."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update
from sqlmodel import Session, col

from account import SCOPE, MyAccount
from authenticator import FLAWLESS, UP, UV, Authenticator, Flaw, flags
from keystead.db import tables
from keystead.flows.hosted_login import Visit
from keystead.rules.ceremonies import Ceremony
from keystead.rules.events import Caller
from keystead.rules.messages import Letter
from keystead.secrecy import Secret
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

UPGRADE, UNDO, ENROLMENT = "/u/passkey-upgrade", "/u/passkey-upgrade/undo", "/u/passkey-enrollment"
NOBODY_THERE = Flaw(fields=flags(off=UP))
"""What a browser answers that makes a passkey without asking anybody."""


async def ask_for(world: World, **policy: Any) -> None:
    answer = await world.patch_options(passkey_policy=policy)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def ann(world: World) -> str:
    """Ann, who has a password and no passkey, where browsers may make one."""
    user_id = await world.person()
    await ask_for(world, automatic_upgrade=True)
    return user_id


async def signs_in(
    visitor: Visitor, email: str = "ann@example.com", *, at: Landed | None = None, can: str = "1"
) -> Landed:
    """Go through both pages of a password login with a browser that can."""
    at = at or await visitor.authorize()
    landed = await visitor.send(at.form("/login/identifier"), username=email)
    return await visitor.send(landed.form("/login/password"), password=PASSWORD, can_upgrade=can)


async def made(visitor: Visitor, at: Landed, flaw: Flaw = NOBODY_THERE, device: Authenticator | None = None) -> Form:
    """Let the browser make a passkey, and return the form as its script fills it in."""
    begun = await visitor.options(at, UPGRADE)
    response = (device or Authenticator()).create(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaw)
    form = at.form(UPGRADE)
    fields = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
    return Form(form.action, fields)


async def begun(world: World) -> Ceremony:
    """Return the one ceremony that is under way."""
    (row,) = await world.rows(tables.CeremonyRow)
    return Ceremony.model_validate(row["record"])


async def upgraded(world: World, device: Authenticator | None = None) -> Visitor:
    """Have Ann's browser make a passkey, and return it."""
    visitor = Visitor.of(world)
    landed = await visitor.send(await made(visitor, await signs_in(visitor), device=device))
    assert "code" in landed.answer
    return visitor


# --- what happens ------------------------------------------------------------------------------------------------


async def test_a_passkey_that_nobody_asked_for(world: World, ann: str) -> None:
    device = Authenticator()
    await upgraded(world, device)
    (row,) = await world.rows(tables.Passkey)
    assert row["user_id"] == ann
    entries = [row for row in await world.rows(tables.JournalRow) if row["type"] == "gd_enrollment_complete"]
    assert [(each["user_id"], each["details"]["automatic"]) for each in entries] == [(ann, True)]
    assert (await world.passkey_login(device)).status_code == 200
    assert "code" in (await signs_in(Visitor.of(world))).answer, "and nothing is offered any more"


async def test_the_ceremony_says_what_it_is_and_lives_for_two_minutes(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    await visitor.options(await signs_in(visitor), UPGRADE)
    ceremony = await begun(world)
    assert (ceremony.kind, ceremony.mediation, ceremony.user_id) == ("enrolment", "conditional", ann)
    assert ceremony.expires_at - world.clock() == timedelta(minutes=2)
    assert ceremony.transaction


async def test_nobody_is_kept_waiting_whose_browser_does_not_want_to(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert landed.path == UPGRADE
    landed = await visitor.send(Form(landed.form(UPGRADE).action), action="skip")
    assert landed.path == ENROLMENT, "the ordinary offer, as it would have been"
    assert "code" in (await visitor.decline(landed)).answer


async def test_one_that_is_refused_is_not_spoken_of(world: World, ann: str) -> None:
    """Nobody asked for it. The journal has why."""
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    form = await made(visitor, landed, Flaw(client=lambda members: {**members, "origin": "https://evil.example"}))
    landed = await visitor.send(form)
    assert (landed.path, landed.response.status_code) == (ENROLMENT, 200)
    assert 'role="alert"' not in landed.text
    entry = await world.last_entry()
    assert (entry["type"], entry["details"]["automatic"]) == ("gd_webauthn_enrollment_failed", True)
    assert await world.count(tables.Passkey) == 0


async def test_a_required_passkey_is_there_then(world: World, ann: str) -> None:
    await ask_for(world, automatic_upgrade=True, enrollment="required")
    await upgraded(world)
    assert (await world.login()).status_code == 200


# --- for whom, and when --------------------------------------------------------------------------------------------


async def test_a_browser_that_cannot_never_sees_the_page(world: World, ann: str) -> None:
    assert (await signs_in(Visitor.of(world), can="")).path == ENROLMENT


async def test_not_unless_the_policy_says_so(world: World, ann: str) -> None:
    await ask_for(world)
    visitor = Visitor.of(world)
    assert (await signs_in(visitor)).path == ENROLMENT


async def test_not_for_whoever_has_a_passkey(world: World, ann: str) -> None:
    await (await MyAccount.of(world)).enrols(Authenticator())
    assert "code" in (await signs_in(Visitor.of(world))).answer


async def test_not_for_whoever_wants_none_for_now(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor, can="")
    await visitor.send(Form(landed.form(ENROLMENT).action), action="skip", dont_ask="1")
    assert "code" in (await signs_in(Visitor.of(world))).answer
    world.clock.advance(days=31)
    assert (await signs_in(Visitor.of(world))).path == UPGRADE


async def test_not_for_whoever_could_not_be_told(world: World, ann: str) -> None:
    await world.patch_options(attributes={"email": {"identifier": {"active": False}}, "username": {}})
    made = {"connection": world.connection, "username": "ben", "password": PASSWORD}
    assert (await world.manage("POST", "/users", made)).status_code == 201
    assert (await signs_in(Visitor.of(world), "ben")).path == ENROLMENT


async def test_not_after_a_passkey_a_sign_up_or_a_session_alone(world: World, ann: str) -> None:
    device = Authenticator()
    await world.register(device, "eve@example.com")
    visitor = Visitor.of(world)
    assert "code" in (await visitor.log_in_with(device, await visitor.authorize())).answer
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email="ben@example.com")
    landed = await visitor.send(Form(landed.form("/signup/passkey").action), action="skip")
    signed_up = await visitor.send(landed.form("/signup/password"), password=PASSWORD, can_upgrade="1")
    assert "code" in signed_up.answer
    assert "code" in (await visitor.authorize()).answer


async def test_never_for_administrators(world: World, ann: str) -> None:
    """Whatever their connection's policy says: each of theirs is one that they said yes to."""
    assert (await signs_in(Visitor.of(world))).path == UPGRADE

    def work(session: Session) -> None:
        theirs = update(tables.Connection).where(col(tables.Connection.id) == world.connection_id)
        session.connection().execute(theirs.values(for_administrators=True))

    await world.db.write(work)
    assert (await signs_in(Visitor.of(world))).path == ENROLMENT


# --- what it is held to --------------------------------------------------------------------------------------------


async def stored(world: World, visitor: Visitor, form: Form) -> bool:
    """Send what the browser made, and return whether there is a passkey then."""
    await visitor.send(form)
    return await world.count(tables.Passkey) == 1


async def reason(world: World) -> str:
    return str((await world.last_entry())["details"]["reason"])


@pytest.mark.parametrize(
    ("flaw", "kept"),
    [
        (FLAWLESS, True),
        (NOBODY_THERE, True),
        (Flaw(fields=flags(off=UP | UV)), False),
        (Flaw(fields=flags(off=UV)), False),
    ],
    ids=["somebody", "verified alone", "nobody at all", "not verified"],
)
async def test_only_presence_is_forgone_and_verification_is_not(world: World, ann: str, flaw: Flaw, kept: bool) -> None:
    await ask_for(world, automatic_upgrade=True, user_verification="required")
    visitor = Visitor.of(world)
    assert await stored(world, visitor, await made(visitor, await signs_in(visitor), flaw)) is kept
    if not kept:
        assert await reason(world) == "§7.1 step 16: the user was not verified"


async def test_nobody_at_all_will_do_where_verification_is_only_preferred(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    form = await made(visitor, await signs_in(visitor), Flaw(fields=flags(off=UP | UV)))
    assert await stored(world, visitor, form)
    (row,) = await world.rows(tables.Passkey)
    assert row["user_verified"] is False


@pytest.mark.parametrize(
    ("policy", "device"),
    [
        ({"backup": "device_bound_only"}, Authenticator()),
        ({"attestation": "direct"}, Authenticator()),
        ({"attachment": "cross_platform"}, Authenticator(transports=("internal",))),
        ({"authenticators": {"deny": [{"aaguid": "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"}]}}, Authenticator()),
    ],
)
async def test_the_policy_holds_as_for_any_other(
    world: World, ann: str, policy: dict[str, Any], device: Authenticator
) -> None:
    await ask_for(world, automatic_upgrade=True, **policy)
    visitor = Visitor.of(world)
    assert not await stored(world, visitor, await made(visitor, await signs_in(visitor), device=device))
    assert (await reason(world)).startswith("passkey policy: ")


# --- what it cannot be used for ------------------------------------------------------------------------------------


async def test_an_ordinary_registration_needs_somebody(world: World, ann: str) -> None:
    """Also where browsers may do without: what counts is as what the ceremony was begun."""
    visitor = Visitor.of(world)
    landed = await visitor.send(Form((await signs_in(visitor)).form(UPGRADE).action), action="skip")
    options = await visitor.options(landed, ENROLMENT)
    response = Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL, flaw=NOBODY_THERE)
    form = landed.form(ENROLMENT)
    refused = await visitor.send(form, auth_session=options["auth_session"], response=json.dumps(response))
    assert refused.response.status_code == 403
    assert await reason(world) == "§7.1 step 15: nobody was present"
    assert await world.count(tables.Passkey) == 0


async def at_the_ordinary_page(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    landed = await visitor.send(Form(form.action), action="skip")
    assert landed.path == ENROLMENT
    refused = await visitor.send(Form(landed.form(ENROLMENT).action), **form.fields)
    assert refused.response.status_code == 403


async def at_the_api(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    account = await MyAccount.of(world)
    body = {"auth_session": form.fields["auth_session"]}
    refused = await account.verify(body, json.loads(form.fields["response"]))
    assert refused.status_code == 400


async def as_a_login(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    refused = await world.exchange(form.fields["auth_session"], json.loads(form.fields["response"]))
    assert (refused.status_code, refused.json()["error_description"]) == (403, "Authentication session expired")


async def in_another_login_of_hers(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    other = await signs_in(visitor, at=await visitor.authorize(prompt="login"))
    await visitor.send(Form(other.form(UPGRADE).action, form.fields))


async def in_another_browser(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    stranger = Visitor.of(world)
    assert (await stranger.send(form)).response.status_code == 400
    other = await signs_in(stranger)
    await stranger.send(Form(other.form(UPGRADE).action, form.fields))


async def after_another_proof_in_the_same_login(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    """She starts over and gives her password again: what was begun before was begun for that password."""
    world.clock.advance(seconds=1)
    state = at.response.url.params["state"]
    await world.app.state.flows.hosted_login.start_over(Visit(state, Secret(""), None, Caller()))
    landed = await signs_in(visitor, at=await visitor.open(f"/u/login?state={state}"))
    assert landed.path == UPGRADE
    await visitor.send(form)


async def after_two_minutes(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    world.clock.advance(minutes=2)
    await visitor.send(form)


async def when_the_policy_says_no_meanwhile(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    await ask_for(world)
    await visitor.send(form)


async def when_she_was_signed_out_meanwhile(world: World, visitor: Visitor, at: Landed, form: Form) -> None:
    (account,) = await world.rows(tables.Account)
    assert (await world.manage("POST", f"/users/{quote(account['user_id'])}/revoke-access", {})).status_code == 202
    await visitor.send(form)


WRONG = (
    *(at_the_ordinary_page, at_the_api, as_a_login, in_another_login_of_hers, in_another_browser),
    *(after_another_proof_in_the_same_login, after_two_minutes),
    *(when_the_policy_says_no_meanwhile, when_she_was_signed_out_meanwhile),
)


@pytest.mark.parametrize("use", WRONG)
async def test_what_was_begun_for_one_password_serves_for_nothing_else(
    world: World, ann: str, use: Callable[[World, Visitor, Landed, Form], Awaitable[None]]
) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    await use(world, visitor, landed, await made(visitor, landed, FLAWLESS))
    assert await world.count(tables.Passkey) == 0


async def test_an_ordinary_ceremony_does_not_serve_for_it(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    options = await visitor.options(landed, UPGRADE)
    ordinary = await visitor.send(Form(f"{ENROLMENT}/options?state={landed.response.url.params['state']}"))
    assert ordinary.response.status_code == 200
    found = ordinary.response.json()
    response = Authenticator().create(found["authn_params_public_key"], origin=PUBLIC_URL)
    fields = {"auth_session": found["auth_session"], "response": json.dumps(response)}
    assert (await visitor.send(Form(landed.form(UPGRADE).action, fields))).path == ENROLMENT
    assert await world.count(tables.Passkey) == 0
    assert options["auth_session"] != found["auth_session"]


async def test_options_are_handed_out_on_that_page_alone(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    options = Form(landed.form(UPGRADE).action.replace("?", "/options?"))
    world.clock.advance(minutes=2, seconds=1)
    late = await visitor.send(options)
    assert (late.response.status_code, late.response.json()["error"]) == (403, "step_up_required")
    await visitor.send(Form(landed.form(UPGRADE).action), action="skip")
    gone = await visitor.send(options)
    assert (gone.response.status_code, gone.response.json()["error"]) == (403, "step_up_required")


async def test_of_many_answers_at_once_one_is_stored(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    forms = [await made(visitor, landed) for _ in range(5)]
    headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    await asyncio.gather(*(visitor.client.post(each.action, data=each.fields, headers=headers) for each in forms))
    assert await world.count(tables.Passkey) == 1
    assert len([letter for letter in await world.letters() if "without a password" in letter.subject]) == 1


# --- the notice, and the way back ------------------------------------------------------------------------------------


async def notice(world: World) -> Letter:
    return next(letter for letter in await world.letters() if f"{UNDO}?ticket=" in letter.text)


async def undo_link(world: World) -> str:
    return re.search(r"(/u/passkey-upgrade/undo\?ticket=\S+)", (await notice(world)).text)[1]  # type: ignore[index]


CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
SUBJECTS = {
    "en": ("You can sign in without a password now", "your browser (Chrome on Windows) created", "Remove this passkey"),
    "de": (
        "Sie können sich jetzt ohne Passwort anmelden",
        "Ihr Browser (Chrome on Windows)",
        "Diesen Passkey entfernen",
    ),
}


@pytest.mark.parametrize("language", SUBJECTS)
async def test_its_owner_is_told(world: World, ann: str, language: str) -> None:
    visitor = Visitor.of(world)
    visitor.client.headers.update({"accept-language": language, "user-agent": CHROME})
    await visitor.send(await made(visitor, await signs_in(visitor)))
    letter, (subject, lead, button) = await notice(world), SUBJECTS[language]
    assert (letter.to, letter.subject) == ("ann@example.com", subject)
    assert lead in letter.text
    assert f"{button}:" in letter.text


async def test_the_link_takes_it_back_without_a_login(world: World, ann: str) -> None:
    device = Authenticator()
    hers = await upgraded(world, device)
    link = await undo_link(world)
    reader = Visitor.of(world)
    page = await reader.open(link)
    assert page.response.status_code == 200
    assert "Remove this passkey?" in page.text
    assert "ann@example.com" in page.text
    assert await world.count(tables.Passkey) == 1, "opening it does nothing: mail scanners open links"
    done = await reader.send(page.form())
    assert "The passkey is removed" in done.text
    assert await world.count(tables.Passkey) == 0
    assert (await world.passkey_login(device)).status_code == 403
    assert (await hers.authorize(prompt="none")).answer["error"] == "login_required", "signed out as by a removal"
    assert (await world.login()).status_code == 200
    entry = [row for row in await world.rows(tables.JournalRow) if row["details"].get("by") == "undo link"]
    assert [(each["type"], each["user_id"]) for each in entry] == [("my_account_authentication_method_succeeded", ann)]


async def test_its_owner_is_told_of_that_too(world: World, ann: str) -> None:
    await upgraded(world)
    await used(world, await undo_link(world))
    (newest, *_) = await world.letters()
    assert (newest.to, newest.subject) == ("ann@example.com", "A passkey was removed from your account")


async def test_the_last_way_in_goes_too_and_the_page_says_so(world: World, ann: str) -> None:
    """A thief who made the passkey and then gave the password up must not keep the account by that."""
    await ask_for(world, automatic_upgrade=True, passwordless_accounts=True)
    device = Authenticator()
    await upgraded(world, device)
    link = await undo_link(world)
    assert "only way in" not in (await Visitor.of(world).open(link)).text
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    thief = MyAccount(world, (await world.passkey_login(device, **asked)).json()["access_token"])
    (password,) = [each for each in await thief.methods() if each["type"] == "password"]
    assert (await thief.call("DELETE", f"/{quote(password['id'])}")).status_code == 204
    page = await Visitor.of(world).open(link)
    assert "It is the only way in that your account has now." in page.text
    await Visitor.of(world).send(page.form())
    assert await world.count(tables.Passkey) == 0


async def used(world: World, link: str) -> None:
    page = await Visitor.of(world).open(link)
    await Visitor.of(world).send(page.form())


async def too_old(world: World, link: str) -> None:
    world.clock.advance(days=7)


async def removed_otherwise(world: World, link: str) -> None:
    await _remove(world)


async def another_passkey_since(world: World, link: str) -> None:
    """The one that it is about is gone, and another is there."""
    await _remove(world)
    await upgraded(world)


async def account_gone(world: World, link: str) -> None:
    (account,) = await world.rows(tables.Account)
    await world.delete_user(account["user_id"])


async def _remove(world: World) -> None:
    (row,) = await world.rows(tables.Passkey)
    path = f"/users/{quote(row['user_id'])}/authentication-methods/{quote(row['id'])}"
    assert (await world.manage("DELETE", path)).status_code == 204


@pytest.mark.parametrize("happens", [used, too_old, removed_otherwise, another_passkey_since, account_gone])
async def test_it_works_once_for_that_passkey(
    world: World, ann: str, happens: Callable[[World, str], Awaitable[None]]
) -> None:
    await upgraded(world)
    link = await undo_link(world)
    page = await Visitor.of(world).open(link)
    await happens(world, link)
    before = await world.rows(tables.Passkey)
    visitor = Visitor.of(world)
    for refused in (await visitor.open(link), await visitor.send(page.form())):
        assert refused.response.status_code == 400
        assert "This link is not valid any more." in refused.text
    assert await world.rows(tables.Passkey) == before


async def reset(world: World, user_id: str) -> None:
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": "another horse battery"})
    assert answer.status_code == 200


async def moved(world: World, user_id: str) -> None:
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"email": "mallory@example.com"})
    assert answer.status_code == 200


async def blocked(world: World, user_id: str) -> None:
    await world.block(user_id)


@pytest.mark.parametrize("happens", [reset, moved, blocked])
async def test_nobody_who_got_in_can_end_the_link(
    world: World, ann: str, happens: Callable[[World, str], Awaitable[None]]
) -> None:
    """Other links of an account end then. This one gives nobody anything, and is what its owner has against a thief."""
    await upgraded(world)
    link = await undo_link(world)
    await happens(world, ann)
    await used(world, link)
    assert await world.count(tables.Passkey) == 0


async def test_of_two_readers_one_removes_it(world: World, ann: str) -> None:
    await upgraded(world)
    page = await Visitor.of(world).open(await undo_link(world))
    answers = await asyncio.gather(*(Visitor.of(world).send(page.form()) for _ in range(5)))
    assert sorted(each.response.status_code for each in answers) == [200, 400, 400, 400, 400]


async def test_it_is_not_sent_from_somebody_else_s_page(world: World, ann: str) -> None:
    await upgraded(world)
    page = await Visitor.of(world).open(await undo_link(world))
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await Visitor.of(world).client.post(page.form().action, headers=headers)
    assert answer.status_code == 403
    assert await world.count(tables.Passkey) == 1
