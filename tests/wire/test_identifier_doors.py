"""Each option about identifiers, and what it does at every door: API, hosted pages, passkeys, management and logins."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from visitor import Visitor
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

PHONE, OTHER_PHONE = "+14155552671", "+442079460958"
METHODS = {"password": {"enabled": True}, "passkey": {"enabled": True}}
Identifiers = Mapping[str, str | None]
Door = Callable[[World, Identifiers], Awaitable[str]]
"""Returns what a door says against somebody with these identifiers; nothing where it lets them in."""


async def api(world: World, identifiers: Identifiers) -> str:
    """``POST /dbconnections/signup``."""
    answer = await world.signup(**{"email": None, **identifiers})  # type: ignore[arg-type]
    assert answer.status_code in (200, 400), answer.text
    return str(answer.json().get("description", ""))


async def page(world: World, identifiers: Identifiers) -> str:
    """The first page of the hosted sign-up, which creates nothing yet."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    given = {kind: value for kind, value in identifiers.items() if value}
    landed = await visitor.send(landed.form("/signup/identifier"), **given)
    refused = landed.path == "/u/signup/identifier"
    assert landed.response.status_code == (400 if refused else 200), landed.text
    return landed.text if refused else ""


async def passkey(world: World, identifiers: Identifiers) -> str:
    """``POST /passkey/register``, which creates nothing yet either."""
    profile = {kind: value for kind, value in identifiers.items() if value}
    answer = await world.client.post("/passkey/register", json={"client_id": world.client_id, "user_profile": profile})
    assert answer.status_code in (200, 400), answer.text
    return str(answer.json().get("error_description", ""))


async def post(world: World, identifiers: Identifiers) -> str:
    """``POST /api/v2/users``."""
    body = {"connection": world.connection, "password": PASSWORD, **identifiers}
    answer = await world.manage("POST", "/users", body)
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 201:
        await world.delete_user(answer.json()["user_id"])
    return str(answer.json().get("message", ""))


SIGN_UPS: dict[str, Door] = {"page": page, "passkey": passkey, "api": api}
DOORS: dict[str, Door] = {"post": post, **SIGN_UPS}
"""The one that leaves an account behind comes last."""


def flexible(**attributes: dict[str, Any]) -> dict[str, Any]:
    return {"attributes": attributes}


def status(value: str, **more: Any) -> dict[str, Any]:
    return {"signup": {"status": value}} | more


def names(**validation: Any) -> dict[str, Any]:
    return flexible(email=status("optional"), username=status("optional", validation=validation))


ANN: Identifiers = {"email": "ann@example.com"}
ALL = flexible(email={}, phone_number={}, username={})
MAYBE = flexible(email=status("optional"), phone_number=status("optional"), username=status("optional"))
NEVER = flexible(email={}, phone_number=status("inactive"), username=status("inactive"))
NAMED = "Cannot set username for connection without requires_username."


def plain(text: str) -> str:
    """Return a text without what tells a page's words for a field from its name on the wire."""
    return text.lower().replace("_", " ").replace("email address", "email")


Case = tuple[str, dict[str, Any], Identifiers, Mapping[str, str]]
EVERYWHERE = tuple(DOORS)


def refused(text: str, doors: tuple[str, ...] = EVERYWHERE, **others: str) -> dict[str, str]:
    return dict.fromkeys(doors, text) | others


CASES: list[Case] = [
    # attributes.*, by being there or not
    ("legacy: e-mail alone", {}, ANN, {}),
    ("legacy: no phone", {}, {**ANN, "phone_number": PHONE}, refused("phone_number is not allowed", tuple(SIGN_UPS))),
    ("legacy: no name", {}, {**ANN, "username": "ann"}, refused("username is not allowed", post=NAMED)),
    ("legacy: e-mail is needed", {}, {}, refused("email is required", post="property: email")),
    ("absent: e-mail", flexible(username={}), {**ANN, "username": "ann"}, refused("not allowed", tuple(SIGN_UPS))),
    ("absent: name", flexible(email={}), {**ANN, "username": "ann"}, refused("not allowed", post=NAMED)),
    # attributes.*.signup.status
    ("required: all", ALL, {**ANN, "phone_number": PHONE, "username": "ann"}, {}),
    ("required: e-mail", ALL, {"phone_number": PHONE, "username": "a"}, refused("email is req", tuple(SIGN_UPS))),
    ("required: phone", ALL, {**ANN, "username": "ann"}, refused("phone_number is required", tuple(SIGN_UPS))),
    ("required: name", ALL, {**ANN, "phone_number": PHONE}, refused("username is required", tuple(SIGN_UPS))),
    ("optional: e-mail", MAYBE, ANN, {}),
    ("optional: phone", MAYBE, {"phone_number": PHONE}, {}),
    ("optional: name", MAYBE, {"username": "ann"}, {}),
    ("optional: not all of them", MAYBE, {}, refused("At least one identifier is required")),
    ("inactive: not given", NEVER, ANN, {}),
    ("inactive: phone", NEVER, {**ANN, "phone_number": PHONE}, refused("phone_number is not", tuple(SIGN_UPS))),
    ("inactive: name", NEVER, {**ANN, "username": "ann"}, refused("username is not", tuple(SIGN_UPS))),
    # attributes.*.identifier.active
    (
        "identifier: one that counts",
        flexible(email=status("optional", identifier={"active": False}), username=status("optional")),
        ANN,
        refused("At least one identifier is required"),
    ),
    # attributes.*.profile_required
    (
        "profile_required",
        flexible(email={}, phone_number={"profile_required": True}),
        ANN,
        refused("phone_number is required", post="Missing required property: phone_number"),
    ),
    # attributes.username.validation
    ("min_length: below", names(min_length=3), {"username": "ab"}, refused("between 3 and 15")),
    ("min_length: at it", names(min_length=3), {"username": "abc"}, {}),
    ("max_length: at it", names(max_length=20), {"username": "a" * 20}, {}),
    ("max_length: above", names(max_length=20), {"username": "a" * 21}, refused("between 1 and 20")),
    ("allowed_types: off", names(max_length=40), {"username": "ann@example.com"}, refused("cannot be an email")),
    (
        "allowed_types.email: the person's own",
        names(max_length=40, allowed_types={"email": True}),
        {**ANN, "username": "Ann@example.com"},
        {},
    ),
    (
        "allowed_types.email: somebody's",
        names(max_length=40, allowed_types={"email": True}),
        {"username": "ann@example.com"},
        refused("must be yours", tuple(SIGN_UPS)),
    ),
    ("allowed_types: no phone", names(), {"username": PHONE}, refused("cannot be a phone number")),
    ("allowed_types.phone_number", names(allowed_types={"phone_number": True}), {"username": PHONE}, {}),
]


@pytest.mark.parametrize(("options", "identifiers", "texts"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
async def test_what_a_sign_up_may_bring(
    world: World, options: dict[str, Any], identifiers: Identifiers, texts: Mapping[str, str]
) -> None:
    answer = await world.patch_options(**options, authentication_methods=METHODS)
    assert answer.status_code == 200, answer.text
    for name, door in DOORS.items():
        said = await door(world, identifiers)
        assert plain(texts.get(name, "")) in plain(said), name
        assert bool(said) == (name in texts), name


NO_PASSKEYS = {"authentication_methods": {"password": {"enabled": True}}}
LEGACY_NAMES = NO_PASSKEYS | {"requires_username": True, "validation": {"username": {"min": 3, "max": 5}}}


@pytest.mark.parametrize(
    ("identifiers", "text", "posted"),
    [
        ({**ANN, "username": "Anna"}, "", ""),
        (ANN, "username is required", "Missing username for Username-Password-Authentication connection"),
        ({"username": "anna"}, "email is required", "Missing required property: email"),
        ({**ANN, "username": "an"}, "between 3 and 5", "between 3 and 5"),
        ({**ANN, "username": "annabel"}, "between 3 and 5", "between 3 and 5"),
    ],
)
async def test_the_older_way_to_have_names(world: World, identifiers: Identifiers, text: str, posted: str) -> None:
    """``requires_username`` and ``validation.username``, which exclude passkeys."""
    assert (await world.patch_options(**LEGACY_NAMES)).status_code == 200
    for door, expected in ((post, posted), (page, text), (api, text)):
        said = await door(world, identifiers)
        assert plain(expected) in plain(said)
        assert bool(said) == bool(expected)
    if not text:
        for typed in ("anna", "ANN@example.com"):
            assert (await world.login(typed)).status_code == 200


async def logs_in(world: World, typed: str) -> bool:
    """Whether both logins, the grant's and the page's, take a text for somebody's."""
    by_grant = (await world.login(typed)).status_code == 200
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=typed)
    if landed.path == "/u/login/password":
        landed = await visitor.decline(await visitor.send(landed.form("/login/password"), password=PASSWORD))
    by_page = landed.response.status_code == 303
    assert by_grant == by_page, typed
    return by_grant


async def person(world: World, **identifiers: str) -> str:
    """Make somebody who has every kind of identifier."""
    given = {"email": "ann@example.com", "phone_number": PHONE, "username": "ann"} | identifiers
    answer = await world.manage("POST", "/users", {"connection": world.connection, "password": PASSWORD} | given)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


OFF = {"identifier": {"active": False}}


@pytest.mark.parametrize(
    ("options", "lets_in"),
    [
        (ALL, {"ann@example.com", PHONE, "ann"}),
        (flexible(email=OFF, phone_number={}, username={}), {PHONE, "ann"}),
        (flexible(email={}, phone_number=OFF, username={}), {"ann@example.com", "ann"}),
        (flexible(email={}, phone_number={}, username=OFF), {"ann@example.com", PHONE}),
        (flexible(phone_number={}), {PHONE}),
        ({}, {"ann@example.com"}),
        (NO_PASSKEYS | {"requires_username": True}, {"ann@example.com", "ann"}),
        (ALL | {"precedence": ["username", "phone_number", "email"]}, {"ann@example.com", PHONE, "ann"}),
        (flexible(email={}, username={"validation": {"min_length": 8}}), {"ann@example.com", "ann"}),
    ],
)
async def test_what_people_log_in_with(world: World, options: dict[str, Any], lets_in: set[str]) -> None:
    """Options may change under an account: what it has stays, and counts again when the option comes back."""
    await world.patch_options(**ALL)
    await person(world)
    assert (await world.patch_options(**{"attributes": None, **options})).status_code == 200
    for typed in ("ann@example.com", PHONE, "ann"):
        assert await logs_in(world, typed) == (typed in lets_in), typed
    for spelling, typed in ((" ANN@Example.COM ", "ann@example.com"), ("+1 (415) 555-2671", PHONE), ("ANN", "ann")):
        assert await logs_in(world, spelling) == (typed in lets_in), spelling


@pytest.mark.parametrize(
    ("options", "change", "text"),
    [
        (ALL, {"email": "BEN@example.com"}, ""),
        (ALL, {"username": "ben"}, ""),
        (ALL, {"phone_number": OTHER_PHONE}, ""),
        (NEVER, {"phone_number": OTHER_PHONE}, ""),
        ({}, {"username": "ben"}, NAMED),
        (flexible(email={"profile_required": True}, username={}), {"email": None}, "Missing required property: email"),
        (flexible(email=OFF, username={}), {"username": None}, "At least one identifier is required: username."),
        (names(min_length=4), {"username": "ben"}, "between 4 and 15"),
        (names(max_length=40), {"username": "ben@example.com"}, "cannot be an email"),
        (names(max_length=40, allowed_types={"email": True}), {"username": "ben@example.com"}, ""),
        (names(allowed_types={"phone_number": True}), {"username": OTHER_PHONE}, ""),
    ],
)
async def test_what_an_administrator_may_change(
    world: World, options: dict[str, Any], change: dict[str, Any], text: str
) -> None:
    await world.patch_options(**ALL)
    user_id = await person(world)
    await world.patch_options(**{"attributes": None, **options})
    answer = await world.manage("PATCH", f"/users/{user_id}", change)
    assert answer.status_code == (400 if text else 200), answer.text
    assert text in answer.json().get("message", "")


@pytest.mark.parametrize("unique", [True, False])
async def test_one_address_for_several(world: World, unique: bool) -> None:
    """``attributes.email.unique``, which is chosen when a connection is made."""
    email = status("optional", unique=unique, identifier={"active": False})
    options = flexible(email=email, username={}) | {"authentication_methods": METHODS}
    await world.new_connection("Family", **options)
    at_family = {"connection": "Family"}
    assert (await world.signup("home@example.com", username="ann", **at_family)).status_code == 200
    expected = 400 if unique else 200
    assert (await world.signup("Home@example.com", username="ben", **at_family)).status_code == expected
    register = {"client_id": world.client_id, "realm": "Family"}
    profile = {"email": "home@example.com", "username": "eve"}
    answer = await world.client.post("/passkey/register", json=register | {"user_profile": profile})
    assert answer.status_code == expected
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup", connection="Family")
    landed = await visitor.send(landed.form("/signup/identifier"), **profile)
    assert landed.response.status_code == expected
    body = {"email": "home@example.com", "username": "dan", "password": PASSWORD}
    answer = await world.manage("POST", "/users", body | at_family)
    assert answer.status_code == (409 if unique else 201)
    other = await world.manage("POST", "/users", body | at_family | {"email": "dan@example.com", "username": "dan2"})
    answer = await world.manage("PATCH", f"/users/{other.json()['user_id']}", {"email": "home@example.com"})
    assert answer.status_code == (409 if unique else 200)
    asked = {"client_id": world.client_id, "email": "home@example.com", **at_family}
    answer = await world.client.post("/dbconnections/change_password", json=asked)
    assert answer.status_code == (200 if unique else 400)
