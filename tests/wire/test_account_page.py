"""``/u/account``: where somebody is signed in, what has access, and ending it; by a browser without scripts."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from keystead.db import tables
from visitor import Form, Landed, Visitor, exchange
from world import World, claims_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
PAGE = "/u/account"


def browser(world: World, user_agent: str = FIREFOX, address: str = "203.0.113.9") -> Visitor:
    transport = httpx.ASGITransport(app=world.app, client=(address, 4711))
    headers = {"user-agent": user_agent}
    return Visitor(world, httpx.AsyncClient(transport=transport, base_url=world.settings.public_url, headers=headers))


async def log_in(visitor: Visitor, email: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    """Log somebody in, and return the tokens of the client that they came from."""
    landed = await visitor.log_in(await visitor.authorize(**more), email)
    found: dict[str, Any] = (await exchange(visitor.world, landed.answer["code"])).json()
    return found


async def has_session(visitor: Visitor) -> bool:
    return "code" in (await visitor.authorize(prompt="none")).answer


async def press(visitor: Visitor, landed: Landed, **button: str) -> Landed:
    """Press the button of the page with that name and value."""
    ((name, value),) = button.items()
    form = next(form for form in landed.forms() if form.fields.get(name) == value)
    return await visitor.send(form)


def sid_of(tokens: dict[str, Any]) -> str:
    return str(claims_of(tokens["id_token"])["sid"])


@pytest.fixture
async def ann(world: World) -> str:
    """Ann's account."""
    return await world.person()


async def test_who_is_not_signed_in_signs_in_and_comes_back(world: World, ann: str) -> None:
    visitor = browser(world)
    landed = await visitor.open(PAGE)
    assert landed.path == "/u/login/identifier"
    landed = await visitor.log_in(landed)
    assert (landed.path, landed.response.status_code) == (PAGE, 200)
    assert "Where you are signed in" in landed.text
    assert "ann@example.com" in landed.text


async def test_it_shows_every_session_in_plain_words(world: World, ann: str) -> None:
    await log_in(browser(world, SAFARI, "198.51.100.7"))
    world.clock.advance(hours=2)
    visitor = browser(world)
    await log_in(visitor)
    text = (await visitor.open(PAGE)).text
    here, elsewhere = text.split('<form method="post"', 1)[0], text
    assert "This browser" in here
    assert "Firefox on Linux" in here
    assert "203.0.113.9" in here
    assert "1 Jun 2026, 14:00 UTC" in here
    assert "with a password" in here
    assert "Safari on iPhone" in elsewhere
    assert "198.51.100.7" in elsewhere
    assert 'datetime="2026-06-01T12:00:00.000Z"' in elsewhere
    assert text.count("This browser") == 1


async def test_one_session_is_ended(world: World, ann: str) -> None:
    phone, visitor = browser(world, SAFARI), browser(world)
    lost = await log_in(phone, scope="openid offline_access")
    await log_in(visitor)
    landed = await press(visitor, await visitor.open(PAGE), session=sid_of(lost))
    assert "You are signed in nowhere else" in landed.text
    assert not await has_session(phone)
    assert (await world.token("refresh_token", refresh_token=lost["refresh_token"])).status_code == 403
    assert await has_session(visitor)
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"], entry["details"]["session_id"]) == ("slo", ann, sid_of(lost))


async def test_all_others_are_ended(world: World, ann: str) -> None:
    others = [browser(world, SAFARI) for _ in range(3)]
    for other in others:
        await log_in(other)
    visitor = browser(world)
    await log_in(visitor)
    landed = await press(visitor, await visitor.open(PAGE), action="end-others")
    assert "You are signed in nowhere else" in landed.text
    assert [await has_session(each) for each in (*others, visitor)] == [False, False, False, True]


async def test_signing_out(world: World, ann: str) -> None:
    visitor = browser(world)
    await log_in(visitor)
    landed = await press(visitor, await visitor.open(PAGE), action="sign-out")
    assert "You are signed out" in landed.text
    assert not await has_session(visitor)
    assert (await visitor.open(PAGE)).path == "/u/login/identifier"


async def test_ids_of_other_people_s_sessions_do_nothing(world: World, ann: str) -> None:
    await world.person("bob@example.com")
    bob, visitor = browser(world, SAFARI), browser(world)
    of_bob = await log_in(bob, "bob@example.com", scope="openid offline_access")
    await log_in(visitor)
    page = await visitor.open(PAGE)
    assert sid_of(of_bob) not in page.text
    before = await world.journal()
    for value in (sid_of(of_bob), "", "x" * 300, "' OR 1=1 --"):
        landed = await visitor.send(Form(PAGE, {"session": value}))
        assert landed.response.status_code == 200
    assert await has_session(bob)
    assert (await world.token("refresh_token", refresh_token=of_bob["refresh_token"])).status_code == 200
    assert [each for each in await world.journal() if each == "slo"] == [each for each in before if each == "slo"]


async def test_applications_are_shown_and_access_is_taken_back(world: World, ann: str) -> None:
    visitor = browser(world)
    await log_in(visitor)
    assert "No application keeps access" in (await visitor.open(PAGE)).text
    mine = await world.tokens(scope="openid profile email offline_access")
    world.clock.advance(hours=1)
    await world.tokens(scope="openid offline_access")
    await world.person("bob@example.com")
    of_bob = await world.tokens("bob@example.com", scope="openid offline_access")
    landed = await visitor.open(PAGE)
    name = (await world.manage("GET", f"/clients/{world.client_id}")).json()["name"]
    shown = landed.text.partition("Applications with access")[2]
    assert shown.count(f"<bdi>{name}</bdi>") == 1
    assert "See your email address" in shown
    assert "1 Jun 2026, 12:00 UTC" in shown
    landed = await press(visitor, landed, client=world.client_id)
    assert "No application keeps access" in landed.text
    assert (await world.token("refresh_token", refresh_token=mine["refresh_token"])).status_code == 403
    assert (await world.token("refresh_token", refresh_token=of_bob["refresh_token"])).status_code == 200
    assert await has_session(visitor)
    (entry,) = [entry for entry in await world.rows(tables.JournalRow) if entry["type"] == "srrt"]
    assert (entry["user_id"], entry["client_id"]) == (ann, world.client_id)


async def test_consent_is_taken_back(world: World, ann: str) -> None:
    settings = {"is_first_party": False, "app_type": "spa", "callbacks": ["https://two.example/"]}
    client_id = (await world.new_client("Third & Söhne", **settings))["client_id"]
    clients = [{"client_id": client_id, "status": True}]
    assert (await world.manage("PATCH", f"/connections/{world.connection_id}/clients", clients)).is_success
    visitor = browser(world)
    await log_in(visitor)
    asked = {"client_id": client_id, "redirect_uri": "https://two.example/", "scope": "openid email"}
    landed = await visitor.authorize(**asked)
    assert "code" in (await visitor.send(landed.form("/u/consent"), action="accept")).answer
    assert "code" in (await visitor.authorize(**asked, prompt="none")).answer
    landed = await visitor.open(PAGE)
    assert "Third &amp; Söhne" in landed.text
    await press(visitor, landed, client=client_id)
    assert (await visitor.authorize(**asked, prompt="none")).answer["error"] == "consent_required"


async def test_other_people_s_consent_and_unknown_clients_are_left_alone(world: World, ann: str) -> None:
    await world.person("bob@example.com")
    of_bob = await world.tokens("bob@example.com", scope="openid offline_access")
    visitor = browser(world)
    await log_in(visitor)
    for value in (world.client_id, "nobody", ""):
        assert (await visitor.send(Form(PAGE, {"client": value}))).response.status_code == 200
    assert (await world.token("refresh_token", refresh_token=of_bob["refresh_token"])).status_code == 200
    assert "srrt" not in await world.journal()


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_nobody_else_s_page_presses_a_button(world: World, ann: str, headers: dict[str, str]) -> None:
    phone, visitor = browser(world, SAFARI), browser(world)
    lost = await log_in(phone)
    await log_in(visitor)
    for body in ({"session": sid_of(lost)}, {"action": "end-others"}, {"action": "sign-out"}):
        answer = await visitor.client.post(PAGE, data=body, headers=headers)
        assert answer.status_code == 403
    assert await has_session(phone)
    assert await has_session(visitor)


async def test_a_button_without_a_session_only_leads_to_a_login(world: World, ann: str) -> None:
    phone = browser(world, SAFARI)
    lost = await log_in(phone)
    landed = await browser(world).send(Form(PAGE, {"session": sid_of(lost)}))
    assert landed.path == "/u/login/identifier"
    assert await has_session(phone)


async def test_a_button_that_is_none_does_nothing(world: World, ann: str) -> None:
    visitor = browser(world)
    await log_in(visitor)
    for fields in ({}, {"action": "x"}, {"x": "y"}):
        assert (await visitor.send(Form(PAGE, fields))).path == PAGE
    assert await has_session(visitor)


async def test_what_a_browser_says_of_itself_gets_nowhere(world: World, ann: str) -> None:
    visitor = browser(world, "<script>alert(1)</script> Firefox/1")
    await log_in(visitor)
    text = (await visitor.open(PAGE)).text
    assert "alert(1)" not in text
    assert '<p class="title">Firefox</p>' in text


async def test_it_is_kept_by_nobody(world: World, ann: str) -> None:
    visitor = browser(world)
    await log_in(visitor)
    answer = (await visitor.open(PAGE)).response
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


async def test_a_blocked_person_has_no_page(world: World, ann: str) -> None:
    visitor = browser(world)
    await log_in(visitor)
    await world.block(ann)
    assert (await visitor.open(PAGE)).path == "/u/login/identifier"
    assert (await world.manage("DELETE", f"/users/{quote(ann)}")).status_code == 204
    assert (await visitor.open(PAGE)).path == "/u/login/identifier"
