"""``/api/v2/keystead/fido-metadata``: metadata brought over the Management API."""

from datetime import timedelta
from typing import Any

import pytest

from attestation import Maker, Service, entry
from authenticator import AAGUID
from world import World

ROUTE = "/keystead/fido-metadata"
MAKER, SERVICE = Maker(), Service()


def blob(world: World, **made: Any) -> str:
    """Return metadata that names one model."""
    due = (world.clock.now + timedelta(days=20)).date().isoformat()
    return SERVICE.blob(entry(AAGUID, MAKER), **{"next_update": due} | made).decode()


async def test_metadata_is_brought_and_shown(world: World) -> None:
    assert (await world.manage("GET", ROUTE)).json() is None
    body = {"blob": blob(world, no=7), "root": SERVICE.root.pem.decode()}
    brought = await world.manage("PUT", ROUTE, body)
    assert brought.status_code == 200
    assert (brought.json()["no"], brought.json()["models"], brought.json()["changed"]) == (7, 1, 1)
    shown = (await world.manage("GET", ROUTE)).json()
    assert shown == {name: brought.json()[name] for name in shown}

    older = await world.manage("PUT", ROUTE, body | {"blob": blob(world, no=6)})
    assert (older.status_code, older.json()["errorCode"]) == (409, "conflict")
    assert (await world.manage("GET", ROUTE)).json() == shown
    forced = await world.manage("PUT", ROUTE, body | {"blob": blob(world, no=6), "force": True})
    assert forced.json()["no"] == 6


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_what_cannot_be_believed_is_refused(world: World) -> None:
    for body in ({"blob": blob(world)}, {"blob": "nonsense"}, {"blob": blob(world), "root": "nonsense"}):
        refused = await world.manage("PUT", ROUTE, body)
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_body")
        assert refused.json()["message"].startswith("The FIDO metadata is refused: ")


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_only_here_a_body_may_be_large(world: World) -> None:
    large = "x" * 2_000_000
    assert (await world.manage("PUT", ROUTE, {"blob": large})).status_code == 400
    assert (await world.manage("PATCH", "/tenants/settings", {"friendly_name": large})).status_code == 413
    assert (await world.manage("PUT", ROUTE, {"blob": "x" * 33_600_000})).status_code == 413
