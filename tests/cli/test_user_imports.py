"""``keystead users import``: rows out of a file, rehearsed, imported, gone on with."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import Stencil
from importing import HASH
from shell import Shell

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
STAFF = "Username-Password-Authentication"
PEOPLE = 20_000
"""Several transactions."""
IN_ARCHIVE = 1_000


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
    (job,) = shell("jobs", "list", "--type", "users_import", "--json").items
    assert (job["connection"], job["dry_run"], "run_at" in job) == (STAFF, True, False)
    assert shell("jobs", "show", job["id"], "--json").document == job
    assert ["summary.failed", "2"] in shell("jobs", "show", job["id"]).rows
    assert job["id"] in rehearsed.out
    heads, (row,) = shell("jobs", "list", "--type", "users_import").out.splitlines()[0], shell("jobs", "list").rows
    assert heads.split()[:5] == ["id", "type", "connection", "rehearsal", "status"]
    assert row[1:5] == ["users_import", STAFF, "yes", "completed"]

    stopped = shell(*asked, "--canary", "p0@example.com:shh", "--canary", "p1@example.com:no", code=1)
    assert any(row[:2] == ["p1@example.com", "no"] for row in stopped.rows)
    assert stopped.err.endswith("keystead: a canary would not get in, so nobody is imported\n")
    unread = shell("users", "import", "-", "--connection", STAFF, "--canary", "p0@example.com:shh", code=2)
    assert "standard input comes but once" in unread.err
    (tmp_path / "none.txt").write_text("\n \n")
    assert "names no canary" in shell(*asked, "--canaries", str(tmp_path / "none.txt"), code=2).err
    assert shell("users", "list", "--json").items == []

    done = shell(*asked, "--json", "--canary", "p0@example.com:shh", code=1).document
    assert done["summary"] == {"failed": 2, "updated": 0, "inserted": 3, "total": 5}
    assert [(each["user"], each["works"]) for each in done["canaries"]] == [("p0@example.com", True)]
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
    job, _ = left_in_the_middle(shell, "users_import", file, "--connection", STAFF)
    done = shell("users", "import", "--resume", job, "--json")
    assert "another process" not in done.err, "it waited for nobody"
    assert done.document["summary"] == {"failed": 0, "updated": 0, "inserted": PEOPLE, "total": PEOPLE}


@pytest.mark.timeout(180)
def test_an_archive_is_left_and_gone_on_with(shell: Shell, tmp_path: Path) -> None:
    rows = [{"email": f"p{number}@example.com", "password_hash": HASH} for number in range(IN_ARCHIVE)]
    shell("users", "import", written(tmp_path, rows), "--connection", STAFF)
    archive = str(tmp_path / "people.tar.gz")
    shell("users", "export", "--format", "archive", "--output", archive)
    with closing(opened(shell)) as database, database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM account WHERE email LIKE 'p%@example.com'")
    job, _ = left_in_the_middle(shell, "users_archive_import", archive, "--yes")
    for _ in range(2):  # the second time it is over, and says the same
        done = shell("users", "import", "--resume", job)
        assert f"{IN_ARCHIVE} of {IN_ARCHIVE} users are put back" in done.out
        assert "another process" not in done.err
    again = shell("users", "import", "--resume", job, "--json").document
    assert again["summary"] == {"failed": 0, "updated": 0, "inserted": IN_ARCHIVE, "total": IN_ARCHIVE}


def test_whoever_goes_on_is_told_what_is_waited_for(shell: Shell, tmp_path: Path) -> None:
    """Another process has the job, or had it when it was killed."""
    shell("users", "export", "--format", "archive", "--output", str(tmp_path / "people.tar.gz"))
    shell("users", "import", str(tmp_path / "people.tar.gz"), "--yes")
    job = next(each["id"] for each in shell("jobs", "list", "--type", "users_archive_import", "--json").items)
    with closing(opened(shell)) as database, database:
        soon = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%d %H:%M:%S.%f")
        database.execute(
            "UPDATE job SET status = 'processing', finished_at = NULL, run_at = ? WHERE id = ?", (soon, job)
        )
    told = shell("users", "import", "--resume", job, code=2)  # its file is gone since it was over
    assert (
        f"{job} is under way in another process; if that process is gone, it goes on here within 2 minutes" in told.err
    )
    export = next(each["id"] for each in shell("jobs", "list", "--type", "users_archive", "--json").items)
    assert "is no import" in shell("users", "import", "--resume", export, code=2).err


def test_left_while_its_file_is_read(shell: Shell, tmp_path: Path) -> None:
    rows = [{"email": f"p{number}@example.com", "name": "N" * 200} for number in range(PEOPLE)]
    file = written(tmp_path, rows)
    with started(shell, file, "--connection", STAFF) as running, closing(opened(shell)) as database:
        held(database, "users_import", tries=0)
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        database.rollback()
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "nothing was done" in said
    assert shell("jobs", "list", "--type", "users_import", "--json").items == []


def started(shell: Shell, *asked: str) -> subprocess.Popen[str]:
    """Begin an import in a process of its own."""
    environment = os.environ | {f"KEYSTEAD_{name}": value for name, value in shell._here().items()}
    command = [sys.executable, "-m", "keystead", "users", "import", *asked]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def opened(shell: Shell) -> sqlite3.Connection:
    """Open the database beside everybody else."""
    return sqlite3.connect(shell.settings.database_url.reveal().removeprefix("sqlite:///"), timeout=30)


def left_in_the_middle(shell: Shell, type: str, *asked: str) -> tuple[str, str]:
    """Begin an import, leave it with Ctrl-C, and return its id and what was said: the job is free at once."""
    with started(shell, *asked) as running, closing(opened(shell)) as database:
        job = held(database, type)
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        database.rollback()
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert f"{job} is not over" in said
    assert f"--resume {job}" in said
    left = shell("jobs", "show", job, "--json").document
    assert left["status"] == "pending"
    assert left["run_at"] <= datetime.now(UTC).isoformat(), "whoever goes on waits for no lease"
    return job, said


def held(database: sqlite3.Connection, type: str, *, tries: int = 1) -> str:
    """Wait until an import is under way, or its file with no tries, and hold it up; return its id."""
    wanted = "SELECT id, finished_at FROM job WHERE (type = ? OR type LIKE ? || ':%') AND tries >= ?"
    for _ in range(12_000):
        database.execute("BEGIN IMMEDIATE")
        found = database.execute(wanted, (type, type, tries)).fetchone()
        if found:
            assert found[1] is None, "it was over before it could be held up"
            return str(found[0])
        database.rollback()
        time.sleep(0.005)
    raise AssertionError("no import began")
