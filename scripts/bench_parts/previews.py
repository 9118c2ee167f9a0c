"""A connection with many passkeys, and how long it takes to say what another policy would do to them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from scripts.bench_parts.load import callers, post
from scripts.bench_parts.server import Server
from sqlalchemy import insert
from sqlmodel import Session

from keystead.db.session import Database
from keystead.db.tables import Account, Passkey

PASSKEYS = 20_000
PEOPLE = 6_000
ROUNDS = 3
POLICY = {"backup": "device_bound_only", "user_verification": "required"}
"""What refuses most of them, so that much is counted."""

_AT_ONCE = 1000
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


async def per_second(server: Server, workers: int) -> float:
    """Return how many passkeys a preview looks at in a second of processor time."""
    token = await _token(server)
    options = {"authentication_methods": {"passkey": {"enabled": True}}}
    body = {"name": f"Preview-{workers}", "strategy": "auth0", "options": options}
    connection_id = (await _ask(server, "/api/v2/connections", body, token, 201))["id"]
    _fill(server.database_url, connection_id)
    path, began = f"/api/v2/connections/{connection_id}/passkey-policy/preview", server.processor_seconds()
    for _ in range(ROUNDS):
        found = await _ask(server, path, {"options": options | {"passkey_policy": POLICY}}, token, 200)
        if found["passkeys"]["total"] != PASSKEYS:
            raise SystemExit(f"the preview looked at {found['passkeys']['total']} passkeys")
    return ROUNDS * PASSKEYS / (server.processor_seconds() - began)


async def _token(server: Server) -> str:
    asked = server.first_run["clients"]["management"] | {
        "grant_type": "client_credentials",
        "audience": server.first_run["management_audience"],
    }
    return str((await _ask(server, "/oauth/token", asked, "", 200))["access_token"])


async def _ask(server: Server, path: str, body: object, token: str, status: int) -> dict[str, Any]:
    async with callers(server.port, 1) as (caller,):
        answer = await caller.send(post(path, body, token))
    if answer.status != status:
        raise SystemExit(f"the server answered {answer.status}: {answer.body[:300]!r}")
    found: dict[str, Any] = json.loads(answer.body)
    return found


def _fill(database_url: str, connection_id: str) -> None:
    """Write people and passkeys down without asking the server, which would take an hour."""
    db = Database(database_url)
    for table, rows in ((Account, _people(connection_id)), (Passkey, _passkeys(connection_id))):
        while batch := list(islice(rows, _AT_ONCE)):
            db.write_now(_add, table, batch)
    db.close()


def _add(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    session.connection().execute(insert(table), rows)


def _people(connection_id: str) -> Iterator[dict[str, Any]]:
    for number in range(PEOPLE):
        yield {
            "user_id": f"auth0|{connection_id}{number:06d}",
            "connection_id": connection_id,
            "email": f"person-{number}@example.com",
            "email_verified": True,
            "phone_verified": False,
            "password_hash": "not one" if number % 3 else None,
            "user_handle": f"{connection_id}{number}".encode(),
            "must_verify": [],
            "logins_count": 0,
            "created_at": _THEN,
            "updated_at": _THEN,
        }


def _passkeys(connection_id: str) -> Iterator[dict[str, Any]]:
    for number in range(PASSKEYS):
        yield {
            "id": f"passkey|dev_{connection_id}{number}",
            "user_id": f"auth0|{connection_id}{number * 7919 % PEOPLE:06d}",
            "credential_id": f"{connection_id}{number}".encode(),
            "public_key": bytes(77),
            "algorithm": (-7, -8, -257)[number % 3],
            "sign_count": 0,
            "transports": ["internal", "hybrid"] if number % 2 else ["usb"],
            "aaguid": f"{number % 50:08x}-0000-0000-0000-000000000000",
            "backup_eligible": bool(number % 4),
            "backed_up": bool(number % 8),
            "user_verified": bool(number % 5),
            "attestation_format": "none",
            "trust": "none",
            "attachment": "",
            "rp_id": "localhost",
            "user_agent": "",
            "created_at": _THEN,
        }
