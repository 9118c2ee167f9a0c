"""``/api/v2/grants``: what people allowed clients, seen and taken back by administrators."""

from typing import Any
from urllib.parse import quote

from visitor import Form, Visitor, exchange
from world import World

SHOP = "https://shop.example/callback"
ASKED = {"redirect_uri": SHOP, "scope": "openid email offline_access"}


async def third_party(world: World) -> str:
    """Make a client that is not ours, and let it use the connection."""
    made = await world.new_client("Shop", app_type="spa", callbacks=[SHOP], is_first_party=False)
    switch = [{"client_id": made["client_id"], "status": True}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    return str(made["client_id"])


async def consented(world: World, client_id: str, email: str = "ann@example.com") -> dict[str, Any]:
    """Have somebody allow it what it asks for, and return its tokens."""
    visitor = Visitor.of(world)
    at = await visitor.log_in(await visitor.authorize(ASKED, client_id=client_id), email)
    landed = await visitor.send(Form(at.form("/u/consent").action), action="accept")
    answer = await exchange(world, landed.answer["code"], client_id=client_id, redirect_uri=SHOP)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(world: World, **query: str) -> list[dict[str, Any]]:
    answer = await world.manage("GET", "/grants", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_grants_are_listed(world: World) -> None:
    user_id, client_id = await world.person(), await third_party(world)
    await consented(world, client_id)
    (found,) = await listed(world)
    assert found == {
        "id": found["id"],
        "clientID": client_id,
        "user_id": user_id,
        "audience": "",
        "scope": ["openid", "email", "offline_access"],
    }
    assert await listed(world, user_id=user_id, client_id=client_id) == [found]
    assert await listed(world, user_id="auth0|nobody") == []
    page = (await world.manage("GET", "/grants?include_totals=true&per_page=1")).json()
    assert (page["total"], page["limit"], page["grants"]) == (1, 1, [found])


async def test_a_grant_that_is_taken_back_ends_what_it_gave(world: World) -> None:
    user_id, client_id = await world.person(), await third_party(world)
    tokens = await consented(world, client_id)
    own = await world.tokens(scope="openid offline_access")
    (found,) = await listed(world)
    assert (await world.manage("DELETE", f"/grants/{found['id']}")).status_code == 204
    assert await listed(world) == []
    refresh = await world.token("refresh_token", client_id=client_id, refresh_token=tokens["refresh_token"])
    assert refresh.status_code == 403
    assert (await world.token("refresh_token", refresh_token=own["refresh_token"])).status_code == 200
    assert (await world.manage("DELETE", f"/grants/{found['id']}")).status_code == 204, "again, and nothing happens"
    assert "sapi" in await world.journal(user_id)


async def test_all_grants_of_somebody(world: World) -> None:
    user_id, client_id = await world.person(), await third_party(world)
    await world.signup("ben@example.com")
    tokens = await consented(world, client_id)
    others = await consented(world, client_id, "ben@example.com")
    assert (await world.manage("DELETE", "/grants")).status_code == 400
    assert (await world.manage("DELETE", f"/grants?user_id={quote('auth0|nobody')}")).status_code == 404
    assert (await world.manage("DELETE", f"/grants?user_id={quote(user_id)}")).status_code == 204
    answers = [
        (await world.token("refresh_token", client_id=client_id, refresh_token=each["refresh_token"])).status_code
        for each in (tokens, others)
    ]
    assert answers == [403, 200]
    assert len(await listed(world)) == 1
