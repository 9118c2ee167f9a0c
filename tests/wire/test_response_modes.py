"""How the answer of ``/authorize`` travels: by redirect, by form, or by message between windows."""

import json
import re
from html import unescape
from typing import Any

import pytest

from visitor import CALLBACK, Visitor, authorize_url, exchange
from world import World

SHOP = "https://shop.example"
PAGE = f"{SHOP}/callback"


async def shop(world: World, **more: Any) -> str:
    client = await world.new_client(
        app_type="spa", **({"callbacks": [PAGE, SHOP], "web_origins": [SHOP], "allowed_origins": [SHOP]} | more)
    )
    return str(client["client_id"])


def message(text: str) -> tuple[str, dict[str, str]]:
    """Return the window that a page's message is for, and what it says."""
    origin, response = re.search(r'data-origin="([^"]*)" data-response="([^"]*)"', text).groups()  # type: ignore[union-attr]
    return origin, json.loads(unescape(response))


async def signed_in(world: World) -> Visitor:
    await world.person()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    return visitor


async def test_a_message_goes_to_one_origin_and_its_page_alone_may_frame_it(world: World) -> None:
    visitor, client_id = await signed_in(world), await shop(world)
    ask = {"client_id": client_id, "redirect_uri": PAGE, "response_mode": "web_message", "prompt": "none"}
    landed = await visitor.authorize(ask)
    assert landed.response.status_code == 200
    origin, response = message(landed.text)
    assert origin == SHOP
    assert sorted(response) == ["code", "iss", "state"]
    assert f"frame-ancestors {SHOP};" in landed.response.headers["content-security-policy"]
    assert "x-frame-options" not in landed.response.headers
    answer = await exchange(world, response["code"], client_id=client_id, redirect_uri=PAGE)
    assert answer.status_code == 200


async def test_a_message_tells_what_is_wrong(world: World) -> None:
    client_id = await shop(world)
    ask = {"client_id": client_id, "redirect_uri": SHOP, "response_mode": "web_message", "prompt": "none"}
    landed = await Visitor.of(world).authorize(ask)
    origin, response = message(landed.text)
    assert (origin, response["error"], response["state"]) == (SHOP, "login_required", "a state")


@pytest.mark.parametrize("origins", [[], ["https://other.example"], ["https://*.example"], ["http://shop.example"]])
async def test_a_page_whose_origin_is_not_the_client_s_gets_no_message(world: World, origins: list[str]) -> None:
    visitor, client_id = await signed_in(world), await shop(world, web_origins=origins)
    ask = {"client_id": client_id, "redirect_uri": PAGE, "response_mode": "web_message", "prompt": "none"}
    landed = await visitor.authorize(ask)
    assert landed.response.status_code == 400
    assert "data-response" not in landed.text
    assert "frame-ancestors 'none'" in landed.response.headers["content-security-policy"]


async def test_a_login_in_a_popup_keeps_its_opener_and_no_other_page_does(world: World) -> None:
    await world.person()
    visitor, client_id = Visitor.of(world), await shop(world)
    url = authorize_url(world, client_id=client_id, redirect_uri=PAGE, response_mode="web_message")
    first = await visitor.client.get(url)
    assert first.headers["cross-origin-opener-policy"] == "unsafe-none"
    landed = await visitor.open(first.headers["location"])
    assert landed.response.headers["cross-origin-opener-policy"] == "unsafe-none"
    done = await visitor.log_in(landed)
    assert done.response.headers["cross-origin-opener-policy"] == "unsafe-none"
    assert "code" in message(done.text)[1]
    other = await visitor.authorize(prompt="login")
    assert other.response.headers["cross-origin-opener-policy"] == "same-origin"


async def test_a_popup_with_a_session_reaches_its_opener(world: World) -> None:
    visitor, client_id = await signed_in(world), await shop(world)
    landed = await visitor.authorize({"client_id": client_id, "redirect_uri": PAGE, "response_mode": "web_message"})
    assert "code" in message(landed.text)[1]
    assert landed.response.headers["cross-origin-opener-policy"] == "unsafe-none"


async def test_a_form_that_sends_itself(world: World) -> None:
    visitor = await signed_in(world)
    landed = await visitor.authorize(response_mode="form_post")
    (form,) = landed.forms()
    assert form.action == CALLBACK
    assert sorted(form.fields) == ["code", "iss", "state"]
    assert "form-action 'self' http://localhost:8000" in landed.response.headers["content-security-policy"]
    assert (await exchange(world, form.fields["code"])).status_code == 200


async def test_state_is_only_text_whatever_the_mode(world: World) -> None:
    odd = "\"><script>alert(1)</script>&amp;'"
    visitor, client_id = await signed_in(world), await shop(world)
    for mode in ("form_post", "web_message"):
        ask = {"client_id": client_id, "redirect_uri": PAGE, "response_mode": mode, "state": odd}
        landed = await visitor.authorize(ask)
        assert "<script>alert" not in landed.text
        found = landed.forms()[0].fields["state"] if mode == "form_post" else message(landed.text)[1]["state"]
        assert found == odd


async def test_a_request_may_come_as_a_form(world: World) -> None:
    """OpenID Connect Core §3.1.2.1. It becomes a GET: a form of another site brings no cookie of ours along."""
    visitor = await signed_in(world)
    url = authorize_url(world)
    sent = dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))
    answer = await visitor.client.post("/authorize", content=url.partition("?")[2], headers=FORM)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/authorize?")
    assert f"client_id={sent['client_id']}" in answer.headers["location"]
    assert "code" in (await visitor.open(answer.headers["location"])).answer


FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "cross-site"}
