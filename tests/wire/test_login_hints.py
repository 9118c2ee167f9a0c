"""What a client hints at: whom it means, how sure it wants to be, and where to begin again (LG, UL-14)."""

import pytest

from authenticator import Authenticator
from keystead.db import tables
from visitor import Visitor, exchange
from world import World, claims_of

HOME = "https://shop.example/login"


async def signed_in(world: World) -> tuple[Visitor, str]:
    """Return a browser in which Ann has a session, and an ID token of hers."""
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    return visitor, (await exchange(world, landed.answer["code"])).json()["id_token"]


# --- whom the client means ---------------------------------------------------------------------------------------


async def test_an_id_token_names_whom_the_client_means(world: World) -> None:
    await world.person()
    visitor, token = await signed_in(world)
    world.clock.advance(hours=20)  # the hint is late, which is fine; the session is not
    assert "code" in (await visitor.authorize(id_token_hint=token, prompt="none")).answer
    await world.person("bob@example.com")
    other = (await world.tokens("bob@example.com"))["id_token"]
    assert (await visitor.authorize(id_token_hint=other, prompt="none")).answer["error"] == "login_required"
    assert (await visitor.authorize(id_token_hint=other)).path == "/u/login/identifier"


@pytest.mark.parametrize("how", ["access token", "another signature", "nothing"])
async def test_a_hint_that_is_no_id_token_of_ours(world: World, how: str) -> None:
    await world.person()
    visitor, token = await signed_in(world)
    head, body, signature = token.split(".")
    hint = {
        "access token": (await world.tokens())["access_token"],
        "another signature": f"{head}.{body}.{signature[::-1]}",
        "nothing": "nothing",
    }[how]
    assert (await visitor.authorize(id_token_hint=hint, prompt="none")).answer["error"] == "invalid_request"


# --- how sure it wants to be -------------------------------------------------------------------------------------


async def test_a_passkey_is_asked_for_where_a_password_will_not_do(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    user_id = (await world.rows(tables.Account))[0]["user_id"]
    await world.manage("PATCH", f"/users/{user_id}", {"password": "correct horse battery"})
    visitor, token = await signed_in(world)
    assert (claims_of(token)["acr"], claims_of(token)["amr"]) == ("pwd", ["pwd"])
    assert (await visitor.authorize(acr_values="phr", prompt="none")).answer["error"] == "login_required"
    landed = await visitor.log_in_with(device, await visitor.authorize(acr_values="phr"))
    claims = claims_of((await exchange(world, landed.answer["code"])).json()["id_token"])
    assert (claims["acr"], claims["amr"]) == ("phr", ["phr"])
    for wanted in ("phr", "pwd", "urn:unheard:of", "urn:unheard:of pwd"):
        assert "code" in (await visitor.authorize(acr_values=wanted, prompt="none")).answer, wanted


async def test_a_login_within_max_age_will_do(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    world.clock.advance(seconds=100)
    assert "code" in (await visitor.authorize(max_age="101", prompt="none")).answer
    assert (await visitor.authorize(max_age="100", prompt="none")).answer["error"] == "login_required"
    assert (await visitor.authorize(max_age="0")).path == "/u/login/identifier"


# --- the language ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("locales", "subject"), [("de-AT en", "Bestätige"), ("fr en", "Confirm"), ("", "Confirm")])
async def test_messages_are_written_in_the_language_that_was_asked_for(
    world: World, locales: str, subject: str
) -> None:
    visitor = Visitor.of(world)
    await visitor.sign_up(await visitor.authorize(screen_hint="signup", ui_locales=locales))
    assert subject in (await world.letters())[0].subject


# --- what was taken back while a login was open -------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["the scope", "the API", "the callback", "consent"])
async def test_a_login_that_was_left_open_gives_what_is_left_at_its_end(world: World, taken: str) -> None:
    await world.person()
    api = {"identifier": "https://photos.example/", "scopes": [{"value": "read:photos"}]}
    made = (await world.manage("POST", "/resource-servers", api)).json()
    visitor = Visitor.of(world)
    landed = await visitor.authorize(audience=api["identifier"], scope="openid read:photos")
    policy = {"subject_type_authorization": {"user": {"policy": "deny_all"}, "client": {"policy": "deny_all"}}}
    changes = {
        "the scope": {"scopes": []},
        "the API": policy,
        "consent": {"skip_consent_for_verifiable_first_party_clients": False},
    }
    if taken == "the callback":
        await world.patch_client(world.client_id, callbacks=["https://elsewhere.example/"])
    else:
        changed = await world.manage("PATCH", f"/resource-servers/{made['id']}", changes[taken])
        assert changed.status_code == 200, changed.text
    done = await visitor.log_in(landed)
    if taken == "the scope":
        assert (await exchange(world, done.answer["code"])).json()["scope"] == "openid"
    elif taken == "the callback":
        assert done.response.status_code == 400
        assert "location" not in done.response.headers
    else:
        assert done.answer["error"] == {"the API": "access_denied", "consent": "consent_required"}[taken]


async def test_a_refresh_that_is_refused_for_now_spoils_no_token(world: World) -> None:
    await world.person()
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"})
    api = {"identifier": "https://photos.example/", "scopes": [{"value": "read:photos"}], "allow_offline_access": True}
    made = (await world.manage("POST", "/resource-servers", api)).json()
    tokens = await world.tokens(audience=api["identifier"], scope="read:photos offline_access")
    for user, status in (("deny_all", 403), ("allow_all", 200)):
        policy = {"subject_type_authorization": {"user": {"policy": user}, "client": {"policy": "deny_all"}}}
        assert (await world.manage("PATCH", f"/resource-servers/{made['id']}", policy)).status_code == 200
        answer = await world.token("refresh_token", refresh_token=tokens["refresh_token"])
        assert answer.status_code == status, answer.text


# --- where to begin again (UL-14) --------------------------------------------------------------------------------


async def finished(world: World) -> tuple[Visitor, str]:
    """Return a browser that went back to the client, and the page that it came from."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    await visitor.log_in(landed)
    return visitor, f"/u/login/identifier?{landed.response.url.query.decode()}"


async def test_ul_14_the_back_button_leads_to_the_client(world: World) -> None:
    await world.person()
    visitor, page = await finished(world)
    assert (await visitor.open(page)).response.status_code == 400
    await world.patch_client(world.client_id, initiate_login_uri=HOME)
    again = await visitor.open(page)
    assert again.response.status_code == 303
    assert again.target == f"{HOME}?iss=http%3A%2F%2Flocalhost%3A8000%2F"


async def test_ul_14_a_login_that_went_stale_leads_to_the_client(world: World) -> None:
    await world.patch_client(world.client_id, initiate_login_uri=HOME)
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    world.clock.advance(hours=2)
    late = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    assert late.target.startswith(HOME)


async def test_ul_14_a_bookmark_of_nobody_s_leads_where_the_tenant_says(world: World) -> None:
    page = "/u/login/identifier?state=unheard-of"
    assert (await Visitor.of(world).open(page)).response.status_code == 400
    changed = await world.manage("PATCH", "/tenants/settings", {"default_redirection_uri": HOME})
    assert changed.status_code == 200, changed.text
    assert (await Visitor.of(world).open(page)).target.startswith(HOME)


async def test_a_login_that_is_over_gives_no_second_code(world: World) -> None:
    await world.person()
    visitor, page = await finished(world)
    for path in (page, page.replace("/identifier", ""), page.replace("login/identifier", "consent")):
        assert "code" not in (await visitor.open(path)).text
    assert await world.count(tables.AuthorizationCode) == 1
