"""A MariaDB of the tests' own, in a directory of its own, that takes connections with and without TLS."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection

import pymysql
import pytest
import trustme

from program import SECONDS, free_port

USER, PASSWORD = "legacy", 'it\'s "the" \\password'
"""Of the account that scripts have; it may do everything in databases whose names begin with ``legacy``."""


@dataclass
class MariaDbServer:
    """A server on a free port of this machine."""

    directory: Path
    ca: trustme.CA
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers. Skips the test where there is no such program."""
        program, install = (_found(name) for name in ("mariadbd", "mariadb-install-db"))
        if program is None or install is None:
            missing = pytest.fail if os.environ.get("KEYSTEAD_TEST_REQUIRE_ALL") else pytest.skip
            missing("there is no mariadbd")
        data, socket = self.directory / "data", self.directory / "socket"
        options = ["--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
        made = [install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(made, check=True, capture_output=True, timeout=SECONDS)
        # Nothing in it outlives the run, so that nothing has to reach the disk.
        options += [f"--socket={socket}", f"--port={self.port}", "--bind-address=127.0.0.1", *self._certificate()]
        options += [
            "--skip-log-bin",
            "--max-connections=40",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M",
        ]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        until = time.monotonic() + SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.05)
        with self._root() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (USER, PASSWORD))
        self.execute(f"GRANT ALL ON `legacy%`.* TO '{USER}'@'%'")

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)
            self._process = None

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement as the server's root."""
        with self._root(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _root(self, database: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        socket = str(self.directory / "socket")
        return pymysql.connect(unix_socket=socket, user="root", database=database, autocommit=True)

    def _answers(self) -> bool:
        try:
            with create_connection(("127.0.0.1", self.port), SECONDS):
                return (self.directory / "socket").exists()
        except OSError:
            return False

    def _certificate(self) -> list[str]:
        issued = self.ca.issue_cert("localhost")
        chain, key = self.directory / "chain.pem", self.directory / "key.pem"
        issued.private_key_pem.write_to_path(str(key))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(chain), append=True)
        return [f"--ssl-cert={chain}", f"--ssl-key={key}"]


def _found(name: str) -> str | None:
    """Find a program, also where only administrators look."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
