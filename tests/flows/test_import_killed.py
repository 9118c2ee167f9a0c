"""An import of users that is killed at any moment, again and again: the result is that of one that nobody disturbed."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from importing import HASH, errors, job, send, work
from keystead.db import tables
from world import World

KILLS = int(os.environ.get("KEYSTEAD_TEST_KILLS", "25"))
"""At each database."""

ROWS = max(600, 8 * KILLS)
PER_TRANSACTION = 1
MOST = 0.04
"""Seconds from the start of an import to its end by force, at most."""

_BY_CHANCE = ("user_handle", "sealed_extras", "created_at", "updated_at", "signed_out_at", "id", "tries", "run_at")


def people() -> Iterator[dict[str, Any]]:
    """Give rows of all kinds: good ones with all that a row can have, such as are refused, and some twice."""
    key = {name: value for name, value in made_elsewhere(Authenticator()).items() if name != "type"}
    for number in range(ROWS):
        row: dict[str, Any] = {"email": f"person-{number}@example.com", "user_id": f"p{number}", "password_hash": HASH}
        match number % 10:
            case 1:
                row["email"] = "nobody"
            case 2:
                row["email"] = f"Person-{number - 7}@example.com"
            case 3:
                row["user_id"] = f"p{number - 3}"
            case 4:
                row["mfa_factors"] = [{"totp": {"secret": "JBSWY3DPEHPK3PXP"}}]
            case 5:
                row |= {"name": "Ann Ö.", "app_metadata": {"plan": number}, "email_verified": True}
        if number == 7:
            row |= {"passkeys": [key], "user_handle": key["user_handle"]}
        yield row


@pytest.mark.timeout(900)
async def test_killed_at_any_moment_it_comes_to_the_same(world: World) -> None:
    """An import of new users on one database, an upsert on the other."""
    upsert = "false" if world.db.is_sqlite else "true"
    await world.manage("POST", "/users", {"connection": world.connection, "email": "person-20@example.com"})
    file = [*people()]
    undisturbed = (await send(world, file, upsert=upsert)).json()["id"]
    await work(world)
    wanted = await told(world, undisturbed), await everything(world)
    assert wanted[0][0]["summary"]["failed"] > ROWS // 5
    assert wanted[0][0]["summary"]["inserted"] > ROWS // 2

    await world.db.write(lambda session: session.connection().execute(delete(tables.Account)))
    await world.manage("POST", "/users", {"connection": world.connection, "email": "person-20@example.com"})
    disturbed = (await send(world, file, upsert=upsert)).json()["id"]
    assert await kill(world) == KILLS
    assert (await told(world, disturbed), await everything(world)) == wanted


async def kill(world: World) -> int:
    """Have the import killed, and return how often it was."""
    orders = {
        "data_dir": str(world.settings.data_dir),
        "database_url": world.settings.database_url.reveal(),
        "now": world.clock.now.isoformat(),
        "kills": KILLS,
        "most": MOST,
        "rows": PER_TRANSACTION,
        "seed": 1,
    }
    program = str(Path(__file__).parents[1] / "killing.py")
    killing = await asyncio.create_subprocess_exec(
        sys.executable, program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await killing.communicate(json.dumps(orders).encode())
    assert killing.returncode == 0
    return int(out)


async def told(world: World, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is said of a job that is over."""
    found = await job(world, job_id)
    assert found["status"] == "completed", found
    return {name: found[name] for name in ("summary", "connection")}, await errors(world, job_id)


async def everything(world: World) -> dict[str, list[Any]]:
    """Return all people with all that is theirs, but for what chance made."""
    found: dict[str, list[Any]] = {}
    for table in (tables.Account, tables.AccountIdentifier, tables.Passkey):
        rows = [
            {name: value for name, value in row.items() if name not in _BY_CHANCE} for row in await world.rows(table)
        ]
        known = [row for row in rows if str(row["user_id"]).startswith("auth0|p")]
        found[table.__name__] = sorted(map(repr, known))
    return found
