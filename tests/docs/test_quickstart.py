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

import httpx
import pytest

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


def _run(page: str, server: str, directory: Path, *, blocks: int) -> str:
    """Run a page as it stands, but for where the server and its data are; return what it printed."""
    found = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(found) > blocks
    script = "\n".join(("set -eu", *found)).replace("http://localhost:8000", server)
    script = script.replace("data/", f"{directory}/data/").replace("scripts/authenticator", _authenticator())
    command = ["bash", "-c", script]
    done = subprocess.run(command, check=False, cwd=directory, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


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
