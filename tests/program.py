"""``keystead`` as its users start it: a program of its own, with files, a port and signals."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

SECONDS = 100
"""How long anything may take before a test gives up; nothing is meant to."""


def keystead(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in an environment of these settings alone."""
    command = [sys.executable, "-m", "keystead", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(settings), timeout=SECONDS, check=False
    )


def typed(answer: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command for somebody at a terminal, who types an answer."""
    command = [sys.executable, "-m", "keystead", *map(str, arguments)]
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer.encode())
        return subprocess.run(
            command, stdin=theirs, capture_output=True, text=True, env=environment(), timeout=SECONDS, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)


@dataclass
class Server:
    """A server that is running."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def serving(data_dir: Path, *options: str, port: int = 0, **settings: str) -> Iterator[Server]:
    """Start ``keystead serve`` on a free port or the given one, and end it however the test ends."""
    port = port or free_port()
    log = data_dir.with_suffix(f".{time.monotonic_ns()}.log")
    command = [sys.executable, "-m", "keystead", "serve", "--port", str(port), "--data-dir", str(data_dir), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment(settings))
    server = Server(f"http://localhost:{port}", port, process, log)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        process.wait(SECONDS)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rows(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all that the SQLite database of an installation holds, by table."""
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}  # noqa: S608


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ours, without settings but these, and without the 80 columns that a parallel run says it has."""
    ours = ((name, value) for name, value in os.environ.items() if name != "COLUMNS")
    inherited = {name: value for name, value in ours if not name.startswith("KEYSTEAD_")}
    return inherited | {
        f"KEYSTEAD_{name}": value for name, value in ({"HASH_COST": "4"} | dict(settings or {})).items()
    }


def _wait(server: Server) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        assert server.process.poll() is None, server.output
        try:
            if httpx.get(f"{server.url}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(server.output)
