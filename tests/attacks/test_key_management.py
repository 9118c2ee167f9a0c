"""Who may add or remove a passkey: somebody who has just logged in, and wholly (incidents 10, 14 and 44)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from account import SCOPE, MyAccount
from authenticator import Authenticator
from keystead.db import tables
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

PAGE = "/u/account/passkeys"
FROM_US = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}


@dataclass
class Scene:
    """Ann, who has a password and a passkey; and whoever is half in."""

    world: World
    visitor: Visitor
    passkey_id: str
    at: Landed

    @classmethod
    async def of(cls, world: World) -> "Scene":
        await world.person()
        made = await (await MyAccount.of(world)).enrols(Authenticator())
        visitor = Visitor.of(world)
        return cls(world, visitor, made["id"], await visitor.authorize())

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.visitor.client.post(path, data=fields or {"action": ""}, headers=FROM_US)

    @property
    def state(self) -> str:
        """The handle of the login under way."""
        return self.at.response.url.params["state"]


# --- a login that is not whole -------------------------------------------------------------------------------------


async def knows_the_name(scene: Scene) -> None:
    await scene.visitor.send(scene.at.form("/login/identifier"), username="ann@example.com")


async def has_a_wrong_password(scene: Scene) -> None:
    at = await scene.visitor.send(scene.at.form("/login/identifier"), username="ann@example.com")
    await scene.visitor.send(at.form("/login/password"), password="a guess of somebody")


async def must_verify_first(scene: Scene) -> None:
    """The right password of an account that nobody may use before its address is verified."""
    asked = {"status": "required", "verification": {"active": True}}
    await scene.world.patch_options(attributes={"email": {"signup": asked}})
    await scene.world.person("new@example.com")
    at = await scene.visitor.send(scene.at.form("/login/identifier"), username="new@example.com")
    await scene.visitor.send(at.form("/login/password"), password=PASSWORD)


async def is_signing_up(scene: Scene) -> None:
    scene.at = await scene.visitor.authorize(screen_hint="signup")
    await scene.visitor.send(scene.at.form("/signup/identifier"), email="new@example.com")


async def was_logged_out(scene: Scene) -> None:
    cookies = dict(scene.visitor.client.cookies)
    await scene.visitor.log_in(scene.at)
    kept = {**cookies, **scene.visitor.client.cookies}
    await scene.visitor.client.get("/v2/logout", headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"})
    for name, value in kept.items():
        scene.visitor.client.cookies.set(name, value)


async def was_blocked(scene: Scene) -> None:
    await scene.visitor.log_in(scene.at)
    (row,) = await scene.world.rows(tables.Account)
    await scene.world.block(row["user_id"])


async def logged_in_a_while_ago(scene: Scene) -> None:
    await scene.visitor.log_in(scene.at)
    scene.world.clock.advance(seconds=301)


HALF_IN: list[Callable[[Scene], Awaitable[None]]] = [
    knows_the_name,
    has_a_wrong_password,
    must_verify_first,
    is_signing_up,
    was_logged_out,
    was_blocked,
    logged_in_a_while_ago,
]


async def asks_the_page_for_options(scene: Scene) -> httpx.Response:
    return await scene.post(f"{PAGE}/options")


async def answers_the_page(scene: Scene) -> httpx.Response:
    return await scene.post(PAGE, auth_session="any", response="{}")


async def removes_on_the_page(scene: Scene) -> httpx.Response:
    return await scene.post(PAGE, remove=scene.passkey_id)


async def asks_the_enrolment_for_options(scene: Scene) -> httpx.Response:
    return await scene.post(f"/u/passkey-enrollment/options?state={scene.state}")


async def answers_the_enrolment(scene: Scene) -> httpx.Response:
    return await scene.post(f"/u/passkey-enrollment?state={scene.state}", auth_session="any", response="{}")


ACTS = [
    asks_the_page_for_options,
    answers_the_page,
    removes_on_the_page,
    asks_the_enrolment_for_options,
    answers_the_enrolment,
]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("half_in", HALF_IN)
async def test_incident_10_whoever_is_half_in_changes_no_passkey(
    world: World, half_in: Callable[[Scene], Awaitable[None]], act: Callable[[Scene], Awaitable[httpx.Response]]
) -> None:
    scene = await Scene.of(world)
    await half_in(scene)
    before = await world.rows(tables.Passkey), await world.count(tables.CeremonyRow)
    answer = await act(scene)
    assert answer.status_code != 200, "no options, and nothing done"
    assert "authn_params_public_key" not in answer.text
    assert (await world.rows(tables.Passkey), await world.count(tables.CeremonyRow)) == before


async def test_somebody_who_is_whole_does(world: World) -> None:
    """The same acts, or the test above could not fail."""
    scene = await Scene.of(world)
    await scene.visitor.log_in(scene.at)
    begun = (await asks_the_page_for_options(scene)).json()
    response = json.dumps(Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert (await scene.post(PAGE, auth_session=begun["auth_session"], response=response)).status_code == 303
    assert await world.count(tables.Passkey) == 2
    assert (await removes_on_the_page(scene)).status_code == 303
    assert await world.count(tables.Passkey) == 1


# --- a token without a fresh login ---------------------------------------------------------------------------------

MINE = f"{PUBLIC_URL}/me/"


async def old(world: World) -> str:
    token = (await world.tokens(audience=MINE, scope=SCOPE))["access_token"]
    world.clock.advance(seconds=301)
    return str(token)


async def refreshed(world: World) -> str:
    """A refresh proves nothing anew."""
    found = await world.tokens(audience=MINE, scope=f"openid offline_access {SCOPE}")
    world.clock.advance(seconds=301)
    answer = await world.token("refresh_token", refresh_token=found["refresh_token"])
    return str(answer.json()["access_token"])


async def without_the_scope(world: World) -> str:
    return str((await world.tokens(audience=MINE, scope="read:me:authentication_methods"))["access_token"])


async def for_userinfo(world: World) -> str:
    return str((await world.tokens(scope=f"openid {SCOPE}"))["access_token"])


async def an_id_token(world: World) -> str:
    return str((await world.tokens(audience=MINE, scope=f"openid {SCOPE}"))["id_token"])


async def of_a_machine(world: World) -> str:
    return await world.management_token()


async def signed_out_since(world: World) -> str:
    token = (await world.tokens(audience=MINE, scope=SCOPE))["access_token"]
    (row,) = await world.rows(tables.Account)
    world.clock.advance(seconds=1)
    assert (await world.manage("POST", f"/users/{row['user_id']}/revoke-access", {})).status_code == 202
    return str(token)


TOKENS = [old, refreshed, without_the_scope, for_userinfo, an_id_token, of_a_machine, signed_out_since]


@pytest.mark.parametrize("token", TOKENS)
async def test_incident_14_a_token_without_a_fresh_login_changes_no_passkey(
    world: World, token: Callable[[World], Awaitable[str]]
) -> None:
    await world.person()
    account = await MyAccount.of(world)
    made, begun = await account.enrols(Authenticator()), await account.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    weak = MyAccount(world, await token(world))
    answers: list[Any] = [
        await weak.start(),
        await weak.verify(begun, response),
        await weak.call("DELETE", f"/{made['id']}"),
    ]
    assert [answer.status_code in (401, 403) for answer in answers] == [True] * 3
    assert [row["id"] for row in await world.rows(tables.Passkey)] == [made["id"]]


# --- one of several ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_incident_44_removing_one_leaves_the_others(world: World, which: int) -> None:
    """By the page; the API's own is in its tests."""
    scene = await Scene.of(world)
    account, devices = await MyAccount.of(world), [Authenticator() for _ in range(3)]
    made = [(await account.enrols(device))["id"] for device in devices]
    await scene.visitor.log_in(scene.at)
    await scene.visitor.send(Form(PAGE), remove=made[which])
    left = {row["id"] for row in await world.rows(tables.Passkey)}
    assert left == {scene.passkey_id, *made} - {made[which]}
    answers = [(await world.passkey_login(device)).status_code for device in devices]
    assert answers == [403 if position == which else 200 for position in range(3)]
