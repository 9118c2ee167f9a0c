"""The vocabulary of the tests: a whole Keystead in the process, and what people and programs do with it over HTTP."""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import func, select
from sqlmodel import Session
from starlette.applications import Starlette

from authenticator import Authenticator
from contract import Contract
from keystead import worker
from keystead.app import create_app
from keystead.db import tables
from keystead.db.session import Database
from keystead.ports import Attempts, Verdict
from keystead.rules.messages import Letter
from keystead.secrecy import Secret
from keystead.settings import Settings, load, with_keys
from keystead.users.hashing import BcryptHasher
from promises import Promises, description

PUBLIC_URL = "http://localhost:8000"
PASSWORD = "correct horse battery"
PASSKEY_GRANT = "urn:okta:params:oauth:grant-type:webauthn"
REALM_GRANT = "http://auth0.com/oauth/grant-type/password-realm"

EXCHANGES = ("sepft", "seacft", "feacft", "sertft", "fertft", "seccft", "feccft")
"""Entries of what clients exchange for tokens."""

PROMISES = Promises(description(PUBLIC_URL))
"""Whatever a test asks for, the answer is one that ``/openapi.json`` describes."""

CONTRACT = Contract()
"""And one that Auth0's clients know, or that differs on purpose."""

HOOKS = {"response": [PROMISES.keep, CONTRACT.keep]}


def test_settings(data_dir: Path, **overrides: object) -> Settings:
    """Return settings for a test: bcrypt at its cheapest, everything else as a user would have it."""
    given = {"log_stream_hosts": "localhost"} | overrides  # where the receivers of the tests are
    settings = load(data_dir=data_dir, public_url=PUBLIC_URL, hash_cost=4, hash_workers=2, **given)
    return with_keys(settings, lambda: "0" * 64)


test_settings.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@dataclass
class Clock:
    """A clock that stands until it is moved, or moves by a ``step`` whenever it is read."""

    now: datetime = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    step: timedelta = timedelta()

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now

    def advance(self, **by: float) -> None:
        """Move on, by the arguments of ``timedelta``."""
        self.now += timedelta(**by)


@dataclass
class CountingEntropy:
    """Randomness that counts, so that a failure reproduces. Never repeats itself."""

    seed: str = ""
    drawn: int = 0

    def bytes(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            self.drawn += 1
            found += hashlib.sha256(f"entropy {self.seed} {self.drawn}".encode()).digest()
        return found[:size]

    def token(self, size: int = 32) -> str:
        return base64.urlsafe_b64encode(self.bytes(size)).rstrip(b"=").decode()

    def id(self, prefix: str, length: int = 16) -> str:
        return prefix + self.bytes(length).hex()[:length]


@dataclass
class CountingHasher:
    """bcrypt itself, counting what it is asked."""

    inner: BcryptHasher
    hashed: int = 0
    verified: int = 0

    async def hash(self, password: bytes) -> str:
        self.hashed += 1
        return await self.inner.hash(password)

    async def verify(self, password: bytes | None, stored: str | None, *, typed: Secret[str] | None = None) -> Verdict:
        self.verified += 1
        return await self.inner.verify(password, stored, typed=typed)


@dataclass
class World:
    """Keystead, and who uses it."""

    settings: Settings
    first: dict[str, Any]
    db: Database
    clock: Clock
    hasher: CountingHasher
    client: httpx.AsyncClient
    app: Starlette
    _tokens: dict[str, str] = field(default_factory=dict)
    _guesses: Iterator[int] = field(default_factory=itertools.count)

    @property
    def attempts(self) -> Attempts:
        """The counters of tries."""
        found: Attempts = self.app.state.flows.management.blocks.attempts
        return found

    @property
    def client_id(self) -> str:
        """The default client: public, with every grant of a person."""
        return str(self.first["clients"]["default"]["client_id"])

    @property
    def connection(self) -> str:
        """The name of the default connection."""
        return str(self.first["connection"]["name"])

    @property
    def connection_id(self) -> str:
        """The id of the default connection."""
        return str(self.first["connection"]["id"])

    def at(self, address: str) -> "World":
        """Return the same Keystead, as somebody at another address reaches it."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 4711))
        client = httpx.AsyncClient(transport=transport, base_url=self.settings.public_url, event_hooks=HOOKS)
        return replace(self, client=client)

    # --- people --------------------------------------------------------------------------------------------------

    async def signup(
        self, email: str = "ann@example.com", password: str | None = PASSWORD, **more: Any
    ) -> httpx.Response:
        """Sign up by API."""
        body = {"client_id": self.client_id, "connection": self.connection, "email": email, "password": password}
        return await self.client.post("/dbconnections/signup", json=body | more)

    async def login(self, username: str = "ann@example.com", password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Log in by API, with the password grant."""
        body = {"grant_type": "password", "client_id": self.client_id, "username": username, "password": password}
        return await self.client.post("/oauth/token", json=body | {"scope": "openid profile email"} | more)

    async def guess(self, username: str = "ann@example.com", **more: Any) -> httpx.Response:
        """Guess at a password, at another one each time: the same again would be no guess, and cost little."""
        return await self.login(username, self.wrong_password(), **more)

    def wrong_password(self) -> str:
        """Return a wrong password that nobody tried before."""
        return f"wrong {next(self._guesses)}"

    async def begin_register(self, email: str = "ann@example.com", **more: Any) -> httpx.Response:
        """Ask for the options of a sign-up with a passkey."""
        body = {"client_id": self.client_id, "user_profile": {"email": email}}
        return await self.client.post("/passkey/register", json=body | more)

    async def begin_challenge(self, **more: Any) -> httpx.Response:
        """Ask for a login challenge."""
        return await self.client.post("/passkey/challenge", json={"client_id": self.client_id} | more)

    async def exchange(self, auth_session: str, response: object, **more: Any) -> httpx.Response:
        """Answer a ceremony at the token endpoint."""
        body = {
            "grant_type": PASSKEY_GRANT,
            "client_id": self.client_id,
            "auth_session": auth_session,
            "authn_response": response,
            "scope": "openid profile email",
        }
        return await self.client.post("/oauth/token", json=body | more)

    async def register(self, authenticator: Authenticator, email: str = "ann@example.com") -> dict[str, Any]:
        """Sign up with a passkey, and return the token answer."""
        begun = (await self.begin_register(email)).json()
        response = authenticator.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
        answer = await self.exchange(begun["auth_session"], response)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def person(self, email: str = "ann@example.com", password: str | None = PASSWORD) -> str:
        """Sign somebody up, and return the user id."""
        answer = await self.signup(email, password)
        assert answer.status_code == 200, answer.text
        return f"auth0|{answer.json()['_id']}"

    async def tokens(self, username: str = "ann@example.com", password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        """Log in, and return the token answer."""
        answer = await self.login(username, password, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, grant_type: str, *, auth: tuple[str, str] | None = None, **body: Any) -> httpx.Response:
        """Ask the token endpoint, as the default client where no other is named."""
        who = {} if auth else {"client_id": self.client_id}
        headers = {"authorization": basic(*auth)} if auth else {}
        return await self.client.post("/oauth/token", json={"grant_type": grant_type} | who | body, headers=headers)

    async def userinfo(self, access_token: str) -> httpx.Response:
        """Ask who the token is about."""
        return await self.client.get("/userinfo", headers={"authorization": f"Bearer {access_token}"})

    async def passkey_login(self, authenticator: Authenticator, **more: Any) -> httpx.Response:
        """Log in with a passkey, and return the answer."""
        begun = (await self.begin_challenge()).json()
        response = authenticator.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
        return await self.exchange(begun["auth_session"], response, **more)

    # --- administrators ------------------------------------------------------------------------------------------

    async def management_token(self, scope: str | None = None) -> str:
        """Return a token of the machine-to-machine client, with all its scopes or the given ones."""
        wanted = scope or ""
        if wanted not in self._tokens:
            client = self.first["clients"]["management"]
            body = {"grant_type": "client_credentials", "audience": self.first["management_audience"], **client}
            answer = await self.client.post("/oauth/token", json=body | ({"scope": scope} if scope else {}))
            assert answer.status_code == 200, answer.text
            self._tokens[wanted] = answer.json()["access_token"]
        return self._tokens[wanted]

    def forget_tokens(self) -> None:
        """Have the next call ask for a token anew."""
        self._tokens.clear()

    async def manage(
        self, method: str, path: str, body: object = None, *, scope: str | None = None, **more: Any
    ) -> httpx.Response:
        """Call the Management API; ``path`` is below ``/api/v2``."""
        headers = {"authorization": f"Bearer {await self.management_token(scope)}"}
        content: dict[str, Any] = {"json": body} if body is not None else {}
        return await self.client.request(method, f"/api/v2{path}", headers=headers, **content, **more)

    async def patch_options(self, **options: Any) -> httpx.Response:
        """Set members of the default connection's options and leave the others as they are, whoever is stranded."""
        path = f"/connections/{self.connection_id}"
        current = (await self.manage("GET", path)).json()["options"]
        return await self.manage("PATCH", f"{path}?accept_stranded=1000", {"options": current | options})

    async def new_client(self, name: str = "Another App", **settings: Any) -> dict[str, Any]:
        """Make a client, and return it with its secret."""
        answer = await self.manage("POST", "/clients", {"name": name} | settings)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def patch_client(self, client_id: str, **settings: Any) -> None:
        """Change a client."""
        answer = await self.manage("PATCH", f"/clients/{client_id}", settings)
        assert answer.status_code == 200, answer.text

    async def new_connection(self, name: str = "Second", *, clients: Sequence[str] = (), **options: Any) -> str:
        """Make a connection for the default client, or for others, and return its id."""
        body = {
            "name": name,
            "strategy": "auth0",
            "options": options,
            "enabled_clients": list(clients or [self.client_id]),
        }
        answer = await self.manage("POST", "/connections", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def block(self, user_id: str, blocked: bool = True) -> None:
        """Block an account, or lift the block."""
        answer = await self.manage("PATCH", f"/users/{quote(user_id)}", {"blocked": blocked})
        assert answer.status_code == 200, answer.text

    async def delete_user(self, user_id: str) -> None:
        """Delete an account."""
        assert (await self.manage("DELETE", f"/users/{quote(user_id)}")).status_code == 204

    # --- messages --------------------------------------------------------------------------------------------------

    async def letters(self) -> list[Letter]:
        """Deliver what is due, and return what people were sent: the newest first."""
        post, unblocking = self.app.state.flows.post, self.app.state.flows.unblocking
        for handler in (unblocking, post):  # what is due of the first asks for letters
            await worker.deliver_due(self.db, handler, self.clock)
        return [each.letter for each in await post.outbox()]

    async def link(self, to: str = "ann@example.com", page: str = "/") -> str:
        """Return the link in the newest message to somebody, or to some page, as a path."""
        wanted = PUBLIC_URL + page
        text = next(letter.text for letter in await self.letters() if letter.to == to and wanted in letter.text)
        return re.search(re.escape(PUBLIC_URL) + rf"({re.escape(page)}\S*)", text)[1]  # type: ignore[index]

    async def code(self, to: str = "ann@example.com") -> str:
        """Return the code in the newest message to somebody that has one."""
        found = (re.search(r"\b([0-9]{6})\b", letter.text) for letter in await self.letters() if letter.to == to)
        return next(code[1] for code in found if code)

    # --- what only the database knows ------------------------------------------------------------------------------

    async def count(self, table: type[Any]) -> int:
        """Return how many rows a table has."""
        return await self.db.read(
            lambda session: session.connection().execute(select(func.count()).select_from(table)).scalar_one()
        )

    async def open_sessions(self) -> int:
        """Return how many login sessions have not been ended; the row of one that was stays for a while."""
        return len([row for row in await self.rows(tables.LoginSession) if row["ended_at"] is None])

    async def counts(self) -> dict[str, int]:
        """Return the rows of everything that a refused attempt must not leave behind."""
        names = (
            "Account",
            "AccountIdentifier",
            "Passkey",
            "CeremonyRow",
            "RefreshToken",
            "LoginSession",
            "AuthorizationCode",
        )
        return {name: await self.count(getattr(tables, name)) for name in names}

    async def journal(self, user_id: str | None = None, *, exchanges: bool = False) -> Sequence[str]:
        """Return the types of the journal's entries, in order, but for what every test does by the way: exchanges."""
        found = [row["type"] for row in await self.rows(tables.JournalRow) if user_id in (None, row["user_id"])]
        return [each for each in found if exchanges or each not in EXCHANGES]

    async def rows(self, table: type[Any]) -> list[dict[str, Any]]:
        """Return every row of a table; the journal's in order."""
        order = [column for column in (getattr(table, "log_id", None),) if column is not None]

        def work(session: Session) -> list[dict[str, Any]]:
            columns = table.__table__.columns
            return [dict(row._mapping) for row in session.connection().execute(select(columns).order_by(*order))]

        return await self.db.read(work)

    async def last_entry(self) -> dict[str, Any]:
        """Return the newest entry of the journal, likewise."""
        return [row for row in await self.rows(tables.JournalRow) if row["type"] not in EXCHANGES][-1]


@asynccontextmanager
async def open_world(
    settings: Settings, first: dict[str, Any], *, db: Database | None = None, seed: str = "", **client: Any
) -> AsyncIterator[World]:
    """Build a Keystead on an installation, and close it afterwards. A second one there needs another ``seed``."""
    clock, entropy = Clock(), CountingEntropy(seed)
    db = db or Database(settings.database_url.reveal(), pool=settings.database_pool)
    bcrypt = BcryptHasher(settings.hash_cost, workers=settings.hash_workers, queue=settings.hash_queue)
    hasher = CountingHasher(bcrypt)
    app = create_app(settings, clock=clock, entropy=entropy, hasher=hasher, db=db)
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 4711))
    async with httpx.AsyncClient(
        transport=transport, base_url=settings.public_url, event_hooks=HOOKS, **client
    ) as http:
        try:
            yield World(settings, first, db, clock, hasher, http, app)
        finally:
            await app.state.flows.runtime.close()
    bcrypt.close()
    db.close()


def basic(name: str, secret: str) -> str:
    """Return the header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token, unchecked."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found
