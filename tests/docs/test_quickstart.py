"""The pages with shell blocks run, block by block, in a real shell against a real server."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.errors import InvalidClaimError

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """``keystead serve`` as a user would start it, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "keystead", "serve", "--port", str(port), "--data-dir", str(tmp_path / "data")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"KEYSTEAD_HASH_COST": "4"})
    url = f"http://localhost:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
def test_every_block_of_the_quickstart_runs(server: str, tmp_path: Path) -> None:
    before = _left(server, tmp_path)
    printed = _run("quickstart.md", server, tmp_path, blocks=10)
    assert "button" in printed
    assert '"email_verified":false' in printed
    assert f"303 {server}/u/login?state=" in printed
    assert before == _left(server, tmp_path), "the page leaves everything as it found it, so that it can be run again"
    assert (tmp_path / "data/passkeys.json").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
def test_every_block_about_clients_runs(server: str, tmp_path: Path) -> None:
    printed = _run("clients.md", server, tmp_path, blocks=10)
    assert f"303 {server}/u/login?state=" in printed
    assert "303 http://127.0.0.1:9999/bye" in printed
    assert '"credential_device_type"' in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
def test_the_block_about_sessions_runs(server: str, tmp_path: Path) -> None:
    first = _blocks("clients.md")[0]  # the page names it
    printed = _run("sessions.md", server, tmp_path, blocks=0, first=first)
    assert '"session_lifetime":12,' in printed
    assert '"idle_session_lifetime":0.5,' in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")
def test_the_preview_answers_what_the_page_says(server: str, tmp_path: Path) -> None:
    bob = next(block for block in _blocks("quickstart.md") if "/passkey/register" in block)
    first = "\n".join((_blocks("clients.md")[0], bob))  # the page names both
    _, report, refusal, saved = _documents(_run("connections.md", server, tmp_path, blocks=1, first=first))
    examples = re.findall(r"^```json\n(.*?)^```$", _page("connections.md"), re.DOTALL | re.MULTILINE)
    told = json.loads(next(each for each in examples if "by_reason" in each))
    (shown,), (somebody,) = report.pop("examples"), told.pop("examples")
    assert report == told
    assert refusal["report"] == told | {"examples": [shown]}
    for each in (shown, somebody):  # whoever it is
        assert each.pop("user_id").startswith("auth0|")
        assert each["passkeys"][0].pop("id").startswith("passkey|dev_")
    assert shown == somebody
    assert saved["options"]["passkey_policy"] == {"backup": "device_bound_only"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
def test_tokens_are_checked_as_the_page_says(server: str, tmp_path: Path, algorithm: str) -> None:
    program = re.findall(r"^```python\n(.*?)^```$", _page("tokens.md"), re.DOTALL | re.MULTILINE)[0]
    program = program.replace("https://login.example.com/", f"{server}/").replace('"ES256"', f'"{algorithm}"')
    checker: dict[str, Any] = {}
    exec(program, checker)  # noqa: S102 - it is what people copy from the page
    ours = _token(server, tmp_path, checker["API"], algorithm)
    keys = checker["published"]()
    assert checker["claims_of"](ours, keys)["scope"] == "read:books"
    checker["API"] = "https://films.example.com"
    with pytest.raises(InvalidClaimError):
        checker["claims_of"](ours, keys)


def _token(server: str, directory: Path, audience: str, algorithm: str) -> str:
    """Return a token of the management client for a new API of that algorithm."""
    made = json.loads((directory / "data/first-run.json").read_text(encoding="utf-8"))
    client = made["clients"]["management"]
    asked = client | {"grant_type": "client_credentials"}
    token = httpx.post(f"{server}/oauth/token", data=asked | {"audience": made["management_audience"]}).json()
    api = {"identifier": audience, "signing_alg": algorithm, "scopes": [{"value": "read:books"}]}
    grant = {"client_id": client["client_id"], "audience": audience, "scope": ["read:books"]}
    for path, body in (("resource-servers", api), ("client-grants", grant)):
        headers = {"authorization": f"Bearer {token['access_token']}"}
        httpx.post(f"{server}/api/v2/{path}", json=body, headers=headers).raise_for_status()
    found = httpx.post(f"{server}/oauth/token", data=asked | {"audience": audience}).raise_for_status().json()
    return str(found["access_token"])


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _blocks(page: str) -> list[str]:
    """Return the blocks of a page that run."""
    return BLOCK.findall(_page(page))


def _run(page: str, server: str, directory: Path, *, blocks: int, first: str = "") -> str:
    """Run a page as it stands, but for where the server and its data are; return what it printed."""
    found = [first, *_blocks(page)]
    assert len(found) - 1 > blocks
    script = "\n".join(("set -eu", *found)).replace("http://localhost:8000", server)
    script = script.replace("data/", f"{directory}/data/").replace("scripts/authenticator", _authenticator())
    command = ["bash", "-c", script]
    done = subprocess.run(command, check=False, cwd=directory, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _documents(printed: str) -> list[Any]:
    """Return the JSON documents that were printed one after the other."""
    found, rest = [], printed.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def _left(server: str, directory: Path) -> list[object]:
    """Return the connections, clients and users, asked of the server by a program of its own."""
    made = json.loads((directory / "data/first-run.json").read_text(encoding="utf-8"))
    asked = made["clients"]["management"] | {
        "grant_type": "client_credentials",
        "audience": made["management_audience"],
    }
    token = httpx.post(f"{server}/oauth/token", data=asked).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    names = ("connections", "clients", "users")
    return [httpx.get(f"{server}/api/v2/{name}", headers=headers).raise_for_status().json() for name in names]


def _authenticator() -> str:
    """Return the command of the software authenticator in this environment, which its script would set up."""
    return f"'{sys.executable}' '{ROOT}/scripts/authenticator.py'"


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        try:
            if httpx.get(f"{url}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)
    pytest.fail("the server did not answer")
