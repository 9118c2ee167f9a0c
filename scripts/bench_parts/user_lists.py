"""Lists of users and searches for them, among a thousand and among a hundred thousand: how much longer the latter take.

Two servers run beside each other and are asked in turn, so that whatever else the machine does hits both.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import uvloop
from scripts.bench_parts.load import Caller, callers, get, post
from scripts.bench_parts.server import Installation, Server
from sqlalchemy import URL, create_engine, insert, make_url, text
from sqlmodel import Session

from keystead.db.session import Database
from keystead.db.tables import Account, AccountIdentifier
from keystead.rules.user_search import bookmark

FEW = 1_000
MANY = 100_000
MOST = 2.0
"""How many times as long it may take among many."""
ROUNDS = 60
WARM_UP = 5

_AT_ONCE = 1_000
_DOMAINS = 20
_SECOND = 10
"""One in so many is of a second connection."""
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Crowd:
    """A server, and how many people it knows."""

    server: Server
    token: str
    size: int

    def requests(self) -> dict[str, bytes]:
        """Return what is asked, by name."""
        middle = bookmark(_THEN + timedelta(seconds=self.size // 2), _user_id(self.size // 2))
        asked = {
            "first page": "",
            "last page by number": "page=19&per_page=50",
            "newest first": "sort=created_at:-1",
            "with totals": "include_totals=true",
            "of a connection": "connection=Second",
            "of a connection, with totals": "connection=Second&include_totals=true",
            "checkpoint in the middle": f"from={middle}&take=50",
            "q, an address": _searching('email:"person-500@d0.example.com"'),
            "q, no field": _searching('"person-500@d0.example.com"'),
            "q, what names begin with": _searching(r"name:person\ 0001*"),
            "q, the same with totals": _searching(r"name:person\ 0001*") + "&include_totals=true",
            "q, a domain": _searching("email.domain:d1.example.com"),
            "q, a connection": _searching("identities.connection:Second"),
            "q, two of these": _searching(r"email.domain:d1.example.com AND name:person\ 0001*"),
        }
        found = {name: get(f"/api/v2/users?{query}", self.token) for name, query in asked.items()}
        by_email = "/api/v2/users-by-email?email=person-500@d0.example.com"
        return found | {"users-by-email": get(by_email, self.token)}


@dataclass(frozen=True, slots=True)
class Row:
    """Medians of one request among few and among many, in milliseconds."""

    name: str
    few: float
    many: float

    @property
    def kept(self) -> bool:
        """Whether it is within the promise."""
        return self.many <= MOST * self.few


def measured(postgres: str | None = None) -> list[Row]:
    """Fill two databases, and ask both the same things; on PostgreSQL two that are made beside a given one."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keystead-bench-")))
        crowds = []
        for size in (FEW, MANY):
            url = stack.enter_context(_database(postgres, size)) if postgres else None
            (directory / str(size)).mkdir()
            server = stack.enter_context(Installation(directory / str(size), database_url=url).started(workers=1))
            crowds.append(uvloop.run(_crowd(server, size)))
        return uvloop.run(_compared(*crowds))


def printed(rows: list[Row], *, database: str) -> str:
    """Return the table."""
    lines = [f"{f'Users, {database}':<36}{f'{FEW:,}, ms':>12}{f'{MANY:,}, ms':>14}{'ratio':>8}   aim <= {MOST:.1f}"]
    for row in rows:
        verdict = "kept" if row.kept else "missed"
        lines.append(f"{row.name:<36}{row.few:>12.2f}{row.many:>14.2f}{row.many / row.few:>8.2f}   {verdict}")
    return "\n".join(lines)


async def _compared(few: Crowd, many: Crowd) -> list[Row]:
    async with callers(few.server.port, 1) as (one,), callers(many.server.port, 1) as (other,):
        rows = []
        for (name, asked), (_, asked_of_many) in zip(few.requests().items(), many.requests().items(), strict=True):
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(WARM_UP + ROUNDS):
                times[0].append(await _timed(one, asked, name))
                times[1].append(await _timed(other, asked_of_many, name))
            rows.append(Row(name, *(median(each[WARM_UP:]) * 1000 for each in times)))
        return rows


async def _timed(caller: Caller, request: bytes, name: str) -> float:
    began = time.perf_counter()
    answer = await caller.send(request)
    took = time.perf_counter() - began
    if answer.status != 200 or b'"user_id"' not in answer.body:
        raise SystemExit(f"{name}: the server answered {answer.status}: {answer.body[:300]!r}")
    return took


async def _crowd(server: Server, size: int) -> Crowd:
    """Make a second connection, and people."""
    asked = {**server.first_run["clients"]["management"], "audience": server.first_run["management_audience"]}
    async with callers(server.port, 1) as (caller,):
        token = (await caller.send(post("/oauth/token", asked | {"grant_type": "client_credentials"}))).json()
        body = {"name": "Second", "strategy": "auth0", "options": {}}
        answer = await caller.send(post("/api/v2/connections", body, token["access_token"]))
        second = json.loads(answer.body)["id"]
    _fill(server.database_url, (server.first_run["connection"]["id"], second), size)
    return Crowd(server, token["access_token"], size)


def _fill(database_url: str, connections: tuple[str, str], size: int) -> None:
    """Write people down without asking the server, which would take a night."""
    db = Database(database_url)
    people = _people(connections, size)
    while batch := list(islice(people, _AT_ONCE)):
        db.write_now(_add, batch)
    if not db.is_sqlite:  # what PostgreSQL does by itself, within minutes
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE account"))
    db.close()


def _add(session: Session, people: list[dict[str, Any]]) -> None:
    session.connection().execute(insert(Account), people)
    names = ("connection_id", "user_id")
    rows = [{"kind": "email", "value": each["email"], **{name: each[name] for name in names}} for each in people]
    session.connection().execute(insert(AccountIdentifier), rows)


def _people(connections: tuple[str, str], size: int) -> Iterator[dict[str, Any]]:
    for number in range(size):
        moment = _THEN + timedelta(seconds=number)
        yield {
            "user_id": _user_id(number),
            "connection_id": connections[number % _SECOND == 1],
            "email": f"person-{number}@d{number % _DOMAINS}.example.com",
            "email_verified": True,
            "phone_verified": False,
            "name": f"Person {number:06d}",
            "nickname": f"person-{number}",
            "picture": "/avatars/pe.svg",
            "app_metadata": {"plan": ("free", "paid")[number % 2]},
            "password_hash": "not one",
            "user_handle": f"handle {number}".encode(),
            "must_verify": [],
            "logins_count": 0,
            "created_at": moment,
            "updated_at": moment,
        }


def _user_id(number: int) -> str:
    return f"auth0|{number * 0x9E3779B97F4A7C15 % 2**96:024x}"


def _searching(query: str) -> str:
    return f"search_engine=v3&q={quote(query)}"


@contextmanager
def _database(url: str, size: int) -> Iterator[str]:
    """Make a database beside an empty one, and remove it afterwards."""
    beside = make_url(url).set(drivername="postgresql+psycopg")
    name = f"{beside.database}_{size}"
    _execute(beside, f'CREATE DATABASE "{name}"')
    try:
        yield beside.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(beside, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
