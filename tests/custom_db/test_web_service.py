"""The template of a web service, in front of a real one that speaks HTTPS and asks for basic authentication."""

import base64
import json
import re
import shlex
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from conftest import Stencil
from custom_db.legacy import ANN, BOB, LANGUAGES, NAMES, ROOT, Legacy, calls
from keystead.custom_db.runner import Children
from shell import Shell

PAGE = (ROOT / "docs" / "custom-databases.md").read_text(encoding="utf-8")
CREDENTIALS = "Basic " + base64.b64encode("keystead:geheim:ß".encode()).decode()


class Service(ThreadingHTTPServer):
    """Keeps users in memory, behind the paths that the README of the template names."""

    daemon_threads = True

    def __init__(self, ca: trustme.CA) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.users: dict[str, dict[str, Any]] = {}
        self.answer: tuple[int, bytes, dict[str, str]] | None = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that do not trust us hang up."""

    def login(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Compare a password."""
        user = self.users.get(asked["identifier"])
        if user is None:
            return 404, None
        if user["password"] != asked["password"]:
            return 401, {"user_id": user["id"]}
        return 200, _shown(user)

    def get_user(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Find somebody by e-mail address or id."""
        by_id = {str(user["id"]): user for user in self.users.values()}
        user = (by_id if asked["type"] == "user_id" else self.users).get(asked["identifier"])
        return (200, _shown(user)) if user else (404, None)

    def create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Create somebody."""
        if asked["email"] in self.users:
            return 409, {"message": "Diese Adresse ist vergeben."}
        if asked["password"] == "password":
            return 422, {"code": "too_simple", "message": "That is everybody's password."}
        own = {"id": len(self.users) + 1, "email": asked["email"], "password": asked["password"], "verified": False}
        self.users[asked["email"]] = own
        return 201, {}

    def verify(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Note that an address is proved."""
        return self._change(asked["email"], verified=True)

    def change_password(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Replace a password."""
        return self._change(asked["email"], password=asked["password"])

    def change_email(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Replace an address."""
        if asked["new_email"] in self.users:
            return 409, None
        status, _ = self._change(asked["email"], email=asked["new_email"], verified=asked["verified"])
        if status == 204:
            self.users[asked["new_email"]] = self.users.pop(asked["email"])
        return status, None

    def delete(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Delete somebody."""
        left = {email: user for email, user in self.users.items() if str(user["id"]) != asked["user_id"]}
        gone, self.users = len(left) < len(self.users), left
        return (204, None) if gone else (404, None)

    def _change(self, email: str, /, **changed: Any) -> tuple[int, Any]:
        if email not in self.users:
            return 404, None
        self.users[email] |= changed
        return 204, None


def _shown(user: dict[str, Any]) -> dict[str, Any]:
    """A profile; its id is a number, as many services have it."""
    return {"user_id": user["id"], "email": user["email"], "email_verified": user["verified"]}


class Door(BaseHTTPRequestHandler):
    """Lets nobody in without the right credentials."""

    server: Service

    def do_POST(self) -> None:
        """Answer as the path says, or as the test does."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != CREDENTIALS:
            self._answer(403, b"", {})
        elif self.server.answer:
            self._answer(*self.server.answer)
        else:
            status, body = getattr(self.server, self.path.removeprefix("/v1/"))(asked)
            self._answer(status, b"" if body is None else json.dumps(body).encode(), {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service(ca: trustme.CA) -> Iterator[Service]:
    """A service at https://localhost."""
    with Service(ca) as opened:
        thread = threading.Thread(target=opened.serve_forever, name="service")
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@pytest.fixture(params=LANGUAGES)
def legacy(request: pytest.FixtureRequest, runtime: Children, service: Service, ca: trustme.CA) -> Legacy:
    """The template, configured for the service."""
    configuration = {
        "SERVICE_URL": f"https://localhost:{service.server_port}/v1/",
        "SERVICE_USER": "keystead",
        "SERVICE_PASSWORD": "geheim:ß",
        "SERVICE_CA": ca.cert_pem.bytes().decode(),
    }
    return Legacy(runtime, "web_service", request.param, configuration)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_example_of_the_page(
    installation: Stencil, service: Service, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/custom-databases.md, from nothing to a login, with this service in place of its own."""
    (values,), (commands,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("json", "sh"))
    options = json.loads(values)
    options["configuration"] |= {
        "SERVICE_URL": f"https://localhost:{service.server_port}/v1",
        "SERVICE_PASSWORD": "geheim:ß",
        "SERVICE_CA": ca.cert_pem.bytes().decode(),
    }
    monkeypatch.chdir(tmp_path)
    Path("legacy.json").write_text(json.dumps(options), encoding="utf-8")
    service.users[ANN] = {"id": 7, "email": ANN, "password": "first", "verified": True}
    shell, client_id = Shell(installation.settings), installation.document["clients"]["default"]["client_id"]
    said = {}
    for line in commands.replace("CLIENT_ID", client_id).splitlines():
        _, *arguments = shlex.split(line)
        said[" ".join(arguments[:2])] = shell(*arguments, input="first\n")
    assert "Let in" in said["scripts try"].out
    assert "the scripts hold the contract" in said["scripts test"].err
    assert "migrating" in said["scripts status"].out
    assert "people.not_moved" in said["scripts status"].out
    assert list(service.users) == [ANN], "who was made for the test is gone"
    assert all(f"[`{name}`]" in PAGE for name in NAMES)


async def test_a_life(legacy: Legacy, service: Service) -> None:
    assert await legacy("get_user", ANN) is None
    assert await legacy.refused("login", ANN, "first") == ("wrong_credentials", None)
    assert await legacy.refused("create", {"email": ANN, "password": "password"}) == ("validation", "too_simple")
    assert await legacy("create", {"email": ANN, "password": "first", "user_metadata": {"a": [1]}}) is None
    assert await legacy.refused("create", {"email": ANN, "password": "other"}) == ("validation", "user_exists")
    assert await legacy("login", ANN, "first") == {"user_id": "1", "email": ANN, "email_verified": False}
    assert await legacy.refused("login", ANN, "other") == ("wrong_credentials", "1")
    assert await legacy("verify", ANN) is True
    assert await legacy("verify", BOB) is False
    assert await legacy("change_password", ANN, "Zweites Paßwort") is True
    assert await legacy("change_password", BOB, "another") is False
    assert await legacy("login", ANN, "Zweites Paßwort") == {"user_id": "1", "email": ANN, "email_verified": True}
    assert (await legacy("get_user", "1", context={"identifierType": "user_id"}))["email"] == ANN
    await legacy("create", {"email": BOB, "password": "another"})
    assert await legacy.refused("change_email", ANN, BOB, True) == ("validation", "user_exists")
    assert await legacy("change_email", ANN, "anna@example.com", False) is True
    assert await legacy("change_email", ANN, "annie@example.com", False) is False
    assert await legacy("delete", "1") is None
    assert await legacy("delete", "1") is None
    assert list(service.users) == [BOB]


async def test_a_service_that_says_what_nobody_expects(legacy: Legacy, service: Service) -> None:
    """Each script ends as an error; nothing is followed to where the credentials do not belong."""
    service.users = {ANN: {"id": 1, "email": ANN, "password": "a password", "verified": True}}
    for answer in (
        (500, b"{}", {}),
        (302, b"", {"location": "https://localhost:9/elsewhere"}),
        (403, b"", {}),
    ):
        service.answer = answer
        for name, given in calls():
            assert (await legacy.refused(name, *given))[0] == "error"
    for body in (b"no JSON", b'{"email": "ann@example.com"}', b'"' + b"x" * 200_000 + b'"'):
        service.answer = (200, body, {})
        assert (await legacy.refused("get_user", ANN))[0] == "error"
    service.answer = (409, b"no JSON", {})
    assert await legacy.refused("create", {"email": ANN, "password": "x"}) == ("validation", "user_exists")


async def test_who_is_not_trusted_gets_nothing(legacy: Legacy, service: Service) -> None:
    """A certificate of nobody that is known, one for another name, and no encryption at all."""
    known = legacy.configuration
    for changed in (
        {"SERVICE_CA": ""},
        {"SERVICE_URL": known["SERVICE_URL"].replace("localhost", "127.0.0.1")},
        {"SERVICE_URL": known["SERVICE_URL"].replace("https", "http")},
        {"SERVICE_PASSWORD": "wrong"},
    ):
        other = Legacy(legacy.runtime, legacy.template, legacy.language, {**known, **changed})
        assert (await other.refused("get_user", ANN))[0] == "error", changed
