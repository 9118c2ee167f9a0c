"""A device that somebody logged in on is known: what it is given, what that opens, and what it does not."""

import base64
import json
import zlib
from itertools import count
from urllib.parse import quote

import httpx

from authenticator import Authenticator
from conftest import Stencil
from keystead.db import tables, tenant
from keystead.rules.attack_protection import LOCK
from keystead.secrecy import Secret
from visitor import Visitor, exchange
from world import PASSKEY_GRANT, PASSWORD, PUBLIC_URL, REALM_GRANT, World, open_world

HEADER = "keystead-device"
ANN, BOB = "ann@example.com", "bob@example.com"
NEW = "another horse battery"

_numbers = count()


def wrong() -> str:
    """Return a password that is nobody's, and that nobody tried before."""
    return f"no password of anybody's {next(_numbers)}"


async def login(world: World, device: str = "", password: str = PASSWORD, email: str = ANN) -> httpx.Response:
    """Log in with the password grant, on a device."""
    body = {"grant_type": "password", "client_id": world.client_id, "username": email, "password": password}
    return await world.client.post("/oauth/token", json=body, headers={HEADER: device} if device else {})


async def known(world: World, email: str = ANN) -> str:
    """Log in on a new device, and return what it is given."""
    answer = await login(world, email=email)
    assert answer.status_code == 200, answer.text
    return str(answer.headers[HEADER])


async def fill(world: World, email: str = ANN) -> None:
    """Fail as a stranger until strangers are refused from here."""
    for _ in range(10):
        assert (await login(world, password=wrong(), email=email)).status_code == 403
    assert (await login(world, password=wrong(), email=email)).status_code == 429


async def is_known(world: World, device: str, email: str = ANN) -> bool:
    """Whether a device gets in where a stranger is refused."""
    world.clock.advance(minutes=5)  # the rate of logins is of everybody
    assert (await login(world, email=email)).status_code == 429
    return (await login(world, device, email=email)).status_code == 200


# --- what a device is given -------------------------------------------------------------------------------------------


async def test_a_login_by_password_makes_the_app_s_device_known(world: World) -> None:
    await world.person()
    device = await known(world)
    await fill(world)
    assert await is_known(world, device)


async def test_so_do_the_other_logins_of_apps(world: World) -> None:
    await world.person()
    realm = await world.login(grant_type=REALM_GRANT, realm=world.connection)
    assert realm.status_code == 200
    ann = Authenticator()
    begun = (await world.begin_register("cat@example.com")).json()
    made = await world.exchange(begun["auth_session"], ann.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    again = await world.passkey_login(ann)
    assert all(HEADER in each.headers for each in (realm, made, again))


async def test_nothing_else_hands_one_out(world: World) -> None:
    """A code, a refresh token and a client's own secret prove nobody to the app that shows them."""
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(scope="openid offline_access"))
    exchanged = await exchange(world, landed.answer["code"])
    assert exchanged.status_code == 200
    renewed = await world.token("refresh_token", refresh_token=exchanged.json()["refresh_token"])
    assert renewed.status_code == 200
    assert not [each for each in (exchanged, renewed, await world.signup(BOB)) if HEADER in each.headers]


async def test_no_refusal_hands_one_out(world: World) -> None:
    user_id = await world.person()
    answers = [await login(world, password=wrong()), await login(world, email="nobody@example.com")]
    await world.block(user_id)
    answers.append(await login(world))
    answers.append(await world.token(PASSKEY_GRANT, auth_session="x", authn_response={}))
    await fill(world)
    answers.append(await login(world))
    assert [each.status_code for each in answers] == [403, 403, 401, 403, 429]
    assert not [each for each in answers if HEADER in each.headers or "set-cookie" in each.headers]


async def test_a_browser_is_known_after_a_login_on_the_pages(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    await fill(world)
    world.clock.advance(minutes=5)
    other = Visitor.of(world)
    assert (await other.log_in(await other.authorize())).response.status_code == 429
    assert "code" in (await visitor.log_in(await visitor.authorize(prompt="login"))).answer


async def test_a_browser_is_known_after_a_sign_up(world: World) -> None:
    visitor = Visitor.of(world)
    await visitor.decline(await visitor.sign_up(await visitor.authorize(screen_hint="signup")))
    await fill(world)
    world.clock.advance(minutes=5)
    assert "code" in (await visitor.log_in(await visitor.authorize(prompt="login"))).answer


async def test_a_browser_is_known_after_a_reset(world: World) -> None:
    """Whoever opened the link owns the address: nobody who fails on their name meanwhile keeps them out."""
    await world.person()
    await fill(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    await world.client.post("/dbconnections/change_password", json=body)
    visitor = Visitor.of(world)
    page = await visitor.open((await world.link(page="/u/reset-password")).rstrip("#"))
    assert "keystead-device" not in visitor.client.cookies, "to look is no proof"
    assert (await visitor.send(page.form("/reset-password"), password=NEW)).response.status_code == 200
    world.clock.advance(minutes=5)
    await fill(world)
    world.clock.advance(minutes=5)
    assert "code" in (await visitor.log_in(await visitor.authorize(), password=NEW)).answer


# --- what it opens ----------------------------------------------------------------------------------------------------


async def test_a_device_is_known_for_whom_it_was_logged_in_on_and_nobody_else(world: World) -> None:
    await world.person()
    await world.person(BOB)
    of_bob = await known(world, BOB)
    await fill(world)
    assert not await is_known(world, of_bob)


async def test_a_family_s_device_is_known_for_all_of_them(world: World) -> None:
    await world.person()
    await world.person(BOB)
    first = await known(world)
    both = (await login(world, first, email=BOB)).headers[HEADER]
    await fill(world)
    await fill(world, BOB)
    assert await is_known(world, both)
    assert await is_known(world, both, BOB)
    assert not await is_known(world, first, BOB)


async def test_it_is_known_by_every_identifier_of_the_account(world: World) -> None:
    await world.patch_options(
        attributes={
            "email": {"identifier": {"active": True}},
            "username": {"identifier": {"active": True}, "signup": {"status": "required"}},
        }
    )
    assert (await world.signup(username="annie")).status_code == 200
    device = await known(world)
    await fill(world, "annie")
    assert await is_known(world, device, "annie")


async def test_a_device_has_ten_tries_of_its_own_wherever_it_is(world: World) -> None:
    """A token that was copied to many machines is one device. It takes nothing from strangers, nor they from it."""
    await world.person()
    device = await known(world)
    for _ in range(10):
        assert (await login(world, device, wrong())).status_code == 403
    world.clock.advance(minutes=5)
    assert (await login(world, device)).status_code == 429
    assert (await login(world)).status_code == 200, "a stranger from the same address"
    keys = [row["key"] for row in await world.rows(tables.Attempt) if row["key"].startswith("lock/")]
    assert [key.split("/")[-2] for key in keys] == ["device"]


async def test_its_own_success_empties_its_own_lock(world: World) -> None:
    await world.person()
    device = await known(world)
    for _ in range(3):
        for _ in range(6):
            await login(world, device, wrong())
        world.clock.advance(minutes=5)
        assert (await login(world, device)).status_code == 200


async def test_it_is_the_same_device_after_every_login(world: World) -> None:
    await world.person()
    first = await known(world)
    for _ in range(4):
        await login(world, first, wrong())
    later = (await login(world, first)).headers[HEADER]
    for number in range(10):
        assert (await login(world, (first, later)[number % 2], wrong())).status_code == 403
    world.clock.advance(minutes=5)
    assert [(await login(world, each)).status_code for each in (first, later)] == [429, 429]


async def test_a_year_without_a_login_and_it_is_forgotten(world: World) -> None:
    await world.person()
    device = await known(world)
    world.clock.advance(days=364)
    renewed = (await login(world, device)).headers[HEADER]
    world.clock.advance(days=364)
    await fill(world)
    assert not await is_known(world, device)
    assert await is_known(world, renewed)


async def test_where_locks_are_auth0_s_nobody_is_known(world: World) -> None:
    await world.person()
    device = await known(world)
    await world.db.write(tenant.set_to, LOCK, {"lock_scope": "auth0"})
    for _ in range(10):
        await login(world, password="the same again")
    world.clock.advance(minutes=5)
    assert (await login(world, device)).status_code == 429


# --- what is not one --------------------------------------------------------------------------------------------------


def tampered(device: str) -> dict[str, str]:
    """Return what others might send in place of a device's own token."""
    value, moment, signature = device.split(".")
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 1_000_000)).decode()
    return {
        "cut": device[:-1],
        "half": device[: len(device) // 2],
        "longer": device + "A",
        "unsigned": value,
        "another value": f"{value[:-2]}AA.{moment}.{signature}",
        "another time": f"{value}.AAAAAA.{signature}",
        "other letters": device.swapcase(),
        "huge": "x" * 60_000,
        "huge and signed by nobody": f"{'A' * 30_000}.{moment}.{signature}",
        "a bomb": f".{bomb}.{moment}.{signature}",
        "dots": "..",
        "no letters": "\xff\xfe\x80",
        "json": '{"id": "dev_x", "tags": []}',
    }


async def on_pages(world: World, device: str) -> int:
    """Return the status of a login on the pages in a browser with that cookie."""
    world.clock.advance(minutes=5)
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
    visitor.client.cookies.clear()
    visitor.client.headers = httpx.Headers([(b"cookie", f"{cookies}; keystead-device={device}".encode("latin-1"))])
    return (await visitor.log_in(landed)).response.status_code


async def test_what_is_not_ours_is_as_good_as_nothing(world: World) -> None:
    await world.person()
    device, browser = await known(world), await known_browser(world)
    await fill(world)
    for what, token in tampered(device).items():
        world.clock.advance(minutes=5)
        body = {"grant_type": "password", "client_id": world.client_id, "username": ANN, "password": PASSWORD}
        headers = [(HEADER.encode(), token.encode("latin-1"))]
        assert (await world.client.post("/oauth/token", json=body, headers=headers)).status_code == 429, what
    for what, token in tampered(browser).items():
        assert await on_pages(world, token) == 429, what
    assert await is_known(world, device)
    assert await on_pages(world, browser) == 303


async def known_browser(world: World) -> str:
    """Log in on the pages in a new browser, and return the cookie that it is given."""
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    return str(visitor.client.cookies["keystead-device"])


async def test_one_kind_of_token_is_not_taken_for_another(world: World) -> None:
    """A cookie is no header and no other cookie, nor the other way round."""
    await world.person()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    app, cookie = await known(world), str(visitor.client.cookies["keystead-device"])
    browser = str(visitor.client.cookies["keystead-browser"])
    await fill(world)
    for foreign in (cookie, browser):
        assert not await is_known(world, foreign)
    for foreign in (app, browser):
        assert await on_pages(world, foreign) == 429


async def test_a_page_elsewhere_cannot_use_up_its_visitor_s_tries(world: World) -> None:
    """The API looks at no cookie: failures that another site's page sends from Ann's own browser are a stranger's."""
    await world.person()
    browser = await known_browser(world)
    body = {"grant_type": "password", "client_id": world.client_id, "username": ANN}
    for _ in range(12):
        sent = body | {"password": wrong()}
        answer = await world.client.post("/oauth/token", data=sent, headers={"cookie": f"keystead-device={browser}"})
    assert answer.status_code == 429
    assert await on_pages(world, browser) == 303


async def test_a_token_of_another_installation_is_nothing(installation: Stencil, world: World) -> None:
    await world.person()
    ours, kept = await known(world), installation.settings.secret_keys
    await fill(world)
    others = installation.settings.model_copy(update={"secret_keys": (Secret("e" * 64), *kept)})
    async with open_world(others, installation.document, seed="elsewhere") as elsewhere:
        theirs = await known(elsewhere, ANN) if (await login(elsewhere)).status_code == 200 else ""
        assert theirs == ""  # the lock is in the database that both share
        assert (await login(elsewhere, ours)).status_code == 200, "the older key still opens"


async def test_keys_turn_round(installation: Stencil) -> None:
    """The newest key seals; an older one still opens; one that is gone does not."""
    old, new, kept = Secret("o" * 64), Secret("n" * 64), installation.settings.secret_keys[-1]

    async def at(keys: tuple[Secret[str], ...], device: str = "", *, first: bool = False) -> httpx.Response:
        settings = installation.settings.model_copy(update={"secret_keys": (*keys, kept)})
        async with open_world(settings, installation.document, seed=str(next(_numbers))) as world:
            if first:
                await world.person()
                device = (await login(world)).headers[HEADER]
                await fill(world)
            world.clock.advance(minutes=5)
            answer = await login(world, device)
            assert answer.status_code in (200, 429)
            return answer

    before = (await at((old,), first=True)).headers[HEADER]
    assert (await at((new,), before)).status_code == 429
    after = await at((new, old), before)
    assert after.status_code == 200
    assert (await at((new,), after.headers[HEADER])).status_code == 200, "sealed with the newest"


async def test_it_says_no_names(world: World) -> None:
    await world.person()
    device = await known(world)
    value = device.split(".")[1] if device.startswith(".") else device.split(".")[0]
    packed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    said = str(json.loads(zlib.decompress(packed) if device.startswith(".") else packed))
    assert said.startswith("dev_")
    for name in ("ann", "example", "auth0|", world.connection_id):
        assert name not in said


async def test_it_is_no_bigger_than_a_cookie_may_be(world: World) -> None:
    """However many log in on a computer at a library."""
    device = ""
    for number in range(30):
        await world.signup(f"reader{number}@example.com")
        device = (await login(world, device, email=f"reader{number}@example.com")).headers[HEADER]
        world.clock.advance(minutes=60)
    assert len(device) < 1024
    await fill(world, "reader0@example.com")
    await fill(world, "reader29@example.com")
    assert await is_known(world, device, "reader29@example.com")
    assert not await is_known(world, device, "reader0@example.com")


async def test_pages_of_clients_may_read_and_send_it(world: World) -> None:
    shop = "https://shop.example"
    await world.new_client(app_type="spa", web_origins=[shop])
    asking = {"origin": shop, "access-control-request-method": "POST", "access-control-request-headers": HEADER}
    preflight = await world.client.options("/oauth/token", headers=asking)
    assert HEADER in preflight.headers["access-control-allow-headers"]
    asked = await world.client.post("/oauth/token", json={}, headers={"origin": shop})
    assert HEADER in asked.headers["access-control-expose-headers"]


async def test_a_new_password_makes_strangers_of_the_devices_of_before(world: World) -> None:
    """Whoever knew the old one could have had any number of devices made known, each worth ten guesses."""
    user_id = await world.person()
    collected = [await known(world) for _ in range(3)]
    assert (await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": NEW})).status_code == 200
    await fill(world)
    for device in collected:
        world.clock.advance(minutes=5)
        assert (await login(world, device, NEW)).status_code == 429
