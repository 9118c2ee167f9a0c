"""Ceremonies that must not succeed: each leaves nothing behind but a line in the journal, and is gone itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from account import SCOPE, MyAccount
from authenticator import FLAWLESS, LOGIN_FLAWS, REGISTRATION_FLAWS, Authenticator, Flaw, b64url, put
from keystead.db import tables
from visitor import Visitor
from world import PASSKEY_GRANT, PUBLIC_URL, World

UNVERIFIED = (403, "invalid_grant", "Passkey could not be verified.")
EXPIRED = (403, "invalid_grant", "Authentication session expired")
NO_CONNECTION = (400, "invalid_request", "invalid connection specified for the grant")
OFF = (400, "invalid_request", "Passkeys are not enabled for the connection.")
NO_SIGNUP = (400, "invalid_request", "public signup is disabled")
TAKEN = (400, "invalid_request", "Invalid sign up")
BAD_ANSWER = (400, "invalid_request", "authn_response must be an object or its JSON")

FAILURES = ("f", "fs", "gd_webauthn_enrollment_failed", "passkey_challenge_failed")
PASSKEYS_OFF = {"password": {"enabled": True}, "passkey": {"enabled": False}}


def said(answer: httpx.Response) -> tuple[int, str, str]:
    found = answer.json()
    found.pop("signals", None)
    assert list(found) == ["error", "error_description"]
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, found["error"], found["error_description"]


def loses_none(answer: httpx.Response, passkeys: list[dict[str, Any]]) -> bool:
    """Whether no passkey that somebody owns is said to be unknown: a browser may delete it for good."""
    unknown = {each["options"]["credentialId"] for each in answer.json().get("signals", [])}
    return not unknown & {b64url(row["credential_id"]) for row in passkeys}


@dataclass
class Scene:
    """A device, and a ceremony that was begun for it: a sign-up, or a login of somebody who has signed up."""

    world: World
    kind: str
    device: Authenticator = field(default_factory=Authenticator)
    email: str = "ann@example.com"
    user_id: str = ""
    begun: dict[str, Any] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Let somebody sign up whose passkey will log in."""
        if self.kind == "login":
            await self.world.register(self.device, self.email)
            (account,) = [row for row in await self.world.rows(tables.Account) if row["email"] == self.email]
            self.user_id = account["user_id"]

    async def begin(self, **more: Any) -> dict[str, Any]:
        """Begin the ceremony."""
        if self.kind == "login":
            answer = await self.world.begin_challenge(**more)
        else:
            answer = await self.world.begin_register(self.email, **more)
        assert answer.status_code == 200, answer.text
        self.begun = answer.json()
        return self.begun

    def response(self, flaw: Flaw = FLAWLESS, begun: dict[str, Any] | None = None) -> Any:
        """Return what the device answers."""
        options = (begun or self.begun)["authn_params_public_key"]
        make = self.device.get if self.kind == "login" else self.device.create
        return make(options, origin=PUBLIC_URL, flaw=flaw)

    async def answer(self, response: object = None, **more: Any) -> httpx.Response:
        """Hand in an answer: the right one, unless told otherwise."""
        right = {"auth_session": self.begun["auth_session"], "scope": "openid"}
        right["authn_response"] = self.response() if response is None else response
        return await self.world.token(PASSKEY_GRANT, **(right | more))


# --- what the device says ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def known(shared_world: World) -> Authenticator:
    """A device that signed up with the shared world."""
    device = Authenticator()
    await shared_world.register(device, "known@example.com")
    return device


def _applicable(flaws: dict[str, Flaw]) -> list[str]:
    return [name for name, flaw in flaws.items() if not flaw.uv_required]  # by API it is only preferred


@pytest.mark.parametrize("name", _applicable(REGISTRATION_FLAWS))
async def test_a_registration_with_a_flaw(shared_world: World, known: Authenticator, name: str) -> None:
    before = await shared_world.counts()
    scene = Scene(shared_world, "signup", email="flawed@example.com")
    await scene.begin()
    answer = await scene.answer(scene.response(REGISTRATION_FLAWS[name]))
    assert said(answer) == UNVERIFIED
    assert await shared_world.counts() == before
    entry = await shared_world.last_entry()
    assert entry["type"] == "fs"
    assert f"§7.1 step {REGISTRATION_FLAWS[name].registration}" in entry["details"]["reason"]


@pytest.mark.parametrize("name", _applicable(LOGIN_FLAWS))
async def test_a_login_with_a_flaw(shared_world: World, known: Authenticator, name: str) -> None:
    before = await shared_world.counts()
    passkeys = await shared_world.rows(tables.Passkey)
    scene = Scene(shared_world, "login", known)
    await scene.begin()
    answer = await scene.answer(scene.response(LOGIN_FLAWS[name]))
    assert said(answer) == UNVERIFIED
    assert loses_none(answer, passkeys)
    assert await shared_world.counts() == before
    assert await shared_world.rows(tables.Passkey) == passkeys
    entry = await shared_world.last_entry()
    assert entry["type"] == "f"
    assert f"§7.2 step {LOGIN_FLAWS[name].login}" in entry["details"]["reason"]


# --- how the protocol is used ------------------------------------------------------------------------------------

Sent = dict[str, Any]
"""What differs from the right answer."""


@dataclass(frozen=True)
class Misuse:
    """Something that goes wrong around a right answer."""

    do: Callable[[Scene], Awaitable[Sent]]
    expected: tuple[int, str, str]
    kinds: tuple[str, ...]
    spends: int
    """How many ceremonies are gone after the refusal."""
    then: int
    """What the right answer gets afterwards."""
    journalled: bool

    async def run(self, scene: Scene) -> None:
        """Do it, and look what is left of it."""
        world = scene.world
        await scene.prepare()
        await scene.begin()
        right = scene.response()
        sent = await self.do(scene)
        counts, passkeys, journal = await world.counts(), await world.rows(tables.Passkey), await world.journal()
        answer = await scene.answer(**({"authn_response": right} | sent))
        assert said(answer) == self.expected
        assert loses_none(answer, passkeys)
        assert await world.counts() == counts | {"CeremonyRow": counts["CeremonyRow"] - self.spends}
        assert await world.rows(tables.Passkey) == passkeys
        new = (await world.journal())[len(journal) :]
        assert (len(new) == 1 and new[0] in FAILURES) if self.journalled else new == []
        assert (await scene.answer(right)).status_code == self.then


MISUSES: dict[str, Misuse] = {}
"""Where the server stays as it is."""

CHANGES: dict[str, Misuse] = {}
"""Where something about the server changes between the beginning and the end."""


def case(
    expected: tuple[int, str, str],
    *kinds: str,
    spends: int = 1,
    then: int = 403,
    journalled: bool = True,
    among: dict[str, Misuse] = MISUSES,
) -> Callable[[Callable[[Scene], Awaitable[Sent]]], None]:
    """List a misuse under the name of its function; of both kinds of ceremony, unless some are named."""

    def keep(do: Callable[[Scene], Awaitable[Sent]]) -> None:
        among[do.__name__.strip("_").replace("_", " ")] = Misuse(
            do, expected, kinds or ("signup", "login"), spends, then, journalled
        )

    return keep


def malformed(name: str, text: str, **sent: Any) -> None:
    """List an answer that is not understood: the ceremony goes on."""
    MISUSES[name] = Misuse(
        _sending(sent), (400, "invalid_request", text), ("signup", "login"), spends=0, then=200, journalled=False
    )


def _sending(sent: Sent) -> Callable[[Scene], Awaitable[Sent]]:
    async def do(scene: Scene) -> Sent:
        return sent

    return do


for absent in (None, ""):
    malformed(f"auth_session is {absent!r}", "Missing required parameter: auth_session", auth_session=absent)
    malformed(f"authn_response is {absent!r}", "Missing required parameter: authn_response", authn_response=absent)
malformed("auth_session is a number", "Parameter auth_session must be a string", auth_session=7)
for name, value in {
    "a number": 7,
    "a list": [],
    "true": True,
    "text": "text",
    "JSON of a list": "[]",
    "JSON of null": "null",
    "broken JSON": "{",
    "deep JSON": "[" * 100_000,
    "a long number": "9" * 5000,
}.items():
    malformed(f"authn_response is {name}", BAD_ANSWER[2], authn_response=value)


@case(EXPIRED, spends=0)
async def used_twice(scene: Scene) -> Sent:
    assert (await scene.answer()).status_code == 200
    return {}


@case(EXPIRED, spends=0)
async def used_again_after_a_refusal(scene: Scene) -> Sent:
    assert said(await scene.answer({})) == UNVERIFIED
    return {}


def _bent(name: str, bend: Callable[[str], str]) -> None:
    async def do(scene: Scene) -> Sent:
        return {"auth_session": bend(scene.begun["auth_session"])}

    MISUSES[f"auth_session {name}"] = Misuse(do, EXPIRED, ("signup", "login"), spends=0, then=200, journalled=True)


_bent("cut short", lambda text: text[:-1])
_bent("with more", lambda text: text + "A")
_bent("padded", lambda text: text + "=")
_bent("in another case", str.swapcase)
_bent("of 10 KB", lambda text: text * 250)
_bent("in another script", lambda text: text + "\u0301")


@case(EXPIRED)
async def of_another_client(scene: Scene) -> Sent:
    other = await scene.world.new_client(app_type="spa", grant_types=[PASSKEY_GRANT])
    return {"client_id": other["client_id"]}


@case(EXPIRED)
async def for_another_realm(scene: Scene) -> Sent:
    name = f"realm-{scene.kind}"
    await scene.world.new_connection(name)
    return {"realm": name}


@case(NO_CONNECTION)
async def for_an_unknown_realm(scene: Scene) -> Sent:
    return {"realm": "nowhere"}


@case(UNVERIFIED)
async def answering_another_ceremony(scene: Scene) -> Sent:
    first = scene.begun
    await scene.begin()
    return {"auth_session": scene.begun["auth_session"], "authn_response": scene.response(begun=first)}


@case(UNVERIFIED)
async def answering_the_other_kind(scene: Scene) -> Sent:
    """A login's answer for a sign-up and the reverse, by the same device and for the same challenge."""
    options = scene.begun["authn_params_public_key"]
    if scene.kind == "login":
        options = options | {
            "rp": {"id": options["rpId"]},
            "user": {"id": b64url(b"u" * 32)},
            "pubKeyCredParams": [{"alg": -7}],
        }
        return {"authn_response": Authenticator().create(options, origin=PUBLIC_URL)}
    return {"authn_response": scene.device.get(options | {"rpId": "localhost"}, origin=PUBLIC_URL)}


@case(UNVERIFIED, "login")
async def by_a_passkey_that_nobody_has(scene: Scene) -> Sent:
    stranger = Authenticator()
    stranger.create(
        (await scene.world.begin_register("stranger@example.com")).json()["authn_params_public_key"], origin=PUBLIC_URL
    )
    return {"authn_response": stranger.get(scene.begun["authn_params_public_key"], origin=PUBLIC_URL)}


@case(UNVERIFIED, "login")
async def by_a_passkey_of_another_connection(scene: Scene) -> Sent:
    await scene.world.new_connection("Elsewhere", authentication_methods={"passkey": {"enabled": True}})
    device = Authenticator()
    begun = (await scene.world.begin_register("ann@elsewhere.example", realm="Elsewhere")).json()
    made = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await scene.world.exchange(begun["auth_session"], made)).status_code == 200
    return {"authn_response": device.get(scene.begun["authn_params_public_key"], origin=PUBLIC_URL)}


@case(UNVERIFIED, "login")
async def by_somebody_else_s_key_under_the_own_name(scene: Scene) -> Sent:
    device = Authenticator()
    await scene.world.register(device, "mallory@example.com")
    response: Any = device.get(scene.begun["authn_params_public_key"], origin=PUBLIC_URL)
    response["response"]["userHandle"] = b64url(scene.device.credentials[0].user_handle)
    return {"authn_response": response}


@case(UNVERIFIED, "login")
async def by_somebody_else_s_key_under_the_own_id(scene: Scene) -> Sent:
    device = Authenticator()
    await scene.world.register(device, "mallet@example.com")
    response: Any = device.get(scene.begun["authn_params_public_key"], origin=PUBLIC_URL)
    own = b64url(scene.device.credentials[0].id)
    return {"authn_response": response | {"id": own, "rawId": own}}


@case(UNVERIFIED, "login")
async def by_a_passkey_that_its_owner_deleted(scene: Scene) -> Sent:
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    account = MyAccount(scene.world, (await scene.world.passkey_login(scene.device, **asked)).json()["access_token"])
    (passkey,) = await account.passkeys()
    begun = await account.begin()  # another one first: the last way in cannot be removed
    made = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, made)).status_code == 201
    assert (await account.call("DELETE", f"/{passkey['id']}")).status_code == 204
    return {}


@case(UNVERIFIED, "login")
async def by_somebody_who_was_deleted(scene: Scene) -> Sent:
    await scene.world.delete_user(scene.user_id)
    return {}


@case((401, "unauthorized", "user is blocked"), "login")
async def by_somebody_who_is_blocked(scene: Scene) -> Sent:
    await scene.world.block(scene.user_id)
    return {}


@case(TAKEN, "signup")
async def for_an_address_that_was_taken_meanwhile(scene: Scene) -> Sent:
    await scene.world.person(scene.email)
    return {}


@case(TAKEN, "signup")
async def for_an_address_that_a_passkey_took_meanwhile(scene: Scene) -> Sent:
    first = scene.begun
    await scene.begin()
    assert (await scene.answer()).status_code == 200
    scene.begun = first
    return {}


@case(UNVERIFIED, "signup")
async def with_a_credential_id_that_somebody_has(scene: Scene) -> Sent:
    device = Authenticator()
    await scene.world.register(device, "first@example.com")
    flaw = Flaw(credential_id=lambda _: device.credentials[0].id)
    return {"authn_response": scene.response(flaw)}


@case(EXPIRED, "login", then=200)
async def in_a_ceremony_of_the_account_page(scene: Scene) -> Sent:
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    account = MyAccount(scene.world, (await scene.world.passkey_login(scene.device, **asked)).json()["access_token"])
    begun = await account.begin()
    made = scene.device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    return {"auth_session": begun["auth_session"], "authn_response": made}


@case(EXPIRED, "login", then=200)
async def in_a_ceremony_of_the_hosted_pages(scene: Scene) -> Sent:
    visitor = Visitor.of(scene.world)
    begun = await visitor.options(await visitor.authorize(), "/login/passkey")
    return {"auth_session": begun["auth_session"], "authn_response": scene.response(begun=begun)}


@case((401, "access_denied", "Unauthorized"), spends=0, then=200, journalled=False)
async def by_a_client_that_does_not_exist(scene: Scene) -> Sent:
    return {"client_id": "nobody"}


@case((403, "access_denied", "Service not found: https://nowhere.example"), spends=0, then=200, journalled=False)
async def for_an_unknown_audience(scene: Scene) -> Sent:
    return {"audience": "https://nowhere.example"}


# What changes meanwhile.


@case(EXPIRED, spends=0, among=CHANGES)
async def too_late(scene: Scene) -> Sent:
    scene.world.clock.advance(seconds=301)
    return {}


@case(EXPIRED, spends=0, among=CHANGES)
async def exactly_too_late(scene: Scene) -> Sent:
    scene.world.clock.advance(seconds=300)
    return {}


@case(OFF, among=CHANGES)
async def passkeys_are_switched_off(scene: Scene) -> Sent:
    assert (await scene.world.patch_options(authentication_methods=PASSKEYS_OFF)).status_code == 200
    return {}


@case(NO_SIGNUP, "signup", among=CHANGES)
async def sign_up_is_switched_off(scene: Scene) -> Sent:
    assert (await scene.world.patch_options(disable_signup=True)).status_code == 200
    return {}


@case(NO_CONNECTION, among=CHANGES)
async def the_connection_is_switched_off(scene: Scene) -> Sent:
    path = f"/connections/{scene.world.connection_id}"
    assert (await scene.world.manage("PATCH", path, {"authentication": {"active": False}})).status_code == 200
    return {}


@case(NO_CONNECTION, among=CHANGES)
async def the_client_is_taken_off_the_connection(scene: Scene) -> Sent:
    switch = [{"client_id": scene.world.client_id, "status": False}]
    path = f"/connections/{scene.world.connection_id}/clients"
    assert (await scene.world.manage("PATCH", path, switch)).status_code == 204
    return {}


@case(NO_CONNECTION, among=CHANGES, then=403)
async def the_connection_is_deleted(scene: Scene) -> Sent:
    assert (await scene.world.manage("DELETE", f"/connections/{scene.world.connection_id}")).status_code == 202
    return {}


@case(
    (403, "unauthorized_client", f"Grant type '{PASSKEY_GRANT}' not allowed for the client."),
    among=CHANGES,
    spends=0,
    journalled=False,
)
async def the_client_loses_the_grant(scene: Scene) -> Sent:
    await scene.world.patch_client(scene.world.client_id, grant_types=["authorization_code"])
    return {}


@case(UNVERIFIED, among=CHANGES)
async def an_origin_is_allowed_afterwards(scene: Scene) -> Sent:
    """What was accepted is frozen when the options are made."""
    await scene.world.patch_client(scene.world.client_id, web_origins=["https://late.example"])
    elsewhere = Flaw(client=lambda members: members | {"origin": "https://late.example"})
    return {"authn_response": scene.response(elsewhere)}


def _listed(misuses: dict[str, Misuse]) -> list[Any]:
    return [pytest.param(name, kind, id=f"{name}-{kind}") for name, each in misuses.items() for kind in each.kinds]


@pytest.mark.parametrize(("name", "kind"), _listed(MISUSES))
async def test_misuse(shared_world: World, name: str, kind: str) -> None:
    number = list(MISUSES).index(name)
    await MISUSES[name].run(Scene(shared_world, kind, email=f"{kind}{number}@example.com"))


@pytest.mark.parametrize(("name", "kind"), _listed(CHANGES))
async def test_a_change_in_between(world: World, name: str, kind: str) -> None:
    await CHANGES[name].run(Scene(world, kind))


@pytest.mark.parametrize("odd", ["\x00", "\ud800"])
@pytest.mark.parametrize("door", ["sign-up", "login"])
async def test_what_a_library_quotes_of_a_refused_answer_does_not_keep_it_out_of_the_journal(
    world: World, odd: str, door: str
) -> None:
    device = Authenticator()
    await world.register(device)
    before = await world.journal()
    flaw = Flaw(client=put(tokenBinding={"status": odd}))
    if door == "login":
        begun = (await world.begin_challenge()).json()
        response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaw)
    else:
        begun = (await world.begin_register("eve@example.com")).json()
        response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaw)
    answer = await world.exchange(begun["auth_session"], response)
    assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")
    assert (await world.journal())[len(before) :] == ["passkey_challenge_started", "f" if door == "login" else "fs"]
    assert (await world.last_entry())["details"]["reason"].isprintable()


def test_these_are_many() -> None:
    assert len(_listed(MISUSES)) + len(_listed(CHANGES)) >= 40
    assert len(_applicable(REGISTRATION_FLAWS)) + len(_applicable(LOGIN_FLAWS)) >= 150


# --- ceremonies that are not even begun --------------------------------------------------------------------------

UNSTARTED: list[tuple[str, dict[str, Any], tuple[int, str, str]]] = [
    ("register", {"client_id": None}, (400, "invalid_request", "Missing required parameter: client_id")),
    ("challenge", {"client_id": ""}, (400, "invalid_request", "Missing required parameter: client_id")),
    ("register", {"client_id": "nobody"}, (401, "invalid_client", "Unauthorized")),
    ("challenge", {"client_id": "nobody", "client_secret": "x"}, (401, "invalid_client", "Unauthorized")),
    ("register", {"user_profile": None}, (400, "invalid_request", "Missing required parameter: user_profile")),
    ("register", {"user_profile": "x"}, (400, "invalid_request", "Missing required parameter: user_profile")),
    ("register", {"user_profile": {}}, (400, "invalid_request", "email is required")),
    ("register", {"user_profile": {"email": ""}}, (400, "invalid_request", "email is required")),
    ("register", {"user_profile": {"email": 7}}, (400, "invalid_request", "email must be a text")),
    (
        "register",
        {"user_profile": {"email": "ann"}},
        (400, "invalid_request", "The email is not a valid address."),
    ),
    (
        "register",
        {"user_profile": {"email": "a@b.com", "username": "ann"}},
        (400, "invalid_request", "username is not allowed"),
    ),
    (
        "register",
        {"user_profile": {"email": "a@b.com", "email_verified": True}},
        (400, "invalid_request", "Unknown user_profile property: email_verified"),
    ),
    (
        "register",
        {"user_profile": {"email": "a@b.com", "app_metadata": {}}},
        (400, "invalid_request", "Unknown user_profile property: app_metadata"),
    ),
    (
        "register",
        {"user_profile": {"email": "a@b.com", "name": "x" * 301}},
        (400, "invalid_request", "name must be a text of 1 to 300 characters."),
    ),
    (
        "register",
        {"user_metadata": {str(number): "x" for number in range(11)}},
        (400, "invalid_request", "user_metadata must be an object of at most 10 members."),
    ),
    ("register", {"user_profile": {"email": "known@example.com"}}, TAKEN),
    ("register", {"user_profile": {"email": "KNOWN@example.com"}}, TAKEN),
    ("register", {"realm": "nowhere"}, NO_CONNECTION),
    ("challenge", {"realm": "nowhere"}, NO_CONNECTION),
    ("challenge", {"realm": "Administrators"}, NO_CONNECTION),
    ("challenge", {"realm": 7}, (400, "invalid_request", "Parameter realm must be a string")),
    ("challenge", {"client_secret": []}, (400, "invalid_request", "Parameter client_secret must be a string")),
]


@pytest.mark.parametrize(("path", "change", "expected"), UNSTARTED, ids=[f"{p} {str(c)[:60]}" for p, c, _ in UNSTARTED])
async def test_options_are_not_handed_out(
    shared_world: World, known: Authenticator, path: str, change: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    before = await shared_world.counts()
    body = {"client_id": shared_world.client_id, "user_profile": {"email": "new@example.com"}} | change
    answer = await shared_world.client.post(f"/passkey/{path}", json=body)
    assert said(answer) == expected
    assert await shared_world.counts() == before


@pytest.mark.parametrize("path", ["register", "challenge"])
async def test_clients_that_may_not(world: World, path: str) -> None:
    body = {"user_profile": {"email": "ann@example.com"}}
    none = await world.new_client(app_type="spa", grant_types=["password"])
    third = await world.new_client(app_type="spa", grant_types=[PASSKEY_GRANT], is_first_party=False)
    secret = await world.new_client(app_type="regular_web", grant_types=[PASSKEY_GRANT])
    for client, more, expected in (
        (none, {}, (403, "unauthorized_client", f"Grant type '{PASSKEY_GRANT}' not allowed for the client.")),
        (third, {}, (400, "invalid_request", "Passkeys are for first-party clients only.")),
        (secret, {}, (401, "invalid_client", "Unauthorized")),
        (secret, {"client_secret": "wrong"}, (401, "invalid_client", "Unauthorized")),
    ):
        answer = await world.client.post(f"/passkey/{path}", json=body | {"client_id": client["client_id"]} | more)
        assert said(answer) == expected
    assert await world.count(tables.CeremonyRow) == 0


@pytest.mark.parametrize("path", ["register", "challenge"])
async def test_a_connection_without_passkeys(world: World, path: str) -> None:
    await world.patch_options(authentication_methods=PASSKEYS_OFF)
    body = {"client_id": world.client_id, "user_profile": {"email": "ann@example.com"}}
    assert said(await world.client.post(f"/passkey/{path}", json=body)) == OFF
    assert await world.count(tables.CeremonyRow) == 0
    entry = await world.last_entry()
    assert entry["type"] == "passkey_challenge_failed"
    assert entry["details"]["purpose"] == ("register" if path == "register" else "login")


async def test_a_connection_without_sign_up(world: World) -> None:
    await world.patch_options(disable_signup=True)
    assert said(await world.begin_register()) == NO_SIGNUP
    assert (await world.begin_challenge()).status_code == 200
