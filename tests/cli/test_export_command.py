"""``keystead users export`` and archives put back, at a shell."""

import asyncio
import csv
import gzip
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shell import Shell
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("installation", ["sqlite"], indirect=True)]


async def test_people_in_a_file_and_back(world: World, tmp_path: Path) -> None:
    world.clock.now = datetime.now(UTC)
    ann = await world.person()
    await world.person("bob@example.com")

    def run() -> None:
        shell = Shell(world.settings)
        told = shell("users", "export", "--fields", "email=Mail,user_id")
        assert len(told.items) == 2
        assert {"Mail": "ann@example.com", "user_id": ann} in told.items

        file = tmp_path / "people.csv"
        told = shell("users", "export", "--connection", world.connection, "--output", str(file))
        assert told.err.endswith(f"keystead: {file}: 2 users, CSV\n")
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert sorted(row["Email"] for row in rows) == ["'ann@example.com", "'bob@example.com"]
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        told = shell("users", "export", "--output", str(file), code=2)
        assert "--force" in told.err
        told = shell("users", "export", "--output", str(file), "--format", "json", "--force", code=2)
        assert "give --format csv" in told.err
        shell("users", "export", "--output", str(file), "--force")
        assert len(list(csv.DictReader(file.read_text().splitlines()))) == 2
        for name in ("some.csv", "some.json"):
            fields = ("--fields", "email=Mail,user_metadata.paln=Plan")
            told = shell("users", "export", *fields, "--output", str(tmp_path / name))
            assert told.err.endswith("keystead: nobody has user_metadata.paln\n")
        shell("users", "export", "--connection", "nowhere", code=2)
        shell("users", "export", "--format", "archive", "--fields", "email", code=2)

        packed = tmp_path / "people.json.gz"
        shell("users", "export", "--output", str(packed))
        assert len([json.loads(line) for line in gzip.decompress(packed.read_bytes()).splitlines()]) == 2

        archive = tmp_path / "people.tar.gz"
        told = shell("users", "export", "--output", str(archive))
        assert "signed with the key" in told.err
        assert f"{archive}: 2 users, an archive" in told.err
        told = shell("users", "import", str(archive), "--yes", code=1)
        assert "0 of 2 users are put back" in told.out
        shell("users", "delete", ann, "--yes")
        here = ("--data-dir", str(world.settings.data_dir))
        told = shell("users", "import", str(archive), "--yes", *here, code=1)
        assert "1 of 2 users are put back" in told.out
        assert "(DUPLICATED_USER 1): keystead jobs errors job_" in told.err
        assert f" --data-dir {world.settings.data_dir}" in told.err
        assert "--trust KEY" in shell("users", "import", str(archive), code=2).err
        assert "gunzip" in shell("users", "import", str(packed), "--dry-run", code=2).err
        shell("users", "import", str(tmp_path / "nothing"), "--yes", code=2)

    await asyncio.to_thread(run)
    world.clock.now = datetime.now(UTC)  # what is put back is signed out everywhere, as of the shell's own time
    assert (await world.login()).status_code == 200
