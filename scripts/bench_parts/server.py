"""The server under test: started by its command, watched through ``/proc``, ended by its own id."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
PATIENCE = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    process: "subprocess.Popen[bytes]"
    port: int
    workers: int
    ready_after: float
    """Seconds from the start of the process to its first answer."""
    first_run: dict[str, Any]
    database_url: str

    @property
    def origin(self) -> str:
        """Its public URL."""
        return f"http://localhost:{self.port}"

    def worker_ids(self) -> list[int]:
        """Return the processes that serve: the only one, or the children of the one that watches them."""
        if self.workers == 1:
            return [self.process.pid]
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(each) for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]

    def memory(self) -> float:
        """Return the resident memory of the largest worker, in MB."""
        return max(_resident(each) for each in self.worker_ids())

    def processor_seconds(self) -> float:
        """Return the processor time that the workers have used so far."""
        return sum(_processor_seconds(each) for each in self.worker_ids())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Installation:
    """One data directory, one port, one database; started again and again."""

    directory: Path
    database_url: str | None = None
    port: int = field(default_factory=_free_port)

    @contextmanager
    def started(self, *, workers: int) -> Iterator[Server]:
        """Start ``keystead serve``, wait for its first answer, and end it afterwards."""
        command = [str(Path(sys.executable).with_name("keystead")), "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.directory / "data"), "--workers", str(workers)]
        with (self.directory / "log").open("ab") as log:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment()
            )
            try:
                self._wait(process)
                ready = time.perf_counter() - began
                first_run = json.loads((self.directory / "data/first-run.json").read_text(encoding="utf-8"))
                database_url = self.database_url or f"sqlite:///{self.directory / 'data/keystead.db'}"
                yield Server(process, self.port, workers, ready, first_run, database_url)
            finally:
                process.terminate()
                process.wait(PATIENCE)

    def _environment(self) -> dict[str, str]:
        """Return the environment of somebody who configured nothing.

        Compiled modules are kept here, so that the first start compiles them and the second does not, everywhere.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEYSTEAD_", "PYTHON"))}
        kept["PYTHONPYCACHEPREFIX"] = str(self.directory / "compiled")
        kept["KEYSTEAD_REQUEST_LIMITS"] = "off"  # the load is a flood from one address
        return kept | ({"KEYSTEAD_DATABASE_URL": self.database_url} if self.database_url else {})

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.perf_counter() + PATIENCE
        while not _answers(self.port):
            if process.poll() is not None or time.perf_counter() > deadline:
                tail = (self.directory / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise SystemExit(f"the server did not start:\n{tail}")
            time.sleep(0.005)


def _answers(port: int) -> bool:
    """Ask for the keys: an answer that needs the database too."""
    try:
        with socket.create_connection((HOST, port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return connection.recv(12).endswith(b"200")
    except OSError:
        return False


def _resident(process_id: int) -> float:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _processor_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
