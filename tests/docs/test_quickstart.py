"""The quickstart runs, block by block, in a real shell against a real server."""

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


@pytest.mark.skipif(shutil.which("curl") is None, reason="the quickstart uses curl")
def test_every_block_runs(server: str, tmp_path: Path) -> None:
    text = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) > 10
    script = "\n".join(("set -eu", *blocks)).replace("http://localhost:8000", server)
    script = script.replace("data/", f"{tmp_path}/data/").replace("scripts/authenticator", _authenticator())
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "button" in done.stdout
    assert '"email_verified":false' in done.stdout


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
