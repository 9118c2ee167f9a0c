"""An id of the relying party does not go while somebody has nothing else to sign in with, unless that is accepted."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import Session, col

from authenticator import Authenticator
from conftest import Stencil
from keystead.db import tables
from storefront import LOGIN, PATH, Storefront, open_at, set_to
from world import PASSWORD, World

OLD_ID, NEW_ID = "login.example.com", "example.com"


@pytest.fixture
async def house(installation: Stencil) -> AsyncIterator[World]:
    """Keystead at https://login.example.com, which is about to move to example.com."""
    async with open_at(installation) as opened:
        yield opened


async def change(world: World, accept: int | None = None, scope: str | None = None, **members: Any) -> httpx.Response:
    """Change the relying party."""
    query = "" if accept is None else f"?accept_stranded={accept}"
    return await world.manage("PATCH", PATH + query, members, scope=scope)


async def people(world: World) -> dict[str, str]:
    """Return everybody's user id, by address."""
    return {each["email"]: each["user_id"] for each in (await world.manage("GET", "/users")).json()}


async def moved(world: World) -> dict[str, str]:
    """Ann has a passkey of the old id; Bob a password beside it; Cleo came after the move."""
    for name in ("ann", "bob"):
        await Storefront(world).signs_up(Authenticator(), f"{name}@example.com")
    found = await people(world)
    await world.manage("PATCH", f"/users/{quote(found['bob@example.com'])}", {"password": PASSWORD})
    assert (await change(world, id=NEW_ID)).status_code == 200, "an id that is replaced retires, and strands nobody"
    assert "foreseen" not in (await world.last_entry())["details"]
    await Storefront(world).signs_up(Authenticator(), "cleo@example.com")
    return await people(world)


async def test_an_older_id_does_not_go_while_somebody_has_nothing_else(house: World) -> None:
    known = await moved(house)
    before = (await house.manage("GET", PATH)).json()
    refused = await change(house, retiring=[])
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "would_strand_users")
    assert refused.json()["message"] == (
        "1 person could not sign in any more (relying_party: 1), so nothing was changed. "
        "GET /api/v2/keystead/relying-party/report tells more. Give them another way to sign in first, or say that "
        "you accept it with ?accept_stranded=1"
    )
    report = refused.json()["report"]
    counted = {"with_passkeys": 3, "refused": 2, "re_enrol": 1, "stranded": 1, "enrol": 0}
    assert counted.items() <= report["people"].items()
    assert [each["reason"] for each in report["by_reason"]] == ["relying_party"]
    assert [each["user_id"] for each in report["examples"]] == [known["ann@example.com"]]
    assert "next" not in report
    assert (await house.manage("GET", PATH)).json() == before
    assert (await change(house, 1, retiring=[])).status_code == 200
    entry = (await house.last_entry())["details"]
    assert entry["foreseen"]["people"] == report["people"]
    assert entry["shut_out"] == [{"rp_id": OLD_ID, "passkeys": 2, "people": 2}]


async def test_an_id_that_is_replaced_and_does_not_retire_is_looked_at_too(house: World) -> None:
    device = Authenticator()
    await Storefront(house).signs_up(device)
    refused = await change(house, id=NEW_ID, retiring=[])
    assert (refused.status_code, refused.json()["report"]["people"]["stranded"]) == (400, 1)
    assert (await Storefront(house).logs_in(device)).status_code == 200


async def test_who_has_moved_is_not_in_the_way(house: World) -> None:
    device = Authenticator()
    await Storefront(house).signs_up(device)
    await set_to(house, id=NEW_ID)
    (row,) = await house.rows(tables.Passkey)

    def copy(session: Session) -> None:
        """Let there be another passkey, of the new id."""
        values = {**row, "id": "passkey|dev_new", "credential_id": b"new", "rp_id": NEW_ID}
        session.add(tables.Passkey(**values))
        session.flush()

    await house.db.write(copy)
    assert (await change(house, retiring=[])).status_code == 200
    assert (await house.last_entry())["details"]["foreseen"]["people"]["stranded"] == 0


async def test_people_of_every_connection_count_and_administrators_too(house: World) -> None:
    second = await house.new_connection(
        "Second",
        authentication_methods={"passkey": {"enabled": True}},
    )
    for email, realm in (
        ("ann@example.com", house.connection),
        ("bob@example.com", "Second"),
        ("owner@example.com", house.connection),
    ):
        begun = await Storefront(house).ask("register", user_profile={"email": email}, realm=realm)
        response = Authenticator().create(begun["authn_params_public_key"], origin=LOGIN)
        answer = await house.exchange(begun["auth_session"], response, realm=realm)
        assert answer.status_code == 200, answer.text

    def promote(session: Session) -> None:
        """Make an administrator of somebody."""
        of_administrators = select(col(tables.Connection.id)).where(col(tables.Connection.for_administrators).is_(True))
        values = {"connection_id": session.connection().execute(of_administrators).scalar_one()}
        who = col(tables.Account.email) == "owner@example.com"
        session.connection().execute(update(tables.Account).where(who).values(**values))

    await house.db.write(promote)
    refused = await change(house, 2, id=NEW_ID, retiring=[])
    assert (refused.status_code, refused.json()["report"]["people"]["stranded"]) == (400, 3)
    assert len(refused.json()["report"]["examples"]) == 3
    off = {"options": {"authentication_methods": {"password": {"enabled": True}}}}
    assert (await house.manage("PATCH", f"/connections/{second}?accept_stranded=1", off)).status_code == 200
    assert (await change(house, 2, id=NEW_ID, retiring=[])).status_code == 200


async def test_who_may_not_read_people_sees_numbers(house: World) -> None:
    await Storefront(house).signs_up(Authenticator())
    refused = await change(house, scope="update:tenant_settings", id=NEW_ID, retiring=[])
    assert (refused.status_code, "examples" in refused.json()["report"]) == (400, False)
