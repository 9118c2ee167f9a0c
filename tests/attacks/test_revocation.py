"""Nothing outlives what the revocation matrix ends: every cell, over the public interface (V7.4.1 to V7.4.3, RFC 9700).

Ann has two browsers, each with a session and everything that comes of one. What happens, happens in the first. Ben, of
whom nothing is said, must keep what he has.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from account import SCOPE, MyAccount
from authenticator import Authenticator
from conftest import Stencil
from keystead.rules.revocation import FATE, SWITCHES, Artefact, Event, Fate, Outcome, Scope
from recovery import recover
from visitor import CALLBACK, MOVED, VERIFIER, Form, Landed, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World, open_world

NEW = "another horse battery"
AUDIENCE = f"{PUBLIC_URL}/me/"
ASKED = {"audience": AUDIENCE, "scope": f"openid offline_access {SCOPE}"}


@dataclass
class Held:
    """What one browser has, and the app in it."""

    visitor: Visitor
    login: Landed
    """A login under way, in which the person has proved themselves: the page that offers a passkey."""
    spent: str
    """The code that the tokens came of."""
    code: str
    access_token: str
    refresh_token: str
    enrolment: dict[str, Any]
    cookie: str


@dataclass
class Ann:
    """A person, and all that was handed out to her."""

    world: World
    user_id: str
    here: Held
    there: Held
    ticket: str
    asker: Visitor
    asked: Landed
    """The page that asks for the six digits."""
    digits: str
    welcome: str
    other_client: str
    password: str = PASSWORD


async def held(world: World, email: str) -> Held:
    """Sign in with a new browser, and take everything that it gives."""
    visitor = Visitor.of(world)
    at = await visitor.authorize(ASKED)
    at = await visitor.send(at.form("/login/identifier"), username=email)
    login = await visitor.send(at.form("/login/password"), password=PASSWORD)
    assert login.path == "/u/passkey-enrollment"
    spent = (await visitor.authorize(ASKED, prompt="none")).answer["code"]
    tokens = (await exchange(world, spent)).json()
    code = (await visitor.authorize(ASKED, prompt="none")).answer["code"]
    enrolment = await MyAccount(world, tokens["access_token"]).begin()
    cookie = visitor.client.cookies["keystead-browser"]
    return Held(visitor, login, spent, code, tokens["access_token"], tokens["refresh_token"], enrolment, cookie)


async def ann(world: World) -> Ann:
    """Have Ann sign up, and hand her one of each."""
    user_id = await world.person()
    welcome = await world.link()
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    visitor = Visitor.of(world)
    page = await visitor.authorize()
    state = page.response.url.params["state"]
    request = await visitor.open(f"/u/reset-password/request?state={state}")
    asked = await visitor.send(request.form(), username="ann@example.com")
    assert asked.path == "/u/reset-password/code"
    here, there = await held(world, "ann@example.com"), await held(world, "ann@example.com")
    ticket = (await world.manage("POST", "/tickets/password-change", {"user_id": user_id})).json()["ticket"]
    settings: dict[str, Any] = {"app_type": "spa", "callbacks": [CALLBACK], "token_endpoint_auth_method": "none"}
    other = (await world.new_client(**settings))["client_id"]
    return Ann(world, user_id, here, there, ticket, visitor, asked, await world.code(), welcome, other)


# --- what happens -------------------------------------------------------------------------------------------------


async def _patched(found: Ann, **body: Any) -> None:
    answer = await found.world.manage("PATCH", f"/users/{quote(found.user_id)}", body)
    assert answer.status_code == 200, answer.text


async def password_changed(found: Ann) -> None:
    mine = MyAccount(found.world, found.here.access_token)
    begun = (await mine.call("POST", "", json={"type": "password"})).json()
    body = {"auth_session": begun["auth_session"], "new_password": NEW}
    answer = await mine.call("POST", "/password%7Cnew/verify", json=body)
    assert answer.status_code == 201, answer.text
    found.password = NEW


async def password_reset(found: Ann) -> None:
    await _patched(found, password=NEW)
    found.password = NEW


async def recovered(found: Ann) -> None:
    await _patched(found, email_verified=True)
    await found.world.patch_options(passkey_policy={"passwordless_accounts": True})
    await recover(found.world, Authenticator())


async def blocked(found: Ann) -> None:
    await found.world.block(found.user_id)


async def deleted(found: Ann) -> None:
    await found.world.delete_user(found.user_id)


async def emptied(found: Ann) -> None:
    victim = Visitor.of(found.world)
    page = await victim.open(found.welcome)
    taken = await victim.send(Form(page.form().action), action="take-over")
    assert taken.response.status_code == 200, taken.text


async def email_changed(found: Ann) -> None:
    await _patched(found, email="anna@example.com")


async def identifier_changed(found: Ann) -> None:
    await _patched(found, phone_number="+14155552671")


async def _passkey(mine: MyAccount) -> str:
    begun = await mine.begin()
    stored = await mine.verify(begun, Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    return quote(stored.json()["id"])


async def passkey_removed(found: Ann) -> None:
    mine = MyAccount(found.world, found.here.access_token)
    answer = await mine.call("DELETE", f"/{await _passkey(mine)}")
    assert answer.status_code == 204, answer.text


async def passkey_quarantined(found: Ann) -> None:
    passkey = await _passkey(MyAccount(found.world, found.here.access_token))
    path = f"/keystead/users/{quote(found.user_id)}/passkeys/{passkey}/quarantine"
    answer = await found.world.manage("PUT", path, {"reason": "stolen"})
    assert answer.status_code == 200, answer.text


async def connection_disabled(found: Ann) -> None:
    path = f"/connections/{found.world.connection_id}"
    answer = await found.world.manage("PATCH", path, {"authentication": {"active": False}})
    assert answer.status_code == 200, answer.text


async def connection_deleted(found: Ann) -> None:
    assert (await found.world.manage("DELETE", f"/connections/{found.world.connection_id}")).status_code == 202


async def client_deleted(found: Ann) -> None:
    assert (await found.world.manage("DELETE", f"/clients/{found.world.client_id}")).status_code == 204


async def consent_revoked(found: Ann) -> None:
    page = await found.here.visitor.open("/u/account")
    form = next(form for form in page.forms() if "client" in form.fields)
    assert (await found.here.visitor.send(form)).path == "/u/account"


async def key_revoked(found: Ann) -> None:
    manage = found.world.manage
    (before,) = [each for each in (await manage("GET", "/keys/signing")).json() if each["current"]]
    assert (await manage("POST", "/keys/signing/rotate")).status_code == 201
    answer = await manage("PUT", f"/keys/signing/{before['kid']}/revoke")
    assert answer.status_code == 200, answer.text
    found.world.forget_tokens()  # the administrator's own were signed with it too


async def logged_out(found: Ann) -> None:
    await found.here.visitor.open("/v2/logout")


def _session(found: Ann) -> str:
    """Return the first browser's session, as its cookie names it."""
    return found.here.visitor.client.cookies["keystead-session"].partition(".")[0]


async def session_revoked(found: Ann) -> None:
    assert (await found.world.manage("POST", f"/sessions/{_session(found)}/revoke")).status_code == 202


async def session_deleted(found: Ann) -> None:
    assert (await found.world.manage("DELETE", f"/sessions/{_session(found)}")).status_code == 202


async def signed_out_everywhere(found: Ann) -> None:
    answer = await found.world.manage("POST", f"/users/{quote(found.user_id)}/revoke-access", {})
    assert answer.status_code == 202


async def token_revoked(found: Ann) -> None:
    body = {"client_id": found.world.client_id, "token": found.here.refresh_token}
    assert (await found.world.client.post("/oauth/revoke", json=body)).status_code == 200


async def token_reused(found: Ann) -> None:
    settings = {"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 0}
    await found.world.patch_client(found.world.client_id, refresh_token=settings)
    old = found.here.refresh_token
    found.here.refresh_token = (await found.world.token("refresh_token", refresh_token=old)).json()["refresh_token"]
    assert (await found.world.token("refresh_token", refresh_token=old)).status_code == 403


async def code_replayed(found: Ann) -> None:
    assert (await exchange(found.world, found.here.spent)).status_code == 403


CAUSES: Mapping[Event, Callable[[Ann], Awaitable[None]]] = {
    Event.PASSWORD_CHANGED: password_changed,
    Event.PASSWORD_RESET: password_reset,
    Event.RECOVERED: recovered,
    Event.BLOCKED: blocked,
    Event.DELETED: deleted,
    Event.EMPTIED: emptied,
    Event.EMAIL_CHANGED: email_changed,
    Event.IDENTIFIER_CHANGED: identifier_changed,
    Event.PASSKEY_REMOVED: passkey_removed,
    Event.PASSKEY_QUARANTINED: passkey_quarantined,
    Event.CONNECTION_DISABLED: connection_disabled,
    Event.CONNECTION_DELETED: connection_deleted,
    Event.CLIENT_DELETED: client_deleted,
    Event.CONSENT_REVOKED: consent_revoked,
    Event.KEY_REVOKED: key_revoked,
    Event.LOGGED_OUT: logged_out,
    Event.SESSION_REVOKED: session_revoked,
    Event.SESSION_DELETED: session_deleted,
    Event.SIGNED_OUT_EVERYWHERE: signed_out_everywhere,
    Event.TOKEN_REVOKED: token_revoked,
    Event.TOKEN_REUSED: token_reused,
    Event.CODE_REPLAYED: code_replayed,
}


# --- whether it is still good --------------------------------------------------------------------------------------


async def session_works(found: Ann, own: Held) -> bool:
    """With another client, which is what it is for."""
    landed = await own.visitor.authorize(client_id=found.other_client, prompt="none")
    return landed.response.status_code in MOVED and "code" in landed.answer


async def refresh_token_works(found: Ann, own: Held) -> bool:
    answer = await found.world.token("refresh_token", refresh_token=own.refresh_token)
    if answer.status_code == 200:
        own.refresh_token = answer.json().get("refresh_token", own.refresh_token)
    return answer.status_code == 200


async def access_token_works(found: Ann, own: Held) -> bool:
    return (await found.world.userinfo(own.access_token)).status_code == 200


async def code_works(found: Ann, own: Held) -> bool:
    return (await exchange(found.world, own.code)).status_code == 200


async def ceremony_works(found: Ann, own: Held) -> bool:
    """With the app's own token, or with the best that a new login gives."""
    response = Authenticator().create(own.enrolment["authn_params_public_key"], origin=PUBLIC_URL)
    fresh = await found.world.login("anna@example.com", found.password, **ASKED)
    if fresh.status_code != 200:
        fresh = await found.world.login(password=found.password, **ASKED)
    token = own.access_token if await access_token_works(found, own) else fresh.json().get("access_token", "")
    return (await MyAccount(found.world, token).verify(own.enrolment, response)).status_code == 201


async def ticket_works(found: Ann, own: Held) -> bool:
    path = found.ticket.removeprefix(PUBLIC_URL).rstrip("#")
    return (await Visitor.of(found.world).open(path)).response.status_code == 200


async def one_time_code_works(found: Ann, own: Held) -> bool:
    landed = await found.asker.send(found.asked.form(), code=found.digits)
    return landed.path == "/u/reset-password" and landed.response.status_code == 200


async def login_works(found: Ann, own: Held) -> bool:
    return (await own.visitor.open(str(own.login.response.url))).response.status_code == 200


async def cookie_works(found: Ann, own: Held) -> bool:
    """A browser that is known is not given another secret."""
    await own.visitor.client.get("/authorize")
    return own.visitor.client.cookies.get("keystead-browser") == own.cookie


USES: Mapping[Artefact, Callable[[Ann, Held], Awaitable[bool]]] = {
    Artefact.ACCESS_TOKEN: access_token_works,
    Artefact.SESSION: session_works,
    Artefact.TRANSACTION: login_works,
    Artefact.CODE: code_works,
    Artefact.REFRESH_TOKEN: refresh_token_works,
    Artefact.TICKET: ticket_works,
    Artefact.ONE_TIME_CODE: one_time_code_works,
    Artefact.DEVICE_COOKIE: cookie_works,
    Artefact.CEREMONY: ceremony_works,
}
"""In an order in which no use spoils the next."""


# --- the table, cell by cell ---------------------------------------------------------------------------------------

OF_ONE = (Scope.SESSION, Scope.FAMILY)
OF_EVERYBODY = (Scope.MEMBERS, Scope.CLIENT, Scope.KEY)


def survives(event: Event, artefact: Artefact, whose: str, *, on: bool = True) -> bool:
    """Return what the table says of a cell: ``whose`` is Ann's ``here`` or ``there``, or ``Ben``'s."""
    fate = FATE[event][artefact]
    if fate.outcome is Outcome.LIVES or (not on and _optional(event, artefact, fate)):
        return True
    if fate.outcome is Outcome.CASCADES:
        return whose == "Ben" and event is Event.DELETED
    if whose == "Ben":
        return fate.scope not in OF_EVERYBODY
    if whose == "there":
        return fate.scope in OF_ONE
    return fate.scope is Scope.OTHERS


def _optional(event: Event, artefact: Artefact, fate: Fate) -> bool:
    """Whether an option lets it live: itself, or the session that it is refused for."""
    return fate.optional or (fate.outcome is Outcome.REFUSED and FATE[event][Artefact.SESSION].optional)


async def check(found: Ann, ben: Held, event: Event, *, on: bool = True) -> None:
    """Hold every cell of a row against what really became of the artefacts."""
    wrong = []
    holders = {"here": found.here, "there": found.there, "Ben": ben}
    for artefact in sorted(FATE[event], key=list(USES).index):
        for whose, own in holders.items():
            if whose == "Ben" and artefact in (Artefact.TICKET, Artefact.ONE_TIME_CODE, Artefact.CEREMONY):
                continue  # he has none of them
            if whose == "there" and artefact in (Artefact.TICKET, Artefact.ONE_TIME_CODE):
                continue  # they are the account's, and there is one
            expected = survives(event, artefact, whose, on=on)
            if await USES[artefact](found, own) is not expected:
                wrong.append(f"{event}: {artefact} of {whose} {'should live' if expected else 'outlived it'}")
    assert wrong == []


@pytest.mark.parametrize("event", Event)
async def test_nothing_outlives_what_the_table_ends(world: World, event: Event) -> None:
    found = await ann(world)
    await world.signup("ben@example.com")
    ben = await held(world, "ben@example.com")
    world.clock.advance(seconds=1)
    await CAUSES[event](found)
    await check(found, ben, event)


@pytest.mark.parametrize("event", SWITCHES)
async def test_what_an_option_lets_live(world: World, event: Event) -> None:
    answer = await world.manage("PATCH", "/keystead/sessions", {SWITCHES[event]: False})
    assert answer.json()[SWITCHES[event]] is False
    found = await ann(world)
    await world.signup("ben@example.com")
    ben = await held(world, "ben@example.com")
    world.clock.advance(seconds=1)
    await CAUSES[event](found)
    await check(found, ben, event, on=False)


def test_every_row_and_column_is_tried() -> None:
    assert set(FATE) == set(Event) == set(CAUSES)
    assert all(set(row) == set(Artefact) == set(USES) for row in FATE.values())


# --- more than one thing, and more than one process ----------------------------------------------------------------

TAME = [
    *(Event.PASSWORD_CHANGED, Event.IDENTIFIER_CHANGED, Event.EMAIL_CHANGED, Event.PASSKEY_REMOVED, Event.LOGGED_OUT),
    *(Event.SESSION_REVOKED, Event.SESSION_DELETED, Event.TOKEN_REVOKED, Event.CODE_REPLAYED, Event.CONSENT_REVOKED),
    *(Event.PASSKEY_QUARANTINED, Event.PASSWORD_RESET, Event.RECOVERED, Event.SIGNED_OUT_EVERYWHERE, Event.BLOCKED),
    Event.DELETED,
]
"""What can happen to one person, in an order in which most of it leaves something for the next."""


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_in_whatever_order(world: World, seed: int) -> None:
    """What one event of a sequence ends stays ended, whatever follows: nothing comes back."""
    chance = random.Random(seed)  # noqa: S311 - which order, not which secret
    events = sorted(chance.sample(TAME, 3), key=TAME.index)
    found = await ann(world)
    dead: set[tuple[Artefact, str]] = set()
    for event in events:
        world.clock.advance(seconds=1)
        if survives_all(dead):
            await CAUSES[event](found)
            dead |= {
                (artefact, whose)
                for artefact in Artefact
                for whose in ("here", "there")
                if not survives(event, artefact, whose)
            }
    for artefact, whose in sorted(dead, key=lambda each: list(USES).index(each[0])):
        assert not await USES[artefact](found, getattr(found, whose)), f"{events}: {artefact} of {whose} came back"


def survives_all(dead: set[tuple[Artefact, str]]) -> bool:
    """Whether the first browser can still do what most events need."""
    needed = (Artefact.SESSION, Artefact.ACCESS_TOKEN, Artefact.REFRESH_TOKEN)
    return not {(artefact, "here") for artefact in needed} & dead


@pytest.mark.parametrize("event", [Event.BLOCKED, Event.DELETED])
async def test_v7_4_2_another_process_refuses_at_the_next_request(installation: Stencil, event: Event) -> None:
    settings, first = installation.settings, installation.document
    async with open_world(settings, first) as one, open_world(settings, first, seed="two") as other:
        found = await ann(one)
        for held_there in (found.here, found.there):
            moved = Visitor.of(other)
            moved.client.cookies = held_there.visitor.client.cookies
            held_there.visitor = moved
        there = Ann(**{**vars(found), "world": other})
        assert await access_token_works(there, found.here)
        assert await session_works(there, found.here)
        other.clock.advance(seconds=1)
        one.clock.advance(seconds=1)
        await CAUSES[event](found)
        for artefact in (Artefact.ACCESS_TOKEN, Artefact.SESSION, Artefact.CODE, Artefact.REFRESH_TOKEN):
            assert not await USES[artefact](there, found.here), artefact


# --- at the same time ------------------------------------------------------------------------------------------------


AT_ONCE = (Event.LOGGED_OUT, Event.SIGNED_OUT_EVERYWHERE, Event.PASSWORD_RESET, Event.RECOVERED, Event.BLOCKED)


@pytest.mark.parametrize("event", AT_ONCE)
async def test_what_is_renewed_at_that_moment_ends_too(world: World, event: Event) -> None:
    """A refresh or an exchange that wins the race by a hair gives nothing that lasts."""
    settings = {"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 60}
    await world.patch_client(world.client_id, refresh_token=settings)
    found = await ann(world)
    await world.management_token()
    body = {"grant_type": "refresh_token", "client_id": world.client_id, "refresh_token": found.here.refresh_token}
    exchanged = {
        "grant_type": "authorization_code",
        "client_id": world.client_id,
        "code": found.here.code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    tries = [world.client.post("/oauth/token", json=each) for each in (body, exchanged, body, body)]
    before, after = tries[:2], tries[2:]
    answers = await asyncio.gather(*before, CAUSES[event](found), *after)
    for answer in answers:
        if answer is None or answer.status_code != 200:
            continue
        given = answer.json()
        again = await world.token("refresh_token", refresh_token=given["refresh_token"])
        assert again.status_code in (401, 403), event
        assert (await world.userinfo(given["access_token"])).status_code == 401, event


async def test_whoever_changed_the_password_goes_on(world: World) -> None:
    """In the session that they did it in: with its tokens, to another passkey, to another password."""
    found = await ann(world)
    world.clock.advance(seconds=1)
    await password_changed(found)
    world.clock.advance(seconds=1)
    mine = MyAccount(world, found.here.access_token)
    begun = await mine.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await mine.verify(begun, response)).status_code == 201
    theirs = MyAccount(world, found.there.access_token)
    assert (await theirs.start()).status_code == 401
    begun = (await mine.call("POST", "", json={"type": "password"})).json()
    body = {"auth_session": begun["auth_session"], "new_password": "yet another horse"}
    assert (await mine.call("POST", "/password%7Cnew/verify", json=body)).status_code == 201


async def test_an_app_without_a_session_is_among_the_others(world: World) -> None:
    """Direct grants open none: an old token of one must not add a passkey once the password is another."""
    await world.signup()
    thief, owner = await world.tokens(**ASKED), await MyAccount.of(world)
    begun = await MyAccount(world, thief["access_token"]).begin()
    world.clock.advance(seconds=1)
    change = (await owner.call("POST", "", json={"type": "password"})).json()
    body = {"auth_session": change["auth_session"], "new_password": NEW}
    assert (await owner.call("POST", "/password%7Cnew/verify", json=body)).status_code == 201
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await MyAccount(world, thief["access_token"]).verify(begun, response)).status_code == 401
    assert (await world.token("refresh_token", refresh_token=thief["refresh_token"])).status_code == 403
