"""``keystead mds`` on the database."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from attestation import Maker, Service, entry
from authenticator import AAGUID
from conftest import Stencil
from program import rows, serving
from shell import Shell, Told

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other

MAKER, SERVICE = Maker(), Service()
NEXT = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
MODEL = "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start."""
    found = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The certificate that the service's blobs are signed below, as a file."""
    path = tmp_path / "root.pem"
    path.write_bytes(SERVICE.root.pem)
    return path


def blob(tmp_path: Path, *entries: object, **made: Any) -> Path:
    """Write a blob to a file."""
    path = tmp_path / "blob.jwt"
    path.write_bytes(SERVICE.blob(*entries, **{"next_update": NEXT} | made))
    return path


def run(data_dir: Path, *arguments: str | Path, code: int = 0) -> Told:
    return Shell.elsewhere("mds", *map(str, arguments), "--data-dir", str(data_dir), code=code)


def test_an_update_and_its_status(data_dir: Path, tmp_path: Path, root: Path) -> None:
    told = run(data_dir, "status")
    assert told.out.startswith("There is no metadata")
    assert json.loads(run(data_dir, "status", "--json").out) is None

    file = blob(tmp_path, entry(AAGUID, MAKER), {"aaid": "4e4e#4005"}, no=291)
    told = run(data_dir, "update", "--file", file, "--root", root)
    assert told.out.startswith("no. 291 is in use: 1 models, 1 entries of no use here.")
    assert told.err == ""

    found = json.loads(run(data_dir, "status", "--json").out)
    about = {"no", "next_update", "stale", "anchor", "updated_at", "unfinished", "models", "skipped"}
    assert set(found) == about
    assert (found["no"], found["next_update"], found["stale"], found["models"]) == (291, NEXT, False, 1)
    told = run(data_dir, "status")
    assert told.out == f"no. 291 since {found['updated_at'][:10]}: 1 models. The next is due on {NEXT}.\n"

    again = json.loads(run(data_dir, "update", "--file", file, "--root", root, "--json").out)
    assert {name: again[name] for name in ("no", "changed", "passkeys", "trust", "quarantined", "lifted")} == {
        "no": 291,
        **dict.fromkeys(("changed", "passkeys", "trust", "quarantined", "lifted"), 0),
    }


def test_what_is_refused_changes_nothing_and_says_so_in_a_line(data_dir: Path, tmp_path: Path, root: Path) -> None:
    run(data_dir, "update", "--file", blob(tmp_path, no=7), "--root", root)
    before = rows(data_dir)

    def refused(*arguments: str | Path) -> str:
        told = run(data_dir, "update", *arguments, code=2)
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert rows(data_dir) == before
        return told.err.removeprefix("keystead: ").strip()

    older = blob(tmp_path, no=6)
    assert refused("--file", older, "--root", root) == "The metadata in use is no. 7; this is no. 6. (conflict)"
    assert refused("--file", older).startswith("The FIDO metadata is refused: its certificates do not lead to the root")
    assert refused("--file", root, "--root", root).startswith("The FIDO metadata is refused: not a JWS")
    assert refused("--file", tmp_path / "nothing") == f"{tmp_path / 'nothing'}: No such file or directory"
    assert refused("--file", older, "--root", tmp_path).startswith(f"{tmp_path}: ")
    assert json.loads(run(data_dir, "update", "--file", older, "--root", root, "--force", "--json").out)["no"] == 6


def test_metadata_that_is_late_is_warned_of(data_dir: Path, tmp_path: Path, root: Path) -> None:
    told = run(data_dir, "update", "--file", blob(tmp_path, next_update="2024-01-01"), "--root", root)
    for warned in (told, run(data_dir, "status")):
        assert warned.out
        assert "2024-01-01" in warned.err
    assert json.loads(run(data_dir, "status", "--json").out)["stale"] is True


def test_without_an_installation_nothing_is_made(tmp_path: Path) -> None:
    for command in (("status",), ("update", "--file", blob(tmp_path))):
        nothing = run(tmp_path / "empty", *command, code=2)
        assert (nothing.out, nothing.err.count("\n")) == ("", 1)
        assert "keystead serve" in nothing.err
    assert not (tmp_path / "empty").exists()


def test_a_running_server_knows_at_once(data_dir: Path, tmp_path: Path, root: Path) -> None:
    with serving(data_dir, SECRET_KEYS="0" * 64) as server:
        first = json.loads((data_dir / "first-run.json").read_text())
        body = {"grant_type": "client_credentials", "audience": first["management_audience"]}
        answer = httpx.post(f"{server.url}/oauth/token", json=body | first["clients"]["management"])
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        shown = f"{server.url}/api/v2/keystead/authenticators/{MODEL}"
        assert httpx.get(shown, headers=headers).status_code == 404
        run(data_dir, "update", "--file", blob(tmp_path, entry(AAGUID, MAKER)), "--root", root)
        assert httpx.get(shown, headers=headers).json()["trust"] == "certified_L1"


def test_the_journal_names_the_command_line(data_dir: Path, tmp_path: Path, root: Path) -> None:
    run(data_dir, "update", "--file", blob(tmp_path, entry(AAGUID, MAKER), no=9), "--root", root)
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection:
        statement = "SELECT type, client_id, description, details FROM journal ORDER BY log_id DESC LIMIT 1"
        (kind, client, description, details) = connection.execute(statement).fetchone()
    assert (kind, client, description) == ("sapi", "cli", "Update the FIDO metadata")
    assert json.loads(details)["request"] == {"method": "PUT", "path": "/api/v2/keystead/fido-metadata"}
    assert json.loads(details)["no"] == 9
