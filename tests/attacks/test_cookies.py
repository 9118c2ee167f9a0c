"""The cookies of the hosted pages: how they are set, what they open, and when they are over."""

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from conftest import Stencil
from keystead.secrecy import Secret
from visitor import Visitor, authorize_url
from world import PASSWORD, World, open_world

WEEK = 168 * 3600
MONTH = 30 * 86_400
YEAR = 365 * 86_400


def cookies_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the cookies that an answer sets, by name."""
    lines = answer.headers.get_list("set-cookie")
    return {name: morsel for line in lines for name, morsel in SimpleCookie(line).items()}


async def session_of(world: World) -> tuple[Visitor, httpx.Response]:
    """Log Ann in, and return the browser and the answer that handed out the session."""
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    form, headers = landed.form("/login/password"), {"sec-fetch-site": "same-origin"}
    answer = await visitor.client.post(form.action, data={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 303
    return visitor, answer


async def is_signed_in(world: World, cookie: str) -> bool:
    """Whether a session cookie logs in silently."""
    name = "__Host-keystead-session" if world.settings.is_https else "keystead-session"
    asked = authorize_url(world, prompt="none", redirect_uri=f"{world.settings.public_url}/")
    answer = await Visitor.of(world).client.get(asked, headers={"cookie": f"{name}={cookie}"})
    return "code=" in answer.headers["location"]


async def test_over_plain_http(world: World) -> None:
    await world.person()
    _, answer = await session_of(world)
    cookies = cookies_of(answer)
    ages = {"keystead-session": str(WEEK), "keystead-device": str(YEAR)}
    assert {name: cookie["max-age"] for name, cookie in cookies.items()} == ages
    for cookie in cookies.values():
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "lax"
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert not cookie["secure"]


async def test_behind_tls(installation: Stencil) -> None:
    settings = installation.settings.model_copy(update={"public_url": "https://login.example.com"})
    async with open_world(settings, installation.document) as world:
        answer = await world.client.get(authorize_url(world, redirect_uri="https://login.example.com/"))
        (name,) = cookies_of(answer)
        cookie = cookies_of(answer)[name]
        assert name == "__Host-keystead-browser"
        assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
        assert (cookie["samesite"], cookie["max-age"]) == ("lax", str(MONTH))


OTHERS = ["/", "/oauth/token", "/userinfo", "/passkey/challenge", "/.well-known/jwks.json", "/nowhere"]


@pytest.mark.parametrize("path", OTHERS)
async def test_nothing_else_sets_a_cookie(shared_world: World, path: str) -> None:
    for method in ("GET", "POST"):
        assert "set-cookie" not in (await shared_world.client.request(method, path)).headers


async def test_a_session_is_a_row_and_its_cookie_opens_only_that_row(world: World) -> None:
    await world.person()
    _, answer = await session_of(world)
    cookie = cookies_of(answer)["keystead-session"].value
    session_id, _, secret = cookie.partition(".")
    assert len(secret) == 43
    assert await is_signed_in(world, cookie)
    for wrong in (
        session_id,
        session_id + ".",
        "." + secret,
        f"{session_id}.{secret[:-1]}",
        f"{session_id}.{secret}x",
        f"{session_id}.{secret}.",
        f"{session_id}.{secret.swapcase()}",
        f"{session_id[:-1]}.{secret}",
        f"{secret}.{session_id}",
        cookie.upper(),
        f"{session_id}.{'A' * 43}",
        "x" * 4000,
    ):
        assert not await is_signed_in(world, wrong), wrong


async def test_a_login_changes_the_cookie_and_the_old_one_is_dead(world: World) -> None:
    """Whoever put a cookie into somebody's browser before the login has nothing from it (session fixation)."""
    await world.person()
    visitor, answer = await session_of(world)
    first = cookies_of(answer)["keystead-session"].value
    landed = await visitor.authorize(prompt="login")
    await visitor.log_in(landed)
    second = visitor.client.cookies["keystead-session"]
    assert second != first
    assert not await is_signed_in(world, first)
    assert await is_signed_in(world, str(second))
    assert await world.open_sessions() == 1


async def test_a_cookie_that_was_planted_is_not_kept(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    visitor.client.cookies.set("keystead-session", "planted.value", domain="localhost.local", path="/")
    await visitor.log_in(await visitor.authorize())
    values = [cookie.value for cookie in visitor.client.cookies.jar if cookie.name == "keystead-session"]
    assert await world.open_sessions() == 1
    assert not await is_signed_in(world, "planted.value")
    assert [value for value in values if value != "planted.value"]


async def test_logging_out_takes_the_cookie_and_ends_the_row(world: World) -> None:
    await world.person()
    visitor, answer = await session_of(world)
    cookie = cookies_of(answer)["keystead-session"].value
    out = await visitor.client.get("/v2/logout")
    taken = cookies_of(out)["keystead-session"]
    assert (taken.value, taken["max-age"]) == ("", "0")
    assert not await is_signed_in(world, cookie)
    assert await world.open_sessions() == 0


async def test_a_get_without_a_session_makes_none(world: World) -> None:
    """No login by a link: a session comes from a proof and from nothing else."""
    for url in (authorize_url(world), authorize_url(world, prompt="none"), "/", "/v2/logout"):
        await Visitor.of(world).open(url)
    assert await world.open_sessions() == 0


async def test_the_browser_s_own_secret_is_sealed(world: World) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    sealed = visitor.client.cookies["keystead-browser"]
    value, _, _ = sealed.partition(".")
    page = str(landed.response.url)
    for made_up in (value, "x", sealed[:-1], sealed + "A", value + ".AAAA.AAAA", sealed.swapcase()):
        answer = await Visitor.of(world).client.get(page, headers={"cookie": f"keystead-browser={made_up}"})
        assert answer.status_code == 400, made_up
    right = await Visitor.of(world).client.get(page, headers={"cookie": f"keystead-browser={sealed}"})
    assert right.status_code == 200


async def test_the_browser_s_own_secret_lasts_a_month(world: World) -> None:
    visitor = Visitor.of(world)
    await visitor.authorize()
    first = visitor.client.cookies["keystead-browser"]
    world.clock.advance(days=29)
    await visitor.authorize()
    again = visitor.client.cookies["keystead-browser"]
    assert again.partition(".")[0] == first.partition(".")[0], "one browser, one secret"
    assert again != first, "sealed anew"
    world.clock.advance(days=31)
    await visitor.authorize()
    assert visitor.client.cookies["keystead-browser"].partition(".")[0] != first.partition(".")[0]


async def test_keys_turn_round(installation: Stencil) -> None:
    """The newest key seals; an older one still opens; one that is gone does not."""
    old, new = Secret("o" * 64), Secret("n" * 64)
    kept = installation.settings.secret_keys[-1]

    async def begun(*keys: Secret[str]) -> tuple[str, str]:
        """Begin a login, and return the browser's cookie and the page."""
        settings = installation.settings.model_copy(update={"secret_keys": (*keys, kept)})
        async with open_world(settings, installation.document, seed=keys[0].reveal()) as world:
            visitor = Visitor.of(world)
            landed = await visitor.authorize()
            return str(visitor.client.cookies["keystead-browser"]), str(landed.response.url)

    async def is_known(cookie: str, page: str, *keys: Secret[str]) -> bool:
        settings = installation.settings.model_copy(update={"secret_keys": (*keys, kept)})
        async with open_world(settings, installation.document, seed="again") as world:
            answer = await world.client.get(page, headers={"cookie": f"keystead-browser={cookie}"})
            return bool(answer.status_code == 200)

    before = await begun(old)
    assert await is_known(*before, new, old)
    assert not await is_known(*before, new)
    assert await is_known(*await begun(new, old), new), "sealed with the newest"
