"""Logging out: ``/v2/logout`` as Auth0 has it, ``/oidc/logout`` by OpenID Connect RP-Initiated Logout 1.0."""

from typing import Any
from urllib.parse import urlencode

import pytest

from visitor import Landed, Visitor, exchange
from world import PUBLIC_URL, World, claims_of

BYE = "https://shop.example/bye"
BYE_WITH_QUERY = "https://shop.example/bye?from=keystead"


async def logged_in(world: World, email: str = "ann@example.com") -> tuple[Visitor, dict[str, Any]]:
    """Return a browser in which somebody has a session, and the tokens of the client that they came from."""
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(), email)
    return visitor, (await exchange(world, landed.answer["code"])).json()


async def has_session(visitor: Visitor) -> bool:
    return "code" in (await visitor.authorize(prompt="none")).answer


async def set_tenant(world: World, **settings: Any) -> None:
    assert (await world.manage("PATCH", "/tenants/settings", settings)).is_success


async def ask(visitor: Visitor, **asked: str) -> Landed:
    return await visitor.open(f"/oidc/logout?{urlencode(asked)}")


@pytest.fixture
async def ann(world: World) -> str:
    """Ann's account, and a client that may send her to BYE after a logout."""
    user_id = await world.person()
    await world.patch_client(world.client_id, allowed_logout_urls=[BYE, BYE_WITH_QUERY])
    return user_id


# --- /v2/logout ------------------------------------------------------------------------------------------------------


async def test_v2_logs_out_and_goes_where_it_is_told(world: World, ann: str) -> None:
    for return_to in (BYE, BYE_WITH_QUERY):
        visitor, tokens = await logged_in(world)
        asked = urlencode({"client_id": world.client_id, "returnTo": return_to, "federated": ""})
        landed = await visitor.open(f"/v2/logout?{asked}")
        assert landed.target == return_to
        assert not await has_session(visitor)
        entry = await world.last_entry()
        assert (entry["type"], entry["user_id"], entry["client_id"]) == ("slo", ann, world.client_id)
        assert entry["details"] == {"session_id": claims_of(tokens["id_token"])["sid"]}


async def test_v2_without_a_return_goes_to_the_first_url_that_is_registered(world: World, ann: str) -> None:
    visitor, _ = await logged_in(world)
    assert (await visitor.open(f"/v2/logout?client_id={world.client_id}")).target == BYE
    assert not await has_session(visitor)
    await world.patch_client(world.client_id, allowed_logout_urls=[])
    landed = await visitor.open(f"/v2/logout?client_id={world.client_id}")
    assert (landed.response.status_code, landed.path) == (200, "/v2/logout")
    assert "You are signed out" in landed.text


async def test_v2_without_a_client_goes_by_the_tenant_s_list(world: World, ann: str) -> None:
    visitor, _ = await logged_in(world)
    assert "You are signed out" in (await visitor.open("/v2/logout")).text
    refused = await visitor.open(f"/v2/logout?returnTo={BYE}")
    assert (refused.response.status_code, refused.response.headers.get("location")) == (400, None)
    await set_tenant(world, allowed_logout_urls=["https://all.example/out", BYE])
    assert (await visitor.open(f"/v2/logout?returnTo={BYE}")).target == BYE
    assert (await visitor.open("/v2/logout")).target == "https://all.example/out"


async def test_v2_knows_our_own_pages_by_their_path(world: World, ann: str) -> None:
    await world.patch_client(world.client_id, allowed_logout_urls=["/"])
    visitor, _ = await logged_in(world)
    asked = urlencode({"client_id": world.client_id, "returnTo": f"{PUBLIC_URL}/"})
    assert (await visitor.open(f"/v2/logout?{asked}")).target == f"{PUBLIC_URL}/"


async def test_a_look_without_the_page_ends_nothing(world: World, ann: str) -> None:
    """HEAD is what programs send that look where a link leads."""
    visitor, tokens = await logged_in(world)
    asked = urlencode({"id_token_hint": tokens["id_token"]})
    for path in ("/v2/logout", f"/oidc/logout?{asked}"):
        answer = await visitor.client.head(path)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await has_session(visitor)


# --- /oidc/logout: with a hint ----------------------------------------------------------------------------------------


async def test_a_hint_of_this_session_logs_out_at_once(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    state = "a state & more=ümläut"
    landed = await ask(visitor, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state=state)
    assert landed.target.startswith(f"{BYE}?state=")
    assert landed.answer == {"state": state}
    assert not await has_session(visitor)
    assert (await world.journal(ann))[-1] == "slo"


async def test_a_query_that_is_registered_is_kept(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    landed = await ask(
        visitor, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE_WITH_QUERY, state="a state"
    )
    assert landed.answer == {"from": "keystead", "state": "a state"}


async def test_without_a_return_it_ends_on_our_own_page(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    landed = await ask(visitor, id_token_hint=tokens["id_token"], state="a state")
    assert landed.response.status_code == 200
    assert "You are signed out" in landed.text
    assert not await has_session(visitor)


async def test_a_hint_that_has_expired_will_do(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    world.clock.advance(hours=11)
    landed = await ask(visitor, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE)
    assert landed.target == BYE
    assert not await has_session(visitor)


async def test_a_hint_of_an_earlier_session_of_the_same_person_will_do(world: World, ann: str) -> None:
    _, earlier = await logged_in(world)
    visitor, _ = await logged_in(world)
    await ask(visitor, id_token_hint=earlier["id_token"])
    assert not await has_session(visitor)


async def test_a_post_is_as_good_as_a_get(world: World, ann: str) -> None:
    """RP-Initiated Logout §2 wants both. What another site posts brings no cookie: the GET that follows does."""
    visitor, tokens = await logged_in(world)
    body = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "a state"}
    bare = Visitor.of(world)
    first = await bare.client.post("/oidc/logout", data=body, headers={"sec-fetch-site": "cross-site"})
    assert first.status_code == 303
    landed = await visitor.open(first.headers["location"])
    assert landed.answer == {"state": "a state"}
    assert not await has_session(visitor)


async def test_without_a_session_there_is_nothing_to_ask(world: World, ann: str) -> None:
    landed = await ask(Visitor.of(world), client_id=world.client_id, post_logout_redirect_uri=BYE, state="x")
    assert landed.target == f"{BYE}?state=x"


# --- /oidc/logout: without one ----------------------------------------------------------------------------------------


async def test_without_a_hint_the_person_is_asked(world: World, ann: str) -> None:
    """ASVS 5.0 10.6.2: no logout without a valid hint or the person's word. This is how auth0-auth-js asks."""
    visitor, _ = await logged_in(world)
    landed = await ask(visitor, client_id=world.client_id, post_logout_redirect_uri=BYE, state="a state")
    assert landed.response.status_code == 200
    assert "Sign out?" in landed.text
    assert "ann@example.com" in landed.text
    assert await has_session(visitor)
    policy = landed.response.headers["content-security-policy"]
    assert "form-action 'self' https://shop.example" in policy  # else Chromium would stop the redirect after the form
    gone = await visitor.send(landed.form("/u/logout"))
    assert gone.target == f"{BYE}?state=a+state"
    assert not await has_session(visitor)


async def test_asvs_10_6_2_a_hint_of_somebody_else_is_no_hint(world: World, ann: str) -> None:
    await world.person("bob@example.com")
    _, of_bob = await logged_in(world, "bob@example.com")
    visitor, _ = await logged_in(world)
    landed = await ask(visitor, id_token_hint=of_bob["id_token"], post_logout_redirect_uri=BYE)
    assert "Sign out?" in landed.text
    assert await has_session(visitor)
    assert (await visitor.send(landed.form("/u/logout"))).target == BYE
    assert not await has_session(visitor)


async def test_asvs_10_6_2_the_id_of_a_session_is_no_proof(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    landed = await ask(visitor, client_id=world.client_id, logout_hint=claims_of(tokens["id_token"])["sid"])
    assert "Sign out?" in landed.text
    assert await has_session(visitor)


async def test_an_administrator_may_switch_the_question_off(world: World, ann: str) -> None:
    await set_tenant(world, sessions={"oidc_logout_prompt_enabled": False})
    visitor, _ = await logged_in(world)
    assert (await ask(visitor, client_id=world.client_id, post_logout_redirect_uri=BYE)).target == BYE
    assert not await has_session(visitor)


async def test_the_question_names_whoever_asks_as_text(world: World, ann: str) -> None:
    client = await world.new_client("Shop & Söhne", allowed_logout_urls=[BYE])
    visitor, _ = await logged_in(world)
    landed = await ask(visitor, client_id=client["client_id"], state='"><script>alert(1)</script>')
    assert "Shop &amp; Söhne" in landed.text
    assert "<script" not in landed.text


# --- afterwards -------------------------------------------------------------------------------------------------------


async def test_the_cookies_are_taken(world: World, ann: str) -> None:
    visitor, tokens = await logged_in(world)
    kept = dict(visitor.client.cookies)
    answer = await visitor.client.get("/oidc/logout", params={"id_token_hint": tokens["id_token"]})
    taken = [line for line in answer.headers.get_list("set-cookie") if "Max-Age=0" in line]
    assert {line.partition("=")[0] for line in taken} == {"keystead-session", "keystead-browser"}
    again = Visitor.of(world)
    again.client.cookies.update(kept)  # whoever kept a copy has nothing from it
    assert not await has_session(again)


async def test_the_refresh_tokens_of_the_session_end_and_others_live(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(scope="openid offline_access"))
    mine = (await exchange(world, landed.answer["code"])).json()
    other = await world.tokens(scope="openid offline_access")
    await ask(visitor, id_token_hint=mine["id_token"])
    assert (await world.token("refresh_token", refresh_token=mine["refresh_token"])).status_code == 403
    assert (await world.token("refresh_token", refresh_token=other["refresh_token"])).status_code == 200


async def test_pages_that_were_open_are_dead_after_a_logout(world: World, ann: str) -> None:
    """Whoever sits down at the browser next cannot go on with what was half done: not even to its first page."""
    visitor, tokens = await logged_in(world)
    at_password = await visitor.send(
        (await visitor.authorize(prompt="login")).form("/login/identifier"), username="ann@example.com"
    )
    at_signup = await visitor.authorize(prompt="login", screen_hint="signup")
    at_passkey = await visitor.send(at_signup.form("/signup/identifier"), email="new@example.com")
    await ask(visitor, id_token_hint=tokens["id_token"])
    for landed in (at_password, at_signup, at_passkey):
        assert (await visitor.open(str(landed.response.url))).response.status_code == 400
        assert (await visitor.send(landed.forms()[0], username="x", password="x")).response.status_code == 400


async def test_an_offer_of_a_passkey_is_dead_after_a_logout(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    offer = await visitor.send(landed.form("/login/password"), password="correct horse battery")
    assert offer.path == "/u/passkey-enrollment"
    kept = dict(visitor.client.cookies)
    assert "You are signed out" in (await visitor.open("/v2/logout")).text
    again = Visitor.of(world)
    again.client.cookies.update(kept)
    for browser in (visitor, again):
        assert (await browser.open(str(offer.response.url))).response.status_code == 400
        assert (await browser.send(offer.forms()[0], action="skip")).response.status_code == 400


async def test_discovery_names_the_endpoint(world: World) -> None:
    found = (await world.client.get("/.well-known/openid-configuration")).json()
    assert found["end_session_endpoint"] == f"{PUBLIC_URL}/oidc/logout"
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True


async def test_the_port_of_a_loopback_url_may_vary(world: World, ann: str) -> None:
    """Native apps take whichever is free (RFC 8252 §7.3)."""
    await world.patch_client(world.client_id, app_type="native", allowed_logout_urls=["http://127.0.0.1/bye"])
    visitor, tokens = await logged_in(world)
    url = "http://127.0.0.1:49152/bye"
    landed = await ask(visitor, id_token_hint=tokens["id_token"], post_logout_redirect_uri=url)
    assert landed.target == url
