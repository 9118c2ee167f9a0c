"""``keystead why`` on the database of a server that runs."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from conftest import Stencil
from program import Server, rows, serving
from shell import Shell, Told

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other

ANN = "ann@example.com"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start."""
    found = tmp_path_factory.mktemp("why") / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    (found / "secret-keys").write_text("0" * 64)
    (found / "secret-keys").chmod(0o600)
    return found


@dataclass
class Refused:
    """A server, and what somebody was told there."""

    data_dir: Path
    wrong: str
    locked: str


@pytest.fixture(scope="module")
def refused(data_dir: Path) -> Iterator[Refused]:
    """Ann, whose password somebody guesses at ten times and once more."""
    first = json.loads((data_dir / "first-run.json").read_text())
    client_id = first["clients"]["default"]["client_id"]
    with serving(data_dir) as server:
        signup = {"client_id": client_id, "connection": first["connection"]["name"], "email": ANN}
        answer = httpx.post(f"{server.url}/dbconnections/signup", json=signup | {"password": "correct horse battery"})
        assert answer.status_code == 200, answer.text
        ids = [_guess(server, client_id, f"wrong {number}") for number in range(11)]
        yield Refused(data_dir, ids[0], ids[-1])


def _guess(server: Server, client_id: str, password: str) -> str:
    body = {"grant_type": "password", "client_id": client_id, "username": ANN, "password": password}
    headers = {"user-agent": "Mozilla\tStranger"}
    return httpx.post(f"{server.url}/oauth/token", json=body, headers=headers).headers["keystead-decision"]


def why(refused: Refused, wanted: str, *options: str, code: int = 0) -> Told:
    return Shell.elsewhere("why", wanted, *options, "--data-dir", str(refused.data_dir), code=code)


def kept(refused: Refused) -> list[list[tuple[object, ...]]]:
    """Return what asking must not change; mail is on its way meanwhile."""
    found = rows(refused.data_dir)
    return [found[name] for name in ("decision", "account")]


def test_a_decision_for_people(refused: Refused) -> None:
    before = kept(refused)
    told = why(refused, refused.locked)
    assert told.err == ""
    lines = {line[:10].strip(): line[10:] for line in told.out.splitlines()}
    assert lines["refused"].endswith(refused.locked)
    assert lines["who"] == f"email:{ANN}"
    assert lines["where"].startswith("/oauth/token of ")
    assert lines["from"] == "127.0.0.1, Mozilla?Stranger", "nothing that a client sends reaches the terminal as it is"
    assert lines["rule"].startswith("brute_force: Too many wrong passwords")
    assert lines["count"].startswith("10 of 10 are spent now, charged last at ")
    assert lines["until"].endswith(" UTC")
    assert "/api/v2/user-blocks" in lines["lifted by"]
    listed = f"keystead users list --connection Username-Password-Authentication --search 'email:\"{ANN}\"'"
    assert lines["here by"] == f"keystead users unblock ID, which {listed} has"
    assert lines["journal"] == "limit_wc"
    assert kept(refused) == before, "to ask changes nothing"


def test_a_decision_for_programs(refused: Refused) -> None:
    (found,) = json.loads(why(refused, refused.wrong, "--json").out)
    assert (found["id"], found["rule"], found["identifier"]) == (refused.wrong, "wrong_password", f"email:{ANN}")
    assert [event["type"] for event in found["events"]] == ["fp"]


@pytest.mark.parametrize("spelling", [ANN, "Ann@Example.com", "the id"])
def test_by_whom_it_is_about(refused: Refused, spelling: str) -> None:
    user_id = json.loads(why(refused, refused.wrong, "--json").out)[0]["user_id"]
    found = json.loads(why(refused, user_id if spelling == "the id" else spelling, "--json").out)
    assert [each["rule"] for each in found] == ["brute_force", *["wrong_password"] * 10], "the newest first"
    assert [found[0]["id"], found[-1]["id"]] == [refused.locked, refused.wrong]
    blocks = why(refused, ANN).out.split("\n\n")
    assert len(blocks) == 11


@pytest.mark.parametrize("unknown", ["dec_nothing", "stranger@example.com", "auth0|nobody", "\x1b[2J", ""])
def test_nothing_is_known(refused: Refused, unknown: str) -> None:
    told = why(refused, unknown, code=1)
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert json.loads(why(refused, unknown, "--json", code=1).out) == []


def test_where_nothing_is_installed(tmp_path: Path) -> None:
    told = Shell.elsewhere("why", ANN, "--data-dir", str(tmp_path / "empty"), code=2)
    assert told.out == ""
    assert "keystead serve" in told.err
    assert not (tmp_path / "empty").exists()
