"""The page about imports: its file is imported, its people log in, its codes are those that there are."""

import json
import re
from pathlib import Path

import pytest

from importing import errors, imported, rows
from keystead.db import tables
from keystead.rules.import_rows import MEMBERS
from keystead.rules.row_complaints import CODES
from world import World

PAGE = (Path(__file__).parents[2] / "docs" / "importing.md").read_text(encoding="utf-8")
BLOCKS = [json.loads(each) for each in re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_its_file_is_imported(world: World) -> None:
    await world.patch_options(authentication_methods={"passkey": {"enabled": True}, "password": {"enabled": True}})
    file, reported = BLOCKS
    canaries = ["ann@example.com:shh", "bob@example.com:password"]
    rehearsed = await imported(world, file, dry_run="true", canary=canaries)
    assert [each["works"] for each in rehearsed["canaries"]] == [True, True]
    assert {each["verdict"] for each in await rows(world, rehearsed["id"])} == {"insert"}
    assert rehearsed["rehearsal"]["passkeys_that_do_not_work"] == 0

    assert (await imported(world, file))["summary"] == {"failed": 0, "updated": 0, "inserted": 3, "total": 3}
    assert (await world.login("ann@example.com", "shh")).status_code == 200
    assert (await world.login("bob@example.com", "password")).status_code == 200
    assert [row["sign_count"] for row in await world.rows(tables.Passkey)] == [7]
    refused = await imported(world, [each["user"] for each in reported])
    assert await errors(world, refused["id"]) == reported


def test_it_names_every_member_and_every_code() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(MEMBERS) <= named
    assert set(CODES) - {"MFA_FACTORS_FAILED"} <= named
