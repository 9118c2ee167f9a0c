"""Archives of users: whoever moves with one finds everything as it was, and nobody smuggles anything in with one."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import Session

from authenticator import Authenticator
from keystead.db import accounts, tables
from two_installations import another_database, another_world, everything, exported, imported
from world import PASSWORD, World

BEFORE = "another horse battery"
LATER = datetime(2026, 6, 2, 3, 4, 5, 678901, tzinfo=UTC)
EXTRAS = {"mfa_factors": [{"totp": {"secret": "JBSWY3DPEHPK3PXP"}}], "tokens": {"access_token": "ünlesbar"}}


@pytest.fixture
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A Keystead of its own, on whichever database the parameter names."""
    kind = getattr(request, "param", "sqlite")
    admin = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    with another_database(kind, tmp_path / "elsewhere", admin) as url:
        async with another_world(tmp_path / "elsewhere", url) as opened:
            yield opened


async def populate(world: World) -> Authenticator:
    """Have people of every kind, with all that an account can have."""
    await world.patch_options(password_options={"history": {"active": True, "size": 3}})
    ann = await world.person(password=BEFORE)
    changed = await world.manage("PATCH", f"/users/{ann}", {"password": PASSWORD})
    assert changed.status_code == 200, changed.text
    await world.tokens()
    device = Authenticator()
    await world.register(device, "key@example.com")
    assert (await world.passkey_login(device)).status_code == 200
    await world.register(Authenticator(), "lost@example.com")
    second = await world.new_connection("Staff", requires_username=True)
    bob = {"connection": "Staff", "email": "bob@example.com", "username": "bob", "password": PASSWORD}
    about = {"user_metadata": {"a": [1, 2.5, None, {"b": "\u2028\U0001f600"}]}, "app_metadata": {}, "blocked": True}
    made = await world.manage("POST", "/users", bob | about | {"phone_number": "+4930123456", "name": 'B"o\\b'})
    assert made.status_code == 201, made.text
    assert second
    sealer = world.app.state.flows.management.archive_imports.sealer

    def odd(session: Session) -> None:
        values = {"sealed_extras": sealer.seal(json.dumps(EXTRAS).encode(), "account-extras"), "blocked": False}
        values |= {"other_attributes": {"employee": 7}, "signed_out_at": LATER, "passkey_prompt_snoozed_until": LATER}
        values |= {"password_hash": "{pbkdf2}" + "x" * 3000, "last_password_reset": LATER, "must_verify": ["email"]}
        accounts.change(session, made.json()["user_id"], values)
        change = {"quarantine": "lost", "quarantined_at": LATER, "certificates": ["MIIB"], "sign_count": 41}
        change |= {"transports": ["usb", "nfc"], "attachment": "cross-platform", "name": "Key", "trust": "none"}
        lost = select(tables.Account.user_id).where(tables.Account.email == "lost@example.com").scalar_subquery()  # type: ignore[call-overload,arg-type]
        session.connection().execute(update(tables.Passkey).where(tables.Passkey.user_id == lost).values(change))  # type: ignore[arg-type]

    await world.db.write(odd)
    return device


PAIRS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite")]


@pytest.mark.parametrize(
    ("installation", "elsewhere"), PAIRS, indirect=True, ids=["to postgres", "to sqlite", "again sqlite"]
)
async def test_they_are_the_same_elsewhere_and_back(world: World, elsewhere: World) -> None:
    device = await populate(world)
    before = await everything(world)
    people, counted = len(before["account"]), {name: len(rows) for name, rows in before.items()}
    assert counted == {"account": 4, "identifier": 6, "passkey": 2, "old_password": 1}
    await elsewhere.new_connection("Staff", requires_username=True)
    gone = await exported(world)
    refused = await imported(elsewhere, gone)
    assert refused["status"] == "failed"
    assert await elsewhere.count(tables.Account) == 0
    done = await imported(elsewhere, gone, key=refused_key(refused))
    assert done["status"] == "completed", done
    assert done["summary"] == {"failed": 0, "updated": 0, "inserted": people, "total": people}
    assert await everything(elsewhere) == before

    # They go on as if nothing had happened: by password, and by a passkey whose counter is as it was.
    assert (await elsewhere.login()).status_code == 200
    assert (await elsewhere.login(password=BEFORE)).status_code == 403
    assert (await elsewhere.passkey_login(device)).status_code == 200
    assert await elsewhere.count(tables.Administrator) == 0

    # And back: whoever is there already is not touched, whoever is gone comes again.
    back, kept = await exported(elsewhere), await everything(elsewhere)
    for row in before["account"]:
        await world.delete_user(row["user_id"])
    done = await imported(world, back, key=refused_key(await imported(world, back)))
    assert done["summary"]["inserted"] == people
    assert await everything(world) == kept
    again = await imported(world, back, key=done["signed_by"])
    assert again["summary"] == {"failed": people, "updated": 0, "inserted": 0, "total": people}
    rows = (await world.manage("GET", f"/jobs/{again['id']}/errors")).json()
    assert {row["errors"][0]["code"] for row in rows} == {"DUPLICATED_USER"}
    assert await everything(world) == kept


def refused_key(job: dict[str, Any]) -> str:
    """Return the key that a refused archive was signed with."""
    return str(job["status_details"].rpartition(" ")[2].rstrip("."))
