"""``GET /api/v2/keystead/backup``: the bytes of ``keystead backup``, for owners, one at a time."""

from io import BytesIO
from typing import Any

from backups import OPERATION, lines_of
from keystead.adapters.sealing import Sealer
from keystead.app import SystemEntropy
from keystead.flows.backup import PURPOSE
from keystead.flows.restore import examine
from keystead.rules.authority import scopes_of
from world import World

PATH = "/keystead/backup"


async def test_a_backup_comes_whole_and_is_in_the_journal(world: World) -> None:
    await world.signup()
    answer = await world.manage("GET", PATH, scope="read:backups")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(answer.content))
    sealer = Sealer(world.settings.secret_keys, SystemEntropy())
    manifest = examine(BytesIO(answer.content), lambda mac, text: sealer.is_signed(mac, text, PURPOSE))
    assert {name: rows for name, rows, _ in manifest.tables}["account"] == 1
    assert not manifest.with_secret_keys
    assert world.settings.secret_keys[0].reveal().encode() not in b"".join(lines_of(BytesIO(answer.content)))
    entry = await world.last_entry()
    assert (entry["type"], entry["details"]["with_secret_keys"]) == ("backup_made", False)
    assert entry["actor"] == f"{world.first['clients']['management']['client_id']}@clients"
    assert not list(world.settings.data_dir.glob("tmp*"))


async def test_only_owners_may(world: World) -> None:
    assert (await world.manage("GET", PATH, scope="read:users read:logs")).status_code == 403
    assert "backup_made" not in await world.journal()
    assert "read:backups" in scopes_of("owner")
    assert not {"read:backups"} & (scopes_of("editor") | scopes_of("viewer"))


async def test_there_is_one_at_a_time_and_people_log_in_meanwhile(world: World) -> None:
    await world.signup()
    backup: Any = world.app.state.flows.management.backup
    spool = await backup.spool(OPERATION, world.settings.data_dir)
    refused = await world.manage("GET", PATH)
    assert (refused.status_code, refused.json()["errorCode"]) == (409, "conflict")
    assert (await world.login()).status_code == 200
    spool.close()
    spool.close()
    for _ in range(2):
        assert (await world.manage("GET", PATH)).status_code == 200


async def test_a_failure_is_no_half_file_and_lets_the_next_one_go(world: World) -> None:
    backup: Any = world.app.state.flows.management.backup
    missing = world.settings.data_dir / "nowhere"
    for _ in range(2):
        try:
            await backup.spool(OPERATION, missing)
        except FileNotFoundError:
            continue
        raise AssertionError("there is no such directory")
    assert (await world.manage("GET", PATH)).status_code == 200
