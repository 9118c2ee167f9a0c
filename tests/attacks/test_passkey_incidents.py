"""Registrations and tickets that went wrong in other products, by the number of the incident, tried here."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import pytest

from account import MyAccount
from authenticator import (
    EDDSA,
    ES256,
    FLAWLESS,
    UV,
    Authenticator,
    Flaw,
    Json,
    b64url,
    flags,
    put_id,
    untold,
)
from keystead.adapters import webauthn
from keystead.db import connections, tables
from keystead.errors import CeremonyRefused
from keystead.rules.events import Caller
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

LOGIN, SIGNUP, ENROLMENT = "/u/login/passkey", "/u/signup/passkey", "/u/passkey-enrollment"
UPGRADE, TICKET = "/u/passkey-upgrade", "/u/passkey-enrollment/ticket"
SUCCESSES = {"s", "ss", "gd_enrollment_complete"}


async def ask_for(world: World, **policy: Any) -> None:
    """Set the policy, with browsers that may make passkeys by themselves."""
    answer = await world.patch_options(passkey_policy={"automatic_upgrade": True} | policy)
    assert answer.status_code == 200, answer.text


async def ticket_for(world: World, user_id: str, **more: Any) -> str:
    answer = await world.manage("POST", "/tickets/passkey-enrollment", {"user_id": user_id} | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"]).removeprefix(PUBLIC_URL).rstrip("#")


# --- every ceremony, and every door ----------------------------------------------------------------------------------


@dataclass
class Scene:
    """Ann, who has a password; Bob, who has a passkey; and a browser at every page that takes a passkey's answer."""

    world: World
    user_id: str = ""
    bob: Authenticator = field(default_factory=Authenticator)
    account: MyAccount | None = None
    at: dict[str, tuple[Visitor, Landed]] = field(default_factory=dict)

    @classmethod
    async def of(cls, world: World) -> "Scene":
        scene = cls(world, await world.person())
        await world.register(scene.bob, "bob@example.com")
        scene.account = await MyAccount.of(world)
        for page in (LOGIN, SIGNUP, TICKET, ENROLMENT, UPGRADE):
            await scene.sits_at(page)
        return scene

    async def sits_at(self, page: str) -> None:
        """Open a page with a browser that comes for the first time."""
        ways = {LOGIN: self._to_login, SIGNUP: self._to_sign_up, TICKET: self._to_ticket}
        visitor = Visitor.of(self.world)
        go = ways.get(page)
        landed = await go(visitor) if go else await self._past_the_password(visitor, "1" if page == UPGRADE else "")
        self.at[page] = (visitor, landed)

    async def begin(self, kind: str) -> Json:
        """Begin a ceremony: of one of the APIs, or of a page."""
        if kind == "signup":
            return dict((await self.world.begin_register("eve@example.com")).json())
        if kind == "login":
            return dict((await self.world.begin_challenge()).json())
        if kind == "account":
            assert self.account is not None
            return await self.account.begin()
        visitor, landed = self.at[kind]
        return await visitor.options(landed, kind)

    def response(self, kind: str, begun: Json, flaw: Flaw = FLAWLESS, *, told: bool = True) -> Json:
        """Return the right answer to a ceremony: Bob's passkey for a login, a new one for anything else."""
        options: Any = begun["authn_params_public_key"]
        options = options if told else untold(options)
        if kind in ("login", LOGIN):
            return self.bob.get(options, origin=PUBLIC_URL, flaw=flaw)
        return Authenticator().create(options, origin=PUBLIC_URL, flaw=flaw)

    async def succeeds(self, door: str, begun: Json, response: Json) -> bool:
        """Answer at a door, and return whether anything came of it."""
        before = await self.world.journal()
        if door in ("signup", "login"):
            await self.world.exchange(str(begun["auth_session"]), response)
        elif door == "account":
            assert self.account is not None
            await self.account.verify(begun, response)
        else:
            visitor, landed = self.at[door]
            fields = {"auth_session": str(begun["auth_session"]), "response": json.dumps(response)}
            headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
            await visitor.client.post(landed.form(door).action, data=fields, headers=headers)
        return bool(SUCCESSES & set((await self.world.journal())[len(before) :]))

    async def _to_login(self, visitor: Visitor) -> Landed:
        return await visitor.authorize()

    async def _to_sign_up(self, visitor: Visitor) -> Landed:
        landed = await visitor.authorize(screen_hint="signup")
        return await visitor.send(landed.form("/signup/identifier"), email="new@example.com")

    async def _to_ticket(self, visitor: Visitor) -> Landed:
        return await visitor.open(await ticket_for(self.world, self.user_id))

    async def _past_the_password(self, visitor: Visitor, can: str) -> Landed:
        landed = await visitor.authorize()
        landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
        return await visitor.send(landed.form("/login/password"), password=PASSWORD, can_upgrade=can)


KINDS = ("signup", "login", "account", LOGIN, SIGNUP, ENROLMENT, UPGRADE, TICKET)
"""What a ceremony can be begun as, which is where it can be answered too."""

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
async def test_each_ceremony_is_answered_where_it_was_begun(world: World, kind: str) -> None:
    """What the tests below vary; were it refused too, they would say nothing."""
    await ask_for(world)
    scene = await Scene.of(world)
    begun = await scene.begin(kind)
    assert await scene.succeeds(kind, begun, scene.response(kind, begun))


@each_kind
async def test_incident_11_a_challenge_serves_for_what_it_was_made_for_alone(world: World, kind: str) -> None:
    """better-auth #9993: a challenge for registering could be used for logging in, and the reverse."""
    await ask_for(world)
    scene = await Scene.of(world)
    by_api = {"signup", "login"}
    for door in KINDS:
        if door == kind or {door, kind} == by_api:
            continue  # the token endpoint takes both, and tells them apart by what they were begun as
        begun = await scene.begin(kind)
        assert not await scene.succeeds(door, begun, scene.response(kind, begun)), f"{kind} at {door}"


async def test_incident_11_the_token_endpoint_takes_both_and_confuses_neither(world: World) -> None:
    """The same, where one address takes the answers to both."""
    await ask_for(world)
    scene = await Scene.of(world)
    for mine, other in (("signup", "login"), ("login", "signup")):
        begun, wanted = await scene.begin(mine), await scene.begin(other)
        assert not await scene.succeeds(mine, begun, scene.response(other, wanted)), f"{other}'s answer to {mine}"


@each_kind
async def test_incident_16_required_verification_is_looked_at_on_every_way(world: World, kind: str) -> None:
    """CVE-2026-115828: the flag UV was not looked at everywhere."""
    await ask_for(world, user_verification="required")
    scene = await Scene.of(world)
    begun = await scene.begin(kind)
    assert not await scene.succeeds(kind, begun, scene.response(kind, begun, Flaw(fields=flags(off=UV))))
    if kind == UPGRADE:
        await scene.sits_at(kind)  # what nobody asked for is not tried twice
    begun = await scene.begin(kind)
    assert await scene.succeeds(kind, begun, scene.response(kind, begun))


@each_kind
async def test_incident_12_an_answer_is_good_once(world: World, kind: str) -> None:
    """supertokens-core CDI 5.5: options were not used up, so that one answer could be sent again, also at once."""
    await ask_for(world)
    scene = await Scene.of(world)
    begun = await scene.begin(kind)
    right = scene.response(kind, begun)
    success = "s" if kind in ("login", LOGIN) else "gd_enrollment_complete"
    before = (await world.journal()).count(success)
    await asyncio.gather(*(scene.succeeds(kind, begun, right) for _ in range(5)))
    assert not await scene.succeeds(kind, begun, right)
    assert (await world.journal()).count(success) == before + 1


@pytest.mark.parametrize("kind", ["signup", "login", LOGIN, SIGNUP])
async def test_incident_8_what_a_client_says_of_the_options_changes_nothing(world: World, kind: str) -> None:
    """GHSA-h4fw-6r7f-w494: a client could replace options, and so ask for less than the policy does."""
    await ask_for(world, user_verification="required")
    scene = await Scene.of(world)
    less: dict[str, Any] = {
        "userVerification": "discouraged",
        "user_verification": "discouraged",
        "authenticatorSelection": {"userVerification": "discouraged"},
        "authn_params_public_key": {"userVerification": "discouraged", "challenge": b64url(bytes(32))},
    }
    if kind == "signup":
        begun = (await world.begin_register("eve@example.com", **less)).json()
    elif kind == "login":
        begun = (await world.begin_challenge(**less)).json()
    else:
        visitor, landed = scene.at[kind]
        form = Form(landed.form(kind).action.replace("?", "/options?"))
        asked = await visitor.send(form, **{name: json.dumps(value) for name, value in less.items()})
        begun = asked.response.json()
    told = begun["authn_params_public_key"]
    assert told.get("userVerification", told.get("authenticatorSelection", {}).get("userVerification")) == "required"
    assert told["challenge"] != b64url(bytes(32))
    flaw = Flaw(fields=flags(off=UV), response=lambda answer: {**answer, **less})
    assert not await scene.succeeds(kind, begun, scene.response(kind, begun, flaw))


# --- the policy, and the checks ------------------------------------------------------------------------------------

BREAKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "user_verification": ({"user_verification": "required"}, {"verifies": False}),
    "attestation": ({"attestation": "direct"}, {}),
    "authenticators": ({"authenticators": {"deny": [{"aaguid": "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"}]}}, {}),
    "backup": ({"backup": "device_bound_only"}, {"synced": True}),
    "attachment": ({"attachment": "cross_platform"}, {"transports": ("internal",)}),
    "algorithms": ({"algorithms": [EDDSA]}, {"algorithms": (ES256,)}),
    "max_per_user": ({"max_per_user": 1}, {}),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_incident_2_the_server_looks_at_what_it_asked_the_client_for(world: World, name: str) -> None:
    """CVE-2026-8830: what was asked of the client at a registration was not looked at by the server."""
    policy, device = BREAKS[name]
    await world.person()
    account = await MyAccount.of(world)
    if name == "max_per_user":
        await account.enrols(Authenticator())
    begun = await account.begin()
    if name not in ("user_verification", "attachment", "algorithms", "attestation"):
        await ask_for(world, **policy)  # nobody can be asked for it: what counts is what is stored by then
    else:
        await ask_for(world, **policy)
        begun = await account.begin()
    before = await world.count(tables.Passkey)
    options = untold(begun["authn_params_public_key"])
    refused = await account.verify(begun, Authenticator(**device).create(options, origin=PUBLIC_URL))
    assert refused.status_code == 400
    assert await world.count(tables.Passkey) == before


@pytest.mark.parametrize("flaw", [put_id("id", lambda _: b64url(b"another")), put_id("rawId", lambda _: b64url(b"x"))])
async def test_incident_9_ids_that_differ_are_no_login(world: World, flaw: Callable[[Json], Json]) -> None:
    """gitlab#585333: where ``id`` and ``rawId`` differed, the result of the verification was not looked at."""
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=Flaw(response=flaw))
    assert (await world.exchange(begun["auth_session"], response)).status_code == 403


class Broken:
    """The verifier, of which one part goes wrong."""

    def __init__(self, part: str, error: Exception) -> None:
        self._part, self._error = part, error

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._part else getattr(webauthn, name)

    def _fail(self, *_: object, **__: object) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [CeremonyRefused(), KeyError("x"), ValueError("x"), RuntimeError("x")], ids=repr)
@pytest.mark.parametrize("part", ["parse_assertion", "verify_assertion"])
async def test_incident_9_without_a_verdict_nobody_is_let_in(world: World, part: str, error: Exception) -> None:
    """The same: whatever goes wrong in the verifier, there is no way around it."""
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    login = world.app.state.flows.passkey_login
    ceremony = await login.ceremonies.claim(begun["auth_session"], ("login",), client_id=world.client_id)
    logins = (await world.journal()).count("s")
    with pytest.raises(type(error)):
        await replace(login, webauthn=Broken(part, error)).finish(ceremony, response, Caller())
    assert (await world.journal()).count("s") == logins
    (row,) = await world.rows(tables.Passkey)
    assert row["last_used_at"] is None


async def test_incident_15_the_last_place_is_given_away_once(world: World) -> None:
    """supabase/auth 9868df6: how many there may be was looked at only when the options were made."""
    await ask_for(world, max_per_user=2)
    scene = await Scene.of(world)
    first = await scene.begin("account")
    assert await scene.succeeds("account", first, scene.response("account", first))
    doors = ("account", "account", TICKET, ENROLMENT)
    begun = [await scene.begin(door) for door in doors]
    await asyncio.gather(
        *(scene.succeeds(door, each, scene.response(door, each)) for door, each in zip(doors, begun, strict=True))
    )
    hers = [row for row in await world.rows(tables.Passkey) if row["user_id"] == scene.user_id]
    assert len(hers) == 2


# --- tickets -------------------------------------------------------------------------------------------------------


async def _made(visitor: Visitor, at: Landed) -> Landed:
    begun = await visitor.options(at, TICKET)
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    return await visitor.send(at.form(TICKET), auth_session=begun["auth_session"], response=json.dumps(response))


async def _patched(world: World, user_id: str, **body: Any) -> None:
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", body)
    assert answer.status_code == 200, answer.text


async def used(world: World, user_id: str, link: str) -> None:
    visitor = Visitor.of(world)
    assert (await _made(visitor, await visitor.open(link))).response.status_code == 200


async def too_old(world: World, user_id: str, link: str) -> None:
    world.clock.advance(hours=24)


async def password_changed(world: World, user_id: str, link: str) -> None:
    await _patched(world, user_id, password="another horse battery")


async def address_changed(world: World, user_id: str, link: str) -> None:
    await _patched(world, user_id, email="anna@example.com")


async def number_added(world: World, user_id: str, link: str) -> None:
    await _patched(world, user_id, phone_number="+14155552671")


async def blocked_for_a_while(world: World, user_id: str, link: str) -> None:
    await world.block(user_id)
    await world.block(user_id, blocked=False)


async def deleted(world: World, user_id: str, link: str) -> None:
    await world.delete_user(user_id)


async def emptied(world: World, user_id: str, link: str) -> None:
    """Whoever reads the mail of the sign-up says that it was not them."""
    reader = Visitor.of(world)
    page = await reader.open(await world.link())
    await reader.send(Form(page.form().action), action="take-over")


async def connection_off(world: World, user_id: str, link: str) -> None:
    body = {"authentication": {"active": False}}
    await world.manage("PATCH", f"/connections/{world.connection_id}", body)


async def another_was_made(world: World, user_id: str, link: str) -> None:
    await ticket_for(world, user_id)


ENDS = (
    *(used, too_old, password_changed, address_changed, number_added, blocked_for_a_while, deleted, emptied),
    *(connection_off, another_was_made),
)


@pytest.mark.parametrize("happens", ENDS)
async def test_incident_3_a_ticket_dies_with_its_use_its_day_and_its_account(
    world: World, happens: Callable[[World, str, str], Awaitable[None]]
) -> None:
    """CVE-2026-37982: a link that was sent could be used again, to add a key of somebody else's."""
    user_id = await world.person()
    link = await ticket_for(world, user_id)
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    begun = await visitor.options(page, TICKET)
    response = json.dumps(Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    await happens(world, user_id, link)
    before = await world.rows(tables.Passkey)
    for refused in (
        await visitor.send(page.form(TICKET), auth_session=begun["auth_session"], response=response),
        await visitor.open(link),
        await visitor.send(Form(page.form(TICKET).action.replace("?", "/options?"))),
    ):
        assert refused.response.status_code == 400
        assert "This link is not valid any more." in refused.text
    assert await world.rows(tables.Passkey) == before


async def test_incident_3_a_ticket_of_many_uses_at_once_makes_one_passkey(world: World) -> None:
    """The same, at once: each with a passkey and a ceremony of its own."""
    link = await ticket_for(world, await world.person())
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    begun = [await visitor.options(page, TICKET) for _ in range(8)]
    made = [Authenticator().create(each["authn_params_public_key"], origin=PUBLIC_URL) for each in begun]
    answers = await asyncio.gather(
        *(
            visitor.send(page.form(TICKET), auth_session=each["auth_session"], response=json.dumps(response))
            for each, response in zip(begun, made, strict=True)
        )
    )
    assert sorted(each.response.status_code for each in answers) == [200, *[400] * 7]
    assert await world.count(tables.Passkey) == 1


async def test_incident_3_a_ticket_is_of_one_account_and_purpose(world: World) -> None:
    """The same, for another user: neither her link nor a link of another kind makes a passkey for anybody else."""
    ann, ben = await world.person(), await world.person("ben@example.com")
    link = await ticket_for(world, ann)
    visitor = Visitor.of(world)
    assert (await _made(visitor, await visitor.open(link))).response.status_code == 200
    assert {row["user_id"] for row in await world.rows(tables.Passkey)} == {ann}
    other = (await world.manage("POST", "/tickets/password-change", {"user_id": ben})).json()["ticket"]
    token = other.rstrip("#").partition("ticket=")[2]
    assert (await visitor.open(f"{TICKET}?ticket={token}")).response.status_code == 400
    mine = (await ticket_for(world, ben)).partition("ticket=")[2]
    assert (await visitor.open(f"/u/reset-password?ticket={mine}")).response.status_code == 400
    assert (await visitor.open(f"/u/passkey-upgrade/undo?ticket={mine}")).response.status_code == 400


async def test_incident_4_nobody_gets_a_ticket_for_somebody_they_may_not_see(world: World) -> None:
    """CVE-2026-105209: who asked was looked at, and not whom the ticket was for. Administrators are not there."""
    setup = Visitor.of(world)
    page = await setup.open(str(world.first["administrator_setup_url"]).removeprefix(PUBLIC_URL))
    await setup.send(page.form(), email="owner@example.com", password=PASSWORD)
    (owner,) = await world.rows(tables.Account)
    before = await world.count(tables.Ticket)
    answer = await world.manage("POST", "/tickets/passkey-enrollment", {"user_id": owner["user_id"]})
    nobody = await world.manage("POST", "/tickets/passkey-enrollment", {"user_id": "auth0|nobody"})
    assert answer.status_code == 404
    assert answer.json() == nobody.json()
    found = await world.db.read(connections.of_administrators)
    assert found is not None
    body = {"connection_id": found.id, "email": "owner@example.com"}
    answer = await world.manage("POST", "/tickets/passkey-enrollment", body)
    assert (answer.status_code, "does not exist" in answer.json()["message"]) == (400, True)
    assert await world.count(tables.Ticket) == before
