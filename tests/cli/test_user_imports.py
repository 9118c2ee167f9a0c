"""``keystead users import``: rows out of a file, rehearsed, imported, gone on with."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Stencil
from importing import HASH
from shell import Shell

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
STAFF = "Username-Password-Authentication"
PEOPLE = 20_000
"""Several transactions."""


@pytest.fixture
def shell(installation: Stencil) -> Shell:
    return Shell(installation.settings)


def written(directory: Path, rows: object) -> str:
    """Write rows to a file, and return its name."""
    path = directory / "people.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return str(path)


def test_rehearsed_and_imported(shell: Shell, tmp_path: Path) -> None:
    good = [{"email": f"p{number}@example.com", "password_hash": HASH} for number in range(3)]
    file = written(tmp_path, [*good, {"email": "nobody"}, {"email": "P1@example.com"}])
    asked = ("users", "import", file, "--connection", STAFF)

    rehearsed = shell(*asked, "--dry-run", "--canaries", "-", input="p0@example.com:shh\np1@example.com:no\n", code=1)
    assert "5 rows: 3 users would be new, 0 would be changed, 2 refused" in rehearsed.out
    assert "bcrypt" in rehearsed.out
    assert ["p0@example.com", "yes", "the", "password", "is", "right", "1"] in rehearsed.rows
    assert any(row[:2] == ["p1@example.com", "no"] for row in rehearsed.rows)
    assert shell("users", "list", "--json").items == []

    done = shell(*asked, "--json", "--canary", "p0@example.com:shh", code=1).document
    assert done["summary"] == {"failed": 2, "updated": 0, "inserted": 3, "total": 5}
    assert [(row["row"], row["errors"][0]["code"]) for row in done["errors"]] == [(4, "FORMAT"), (5, "DUPLICATED_USER")]
    assert len(shell("users", "list", "--json").items) == 3

    again = shell(*asked, "--upsert", code=1)
    assert "5 rows: 0 users new, 3 changed, 2 refused" in again.out
    assert any(row[0] == "4" and "FORMAT" in row for row in again.rows)
    shell("users", "import", written(tmp_path, good), "--connection", STAFF, "--upsert")


def test_what_cannot_be_asked_for(shell: Shell, tmp_path: Path) -> None:
    file = written(tmp_path, [])
    for wrong, said in (
        ((file,), "name the connection"),
        ((), "name a file"),
        ((file, "--connection", "Nobody"), "there is no connection Nobody"),
        ((str(tmp_path / "none.json"), "--connection", STAFF), "No such file"),
        ((file, "--connection", STAFF, "--canary", "ann"), "nobody is there to say the password"),
    ):
        assert said in shell("users", "import", *wrong, code=2).err
    broken = tmp_path / "broken.json"
    broken.write_bytes(b'[{"email": "ann@example.com"}, {')
    assert "Nothing was imported" in shell("users", "import", str(broken), "--connection", STAFF, code=2).err
    assert shell("users", "list", "--json").items == []


@pytest.mark.timeout(180)
def test_left_with_control_c_and_gone_on_with(shell: Shell, tmp_path: Path) -> None:
    """More than the API takes at a time; and nobody else may write, so that it cannot be over when it is left."""
    rows = [{"email": f"p{number}@example.com", "name": "N" * 200, "password_hash": HASH} for number in range(PEOPLE)]
    file = written(tmp_path, rows)
    assert Path(file).stat().st_size > 512_000
    environment = os.environ | {f"KEYSTEAD_{name}": value for name, value in shell._here().items()}
    asked = [sys.executable, "-m", "keystead", "users", "import", file, "--connection", STAFF]
    with (
        subprocess.Popen(asked, env=environment, stderr=subprocess.PIPE, text=True) as running,
        closing(sqlite3.connect(shell.settings.database_url.reveal().removeprefix("sqlite:///"))) as database,
    ):
        job = held(database)
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        database.rollback()
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert f"--resume {job}" in said
    left = next(each for each in shell("jobs", "list", "--json").items if each["id"] == job)
    assert left["status"] in ("pending", "processing")
    done = shell("users", "import", "--resume", job, "--json").document
    assert done["summary"] == {"failed": 0, "updated": 0, "inserted": PEOPLE, "total": PEOPLE}


def held(database: sqlite3.Connection) -> str:
    """Wait until an import is under way, and hold it up; return its id."""
    for _ in range(12_000):
        database.execute("BEGIN IMMEDIATE")
        found = database.execute("SELECT id, finished_at FROM job WHERE type = 'users_import' AND tries > 0").fetchone()
        if found:
            assert found[1] is None, "it was over before it could be held up"
            return str(found[0])
        database.rollback()
        time.sleep(0.005)
    raise AssertionError("no import began")
