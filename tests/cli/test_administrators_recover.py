"""``keystead administrators recover``, on the database itself; and what a start adds to an older installation."""

import json
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col

from conftest import Stencil
from keystead.db import tables
from keystead.db.session import Database
from keystead.rules.authority import MANAGEMENT_SCOPES
from keystead.settings import Settings
from keystead.start import prepare
from owners import first_owner, follow, logged_in
from program import keystead, rows
from world import PUBLIC_URL, World, open_world
from world import test_settings as settings_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start."""
    found = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    (found / "secret-keys").write_text("0" * 64)
    (found / "secret-keys").chmod(0o600)
    return found


def recover(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return keystead("administrators", "recover", *arguments, "--data-dir", data_dir, PUBLIC_URL=PUBLIC_URL)


def change(data_dir: Path, statement: str, *values: object) -> None:
    """Change the database by hand."""
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection, connection:
        connection.execute(statement, values)


def open_at(data_dir: Path, sqlite_stencil: Stencil, seed: str = "") -> Any:
    """Open the installation, at the time that it is."""
    return open_world(settings_for(data_dir), sqlite_stencil.document, seed=seed)


async def test_it_makes_another_owner(data_dir: Path, sqlite_stencil: Stencil) -> None:
    told = recover(data_dir)
    assert told.returncode == 0, told.stderr
    link, said = told.stdout.splitlines()
    assert link.startswith(f"{PUBLIC_URL}/u/setup?ticket=")
    assert said.startswith("Whoever opens it becomes an owner. It works once, until ")
    newer = json.loads(recover(data_dir, "--json").stdout)
    assert set(newer) == {"url", "email", "expires_at"}
    async with open_at(data_dir, sqlite_stencil) as world:
        for old in (link, str(world.first["administrator_setup_url"])):
            assert (await follow(world, old, "evil@example.com")).status_code == 400
        assert (await follow(world, newer["url"], "back@example.com")).status_code == 200
        assert "read:administrators" in (await logged_in(world, "back@example.com")).scope
        entries = [row for row in await world.rows(tables.JournalRow) if row["actor"] == "cli"]
        assert [entry["description"] for entry in entries] == ["Make a link that recovers the administration"] * 2
        assert not [row for row in await world.rows(tables.JournalRow) if "ticket=" in str(row)]


async def test_it_lets_an_owner_choose_a_new_password(data_dir: Path, sqlite_stencil: Stencil) -> None:
    async with open_at(data_dir, sqlite_stencil) as world:
        root = await first_owner(world)
    link = json.loads(recover(data_dir, "Root@example.com", "--json").stdout)["url"]
    async with open_at(data_dir, sqlite_stencil, "again") as world:
        assert (await root_at(world, root.token)) == 200
        assert (await follow(world, link, "evil@example.com", "another horse battery")).status_code == 200
        assert (await root_at(world, root.token)) == 401
        again = await logged_in(world, "root@example.com", "another horse battery")
        assert again.user_id == root.user_id
        assert "scp" in await world.journal(root.user_id)


async def test_it_sends_whoever_is_invited_to_their_invitation(data_dir: Path, sqlite_stencil: Stencil) -> None:
    async with open_at(data_dir, sqlite_stencil) as world:
        root = await first_owner(world)
        body = {"email": "ann@example.com", "role": "viewer"}
        assert (await root.manage("POST", "/keystead/administrators", body)).status_code == 201
    link = json.loads(recover(data_dir, "--json").stdout)["url"]
    async with open_at(data_dir, sqlite_stencil, "again") as world:
        invited = await follow(world, link, "Ann@example.com")
        assert (invited.status_code, "open the link of the invitation" in invited.text) == (409, True)
        taken = await follow(world, link, "root@example.com")
        assert (taken.status_code, "The user already exists." in taken.text) == (409, True)


async def root_at(world: World, token: str) -> int:
    """Return the status that a token gets."""
    headers = {"authorization": f"Bearer {token}"}
    return (await world.client.get("/api/v2/keystead/administrators", headers=headers)).status_code


async def test_it_is_for_owners_alone(data_dir: Path, sqlite_stencil: Stencil) -> None:
    async with open_at(data_dir, sqlite_stencil) as world:
        root = await first_owner(world)
        await root.invites("ann@example.com", "editor")
        await world.person("someone@example.com")
    before = rows(data_dir)
    for email, why in (
        ("ann@example.com", "ann@example.com is no owner but editor"),
        ("someone@example.com", "No administrator has the address someone@example.com."),
        ("nonsense", "The email is not a valid address."),
    ):
        told = recover(data_dir, email)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("keystead: ")
        assert why in told.stderr
    change(data_dir, "UPDATE account SET blocked = 1 WHERE user_id = ?", root.user_id)
    assert "root@example.com is blocked" in recover(data_dir, "root@example.com").stderr
    assert rows(data_dir)["ticket"] == before["ticket"]


def test_where_nothing_is_installed_it_makes_nothing(tmp_path: Path) -> None:
    told = recover(tmp_path / "nothing")
    assert told.returncode == 2
    assert not (tmp_path / "nothing" / "keystead.db").exists()


async def test_a_start_adds_what_an_older_version_did_not_make(data_dir: Path, sqlite_stencil: Stencil) -> None:
    older = [each for each in MANAGEMENT_SCOPES if not each.endswith((":administrators", ":backups"))]
    stored = json.dumps([{"value": each, "description": ""} for each in older])
    change(data_dir, "UPDATE api SET scopes = ? WHERE identifier = '/api/v2/'", stored)
    change(data_dir, "UPDATE client_grant SET scope = ?", json.dumps(older))
    change(data_dir, "DELETE FROM client WHERE client_id = 'keystead-cli'")
    change(data_dir, "UPDATE client SET settings = '{\"name\": \"Old\"}' WHERE client_id = 'keystead-dashboard'")
    told: list[str] = []
    prepare(settings_for(data_dir), tell=told.append)
    added = ["keystead-cli", *(each for each in MANAGEMENT_SCOPES if each not in older)]
    assert told == [f"added what this version has and an older one had not: {', '.join(added)}"]
    async with open_at(data_dir, sqlite_stencil) as world:
        (entry,) = [row for row in await world.rows(tables.JournalRow) if row["actor"] == "keystead"]
        assert (entry["type"], entry["details"]["added"]) == ("sapi", added)
        (grant,) = await world.rows(tables.ClientGrant)
        assert grant["scope"] == older
        api = next(row for row in await world.rows(tables.Api) if row["identifier"] == "/api/v2/")
        assert {each["value"] for each in api["scopes"]} == set(MANAGEMENT_SCOPES)
        root = await first_owner(world)
        assert "create:administrators" in root.scope
        (dashboard,) = [row for row in await world.rows(tables.Client) if row["client_id"] == "keystead-dashboard"]
        assert dashboard["settings"]["callbacks"] == ["/dashboard/"]
    told.clear()
    before = rows(data_dir)["journal"]
    prepare(settings_for(data_dir), tell=told.append)
    assert told == []
    assert rows(data_dir)["journal"] == before


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_several_that_start_at_once_add_it_once(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    copy: Stencil = request.getfixturevalue(f"{database}_stencil")
    directory = tmp_path / "data"
    shutil.copytree(copy.settings.data_dir, directory)
    url = request.getfixturevalue("refilled").fresh() if database == "postgres" else None
    settings = settings_for(directory, database_url=url)
    told: list[str] = []
    forget(settings)
    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda _: prepare(settings, tell=told.append), range(4)))
    assert told == ["added what this version has and an older one had not: keystead-dashboard, keystead-cli"]


def forget(settings: Settings) -> None:
    """Take Keystead's own clients away."""
    db = Database(settings.database_url.reveal(), pool=1)
    db.write_now(
        lambda session: session.connection().execute(delete(tables.Client).where(col(tables.Client.is_system)))
    )
    db.close()
