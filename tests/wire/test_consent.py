"""What a person is asked before a client gets a code: consent (ASVS 10.7), and where an app is (UL-17)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conftest import Stencil
from keystead.db import tables
from visitor import Form, Landed, Visitor, exchange
from world import World, open_world

SHOP = "https://shop.example/callback"


async def third_party(world: World, **more: Any) -> str:
    settings = {"app_type": "spa", "callbacks": [SHOP], "is_first_party": False} | more
    client_id = str((await world.new_client("Shop", **settings))["client_id"])
    switch = [{"client_id": client_id, "status": True}]
    answer = await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    assert answer.status_code == 204
    return client_id


async def asked(visitor: Visitor, client_id: str, **more: str) -> Landed:
    return await visitor.authorize({"client_id": client_id, "redirect_uri": SHOP} | more)


async def say(visitor: Visitor, at: Landed, action: str) -> Landed:
    assert at.path == "/u/consent", at.text
    return await visitor.send(Form(at.form("/u/consent").action), action=action)


async def test_v10_7_1_and_2_a_stranger_s_client_asks_once(world: World) -> None:
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    at = await visitor.log_in(await asked(visitor, client_id, scope="openid profile email offline_access"))
    for text in ("Shop", "ann@example.com", "your email address", "your name", "while you are away"):
        assert text in at.text
    landed = await say(visitor, at, "accept")
    assert landed.target.startswith(SHOP)
    tokens = await exchange(world, landed.answer["code"], client_id=client_id, redirect_uri=SHOP)
    assert tokens.status_code == 200
    again = await world.token("refresh_token", client_id=client_id, refresh_token=tokens.json()["refresh_token"])
    assert again.status_code == 200
    assert "code" in (await asked(visitor, client_id, scope="openid email", prompt="none")).answer
    more = await asked(visitor, client_id, scope="openid phone")
    assert more.path == "/u/consent"


@pytest.mark.parametrize("scope", [None, "", "unheard:of", "read:users"])
async def test_no_scope_needs_a_yes_too(world: World, scope: str | None) -> None:
    """A code alone says who somebody is: a silent one would tell any site who visits it."""
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    ask = {"client_id": client_id, "redirect_uri": SHOP, "scope": scope}
    assert (await visitor.authorize(ask, prompt="none")).answer["error"] == "consent_required"
    at = await visitor.authorize(ask)
    assert "Know that it is you" in at.text
    assert "code" in (await say(visitor, at, "accept")).answer
    assert "code" in (await visitor.authorize(ask, prompt="none")).answer
    again = await visitor.authorize(ask, prompt="consent")
    assert "code" in (await say(visitor, again, "accept")).answer


async def test_a_refresh_needs_the_consent_still(world: World) -> None:
    await world.person()
    client_id = str((await world.new_client(app_type="spa", callbacks=[SHOP]))["client_id"])
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await asked(visitor, client_id, scope="openid offline_access"))
    tokens = (await exchange(world, landed.answer["code"], client_id=client_id, redirect_uri=SHOP)).json()
    await world.patch_client(client_id, is_first_party=False)
    answer = await world.token("refresh_token", client_id=client_id, refresh_token=tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")


async def test_somebody_who_does_not_want_it(world: World) -> None:
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    at = await visitor.log_in(await asked(visitor, client_id))
    landed = await say(visitor, at, "deny")
    assert landed.answer["error"] == "access_denied"
    assert await world.count(tables.Consent) == 0
    assert (await visitor.open(at.response.url.path + "?" + at.response.url.query.decode())).response.status_code == 400


async def test_without_questions_there_is_no_code(world: World) -> None:
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    silent = await asked(visitor, client_id, prompt="none")
    assert silent.answer["error"] == "consent_required"
    assert await world.count(tables.AuthorizationCode) == 1


async def test_a_session_is_asked_too_and_the_page_cannot_be_walked_round(world: World) -> None:
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    at = await asked(visitor, client_id)
    assert at.path == "/u/consent"
    state = at.response.url.query.decode()
    round_about = await visitor.open(f"/u/login?{state}")
    assert round_about.path == "/u/consent"
    stranger = await Visitor.of(world).send(Form(f"/u/consent?{state}"), action="accept")
    assert stranger.response.status_code == 400
    foreign = await visitor.client.post(
        f"/u/consent?{state}", data={"action": "accept"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert await world.count(tables.Consent) == 0
    assert "code" in (await say(visitor, at, "accept")).answer


async def test_consent_that_is_taken_back_while_the_page_is_open_gives_no_code(world: World) -> None:
    await world.person()
    client_id = await third_party(world)
    visitor = Visitor.of(world)
    at = await visitor.log_in(await asked(visitor, client_id))
    await visitor.client.post(
        at.form("/u/consent").action, data={"action": "accept"}, headers={"sec-fetch-site": "same-origin"}
    )
    (given,) = await world.rows(tables.Consent)
    assert (await world.manage("DELETE", f"/grants/{given['id']}")).status_code == 204
    landed = await visitor.open(f"/u/login?{at.response.url.query.decode()}")
    assert landed.answer["error"] == "consent_required"


async def test_prompt_consent_asks_again_also_a_client_of_ours(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    at = await visitor.log_in(await visitor.authorize(prompt="consent"))
    assert at.path == "/u/consent"
    assert "code" in (await say(visitor, at, "accept")).answer
    assert (await visitor.authorize(prompt="consent")).path == "/u/consent"
    assert "code" in (await visitor.authorize(prompt="none")).answer


async def test_an_api_may_want_consent_for_our_own_clients_too(world: World) -> None:
    await world.person()
    asks = {"skip_consent_for_verifiable_first_party_clients": False, "scopes": [{"value": "read:photos"}]}
    made = await world.manage("POST", "/resource-servers", {"identifier": "https://photos.example/"} | asks)
    assert made.status_code == 201, made.text
    visitor = Visitor.of(world)
    ask = {"audience": "https://photos.example/", "scope": "openid read:photos"}
    at = await visitor.log_in(await visitor.authorize(ask))
    assert "read:photos" in at.text
    assert "code" in (await say(visitor, at, "accept")).answer
    assert "code" in (await visitor.authorize(ask, prompt="none")).answer
    assert "code" in (await visitor.authorize(prompt="none")).answer
    answer = await world.login(audience="https://photos.example/", scope="openid read:photos")
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


async def test_a_stranger_s_client_gets_no_password_grant(world: World) -> None:
    await world.person()
    client_id = await third_party(world, grant_types=["password", "authorization_code"])
    answer = await world.login(client_id=client_id)
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")


@pytest.fixture
async def published(installation: Stencil) -> AsyncIterator[World]:
    """Keystead as it is published on a host of its own: there loopback is somebody else."""
    settings = installation.settings.model_copy(update={"public_url": "https://login.example.com"})
    first = installation.document | {"management_audience": "https://login.example.com/api/v2/"}
    async with open_world(settings, first, seed="published") as opened:
        yield opened


@pytest.mark.parametrize("callback", ["http://localhost:3000/cb", "http://127.0.0.1:3000/cb", "com.shop.app://cb"])
async def test_ul_17_a_redirect_to_this_device_is_confirmed(published: World, callback: str) -> None:
    await published.person()
    client_id = str((await published.new_client("Shop", app_type="native", callbacks=[callback]))["client_id"])
    visitor = Visitor.of(published)
    ask = {"client_id": client_id, "redirect_uri": callback}
    at = await visitor.log_in(await visitor.authorize(ask))
    assert "Open this application?" in at.text
    landed = await say(visitor, at, "accept")
    assert landed.target.startswith(callback + "?code=")
    assert (await visitor.authorize(ask)).path == "/u/consent"
    silent = await visitor.authorize(ask, prompt="none")
    assert silent.answer["error"] == "interaction_required"
    cancelled = await say(visitor, await visitor.authorize(ask), "deny")
    assert cancelled.answer["error"] == "access_denied"
    await published.patch_client(client_id, skip_non_verifiable_callback_uri_confirmation_prompt=True)
    assert "code" in (await visitor.authorize(ask, prompt="none")).answer


async def test_where_we_are_on_the_device_ourselves_nothing_is_confirmed(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="spa", callbacks=["http://localhost:3000/cb"])
    visitor = Visitor.of(world)
    ask = {"client_id": client["client_id"], "redirect_uri": "http://localhost:3000/cb"}
    assert "code" in (await visitor.log_in(await visitor.authorize(ask))).answer
