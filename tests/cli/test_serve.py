"""``keystead serve``: one command to a server, and one line where it cannot be."""

import asyncio
import json
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from authenticator import Authenticator
from program import Server, free_port, keystead, rows, serving
from world import PASSKEY_GRANT, PASSWORD

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other

MEMBERS = {
    "issuer": str,
    "public_url": str,
    "management_audience": str,
    "connection": {"id": str, "name": str},
    "clients": {"default": {"client_id": str}, "management": {"client_id": str, "client_secret": str}},
    "administrator_setup_url": str,
}
"""What ``first-run.json`` holds, for scripts: exactly this."""


def shape(value: object) -> object:
    return {name: shape(member) for name, member in value.items()} if isinstance(value, dict) else type(value)


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    else:
        yield str(value)


def test_from_nothing_to_a_login_and_again(tmp_path: Path) -> None:
    """The first start makes and tells; the second changes nothing."""
    data_dir = tmp_path / "data"
    with serving(data_dir) as server:
        first = json.loads((data_dir / "first-run.json").read_text())
        assert shape(first) == MEMBERS
        assert first["public_url"] == server.url
        assert first["issuer"] == f"{server.url}/"
        assert first["management_audience"] == f"{server.url}/api/v2/"
        assert first["administrator_setup_url"].startswith(f"{server.url}/u/setup?ticket=")
        assert first["connection"]["name"] == "Username-Password-Authentication"
        for told in (
            first["connection"]["name"],
            first["connection"]["id"],
            first["clients"]["default"]["client_id"],
            first["clients"]["management"]["client_id"],
            first["clients"]["management"]["client_secret"],
            first["administrator_setup_url"],
            f"Keystead is at {server.url}",
        ):
            assert told in server.output
        assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in data_dir.iterdir()} == {
            path.name: 0 for path in data_dir.iterdir()
        }
        assert stat.S_IMODE((data_dir / "first-run.json").stat().st_mode) == 0o600
        assert _discovered(server.url) == f"{server.url}/"
        assert _signup(server.url, first).status_code == 200
        assert _login(server.url, first).status_code == 200
        assert _management(server.url, first).status_code == 200
        _second_server_on_the_same_port(server)
        _told_to_stop_while_somebody_logs_in(server, first)
    before, made = rows(data_dir), (data_dir / "first-run.json").read_text()

    with serving(data_dir, port=server.port) as server:
        assert rows(data_dir) == before
        assert (data_dir / "first-run.json").read_text() == made.replace(first["public_url"], server.url)
        assert first["clients"]["management"]["client_secret"] not in server.output
        assert "first start" not in server.output
        assert _login(server.url, first).status_code == 200
        assert _management(server.url, first).status_code == 200


def _second_server_on_the_same_port(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    ended = keystead("serve", "--data-dir", server.log.parent / "data", "--port", port)
    assert ended.returncode != 0
    assert "is in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def _told_to_stop_while_somebody_logs_in(server: Server, first: dict[str, Any]) -> None:
    """The login goes well, and then the process ends by itself, well before anybody would kill it."""
    body = {"grant_type": "password", "client_id": first["clients"]["default"]["client_id"]}
    sent = json.dumps(body | {"username": "ann@example.com", "password": PASSWORD}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        lines = ("POST /oauth/token HTTP/1.1", "Host: localhost", "Connection: close", "Expect: 100-continue")
        head = "\r\n".join((*lines, "Content-Type: application/json", f"Content-Length: {len(sent)}", "", ""))
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # now the request is under way
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(sent)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in server.output


def _discovered(url: str, **more: Any) -> str:
    return str(httpx.get(f"{url}/.well-known/openid-configuration", **more).json()["issuer"])


def _signup(url: str, first: dict[str, Any], email: str = "ann@example.com") -> httpx.Response:
    body = {"client_id": first["clients"]["default"]["client_id"], "connection": first["connection"]["name"]}
    return httpx.post(f"{url}/dbconnections/signup", json=body | {"email": email, "password": PASSWORD})


def _login(url: str, first: dict[str, Any]) -> httpx.Response:
    body = {"grant_type": "password", "client_id": first["clients"]["default"]["client_id"]}
    return httpx.post(f"{url}/oauth/token", json=body | {"username": "ann@example.com", "password": PASSWORD})


def _management(url: str, first: dict[str, Any]) -> httpx.Response:
    body = {"grant_type": "client_credentials", "audience": first["management_audience"]}
    return httpx.post(f"{url}/oauth/token", json=body | first["clients"]["management"])


def test_behind_a_tls_proxy(tmp_path: Path) -> None:
    """The public URL alone decides issuer, links and cookies, whatever address the server itself listens on."""
    data_dir = tmp_path / "data"
    with serving(data_dir, PUBLIC_URL="https://localhost:8443/") as server:
        first = json.loads((data_dir / "first-run.json").read_text())
        assert first["issuer"] == "https://localhost:8443/"
        assert first["administrator_setup_url"].startswith("https://localhost:8443/u/setup?")
        assert "Keystead is at https://localhost:8443" in server.output
        assert _discovered(server.url, headers={"host": "evil.example"}) == "https://localhost:8443/"
        assert _signup(server.url, first).status_code == 200
        assert _login(server.url, first).status_code == 200
        client_id = first["clients"]["default"]["client_id"]
        asked = f"response_type=code&client_id={client_id}&redirect_uri=https://localhost:8443/"
        challenge = "code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        begun = httpx.get(f"{server.url}/authorize?{asked}&{challenge}")
        assert begun.status_code == 303
        assert begun.headers["set-cookie"].startswith("__Host-keystead-browser=")
        assert "max-age=31536000" in begun.headers["strict-transport-security"]


async def test_two_workers_on_one_file(tmp_path: Path) -> None:
    """Logins go well on both; a ceremony that one worker began is answered at any, once."""
    data_dir = tmp_path / "data"
    with serving(data_dir, "--workers", "2") as server:
        first = json.loads((data_dir / "first-run.json").read_text())
        client_id = first["clients"]["default"]["client_id"]
        people = ["ann@example.com", "bob@example.com"]  # nobody may log in more than 20 times in a minute
        assert {_signup(server.url, first, email).status_code for email in people} == {200}
        # No connection is used twice, so that the workers share the requests between them.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            body = {"grant_type": "password", "client_id": client_id, "password": PASSWORD}
            for _ in range(4):  # four of each at a time: at most ten of one person may be under way
                logins = [client.post("/oauth/token", json=body | {"username": each}) for each in people * 4]
                assert {answer.status_code for answer in await asyncio.gather(*logins)} == {200}
            signups = [_begun(client, client_id, f"p{number}@example.com", server.url) for number in range(4)]
            for answer in await asyncio.gather(*signups):
                answers = await asyncio.gather(*(client.post("/oauth/token", json=answer) for _ in range(10)))
                assert sorted(each.status_code for each in answers) == [200] + [403] * 9
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.output


async def _begun(client: httpx.AsyncClient, client_id: str, email: str, origin: str) -> dict[str, Any]:
    """Begin a sign-up with a passkey, and return the body that ends it."""
    asked = {"client_id": client_id, "user_profile": {"email": email}}
    begun = (await client.post("/passkey/register", json=asked)).json()
    response = Authenticator().create(begun["authn_params_public_key"], origin=origin)
    grant = {"grant_type": PASSKEY_GRANT, "client_id": client_id, "auth_session": begun["auth_session"]}
    return grant | {"authn_response": response}


@pytest.mark.parametrize(
    ("options", "settings", "told"),
    [
        ([], {"HASH_COST": "99"}, "KEYSTEAD_HASH_COST: "),
        (["--port", "70000"], {}, "KEYSTEAD_PORT: "),
        ([], {"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}, "refused"),
    ],
)
def test_a_wrong_setting_ends_with_one_line(
    tmp_path: Path, options: list[str], settings: dict[str, str], told: str
) -> None:
    settings = {"PORT": str(free_port())} | settings
    ended = keystead("serve", "--data-dir", tmp_path / "data", *options, **settings)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("keystead: ")
    assert told in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "hunter2" not in ended.stderr
    assert not (tmp_path / "data" / "first-run.json").exists()


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    ended = keystead("serve", "--data-dir", tmp_path / "data", PORT=str(free_port()))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("keystead: KEYSTEAD_DATA_DIR: ")
