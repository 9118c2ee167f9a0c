"""``options.passkey_policy``: what it tells clients, and what the server makes of it whatever they were told."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID

import httpx
import pytest

from account import SCOPE, MyAccount
from attestation import Maker, Service, entry
from authenticator import AAGUID, EDDSA, ES256, FLAWLESS, RS256, Authenticator, Flaw, Json, put, untold
from keystead.db import tables
from keystead.rules.passkey_terms import TRUST_LEVELS
from visitor import MOVED, Landed, Visitor
from world import PUBLIC_URL, World

Outcome = Literal["in", "unverified", "not allowed"]
SAYS: dict[str, Outcome] = {
    "Passkey could not be verified.": "unverified",
    "Passkeys of this kind are not allowed here.": "not allowed",
}


async def ask_for(world: World, **policy: Any) -> None:
    """Set the policy, whole."""
    answer = await world.patch_options(passkey_policy=policy)
    assert answer.status_code == 200, answer.text


async def advice(world: World) -> list[tuple[str, list[str]]]:
    """Return for whom the journal says that they would have been refused: doing what, and for which fields."""
    entries = [row["details"] for row in await world.rows(tables.JournalRow) if row["type"] == "passkey_policy_advice"]
    return [(each["purpose"], [reason["field"] for reason in each["policy"]]) for each in entries]


# --- the doors ---------------------------------------------------------------------------------------------------


class Door(Protocol):
    """A way to sign up and to log in. Where nothing is ``told``, the client keeps the policy from the device."""

    async def sign_up(self, world: World, device: Authenticator, email: str, *, told: bool = True) -> Outcome: ...
    async def log_in(self, world: World, device: Authenticator, *, told: bool = True) -> Outcome: ...


def heard(options: Any, told: bool) -> Any:
    return options if told else untold(options)


class Api:
    """``/passkey/*`` and the grant."""

    async def sign_up(self, world: World, device: Authenticator, email: str, *, told: bool = True) -> Outcome:
        begun = (await world.begin_register(email)).json()
        options = heard(begun["authn_params_public_key"], told)
        return self._outcome(await world.exchange(begun["auth_session"], device.create(options, origin=PUBLIC_URL)))

    async def log_in(self, world: World, device: Authenticator, *, told: bool = True) -> Outcome:
        begun = (await world.begin_challenge()).json()
        options = heard(begun["authn_params_public_key"], told)
        return self._outcome(await world.exchange(begun["auth_session"], device.get(options, origin=PUBLIC_URL)))

    @staticmethod
    def _outcome(answer: httpx.Response) -> Outcome:
        if answer.status_code == 200:
            return "in"
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")
        return SAYS[answer.json()["error_description"]]


class Pages:
    """The hosted pages."""

    async def sign_up(self, world: World, device: Authenticator, email: str, *, told: bool = True) -> Outcome:
        visitor = Visitor.of(world)
        landed = await visitor.authorize(screen_hint="signup")
        landed = await visitor.send(landed.form("/signup/identifier"), email=email)
        return await self._answer(visitor, landed, "/signup/passkey", device.create, told)

    async def log_in(self, world: World, device: Authenticator, *, told: bool = True) -> Outcome:
        visitor = Visitor.of(world)
        return await self._answer(visitor, await visitor.authorize(), "/login/passkey", device.get, told)

    @staticmethod
    async def _answer(visitor: Visitor, at: Landed, path: str, do: Callable[..., Json], told: bool) -> Outcome:
        begun = await visitor.options(at, path)
        response = json.dumps(do(heard(begun["authn_params_public_key"], told), origin=PUBLIC_URL))
        landed = await visitor.send(at.form(path), auth_session=begun["auth_session"], response=response)
        landed = await visitor.decline(landed)
        if landed.response.status_code in MOVED:
            assert "code" in landed.answer
            return "in"
        assert landed.response.status_code == 403
        return next(outcome for text, outcome in SAYS.items() if text in landed.text)


each_door = pytest.mark.parametrize("door", [Api(), Pages()], ids=["api", "pages"])


# --- what a passkey is ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A policy, a device that obeys it, and one that breaks just it."""

    policy: dict[str, Any]
    obeys: dict[str, Any]
    breaks: dict[str, Any]
    registration: Outcome = "not allowed"
    """What a registration is told that breaks it; where WebAuthn itself has a step for it, that step refuses."""
    login: Outcome = "not allowed"
    metadata: tuple[dict[str, Any], ...] = ()
    """What the FIDO metadata says of models."""

    async def ask_for(self, world: World, **more: Any) -> None:
        """Set the policy."""
        await ask_for(world, **self.policy, **more)

    async def prepare(self, world: World) -> None:
        """Bring the metadata."""
        if self.metadata:
            await SERVICE.brings(world, *self.metadata)

    @property
    def name(self) -> str:
        """The one field."""
        return next(iter(self.policy))


# Parts of a device, by what they make of it.
SYNCED: dict[str, Any] = {"synced": True}
BOUND: dict[str, Any] = {"synced": False}
LAPTOP: dict[str, Any] = {"attachment": "platform", "transports": ("internal",)}
KEY: dict[str, Any] = {"attachment": "cross-platform", "transports": ("usb", "nfc")}

ATTESTED: dict[str, Any] = {"attestation": "packed"}
MODEL = str(UUID(bytes=AAGUID))
ANOTHER = bytes(range(16))
ANOTHER_MODEL: dict[str, Any] = {"aaguid": ANOTHER}
MAKER, SERVICE = Maker(), Service()
PROVED: dict[str, Any] = {"algorithms": (ES256,), "attester": MAKER.packed()}
ANOTHER_PROVED: dict[str, Any] = PROVED | {"attester": MAKER.packed([MAKER.leaf(ANOTHER)])} | ANOTHER_MODEL


def trusting(level: str) -> dict[str, Any]:
    """Return a policy that wants a level of trust."""
    return {"authenticators": {"trust": level}, "attestation": "indirect"}


def certified(number: int) -> Case:
    """Return the case of a certified level: a model that has it, and one that has the level below."""
    statuses = [[(f"FIDO_CERTIFIED_{each.removeprefix('certified_')}", "2024-01-01")] for each in TRUST_LEVELS[4:]]
    below = statuses[number - 1] if number else []
    metadata = (entry(AAGUID, MAKER, statuses=statuses[number]), entry(ANOTHER, MAKER, statuses=below))
    return Case(trusting(TRUST_LEVELS[4 + number]), PROVED, ANOTHER_PROVED, metadata=metadata)


CASES = {
    "verified": Case({"user_verification": "required"}, {}, {"verifies": False}, "unverified", "unverified"),
    "bound": Case({"backup": "device_bound_only"}, BOUND, SYNCED),
    "synced": Case({"backup": "synced_only"}, SYNCED, BOUND),
    "platform": Case({"attachment": "platform"}, LAPTOP, KEY),
    "cross-platform": Case({"attachment": "cross_platform"}, KEY, LAPTOP),
    "EdDSA": Case({"algorithms": [-8]}, {"algorithms": (EDDSA,)}, {"algorithms": (ES256,)}, "unverified"),
    "ES256": Case({"algorithms": [-7]}, {"algorithms": (ES256,)}, {"algorithms": (RS256,)}, "unverified"),
    "direct": Case({"attestation": "direct"}, ATTESTED, {}),
    "enterprise": Case({"attestation": "enterprise"}, ATTESTED, {}),
    "self": Case(trusting("self"), ATTESTED, {}),
    "untrusted chain": Case(trusting("untrusted_chain"), PROVED, ATTESTED),
    "trusted chain": Case(trusting("trusted_chain"), PROVED, ANOTHER_PROVED, metadata=(entry(AAGUID, MAKER),)),
    **{str(level): certified(number) for number, level in enumerate(TRUST_LEVELS[4:])},
    "allowed where it is known": Case(
        {"authenticators": {"allow": [{"aaguid": MODEL}]}, "attestation": "indirect"},
        PROVED,
        ATTESTED,
        metadata=(entry(AAGUID, MAKER),),
    ),
    "denied where it is known": Case(
        {"authenticators": {"deny": [{"aaguid": MODEL, "trust": "trusted_chain"}]}},
        ATTESTED,
        PROVED,
        metadata=(entry(AAGUID, MAKER),),
    ),
    "allowed": Case({"authenticators": {"allow": [{"aaguid": MODEL, "trust": "none"}]}}, {}, ANOTHER_MODEL),
    "denied": Case({"authenticators": {"deny": [{"aaguid": MODEL}]}}, ANOTHER_MODEL, {}),
    "RS256": Case({"algorithms": [-257]}, {"algorithms": (RS256,)}, {"algorithms": (EDDSA,)}, "unverified"),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each_door
@each_case
async def test_a_registration_is_held_to_the_policy_by_the_server_and_not_by_the_client(
    world: World, case: Case, door: Door
) -> None:
    await case.prepare(world)
    await case.ask_for(world)
    before = await world.counts()
    assert await door.sign_up(world, Authenticator(**case.breaks), "eve@example.com", told=False) == case.registration
    assert await world.counts() == before, "nothing is left of it"
    assert (await world.last_entry())["type"] == "fs"
    obedient = Authenticator(**case.obeys)
    assert await door.sign_up(world, obedient, "ann@example.com") == "in"
    assert await door.log_in(world, obedient) == "in"
    assert await advice(world) == []
    await case.ask_for(world, mode="advise")
    assert await door.sign_up(world, Authenticator(**case.breaks), "eve@example.com") == "in"
    assert await advice(world) == [("register", [case.name])]
    assert await door.sign_up(world, Authenticator(**case.obeys), "bob@example.com") == "in"
    assert len(await advice(world)) == 1


@each_door
@each_case
async def test_a_login_is_held_to_the_policy_of_today_with_a_passkey_of_yesterday(
    world: World, case: Case, door: Door
) -> None:
    await case.prepare(world)
    device = Authenticator(**case.breaks)
    assert await door.sign_up(world, device, "ann@example.com") == "in"
    await case.ask_for(world)
    before, passkeys = await world.counts(), await world.rows(tables.Passkey)
    assert await door.log_in(world, device, told=False) == case.login
    assert await world.counts() == before
    assert await world.rows(tables.Passkey) == passkeys
    entry = await world.last_entry()
    assert entry["type"] == "f"
    if case.login == "not allowed":
        assert [reason["field"] for reason in entry["details"]["policy"]] == [case.name]
        assert entry["details"]["reason"].startswith(f"passkey policy: {case.name}: ")
    await case.ask_for(world, mode="advise")
    assert await door.log_in(world, device) == "in"
    assert await advice(world) == [("login", [case.name])]
    await world.patch_options(passkey_policy=None)
    assert await door.log_in(world, device) == "in"
    assert len(await advice(world)) == 1


@each_case
async def test_one_more_passkey_is_held_to_it_as_the_first_was(world: World, case: Case) -> None:
    await world.person()
    await case.prepare(world)
    await case.ask_for(world)
    account = await MyAccount.of(world)
    begun = await account.begin()
    response = Authenticator(**case.breaks).create(untold(begun["authn_params_public_key"]), origin=PUBLIC_URL)
    refused = await account.verify(begun, response)
    text = next(text for text, outcome in SAYS.items() if outcome == case.registration)
    assert (refused.status_code, refused.json()["detail"]) == (400, text)
    assert (await world.last_entry())["type"] == "gd_webauthn_enrollment_failed"
    assert await account.passkeys() == []
    begun = await account.begin()
    response = Authenticator(**case.obeys).create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, response)).status_code == 201
    await case.ask_for(world, mode="advise")
    begun = await account.begin()
    response = Authenticator(**case.breaks).create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, response)).status_code == 201
    assert await advice(world) == [("register", [case.name])]


@each_case
async def test_the_passkey_that_is_offered_after_a_password_is_held_to_it(world: World, case: Case) -> None:
    await world.person()
    await case.prepare(world)
    await case.ask_for(world)
    for device, stored in ((Authenticator(**case.breaks), 0), (Authenticator(**case.obeys), 1)):
        visitor, landed = await offered(world)
        begun = await visitor.options(landed, "/passkey-enrollment")
        response = json.dumps(device.create(untold(begun["authn_params_public_key"]), origin=PUBLIC_URL))
        form = landed.form("/passkey-enrollment")
        after = await visitor.send(form, auth_session=begun["auth_session"], response=response)
        assert after.response.status_code in ((403,) if not stored else MOVED)
        assert await world.count(tables.Passkey) == stored


LENIENT = {
    "preferred": {"user_verification": "preferred"},
    "discouraged": {"user_verification": "discouraged"},
    "any backup": {"backup": "any"},
    "any attachment": {"attachment": "any"},
    "hints": {"hints": ["security-key"]},
    "timeout": {"timeout_ms": 15_000},
    "no attestation": {"attestation": "none"},
    "indirect": {"attestation": "indirect"},
    "any authenticator": {"authenticators": {}},
    "any trust": {"authenticators": {"trust": "none"}},
    "not automatic": {"automatic_upgrade": False},
    "no policy": {},
}


@each_door
@pytest.mark.parametrize("policy", LENIENT.values(), ids=LENIENT)
async def test_what_is_only_a_wish_turns_nobody_away(world: World, policy: dict[str, Any], door: Door) -> None:
    await ask_for(world, **policy)
    for number, parts in enumerate(({}, {"verifies": False} | BOUND | KEY, {"attachment": "", **BOUND})):
        device = Authenticator(**parts)
        assert await door.sign_up(world, device, f"person{number}@example.com") == "in"
        assert await door.log_in(world, device) == "in"
    assert await advice(world) == []


@pytest.mark.parametrize("attachment", ["platform", "cross_platform"])
async def test_a_registration_that_does_not_say_where_it_was_made_is_refused_where_that_matters(
    world: World, attachment: str
) -> None:
    await ask_for(world, attachment=attachment)
    silent = Authenticator(attachment="", transports=())
    assert await Api().sign_up(world, silent, "ann@example.com") == "not allowed"
    assert "nothing says" in (await world.last_entry())["details"]["reason"]


# --- the counter ---------------------------------------------------------------------------------------------------

SEEN = {(0, 0): False, (5, 7): False, (0, 7): False, (7, 5): True, (7, 7): True, (7, 0): True}
"""Counters as they are stored and as they come, and whether that is back."""


@pytest.mark.parametrize("counter", ["auto", "ignore", "warn", "refuse"])
@pytest.mark.parametrize("synced", [True, False], ids=["synced", "device-bound"])
async def test_counters_of_synced_passkeys_are_not_held_against_them_unless_the_policy_says_so(
    world: World, counter: str, synced: bool
) -> None:
    device = Authenticator(synced=synced)
    await world.register(device)
    refuses = counter == "refuse" or (counter == "auto" and not synced)
    for (stored, shown), back in SEEN.items():
        await world.patch_options(passkey_policy={"counter": "ignore"})
        for count in (0, stored):
            device.credentials[0].sign_count = count
            assert await Api().log_in(world, device) == "in"
        assert "counter_went_back" not in (await world.last_entry())["details"]
        device.credentials[0].sign_count = shown
        await ask_for(world, counter=counter)
        assert await Api().log_in(world, device) == ("unverified" if back and refuses else "in")
        entry = await world.last_entry()
        seen = {"stored": stored, "reported": shown}
        if back and refuses:
            assert entry["details"]["counter"] == seen
        else:
            noted = entry["details"].get("counter_went_back")
            assert noted == (seen if back and counter != "ignore" else None)


@each_door
async def test_advice_lets_a_counter_go_back_and_records_it(world: World, door: Door) -> None:
    device = Authenticator(synced=False, counts=True)
    assert await door.sign_up(world, device, "ann@example.com") == "in"
    await ask_for(world, counter="refuse")
    assert await door.log_in(world, device) == "in"
    device.credentials[0].sign_count = 0
    assert await door.log_in(world, device) == "unverified", "whoever holds a copy is not told that it was noticed"
    device.credentials[0].sign_count = 0
    await ask_for(world, counter="refuse", mode="advise")
    assert await door.log_in(world, device) == "in"
    assert await advice(world) == [("login", ["counter"])]


# --- how many ------------------------------------------------------------------------------------------------------


async def one_more(account: MyAccount) -> httpx.Response:
    begun = await account.start()
    if begun.status_code != 202:
        return begun
    options = begun.json()["authn_params_public_key"]
    return await account.verify(begun.json(), Authenticator().create(options, origin=PUBLIC_URL))


async def test_an_account_has_as_many_passkeys_as_the_policy_allows(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    await ask_for(world, max_per_user=2)
    assert [(await one_more(account)).status_code for _ in range(3)] == [201, 201, 400]
    refused = (await account.start()).json()
    assert refused["type"] == "urn:keystead:error:passkey-limit-reached"
    await ask_for(world, max_per_user=2, mode="advise")
    assert (await one_more(account)).status_code == 201
    assert await advice(world) == [("register", ["max_per_user"])]
    await ask_for(world, max_per_user=4)
    assert [(await one_more(account)).status_code for _ in range(2)] == [201, 400]


async def test_a_limit_that_is_lowered_takes_nobody_s_passkey(world: World) -> None:
    device = Authenticator()
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    await world.register(device)
    account = MyAccount(world, (await world.passkey_login(device, **asked)).json()["access_token"])
    assert (await one_more(account)).status_code == 201
    await ask_for(world, max_per_user=1)
    assert await Api().log_in(world, device) == "in"
    assert len(await account.passkeys()) == 2


async def test_a_limit_that_is_lowered_after_the_options_holds_for_the_answer(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    assert (await one_more(account)).status_code == 201
    begun = await account.begin()
    await ask_for(world, max_per_user=1)
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, response)).json()["type"] == "urn:keystead:error:passkey-limit-reached"


# --- what clients are told -------------------------------------------------------------------------------------------

ASKED = {
    "user_verification": "required",
    "attachment": "cross_platform",
    "hints": ["security-key", "hybrid"],
    "algorithms": [-257, -7],
    "timeout_ms": 90_000,
}


def told(options: dict[str, Any]) -> dict[str, Any]:
    """Return of the options what a policy decides."""
    creates = "pubKeyCredParams" in options
    selection = options["authenticatorSelection"] if creates else options
    found = {
        "timeout": options["timeout"],
        "hints": options.get("hints"),
        "user_verification": selection["userVerification"],
    }
    if creates:
        found["attachment"] = selection.get("authenticatorAttachment")
        found["algorithms"] = [each["alg"] for each in options["pubKeyCredParams"]]
    return found


async def test_what_clients_are_told(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)

    async def seen() -> list[dict[str, Any]]:
        visitor, newcomer = Visitor.of(world), Visitor.of(world)
        landed = await newcomer.authorize(screen_hint="signup")
        landed = await newcomer.send(landed.form("/signup/identifier"), email="new@example.com")
        begun = [
            (await world.begin_challenge()).json(),
            await visitor.options(await visitor.authorize(), "/login/passkey"),
            (await world.begin_register("new@example.com")).json(),
            await newcomer.options(landed, "/signup/passkey"),
            await account.begin(),
        ]
        return [told(each["authn_params_public_key"]) for each in begun]

    await ask_for(world, **ASKED)
    request = {"timeout": 90_000, "hints": ["security-key", "hybrid"], "user_verification": "required"}
    creation = request | {"attachment": "cross-platform", "algorithms": [-257, -7]}
    assert await seen() == [request] * 2 + [creation] * 3
    await ask_for(world, **ASKED, mode="advise")
    advised = request | {"user_verification": "preferred"}
    creation = advised | {"attachment": None, "algorithms": [-257, -7, -8]}
    assert await seen() == [advised] * 2 + [creation] * 3, "nobody is turned away by the browser either"
    await world.patch_options(passkey_policy=None)
    request = {"timeout": 60_000, "hints": None, "user_verification": "preferred"}
    creation = request | {"attachment": None, "algorithms": [-8, -7, -257]}
    assert await seen() == [request] * 2 + [creation] * 3


async def test_a_long_timeout_does_not_lengthen_the_ceremony(world: World) -> None:
    await ask_for(world, timeout_ms=600_000)
    begun, device = (await world.begin_register()).json(), Authenticator()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    world.clock.advance(seconds=300)
    late = await world.exchange(begun["auth_session"], response)
    assert late.json()["error_description"] == "Authentication session expired"


# --- between the beginning and the end -----------------------------------------------------------------------------


each_kind = pytest.mark.parametrize("kind", ["registration", "login"])


async def finished(world: World, begun: dict[str, Any], device: Authenticator, flaw: Flaw = FLAWLESS) -> httpx.Response:
    options = untold(begun["authn_params_public_key"])
    make = device.create if "pubKeyCredParams" in options else device.get
    return await world.exchange(begun["auth_session"], make(options, origin=PUBLIC_URL, flaw=flaw))


@each_kind
@pytest.mark.parametrize(
    ("before", "after", "device", "status"),
    [
        ({"user_verification": "required"}, {"user_verification": "discouraged"}, {"verifies": False}, 403),
        ({}, {"user_verification": "required"}, {"verifies": False}, 200),
        ({"algorithms": [-8]}, {}, {"algorithms": (ES256,)}, 403),
        ({}, {"algorithms": [-8]}, {"algorithms": (ES256,)}, 200),
        ({}, {"attachment": "platform"}, KEY, 200),
        ({}, {"backup": "device_bound_only"}, SYNCED, 403),
        ({"backup": "device_bound_only"}, {}, SYNCED, 200),
        ({"user_verification": "required"}, {"mode": "advise"}, {"verifies": False}, 403),
        ({"user_verification": "required", "mode": "advise"}, {"mode": "enforce"}, {"verifies": False}, 403),
    ],
)
async def test_what_was_asked_is_frozen_and_what_must_hold_now_is_not(
    world: World, before: dict[str, Any], after: dict[str, Any], device: dict[str, Any], status: int, kind: str
) -> None:
    held = Authenticator(**device)
    if kind == "login":
        await world.register(held)
    await ask_for(world, **before)
    begun = await (world.begin_challenge() if kind == "login" else world.begin_register())
    await ask_for(world, **after)
    assert (await finished(world, begun.json(), held)).status_code == status


@each_kind
async def test_a_client_cannot_soften_what_the_server_asks(world: World, kind: str) -> None:
    """The answer may say what it likes of user verification: the ceremony's own record decides."""
    device = Authenticator()
    await world.register(device)
    device.verifies = False
    await ask_for(world, user_verification="required")
    soft = {"userVerification": "discouraged", "user_verification": "discouraged"}
    begun = await world.begin_challenge(**soft) if kind == "login" else await world.begin_register("b@example.com")
    assert begun.status_code == 200
    flaw = Flaw(response=put(**soft, authenticatorSelection=soft, options=soft), client=put(**soft))
    answer = await finished(world, begun.json(), device, flaw)
    assert (answer.status_code, answer.json()["error_description"]) == (403, "Passkey could not be verified.")


# --- how fresh a login must be --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["enforce", "advise"])
@pytest.mark.parametrize("seconds", [60, 900])
async def test_a_login_is_as_fresh_as_the_policy_wants_before_passkeys_change(
    world: World, seconds: int, mode: str
) -> None:
    await world.person()
    await ask_for(world, step_up_seconds=seconds, mode=mode)
    account = await MyAccount.of(world)
    world.clock.advance(seconds=seconds)
    assert (await one_more(account)).status_code == 201
    begun, (passkey,) = await account.begin(), await account.passkeys()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    world.clock.advance(seconds=1)
    for answer in (
        await account.start(),
        await account.verify(begun, response),
        await account.call("DELETE", f"/{passkey['id']}"),
    ):
        assert answer.json()["type"] == "urn:keystead:error:step-up-required"
        assert f'max_age="{seconds}"' in answer.headers["www-authenticate"]
    assert len(await account.passkeys()) == 1


async def test_a_password_keeps_its_own_five_minutes(world: World) -> None:
    await world.person()
    await ask_for(world, step_up_seconds=60)
    account = await MyAccount.of(world)
    world.clock.advance(seconds=300)
    assert (await account.call("POST", "", json={"type": "password"})).status_code == 202
    world.clock.advance(seconds=1)
    assert (await account.call("POST", "", json={"type": "password"})).status_code == 403


async def test_the_offer_of_a_passkey_is_as_fresh_as_the_login_before_it(world: World) -> None:
    await world.person()
    await ask_for(world, step_up_seconds=60)
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    landed = await visitor.send(landed.form("/login/password"), password="correct horse battery")
    assert landed.path == "/u/passkey-enrollment"
    assert "auth_session" in await visitor.options(landed, "/passkey-enrollment")
    world.clock.advance(seconds=61)
    assert "auth_session" not in await visitor.options(landed, "/passkey-enrollment")


# --- not now, not for a while, never --------------------------------------------------------------------------------


async def offered(world: World) -> tuple[Visitor, Landed]:
    """Log in with a password, up to the offer of a passkey or past it."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    return visitor, await visitor.send(landed.form("/login/password"), password="correct horse battery")


async def is_asked(world: World) -> bool:
    return (await offered(world))[1].path == "/u/passkey-enrollment"


async def answer_with(world: World, **fields: str) -> str:
    """Answer the offer, and return the page that made it."""
    visitor, landed = await offered(world)
    form = next(form for form in landed.forms() if "auth_session" not in form.fields)
    form.fields.clear()
    assert (await visitor.send(form, **fields)).response.status_code in MOVED
    return landed.text


@pytest.mark.parametrize(("days", "says"), [(30, "for 30 days"), (1, "for a day"), (365, "for 365 days")])
async def test_not_for_a_while(world: World, days: int, says: str) -> None:
    await world.person()
    await ask_for(world, snooze_days=days)
    page = await answer_with(world, action="skip", dont_ask="1")
    assert says in page
    assert "Never ask again" not in page
    world.clock.advance(days=days, seconds=-1)
    assert not await is_asked(world)
    world.clock.advance(seconds=1)
    assert await is_asked(world)


async def test_always_asked_where_the_policy_knows_no_while(world: World) -> None:
    await world.person()
    await ask_for(world, snooze_days=0)
    assert "ask again" not in await answer_with(world, action="skip", dont_ask="1")
    assert await is_asked(world)


async def test_never_is_kept_as_long_as_the_policy_allows_it(world: World) -> None:
    await world.person()
    await ask_for(world, allow_never_ask=True)
    assert "Never ask again" in await answer_with(world, action="never")
    world.clock.advance(days=3650)
    assert not await is_asked(world)
    world.forget_tokens()
    await ask_for(world, allow_never_ask=False)
    assert await is_asked(world)


async def test_a_never_that_the_policy_does_not_allow_is_for_a_while(world: World) -> None:
    await world.person()
    await answer_with(world, action="never")
    assert not await is_asked(world)
    world.clock.advance(days=30)
    assert await is_asked(world)


# --- how it is set -----------------------------------------------------------------------------------------------


async def test_a_patch_that_leaves_it_out_does_not_switch_it_off(world: World) -> None:
    await ask_for(world, backup="device_bound_only")
    path = f"/connections/{world.connection_id}"
    passkeys_on = {"authentication_methods": {"passkey": {"enabled": True}}}
    shown = (await world.manage("PATCH", path, {"options": passkeys_on})).json()["options"]
    assert shown["passkey_policy"] == {"backup": "device_bound_only"}
    assert await Api().sign_up(world, Authenticator(), "ann@example.com") == "not allowed"
    shown = (await world.manage("PATCH", path, {"options": passkeys_on | {"passkey_policy": None}})).json()["options"]
    assert "passkey_policy" not in shown
    assert await Api().sign_up(world, Authenticator(), "ann@example.com") == "in"


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"backup": "none"}, "backup"),
        ({"algorithms": [-7, -65535]}, "algorithms.1"),
        ({"max_per_user": 101}, "max_per_user"),
        ({"attestation": "sometimes"}, "attestation"),
        ({"authenticators": {"deny": ["b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"]}}, "authenticators"),
        ({"authenticators": {"trust": "trusted_chain"}}, "authenticators"),
        ({"enrollment": "offer", "required_after": "2027-01-31"}, "required_after"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_changed(world: World, policy: dict[str, Any], path: str) -> None:
    await ask_for(world, counter="warn")
    answer = await world.patch_options(passkey_policy=policy)
    assert answer.status_code == 400
    assert f"options.passkey_policy.{path}" in answer.json()["message"]
    shown = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    assert shown["passkey_policy"] == {"counter": "warn"}


async def test_weak_user_verification_is_written_into_the_journal(world: World) -> None:
    await ask_for(world, user_verification="discouraged")
    (warning,) = (await world.last_entry())["details"]["warnings"]
    assert warning.startswith("user_verification: discouraged")
    await ask_for(world, user_verification="required")
    assert "warnings" not in (await world.last_entry())["details"]


async def test_where_nobody_may_learn_who_has_an_account_a_refused_passkey_does_not_tell(world: World) -> None:
    await world.person("ann@example.com")
    await world.patch_options(security_profile="hardened", passkey_policy={"backup": "device_bound_only"})
    answers = [await Api().sign_up(world, Authenticator(), f"{name}@example.com") for name in ("ann", "new")]
    assert answers == ["not allowed", "not allowed"]


async def test_a_hardened_connection_wants_the_user_verified_unless_the_policy_says_otherwise(world: World) -> None:
    blind = Authenticator(verifies=False)
    await world.patch_options(security_profile="hardened", passkey_policy={"counter": "warn"})
    assert await Api().sign_up(world, blind, "ann@example.com") == "unverified"
    await ask_for(world, user_verification="preferred")
    assert await Api().sign_up(world, blind, "ann@example.com") == "in"
