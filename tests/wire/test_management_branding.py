"""``/api/v2/branding``, and pages that look like it: their policy opens for their pictures and nothing else."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from keystead.db import tenant
from visitor import Visitor
from world import World

pytestmark = pytest.mark.anyio

LOGO = "https://cdn.example/logo.svg?v=2"
ICON = "https://icons.example/icon.png"
PATH = "/branding"


async def branded(world: World, **members: Any) -> httpx.Response:
    answer = await world.manage("PATCH", PATH, members)
    assert answer.status_code == 200, answer.text
    return answer


def pictures(response: httpx.Response) -> str:
    policy = response.headers["content-security-policy"].split("; ")
    return next(each for each in policy if each.startswith("img-src "))


async def test_nothing_is_set_at_first(world: World) -> None:
    assert (await world.manage("GET", PATH)).json() == {}
    landed = await Visitor.of(world).authorize()
    assert "/branding.css" not in landed.text
    assert pictures(landed.response) == "img-src 'self' data:"
    css = await world.client.get("/branding.css")
    assert (css.status_code, css.text) == (200, "")


async def test_pages_have_the_logo_the_icon_and_the_colours(world: World) -> None:
    visitor = Visitor.of(world)
    before = await visitor.authorize()
    await branded(world, colors={"primary": "#7c3aed"}, logo_url=LOGO, favicon_url=ICON)
    assert (await world.manage("PATCH", "/tenants/settings", {"friendly_name": "Ann & Sons"})).status_code == 200
    world.clock.advance(seconds=11)
    landed = await visitor.authorize()
    assert f'<img src="{LOGO}" alt="Ann &amp; Sons">' in landed.text
    assert f'<link rel="icon" href="{ICON}">' in landed.text
    assert '<link rel="stylesheet" href="/branding.css">' in landed.text
    assert pictures(landed.response) == "img-src 'self' data: https://cdn.example https://icons.example"
    others = [
        [each for each in found.response.headers["content-security-policy"].split("; ") if "img-src" not in each]
        for found in (before, landed)
    ]
    assert others[0] == others[1]
    assert "style=" not in landed.text


async def test_error_pages_look_like_it_too(world: World) -> None:
    await branded(world, logo_url=LOGO)
    nowhere = await world.client.get("/nowhere")
    assert nowhere.status_code == 404
    assert LOGO in nowhere.text
    assert pictures(nowhere) == "img-src 'self' data: https://cdn.example"


async def test_the_style_sheet_is_asked_about_again(world: World) -> None:
    await branded(world, colors={"primary": "#7c3aed"})
    css = await world.client.get("/branding.css")
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert css.headers["cache-control"] == "no-cache"
    assert "--accent: #7c3aed" in css.text
    tag = {"if-none-match": css.headers["etag"]}
    same = await world.client.get("/branding.css", headers=tag)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", css.headers["etag"])
    await branded(world, colors={"primary": "#000"})
    assert (await world.client.get("/branding.css", headers=tag)).status_code == 200


async def test_other_processes_follow_within_seconds(world: World) -> None:
    """They have read it a moment ago; nobody tells them of the change."""
    looks = world.app.state.flows.looks
    before = await looks.now()
    await world.db.write(tenant.put, "branding", {"logo_url": LOGO})
    assert (await looks.now()) is before
    world.clock.advance(seconds=timedelta(seconds=10).total_seconds())
    assert (await looks.now()).branding.logo_url == LOGO


async def test_what_was_read_is_sent_back_and_changes_nothing(world: World) -> None:
    await branded(world, colors={"primary": "#7c3aed", "page_background": "#eee"}, logo_url=LOGO)
    shown = (await world.manage("GET", PATH)).json()
    assert shown == {"colors": {"primary": "#7c3aed", "page_background": "#eee"}, "logo_url": LOGO}
    assert (await branded(world, **shown)).json() == shown
    assert (await world.last_entry())["details"]["changed"] == []


async def test_a_change_is_in_the_journal_by_its_members(world: World) -> None:
    await branded(world, colors={"primary": "#7c3aed"})
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Update branding settings")
    assert entry["details"]["changed"] == ["colors"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Payload validation error: 'Too few properties defined (0), minimum 1'."),
        (
            {"colors": {"primary": "blue"}},
            "Payload validation error: 'Object didn't pass validation for format html-color-or-null: blue' "
            "on property colors.primary.",
        ),
        (
            {"logo_url": "http://cdn.example/x"},
            "Payload validation error: 'Object didn't pass validation for format strict-https-uri-or-null: "
            "http://cdn.example/x' on property logo_url.",
        ),
        (
            {"font": {"url": "https://fonts.example/x"}},
            "Payload validation error: 'Fonts of other sites are not supported: pages use those of the device' "
            "on property font.",
        ),
        ({"theme": 1}, "Payload validation error: 'Additional properties not allowed: theme'."),
    ],
)
async def test_what_is_no_branding_is_refused(world: World, body: dict[str, Any], message: str) -> None:
    answer = await world.manage("PATCH", PATH, body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_templates_of_pages_are_not_there(world: World) -> None:
    assert (await world.manage("GET", f"{PATH}/templates/universal-login")).status_code == 404
