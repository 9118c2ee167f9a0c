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

from shell import Shell, steered
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


ESCAPES = "\x1b]0;owned\x07\x9b31mJoe\x9b2J\u202e\nkeystead: all is well"
"""The name that somebody gave themselves: the title, the colour and the screen of whoever looks at it."""


GONE = "\r\x1b[K"
"""What takes the bar away that shows how far an export is."""


async def test_a_name_steers_no_terminal(world: World) -> None:
    world.clock.now = datetime.now(UTC)
    await world.person()
    answer = await world.signup("joe@example.com", user_metadata={"a": ESCAPES, "b": "Zoë\t漢字"})
    assert answer.status_code == 200, answer.text

    def run() -> None:
        shell = Shell(world.settings)
        asked = ("users", "export", "--fields", "email,user_metadata.a,user_metadata.b,user_metadata")
        csv_asked = ("users", "export", "--format", "csv", "--fields", "email,user_metadata.a,user_metadata.b")
        drawn = shell.at_terminal(*csv_asked)
        assert not steered(drawn)
        assert "?]0;owned??31mJoe?2J?\r\nkeystead: all is well" in drawn
        assert "Zoë\t漢字" in drawn
        assert drawn.count("@example.com") == 2
        for told in (shell.at_terminal(*asked), shell(*asked).out):
            assert not steered(told)
            assert "Zoë" in told
            assert "漢字" in told
            joe = next(json.loads(line.removeprefix(GONE)) for line in told.split("\n") if "joe@" in line)
            assert joe["user_metadata"]["a"] == joe["user_metadata.a"] == ESCAPES
        assert ESCAPES in shell(*csv_asked).out, "a file or a program gets it as it is"

    await asyncio.to_thread(run)


async def test_a_user_agent_steers_no_terminal(world: World) -> None:
    world.clock.now = datetime.now(UTC)
    await world.client.post(
        "/oauth/token",
        json={"grant_type": "password", "client_id": world.client_id, "username": "nobody", "password": "none"},
        headers={b"user-agent": b"x\x9b31my\x85"},
    )

    def run() -> None:
        shell = Shell(world.settings)
        for options in (("log", "export"), ("log", "tail"), ("log", "tail", "--json")):
            assert not steered(shell.at_terminal(*options))
        exported = shell("log", "export")
        assert not steered(exported.out), "also where grep is between it and the terminal"
        assert "x\x9b31my\x85" in {entry.get("user_agent") for entry in exported.items}

    await asyncio.to_thread(run)
