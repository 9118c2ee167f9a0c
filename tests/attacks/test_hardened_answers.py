"""The hardened profile: what a stranger is told of who has an account is nothing (docs/security.md)."""

import re
from typing import Any

import httpx
import pytest

from authenticator import Authenticator
from keystead.db import tables
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, REALM_GRANT, World

ANN, NEW = "ann@example.com", "new@example.com"


@pytest.fixture
async def fort(world: World) -> World:
    """Ann has an account that she has shown to be hers, and the connection is hardened since."""
    user_id = await world.person(ANN)
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    answer = await world.patch_options(security_profile="hardened")
    assert answer.status_code == 200, answer.text
    assert answer.json()["options"]["security_profile"] == "hardened"
    return world


def shape(answer: httpx.Response, email: str) -> tuple[int, str, list[str]]:
    """Return what a stranger can compare."""
    body = re.sub(r'"_id":"[0-9a-f]{24}"', '"_id":""', answer.text.replace(email, ""))
    return answer.status_code, body, sorted(answer.headers)


async def test_signing_up_by_api_looks_the_same(fort: World) -> None:
    before = await fort.counts()
    taken, free = await fort.signup(ANN, user_metadata={"a": "b"}), await fort.signup(NEW, user_metadata={"a": "b"})
    assert shape(taken, ANN) == shape(free, NEW)
    assert taken.status_code == 200
    assert len(taken.json()["_id"]) == 24
    after = await fort.counts()
    assert after["Account"] == before["Account"] + 1, "nothing is stored for the taken one"
    told = [letter for letter in await fort.letters() if letter.subject == "You have an account already"]
    assert [letter.to for letter in told] == [ANN]


async def test_signing_up_costs_the_same(fort: World) -> None:
    before = fort.hasher.hashed
    await fort.signup(ANN)
    assert fort.hasher.hashed == before + 1
    await fort.signup(NEW)
    assert fort.hasher.hashed == before + 2


async def test_owners_are_not_flooded(fort: World) -> None:
    for _ in range(6):
        assert (await fort.signup(ANN)).status_code == 200
    told = [letter for letter in await fort.letters() if letter.subject == "You have an account already"]
    assert len(told) == 2


async def test_weak_passwords_are_refused_alike(fort: World) -> None:
    assert shape(await fort.signup(ANN, "short"), ANN) == shape(await fort.signup(NEW, "short"), NEW)


async def test_a_taken_username_has_to_be_said_and_says_nothing_of_the_address(fort: World) -> None:
    optional = {"signup": {"status": "optional"}}
    await fort.patch_options(attributes={"email": optional, "username": optional})
    assert (await fort.signup(None, username="bob")).status_code == 200  # type: ignore[arg-type]  # null: absent
    name = await fort.signup(None, username="bob")  # type: ignore[arg-type]
    assert (name.status_code, name.json()["code"]) == (400, "invalid_signup")
    probes = [await fort.signup(ANN, username="probe"), await fort.signup(NEW, username="probe")]
    assert shape(probes[0], ANN) == shape(probes[1], NEW)
    assert probes[0].status_code == 400, "whether the name was stored would tell whether the address was free"
    assert (await fort.signup(None, username="probe")).status_code == 200  # type: ignore[arg-type]


async def test_signing_up_with_a_passkey_looks_the_same_until_it_is_late(fort: World) -> None:
    taken = await fort.begin_register(ANN)
    assert taken.status_code == (await fort.begin_register(NEW)).status_code == 200
    response = Authenticator().create(taken.json()["authn_params_public_key"], origin=PUBLIC_URL)
    refused = await fort.exchange(taken.json()["auth_session"], response)
    late = await fort.exchange("never begun", response)
    assert (refused.status_code, refused.json()) == (late.status_code, late.json())
    assert await fort.count(tables.Passkey) == 0
    assert [letter.to for letter in await fort.letters() if "already" in letter.subject] == [ANN]


async def test_passkeys_check_who_holds_them(fort: World) -> None:
    begun = (await fort.begin_challenge()).json()["authn_params_public_key"]
    made = (await fort.begin_register(NEW)).json()["authn_params_public_key"]
    assert begun["userVerification"] == "required"
    assert made["authenticatorSelection"]["userVerification"] == "required"


async def test_there_are_no_password_grants(fort: World) -> None:
    right, wrong = await fort.login(ANN), await fort.guess(ANN)
    assert (right.status_code, right.json()) == (wrong.status_code, wrong.json())
    assert right.status_code == 403
    realm = await fort.login(ANN, PASSWORD, grant_type=REALM_GRANT, realm=fort.connection)
    assert realm.status_code == 403
    assert fort.hasher.verified == 0


async def sign_up_page(world: World, email: str) -> tuple[Visitor, Landed]:
    """Sign up on the pages, as far as the first page after the address."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    return visitor, await visitor.send(landed.form("/signup/identifier"), email=email)


async def test_the_pages_ask_everybody_for_a_code(fort: World) -> None:
    _, taken = await sign_up_page(fort, ANN)
    visitor, free = await sign_up_page(fort, NEW)
    assert taken.path == free.path == "/u/email-identifier-challenge"
    assert re.sub(r"state=[\w-]+", "", taken.text.replace(ANN, "")) == re.sub(
        r"state=[\w-]+", "", free.text.replace(NEW, "")
    )
    letters = {letter.to: letter.subject for letter in reversed(await fort.letters())}
    assert letters[ANN] == "You have an account already"
    landed = await visitor.send(free.form("-identifier-challenge"), code=await fort.code(NEW))
    landed = await visitor.send(Form(landed.form("/signup/passkey").action), action="skip")
    assert (await visitor.send(landed.form("/signup/password"), password=PASSWORD)).answer["code"]


async def test_no_code_is_right_for_a_taken_address(fort: World) -> None:
    visitor, taken = await sign_up_page(fort, ANN)
    for guess in ("000000", "123456", "", "999999"):
        landed = await visitor.send(taken.form("-identifier-challenge"), code=guess)
        assert landed.path == "/u/email-identifier-challenge"


@pytest.mark.parametrize("value", [None, "standard"])
async def test_it_can_be_taken_back(fort: World, value: Any) -> None:
    connection = f"/connections/{fort.connection_id}"
    options = (await fort.manage("GET", connection)).json()["options"]
    without = {name: each for name, each in options.items() if name != "security_profile"}
    kept = (await fort.manage("PATCH", connection, {"options": without})).json()["options"]
    assert kept["security_profile"] == "hardened", "a tool that knows nothing of it does not switch it off"
    answer = await fort.manage("PATCH", connection, {"options": without | {"security_profile": value}})
    assert answer.status_code == 200
    assert (await fort.signup(ANN)).status_code == 400
