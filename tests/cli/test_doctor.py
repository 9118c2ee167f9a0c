"""``keystead doctor`` against a server that runs."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import Stencil
from program import SECONDS, Server, environment, free_port, keystead, serving

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def server(tmp_path: Path, sqlite_stencil: Stencil) -> Iterator[Server]:
    """A server of an installation after its first start."""
    data_dir = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, data_dir)
    with serving(data_dir) as started:
        yield started


@pytest.fixture
def made(server: Server, tmp_path: Path) -> dict[str, Any]:
    """What the first start made, under the URL that is served now."""
    found: dict[str, Any] = json.loads((tmp_path / "data" / "first-run.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def token(server: Server, made: dict[str, Any]) -> str:
    """A token for the Management API."""
    body = {
        "grant_type": "client_credentials",
        "audience": made["management_audience"],
        **made["clients"]["management"],
    }
    return str(httpx.post(f"{server.url}/oauth/token", json=body).json()["access_token"])


def options(url: str, made: dict[str, Any], *more: str) -> list[str]:
    client_id, connection = made["clients"]["default"]["client_id"], made["connection"]["name"]
    return ["doctor", "enumeration", "--url", url, "--client-id", client_id, "--connection", connection, *more]


def test_nobody_is_found_out(server: Server, made: dict[str, Any], token: str) -> None:
    done = keystead(*options(server.url, made, "--token", token, "--samples", "2", "--json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["profile"] == "standard"
    assert found["kinds"] == ["nobody", "password", "blocked", "unverified"]
    probes = {each["probe"]: each for each in found["probes"]}
    assert {"password grant", "login page, password", "reset page", "sign-up", "login page, locked"} <= set(probes)
    assert set(probes["password grant"]["medians"]) == set(found["kinds"])
    told = {name for name, each in probes.items() if each["apart"] == ["nobody"]}
    assert {"sign-up", "sign-up page"} <= told
    assert {"password grant", "login page, password", "reset page", "login page, locked"}.isdisjoint(told)
    assert token not in done.stdout + done.stderr
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.url}/api/v2/users", headers=headers).json() == []
    throttling = f"{server.url}/api/v2/attack-protection/suspicious-ip-throttling"
    assert httpx.get(throttling, headers=headers).json()["allowlist"] == [], "put back as it was"
    assert "limit of addresses" not in done.stderr


def test_it_is_shown_as_a_table(server: Server, made: dict[str, Any], token: str) -> None:
    done = keystead(*options(server.url, made, "--token", token, "--samples", "1"))
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("password grant ")]
    assert row.endswith("the same")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("sign-up  ")]
    assert row.endswith("the same, but for nobody: the profile standard tells")
    (line,) = [line for line in done.stderr.splitlines() if "passkey: not tried" in line]
    assert line.endswith("set authentication_methods.password.api_behavior: optional")


def test_whoever_ends_it_finds_all_as_before(server: Server, made: dict[str, Any], token: str) -> None:
    headers, api = {"authorization": f"Bearer {token}"}, f"{server.url}/api/v2"
    command = [sys.executable, "-m", "keystead", *options(server.url, made, "--token", token, "--samples", "20")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    until = time.monotonic() + SECONDS
    while len(httpx.get(f"{api}/users?per_page=100", headers=headers).json()) < 60 and time.monotonic() < until:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    time.sleep(0.5)  # the last of them is known to be there; then strangers come
    throttling = f"{api}/attack-protection/suspicious-ip-throttling"
    assert httpx.get(throttling, headers=headers).json()["allowlist"] != []
    for _ in range(2):  # as ``timeout`` does
        running.terminate()
    said, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 128 + signal.SIGTERM, said
    assert b"Traceback" not in said
    assert httpx.get(f"{api}/users", headers=headers).json() == []
    assert httpx.get(throttling, headers=headers).json()["allowlist"] == []


def test_what_an_administrator_can_put_right_is_one_line(server: Server, made: dict[str, Any]) -> None:
    refused = keystead(*options(server.url, made, "--token", "made up"))
    assert refused.returncode == 2
    assert refused.stderr.startswith("keystead: GET /clients/")
    assert "made up" not in refused.stderr
    port = free_port()
    gone = keystead(*options(f"http://localhost:{port}", made, "--token", "made up"))
    assert gone.returncode == 2
    assert gone.stderr.startswith(f"keystead: http://localhost:{port}")
    assert len(gone.stderr.splitlines()) == 1
