"""Every option of the password policy, at every door where a password is set: one policy, one answer (PW-14)."""

import asyncio
import html
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

import pytest

from conftest import Stencil
from keystead.db import tables
from keystead.errors import NoSuchUser, WeakPassword
from keystead.secrecy import Secret
from keystead.users.hosted import HostedStore
from visitor import Visitor
from world import World, open_world

pytestmark = pytest.mark.anyio

EMAIL: Final = "annabel@example.com"
FIRST: Final = "the first Password 1!"
"""What accounts have that come to a door with a password; no policy here refuses it."""

TOO_WEAK, TOO_COMMON, PERSONAL, USED_BEFORE = (
    "Password is too weak",
    "Password is too common",
    "Password contains user information",
    "Password has previously been used",
)
_REFUSALS: Final = (TOO_WEAK, TOO_COMMON, PERSONAL, USED_BEFORE)

Door = Callable[[World, str], Awaitable[str]]
"""Somebody sets a password; what is said against it, or nothing."""


def refusal(text: str) -> str:
    """Return the refusal in an answer. Anything else that went wrong is no refusal of the password."""
    found = [each for each in _REFUSALS if each in html.unescape(text)]
    assert len(found) == 1, text
    return found[0]


async def by_api(world: World, password: str) -> str:
    answer = await world.signup(EMAIL, password)
    if answer.status_code == 200:
        return ""
    found = answer.json()
    assert (answer.status_code, found["code"], found["statusCode"]) == (400, "invalid_password", 400)
    assert (found["message"] == TOO_WEAK) is isinstance(found["description"], dict)
    return refusal(found["message"])


async def by_page(world: World, password: str) -> str:
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), EMAIL, password)
    if landed.response.status_code in (302, 303):
        return ""
    assert (landed.path, landed.response.status_code) == ("/u/signup/password", 400), landed.text
    return refusal(landed.text)


async def by_management(world: World, password: str) -> str:
    body = {"connection": world.connection, "email": EMAIL, "password": password}
    answer = await world.manage("POST", "/users", body)
    return "" if answer.status_code == 201 else _of_management(answer.status_code, answer.json())


async def by_change(world: World, password: str) -> str:
    user_id = await account(world)
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": password})
    return "" if answer.status_code == 200 else _of_management(answer.status_code, answer.json())


async def by_link(world: World, password: str) -> str:
    await account(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": EMAIL}
    assert (await world.client.post("/dbconnections/change_password", json=body)).status_code == 200
    visitor = Visitor.of(world)
    landed = await visitor.open((await world.link(EMAIL)).rstrip("#"))
    landed = await visitor.send(landed.form("/reset-password"), password=password)
    if landed.response.status_code == 200:
        return ""
    assert landed.response.status_code == 400, landed.text
    return refusal(landed.text)


def _of_management(status: int, found: dict[str, Any]) -> str:
    assert (status, found["errorCode"]) == (400, "auth0_idp_error"), found
    name, _, text = found["message"].partition(": ")
    names = ("PasswordStrengthError", "PasswordDictionaryError", "PasswordNoUserInfoError", "PasswordHistoryError")
    assert _REFUSALS[names.index(name)] == text
    return refusal(text)


async def account(world: World) -> str:
    """See to it that there is an account with a password, and return its id.

    Its address is verified: an account that nobody had proved to be theirs forgets everything at its first reset.
    """
    found = [each for each in await world.rows(tables.Account) if each["email"] == EMAIL]
    if found:
        return str(found[0]["user_id"])
    body = {"connection": world.connection, "email": EMAIL, "email_verified": True, "password": FIRST}
    answer = await world.manage("POST", "/users", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


NEW: Final[dict[str, Door]] = {"api": by_api, "page": by_page, "management": by_management}
CHANGE: Final[dict[str, Door]] = {"management change": by_change, "reset link": by_link}
DOORS: Final = NEW | CHANGE


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    """Each of the doors."""
    found: Door = DOORS[request.param]
    return found


def complexity(**members: Any) -> dict[str, Any]:
    return {"password_options": {"complexity": {"min_length": 4} | members}}


def legacy(level: str | None = "none", **members: Any) -> dict[str, Any]:
    return ({"passwordPolicy": level} if level else {}) | members


def blocked(*fields: str) -> dict[str, Any]:
    return {
        "password_options": {
            "complexity": {"min_length": 4},
            "profile_data": {"active": True, "blocked_fields": list(fields)},
        }
    }


def words(**members: Any) -> dict[str, Any]:
    return {"password_options": {"complexity": {"min_length": 4}, "dictionary": {"active": True} | members}}


ALL_TYPES = ["lowercase", "uppercase", "number", "special"]

OPTIONS: Final[list[tuple[str, dict[str, Any], str, str, str]]] = [
    ("the default", {"password_options": {}}, "fourteen chars", TOO_WEAK, "fifteen letters"),
    ("min_length", complexity(min_length=9), "eightlet", TOO_WEAK, "nineletrs"),
    ("character_types", complexity(character_types=["number"]), "no number", TOO_WEAK, "number 1"),
    (
        "character_type_rule",
        complexity(character_types=ALL_TYPES, character_type_rule="three_of_four"),
        "two types",
        TOO_WEAK,
        "3 types",
    ),
    ("character_type_rule all", complexity(character_types=ALL_TYPES), "3 types", TOO_WEAK, "4 Types"),
    ("identical_characters", complexity(identical_characters="block"), "aaab", TOO_WEAK, "aabb"),
    ("sequential_characters", complexity(sequential_characters="block"), "xabc", TOO_WEAK, "xacb"),
    ("max_length_exceeded", complexity(max_length_exceeded="error"), "x" * 73, TOO_WEAK, "x" * 72),
    ("dictionary", words(), "butterfly", TOO_COMMON, "butterfly net"),
    ("dictionary in any case", words(default="en_10k"), "ButterFly", TOO_COMMON, "thesaurus"),
    ("dictionary.default", words(default="en_100k"), "thesaurus", TOO_COMMON, "thesaurus rex"),
    ("dictionary.custom", words(custom=["Keystead Rocks"]), "keystead rocks", TOO_COMMON, "keystead rocks!"),
    ("profile_data", blocked("email"), "xxANNABELxx", PERSONAL, "xxannabexx"),
    ("profile_data of defaults", blocked("nickname"), "xxannabelxx", PERSONAL, "xxannabexx"),
    ("legacy low", legacy("low"), "five5", TOO_WEAK, "sixsix"),
    ("legacy fair", legacy("fair"), "lower and 1", TOO_WEAK, "Lower and 1"),
    ("legacy good", legacy("good"), "lower and more", TOO_WEAK, "lower and 1 more"),
    ("legacy excellent", legacy("excellent"), "Lowerrr and 1", TOO_WEAK, "Lower and 1"),
    ("legacy truncates", legacy("low", password_complexity_options={"min_length": 9}), "x" * 8, TOO_WEAK, "x" * 80),
    (
        "legacy min_length",
        legacy("low", password_complexity_options={"min_length": 9}),
        "eightlet",
        TOO_WEAK,
        "nineletrs",
    ),
    ("legacy dictionary", legacy(password_dictionary={"enable": True}), "Butterfly", TOO_COMMON, "thesaurus"),
    (
        "legacy own words",
        legacy(password_dictionary={"enable": True, "dictionary": ["Keystead Rocks"]}),
        "keystead rocks",
        TOO_COMMON,
        "keystead",
    ),
    ("legacy personal info", legacy(password_no_personal_info={"enable": True}), "xxannabelxx", PERSONAL, "xxannxx"),
]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)  # nothing of it is the database's
@pytest.mark.parametrize(
    ("options", "bad", "said", "good"), [each[1:] for each in OPTIONS], ids=[o[0] for o in OPTIONS]
)
async def test_each_option_at_each_door(
    world: World, door: Door, options: dict[str, Any], bad: str, said: str, good: str
) -> None:
    if door in CHANGE.values():
        await account(world)
    await set_policy(world, options)
    assert await door(world, bad) == said
    assert await door(world, good) == ""
    assert (await world.login(EMAIL, good)).status_code == 200
    assert (await world.login(EMAIL, bad)).status_code == 403


async def set_policy(world: World, options: dict[str, Any]) -> None:
    """Replace the whole password policy of the default connection."""
    current = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    others = {name: value for name, value in current.items() if name not in ("password_options", "passwordPolicy")}
    answer = await world.manage("PATCH", f"/connections/{world.connection_id}", {"options": others | options})
    assert answer.status_code == 200, answer.text


async def test_new_connections_get_the_flexible_default(world: World) -> None:
    """PW-13, and what it means: 15 characters of any kind, and no other rule."""
    made = await world.new_connection("Fresh")
    options = (await world.manage("GET", f"/connections/{made}")).json()["options"]
    assert "passwordPolicy" not in options
    assert options["password_options"] == {
        "complexity": {
            "min_length": 15,
            "character_types": [],
            "character_type_rule": "all",
            "identical_characters": "allow",
            "sequential_characters": "allow",
            "max_length_exceeded": "error",
        },
        "profile_data": {
            "active": False,
            "blocked_fields": [
                "name",
                "username",
                "nickname",
                "email",
                "phone_number",
                "user_metadata.name",
                "user_metadata.first",
                "user_metadata.last",
            ],
        },
        "history": {"active": False, "size": 3},
        "dictionary": {"active": False, "custom": [], "default": "en_100k"},
    }
    for password, status in (("x" * 14, 400), ("x" * 15, 200), ("x" * 73, 400)):
        answer = await world.signup(f"{len(password)}@example.com", password, connection="Fresh")
        assert answer.status_code == status


async def test_a_policy_that_changes_locks_nobody_out(world: World) -> None:
    """PW-14."""
    await account(world)
    await set_policy(world, complexity(min_length=40))
    assert (await world.login(EMAIL, FIRST)).status_code == 200
    assert await by_change(world, FIRST) == TOO_WEAK
    assert (await world.login(EMAIL, FIRST)).status_code == 200


async def test_a_long_password_that_was_cut_keeps_working_when_the_policy_refuses_long_ones(world: World) -> None:
    await set_policy(world, legacy("low"))
    long = "x" * 71 + "yz and much that bcrypt never sees"
    await world.person(EMAIL, long)
    assert (await world.login(EMAIL, long[:72])).status_code == 200
    await set_policy(world, complexity(max_length_exceeded="error"))
    assert (await world.login(EMAIL, long[:72])).status_code == 200
    assert (await world.login(EMAIL, long)).status_code == 403


# --- history -----------------------------------------------------------------------------------------------------


def history(size: int, *, flexible: bool = True) -> dict[str, Any]:
    if flexible:
        return {"password_options": {"complexity": {"min_length": 4}, "history": {"active": True, "size": size}}}
    return legacy(password_history={"enable": True, "size": size})


@pytest.mark.parametrize("flexible", [True, False])
@pytest.mark.parametrize("change", CHANGE)
async def test_history_at_each_door(world: World, change: str, flexible: bool) -> None:
    """Of the last two, the current one among them, none is taken; the one before is."""
    await set_policy(world, history(2, flexible=flexible))
    door = CHANGE[change]
    await account(world)
    assert await door(world, FIRST) == USED_BEFORE
    assert await door(world, "the second") == ""
    assert await door(world, "the second") == USED_BEFORE
    assert await door(world, FIRST) == USED_BEFORE
    assert await door(world, "the third") == ""
    assert await door(world, FIRST) == ""


async def test_history_keeps_no_more_than_it_looks_at_and_costs_no_more(world: World) -> None:
    await set_policy(world, history(4))
    await account(world)
    for number in range(7):
        assert await by_change(world, f"number {number}") == ""
    assert await world.count(tables.OldPassword) == 3
    world.hasher.verified = world.hasher.hashed = 0
    assert await by_change(world, "number 9") == ""
    assert (world.hasher.verified, world.hasher.hashed) == (4, 1)

    await set_policy(world, history(2))
    assert await by_change(world, "number 10") == ""
    assert await world.count(tables.OldPassword) == 1
    await set_policy(world, complexity())
    assert await by_change(world, "number 10") == ""
    assert await world.count(tables.OldPassword) == 0, "what no policy asks for is not kept"


async def test_a_refused_password_costs_no_hash(world: World) -> None:
    """What is too weak is refused before anything is compared."""
    await set_policy(world, history(24))
    await account(world)
    world.hasher.verified = world.hasher.hashed = 0
    assert await by_change(world, "no") == TOO_WEAK
    assert (world.hasher.verified, world.hasher.hashed) == (0, 0)


async def test_a_store_sets_a_password_by_the_same_rules(world: World) -> None:
    user_id = await account(world)
    await set_policy(world, history(3))
    flows = world.app.state.flows
    connection = await flows.directory.by_name(world.connection, world.client_id)
    store = flows.users.store_for(connection)
    assert isinstance(store, HostedStore)
    for password, said in ((FIRST, USED_BEFORE), ("no", TOO_WEAK)):
        with pytest.raises(WeakPassword, match=said):
            await store.set_password(user_id, Secret(password))
    with pytest.raises(NoSuchUser):
        await store.set_password("auth0|nobody", Secret("another one"))
    await store.set_password(user_id, Secret("another one"))
    assert (await world.login(EMAIL, "another one")).status_code == 200
    assert await world.count(tables.OldPassword) == 1


async def test_pages_say_what_is_missing(world: World) -> None:
    """Without a script nothing is ticked off: the refusal itself must say what to do."""
    await set_policy(world, complexity(min_length=12, character_types=["number", "lowercase"]))
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), EMAIL, "only letters")
    missing = "Password is too weak. Still needed: All of these: a lower case letter, a number."
    assert missing in html.unescape(landed.text)
    await account(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": EMAIL}
    await world.client.post("/dbconnections/change_password", json=body)
    landed = await visitor.open((await world.link(EMAIL)).rstrip("#"))
    landed = await visitor.send(landed.form("/reset-password"), password="only letters")
    assert missing in html.unescape(landed.text)


async def test_many_changes_at_once_meet_the_same_queue(installation: Stencil) -> None:
    """A history is compared in the queue of every other hash: what does not fit is refused, and stores nothing."""
    settings = installation.settings.model_copy(update={"hash_workers": 1, "hash_queue": 1})
    async with open_world(settings, installation.document) as world:
        await set_policy(world, history(24))
        user_id = await account(world)
        path, wanted = f"/users/{quote(user_id)}", [f"number {each}" for each in range(12)]
        answers = await asyncio.gather(*(world.manage("PATCH", path, {"password": each}) for each in wanted))
        statuses = [each.status_code for each in answers]
        assert set(statuses) == {200, 503}
        assert all("retry-after" in each.headers for each in answers if each.status_code == 503)
        assert await world.count(tables.OldPassword) == statuses.count(200)


async def test_deleting_an_account_forgets_its_history(world: World) -> None:
    await set_policy(world, history(5))
    user_id = await account(world)
    assert await by_change(world, "another one") == ""
    await world.delete_user(user_id)
    assert await world.count(tables.OldPassword) == 0
