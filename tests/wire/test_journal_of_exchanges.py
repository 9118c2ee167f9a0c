"""What the journal says of tokens given for something, and whether its entries say who, where and in which request."""

from typing import Any

import pytest

from keystead.db import tables
from keystead.db.tables import JournalRow
from keystead.rules.events import TYPES
from visitor import Visitor, exchange
from world import EXCHANGES, World


async def exchanges(world: World) -> list[dict[str, Any]]:
    return [row for row in await world.rows(JournalRow) if row["type"] in EXCHANGES]


async def last(world: World) -> dict[str, Any]:
    return (await exchanges(world))[-1]


async def test_a_password(world: World) -> None:
    user_id = await world.person()
    await world.tokens()
    found = await last(world)
    about = {name: found[name] for name in ("type", "user_id", "connection_id", "client_id", "actor")}
    assert about == {
        "type": "sepft",
        "user_id": user_id,
        "connection_id": world.connection_id,
        "client_id": world.client_id,
        "actor": None,
    }
    await world.guess()
    assert len(await exchanges(world)) == 1


async def test_a_code(world: World) -> None:
    user_id = await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    code = landed.answer["code"]
    assert (await exchange(world, code)).status_code == 200
    found = await last(world)
    assert (found["type"], found["user_id"], found["client_id"]) == ("seacft", user_id, world.client_id)
    assert (await exchange(world, code)).status_code == 403
    found = await last(world)
    assert (found["type"], found["user_id"], found["details"]["detail"]) == ("feacft", user_id, "used before")


async def test_a_refresh_token(world: World) -> None:
    user_id = await world.person()
    token = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 200
    assert ((await last(world))["type"], (await last(world))["user_id"]) == ("sertft", user_id)
    assert (await world.token("refresh_token", refresh_token="kr_nothing")).status_code == 403
    found = await last(world)
    assert (found["type"], found["user_id"], found["client_id"]) == ("fertft", None, world.client_id)
    assert "kr_nothing" not in str(found)


async def test_client_credentials(world: World) -> None:
    await world.management_token()
    client = world.first["clients"]["management"]
    found = await last(world)
    assert (found["type"], found["client_id"]) == ("seccft", client["client_id"])
    assert found["actor"] == f"{client['client_id']}@clients"
    refused = await world.token("client_credentials", auth=tuple(client.values())[:2], audience="nowhere")
    assert refused.status_code == 403
    assert (await last(world))["type"] == "feccft"


async def test_whoever_fails_again_and_again_does_not_fill_the_journal(world: World) -> None:
    for _ in range(510):
        await world.token("refresh_token", refresh_token="kr_nothing")
    assert [row["type"] for row in await exchanges(world)] == ["fertft"] * 500


async def test_an_identifier_that_an_administrator_moved(world: World) -> None:
    user_id = await world.person()
    path = f"/users/{user_id}"
    assert (await world.manage("PATCH", path, {"email": "moved@example.com"})).status_code == 200
    assert "sce" in await world.journal(user_id)
    before = (await world.journal(user_id)).count("sce")
    assert (await world.manage("PATCH", path, {"email": "moved@example.com", "name": "Ann"})).status_code == 200
    assert (await world.journal(user_id)).count("sce") == before


async def test_every_entry_says_who_where_and_in_which_request(world: World) -> None:
    """Of a day in which everybody does something; what the process does by itself comes from nowhere."""
    user_id = await world.person()
    await world.tokens()
    await world.guess()
    await world.manage("PATCH", f"/users/{user_id}", {"name": "Ann"})
    await world.patch_options(disable_signup=False)
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    await visitor.open("/v2/logout")
    rows = await world.rows(JournalRow)
    assert {row["type"] for row in rows} >= {"ss", "s", "fp", "sapi", "slo", "sepft", "seccft"}
    for row in rows:
        assert row["ip"] == "203.0.113.9", row["type"]
        assert row["request_id"], row["type"]
        assert row["decision"], row["type"]
        assert row["client_id"] or row["type"] == "slo", row["type"]
        assert row["user_id"] or row["actor"], row["type"]
        assert row["user_agent"], row["type"]
    of_management = [row for row in rows if row["type"] == "sapi"]
    assert all(row["actor"] and row["details"]["request"]["path"].startswith("/api/v2/") for row in of_management)
    assert all("changed" in row["details"] for row in of_management)
    ids = {row["request_id"] for row in rows}
    assert len(ids) < len(rows)
    assert await world.count(tables.JournalRow) == len(rows)


@pytest.mark.parametrize("type", EXCHANGES)
def test_the_vocabulary_knows_its_events(type: str) -> None:
    assert type in TYPES
