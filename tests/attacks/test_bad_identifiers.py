"""Hostile text for an identifier, at every door: 400 with the field, in the door's own dialect, and nothing is kept."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from envelopes import dialect_of
from keystead.rules.identifiers import KINDS
from visitor import Form, Visitor
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

PARTS = {"email": "ann{}x@example.com", "phone_number": "+1415{}5552671", "username": "ann{}x"}
HIDDEN = {
    "NUL": "\0",
    "a line break": "\n",
    "an escape": "\x1b[2J",
    "a soft hyphen": "\xad",
    "nothing to see": "\u200b",
    "a joiner": "\u200d",
    "right to left": "\u202e",
    "an isolate": "\u2066",
    "a filler": "\u3164",
    "a variation": "\ufe0f",
    "a tag": "\U000e0041",
    "for private use": "\ue000",
    "nobody's": "\u0378",
    "another script": "\u0430",
    "a sign": "\u2019",
    "a picture": "\U0001f511",
    "markup": "<script>",
    "too many": "x" * 1100,
    "many that grow": "\ufdfa" * 300,
    "too many bytes": "é" * 600,
    "many marks": "e" + "\u0301" * 400,
}
HALVES = {"half of a pair": "\ud83d", "the other half": "\udd11"}
TYPES: dict[str, object] = {
    "a number": 7,
    "truth": True,
    "a list": ["ann@example.com"],
    "an object": {"$ne": None},
    "a list in a list": [[["x"]]],
}
TEXTS = {name: {kind: PARTS[kind].format(text) for kind in KINDS} for name, text in HIDDEN.items()}
OPTIONS = {
    "attributes": {kind: {"signup": {"status": "optional"}} for kind in KINDS},
    "authentication_methods": {"password": {"enabled": True}, "passkey": {"enabled": True}},
}
Door = Callable[[World, dict[str, Any]], Awaitable[httpx.Response]]


def in_json(body: object) -> dict[str, Any]:
    """A body with every character escaped, so that it can hold what UTF-8 cannot."""
    return {"content": json.dumps(body), "headers": {"content-type": "application/json"}}


async def api(world: World, given: dict[str, Any]) -> httpx.Response:
    body = {"client_id": world.client_id, "connection": world.connection, "password": PASSWORD} | given
    return await world.client.post("/dbconnections/signup", **in_json(body))


async def passkey(world: World, given: dict[str, Any]) -> httpx.Response:
    body = {"client_id": world.client_id, "user_profile": given}
    return await world.client.post("/passkey/register", **in_json(body))


async def managed(world: World, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    request = in_json(body)
    request["headers"] |= {"authorization": f"Bearer {await world.management_token()}"}
    return await world.client.request(method, f"/api/v2{path}", **request)


async def post(world: World, given: dict[str, Any]) -> httpx.Response:
    return await managed(world, "POST", "/users", {"connection": world.connection, "password": PASSWORD} | given)


async def patch(world: World, given: dict[str, Any]) -> httpx.Response:
    found = (await world.manage("GET", "/users")).json()
    return await managed(world, "PATCH", f"/users/{found[0]['user_id']}", given)


DOORS: dict[str, tuple[Door, str]] = {
    "api": (api, "dbconnections"),
    "passkey": (passkey, "oauth"),
    "post": (post, "management"),
    "patch": (patch, "management"),
}


def said(answer: httpx.Response) -> str:
    found = answer.json()
    return str(found.get("description") or found.get("error_description") or found.get("message"))


async def prepared(world: World) -> None:
    """Every kind of identifier, and one person to be changed; the same for all the tests of a world."""
    await world.patch_options(**OPTIONS)
    if not (await world.manage("GET", "/users")).json():
        await world.signup("somebody@example.com")


async def kept(world: World) -> object:
    """What must not change."""
    return await world.counts(), (await world.manage("GET", "/users")).json()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*TEXTS, *HALVES, *TYPES])
async def test_hostile_identifiers_are_refused_by_name(shared_world: World, name: str, door: str) -> None:
    world = shared_world
    await prepared(world)
    before = await kept(world)
    send, dialect = DOORS[door]
    for kind in KINDS:
        value = TYPES[name] if name in TYPES else PARTS[kind].format(HIDDEN.get(name) or HALVES.get(name))
        answer = await send(world, {kind: value})
        assert answer.status_code == 400, (kind, answer.text)
        assert dialect_of(answer) == dialect
        assert kind in said(answer), answer.text
        assert len(answer.text) < 1000, "what was sent is not sent back"
    assert await kept(world) == before


@pytest.mark.parametrize("name", TEXTS)
async def test_pages_say_which_field_it_is(shared_world: World, name: str) -> None:
    world = shared_world
    await prepared(world)
    before = await kept(world)
    for kind in KINDS:
        visitor = Visitor.of(world)
        landed = await visitor.authorize(screen_hint="signup")
        form = landed.form("/signup/identifier")
        answer = (await visitor.send(Form(form.action, form.fields | {kind: TEXTS[name][kind]}))).response
        assert answer.status_code == 400
        assert dialect_of(answer) == "page"
        assert "500" not in answer.text.partition("<body")[0]
    assert await kept(world) == before


@pytest.mark.parametrize("name", TEXTS)
async def test_hostile_text_logs_nobody_in(shared_world: World, name: str) -> None:
    """A login says no more to hostile text than to a wrong name, where the text can be read at all."""
    world = shared_world
    await prepared(world)
    for kind in KINDS:
        typed = TEXTS[name][kind]
        answer = await world.login(typed)
        expected = 400 if "\0" in typed else 403
        assert (answer.status_code, dialect_of(answer)) == (expected, "oauth")
        visitor = Visitor.of(world)
        landed = await visitor.authorize()
        landed = await visitor.send(landed.form("/login/identifier"), username=typed)
        assert landed.response.status_code in (200, 400)
        if landed.path == "/u/login/password":
            landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
            assert landed.response.status_code == 400
        reset = {"client_id": world.client_id, "connection": world.connection, "email": typed}
        answer = await world.client.post("/dbconnections/change_password", json=reset)
        assert answer.status_code == (400 if "\0" in typed else 200)


async def test_what_is_no_utf_8_is_refused_in_forms(world: World) -> None:
    await prepared(world)
    before = await kept(world)
    form = urlencode({"client_id": world.client_id, "connection": world.connection, "password": PASSWORD})
    for value in ("ann%ED%A0%80@example.com", "ann%00@example.com", "%FF@example.com"):
        answer = await world.client.post(
            "/dbconnections/signup",
            content=f"{form}&email={value}",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert (answer.status_code, dialect_of(answer)) == (400, "dbconnections")
    assert await kept(world) == before


async def test_a_hostile_user_id_is_nobody_s(world: World) -> None:
    for user_id in ("\u202e", "\ud800".encode("utf-8", "surrogatepass"), "a" * 5000, "auth0|\u200b"):
        answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"email": "a@example.com"})
        assert answer.status_code in (400, 404), user_id
        assert dialect_of(answer) == "management"
