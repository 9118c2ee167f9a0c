"""Scripts in the shape of those that people bring along from Auth0: old drivers, old habits, callbacks; unchanged."""

import base64
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from custom_db.legacy import ANN, Legacy
from keystead.custom_db.runner import Children
from mariadb_server import PASSWORD, USER, MariaDbServer
from refilled import database_of, execute

SHAPES = Path(__file__).with_name("auth0_shapes")
FOUND = ("wrong_credentials", ANN)
"""They give the address where they could give an id."""


def shaped(runtime: Children, family: str, configuration: dict[str, str]) -> Legacy:
    """Return the scripts of a family."""
    sources = {path.stem.removeprefix(f"{family}_"): path.read_text() for path in SHAPES.glob(f"{family}_*.js")}
    return Legacy(runtime, family, "node", configuration, sources)  # type: ignore[arg-type]


async def test_postgresql(runtime: Children, postgres_url: str) -> None:
    """``pg.connect``, a number for an id, no nickname, an error for somebody who is there already."""
    name = f"shapes_{os.getpid()}"
    execute(postgres_url, f'CREATE DATABASE "{name}"')
    url = database_of(postgres_url, name)
    execute(url, "CREATE TABLE people (n serial PRIMARY KEY, nickname text, email text UNIQUE, password text)")
    legacy = shaped(runtime, "pg", {"ADDRESS": url})
    assert await legacy("create", {"email": ANN, "password": "a password"}) is True
    assert (await legacy.refused("create", {"email": ANN, "password": "a password"}))[0] == "error"
    assert await legacy("login", ANN, "a password") == {"user_id": 1, "nickname": None, "email": ANN}
    assert await legacy.refused("login", ANN, "wrong") == FOUND
    assert await legacy.refused("login", "bob@example.com", "wrong") == ("wrong_credentials", "bob@example.com")
    assert await legacy("delete", "1") is None
    assert await legacy.refused("login", ANN, "a password") == FOUND
    execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')
    assert (await legacy.refused("login", ANN, "a password"))[0] == "error"


async def test_mysql_that_never_closes_a_connection(runtime: Children, mariadb: MariaDbServer) -> None:
    """Call after call, more than the server or a process has connections; and an update that says it was none."""
    mariadb.execute("CREATE DATABASE legacy")
    columns = "n int AUTO_INCREMENT PRIMARY KEY, nickname text, email varchar(99) UNIQUE, password text"
    mariadb.execute(f"CREATE TABLE people ({columns}, email_verified bool)", "legacy")
    legacy = shaped(runtime, "mysql", {"PORT": str(mariadb.port), "USER": USER, "PASSWORD": PASSWORD})
    assert await legacy("create", {"email": ANN, "password": "a password"}) is None
    assert (await legacy.refused("create", {"email": ANN, "password": "a password"}))[0] == "error"
    for _ in range(60):
        assert await legacy("login", ANN, "a password") == {"user_id": "1", "nickname": None, "email": ANN}
    assert await legacy.refused("login", ANN, "wrong") == FOUND
    assert await legacy("verify", ANN) is False
    assert mariadb.execute("SELECT email_verified FROM people", "legacy") == [(1,)]
    mariadb.execute("DROP DATABASE legacy")


async def test_the_request_module(runtime: Children) -> None:
    """Basic authentication, and a callback without anything for whom the service does not know."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Somebody) as server:
        thread = threading.Thread(target=server.serve_forever, name="service")
        thread.start()
        legacy = shaped(runtime, "request", {"URL": f"http://127.0.0.1:{server.server_port}"})
        assert await legacy("login", ANN, "a password") == {"user_id": "17", "nickname": None, "email": ANN}
        assert await legacy("login", ANN, "wrong") is None
        server.shutdown()
        thread.join()
    assert (await legacy.refused("login", ANN, "a password"))[0] == "error"


class Somebody(BaseHTTPRequestHandler):
    """Knows one person."""

    def do_GET(self) -> None:
        """Say who asks."""
        right = self.headers["authorization"] == "Basic " + base64.b64encode(f"{ANN}:a password".encode()).decode()
        body = b'{"id": 17, "nick": null, "email": "ann@example.com"}' if right else b"Who are you?"
        self.send_response(200 if right else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


async def test_hash_schemes(runtime: Children) -> None:
    salt = bytes(range(16))
    derived = hashlib.pbkdf2_hmac("sha1", "Paßwort".encode(), salt, 1000, 32)
    older = hashlib.sha1(salt + "Paßwort".encode("utf-16-le")).digest()  # noqa: S324 - it is that
    values = {"SALT": salt, "OLDER": older, "LATER": b"\0" + salt + derived}
    configuration = {name: base64.b64encode(value).decode() for name, value in values.items()}
    legacy = shaped(runtime, "crypto", configuration)
    assert await legacy("login", ANN, "Paßwort") == {"user_id": 17, "email": ANN}
    assert await legacy.refused("login", ANN, "Passwort") == FOUND


@pytest.mark.parametrize(
    ("family", "configuration"),
    [
        ("mongodb", {"ADDRESS": "mongodb://127.0.0.9:9/?serverSelectionTimeoutMS=1000"}),
        ("tedious", {"SERVER": "127.0.0.9"}),
        ("bare", {}),
    ],
)
async def test_what_cannot_succeed_here_ends_as_an_error(
    runtime: Children, family: str, configuration: dict[str, str]
) -> None:
    """``require`` by name and version finds the module; there is no server that it could reach."""
    answer = await shaped(runtime, family, configuration).answer("login", ANN, "a password")
    assert answer.refusal is not None
    assert answer.refusal.kind == "error"
    assert "odule" not in answer.refusal.message
