"""A whole Keystead behind a socket, as a browser meets it; and what its administrator does through the API."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn

from authenticator import ES256, Authenticator, Credential
from keystead.app import create_app
from keystead.db.session import Database
from keystead.settings import Settings
from keystead.users.hashing import BcryptHasher
from world import PASSKEY_GRANT, PASSWORD

Json = dict[str, Any]


@dataclass
class Clock:
    """The real time, and as much more as a test has let pass."""

    passed: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def advance(self, **by: float) -> None:
        """Let time pass, by the arguments of ``timedelta``."""
        self.passed += timedelta(**by)


@dataclass
class Site:
    """A server that is running, and its administrator's script."""

    url: str
    first: Json
    clock: Clock
    http: httpx.Client
    """Speaks to the server directly, without whatever stands in front of it."""
    _token: list[str] = field(default_factory=list)

    @property
    def connection_id(self) -> str:
        """The id of the default connection."""
        return str(self.first["connection"]["id"])

    def manage(self, method: str, path: str, body: object = None) -> Any:
        """Call the Management API below ``/api/v2`` and return what it answers."""
        if not self._token:
            self._token.append(self._management_token())
        headers = {"authorization": f"Bearer {self._token[0]}"}
        answer = self.http.request(method, f"/api/v2{path}", headers=headers, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def patch_options(self, connection_id: str = "", **options: Any) -> None:
        """Set members of a connection's options (the default one's) and leave the others, whoever is stranded."""
        path = f"/connections/{connection_id or self.connection_id}"
        after = self.manage("GET", path)["options"] | options
        self.manage("PATCH", f"{path}?accept_stranded=1000", {"options": after})

    def has_account(self, email: str, password: str = PASSWORD) -> None:
        """See to it that somebody has an account, with a password and no passkey."""
        self.manage(
            "POST", "/users", {"connection": self.first["connection"]["name"], "email": email, "password": password}
        )

    def has_passkey(self, email: str) -> Credential:
        """See to it that somebody has an account with a passkey alone, and return the passkey to put on a device."""
        device = Authenticator(algorithms=(ES256,))
        client_id = self.first["clients"]["default"]["client_id"]
        asked = {"client_id": client_id, "user_profile": {"email": email}}
        begun = self.http.post("/passkey/register", json=asked).json()
        proof = {
            "grant_type": PASSKEY_GRANT,
            "client_id": client_id,
            "auth_session": begun["auth_session"],
            "authn_response": device.create(begun["authn_params_public_key"], origin=self.url),
        }
        answer = self.http.post("/oauth/token", json=proof)
        assert answer.status_code == 200, answer.text
        return device.credentials[0]

    def is_guessed_at(self, email: str) -> None:
        """Have a stranger try passwords for an address until they are refused."""
        client_id, number = self.first["clients"]["default"]["client_id"], 0
        body = {"grant_type": "password", "client_id": client_id, "username": email}
        while self.http.post("/oauth/token", json=body | {"password": f"guess {number}"}).status_code == 403:
            number += 1

    def account(self, email: str) -> Json:
        """Return the account with an address."""
        found = next(each for each in self.manage("GET", "/users") if each.get("email") == email)
        assert isinstance(found, dict)
        return found

    def passkeys(self, email: str) -> list[Json]:
        """Return the passkeys of the account with an address."""
        methods = self.manage("GET", f"/users/{self.account(email)['user_id']}/authentication-methods")
        return [each for each in methods if each["type"] == "passkey"]

    def delete_passkeys(self, email: str) -> None:
        """Delete the passkeys of the account with an address, as an administrator does."""
        user_id = self.account(email)["user_id"]
        for each in self.passkeys(email):
            self.manage("DELETE", f"/users/{user_id}/authentication-methods/{each['id']}")

    def _management_token(self) -> str:
        body = {
            "grant_type": "client_credentials",
            "audience": f"{self.url}/api/v2/",
            **self.first["clients"]["management"],
        }
        answer = self.http.post("/oauth/token", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


_PORTS: set[int] = set()


def listening() -> socket.socket:
    """Return a socket on a port that is free and was never used before: to a browser, ports are other sites."""
    bound = socket.create_server(("127.0.0.1", 0))
    if port_of(bound) in _PORTS:
        with bound:
            return listening()
    _PORTS.add(port_of(bound))
    return bound


def port_of(bound: socket.socket) -> int:
    """Return the port of a socket."""
    return int(bound.getsockname()[1])


@contextmanager
def serving(settings: Settings, first: Json, *, bound: socket.socket, public_url: str = "") -> Iterator[Site]:
    """Serve an installation in a thread of its own, at ``http://localhost`` and the socket's port or ``public_url``."""
    port = port_of(bound)
    url = public_url or f"http://localhost:{port}"
    settings = settings.model_copy(update={"public_url": url, "port": port})
    clock = Clock()
    db = Database(settings.database_url.reveal(), pool=settings.database_pool)
    hasher = BcryptHasher(settings.hash_cost, workers=settings.hash_workers, queue=settings.hash_queue)
    app = create_app(settings, clock=clock, db=db, hasher=hasher)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            log_level="critical",
            timeout_graceful_shutdown=2,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="site")
    thread.start()
    try:
        _wait_until_started(server, thread)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            yield Site(url, first, clock, http)
    finally:
        server.should_exit = True
        thread.join()
        hasher.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
