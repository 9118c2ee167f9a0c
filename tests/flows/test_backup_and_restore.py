"""A backup holds all that there is, at one moment, and becomes the same installation in either database."""

import json
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from authenticator import Authenticator
from backups import Elsewhere, Lines, backup_of, lines_of, packed, rows_of
from conftest import Stencil
from keystead.adapters.sealing import Sealer
from keystead.app import SystemEntropy
from keystead.backups import open_backup, restore_backup
from keystead.db import schema, snapshot, tables
from keystead.db.session import Database
from keystead.errors import Conflict, InvalidBackup
from keystead.flows.backup import PURPOSE
from keystead.rules import backups
from keystead.rules.backups import LEFT_OUT, Head, Manifest, Reading, Table
from keystead.secrecy import Secret
from keystead.settings import Settings, SettingsError
from program import SECONDS, environment
from visitor import Visitor
from world import open_world

OTHER = {"sqlite": "postgres", "postgres": "sqlite"}
OFFLINE = "openid profile email offline_access"


@pytest.fixture
def kind(installation: Stencil) -> str:
    return "sqlite" if installation.settings.database_url.reveal().startswith("sqlite") else "postgres"


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Elsewhere:
    (tmp_path / "elsewhere").mkdir()
    return Elsewhere(request, tmp_path / "elsewhere")


def execute(settings: Settings, *statements: str) -> list[Any]:
    """Execute statements on a database, and return the rows of the last."""
    db = Database(settings.database_url.reveal())
    with db.engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
        found = [tuple(row) for row in result] if result.returns_rows else []
    db.close()
    return found


def is_empty(settings: Settings) -> bool:
    db = Database(settings.database_url.reveal())
    with db.engine.connect() as connection:
        found = snapshot.is_empty(connection)
    db.close()
    return found


async def test_people_go_on_in_the_other_database(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    phone = Authenticator()
    async with open_world(installation.settings, installation.document) as world:
        await world.signup()
        await world.register(phone, "bob@example.com")
        tokens = await world.tokens(scope=OFFLINE)
        visitor = Visitor.of(world)
        await visitor.log_in(await visitor.authorize())
    file = backup_of(installation.settings)
    with elsewhere.empty(OTHER[kind]) as settings:
        restore_backup(settings, file)
        async with open_world(settings, installation.document, seed="elsewhere") as moved:
            assert (await moved.login()).status_code == 200
            assert (await moved.passkey_login(phone)).status_code == 200
            answer = await moved.token("refresh_token", refresh_token=tokens["refresh_token"])
            assert answer.status_code == 200, answer.text
            userinfo = await moved.userinfo(tokens["access_token"])
            assert userinfo.json()["email"] == "ann@example.com", "the key that signed the token came along"
            again = Visitor.of(moved)
            again.client.cookies = visitor.client.cookies
            assert "code" in (await again.authorize({"prompt": "none"})).answer, "signed in still"
            assert len((await moved.manage("GET", "/users")).json()) == 2
            assert (await moved.signup("cleo@example.com")).status_code == 200
            types = await moved.journal()
            assert types.count("backup_made") == types.count("backup_restored") == 1


async def test_there_and_back_every_row_is_the_same(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    async with open_world(installation.settings, installation.document) as world:
        await world.register(Authenticator(), "bob@example.com")
        await world.signup(user_metadata={"a": "\u00e4", "b": "1.0"})
        await world.tokens(scope=OFFLINE)
        await world.guess()
        await world.new_client(initiate_login_uri="https://example.com/login")
        await world.manage("POST", "/tickets/password-change", {"user_id": (await world.person("c@example.com"))})
        await world.patch_options(passwordPolicy="good")
    first = backup_of(installation.settings)
    with elsewhere.empty(OTHER[kind]) as settings, elsewhere.empty(kind) as again:
        restore_backup(settings, first)
        restore_backup(again, backup_of(settings))
        before, after = rows_of(first), rows_of(backup_of(again))
    news = [set(after["journal"]) - set(before["journal"]), set(before["journal"]) - set(after["journal"])]
    assert sorted(json.loads(row)["type"] for row in news[0]) == sorted(["backup_made", "backup_restored"] * 2)
    assert news[1] == set()
    del before["journal"], after["journal"]
    assert after == before
    filled = {name for name, rows in before.items() if rows}
    assert filled >= {"account", "passkey", "refresh_token", "identifier", "ticket", "attempt", "signing_key", "client"}


def test_it_is_one_moment_and_nobody_waits(installation: Stencil) -> None:
    """Somebody writes between one row and the next; the writer goes on, and what it wrote is not in the backup."""
    reader, writer = (Database(installation.settings.database_url.reveal()) for _ in range(2))

    def look(session: Any) -> dict[str, list[Any]]:
        found = {}
        for table, rows in snapshot.tables(session):
            found[table.name] = [row[0] for row in rows]
            if len(found) == 1:
                writer.write_now(lambda other: other.connection().execute(text("DELETE FROM setting")) and None)
        return found

    assert reader.read_once(look)["setting"] == ["default_directory", "first_run", "home_client"]
    assert reader.read_once(look)["setting"] == []
    reader.close()
    writer.close()


def test_every_table_is_in_it_or_left_out_on_purpose(installation: Stencil) -> None:
    found = set(rows_of(backup_of(installation.settings)))
    assert found | set(LEFT_OUT) == set(SQLModel.metadata.tables)
    assert not found & set(LEFT_OUT)


async def test_messages_that_wait_are_not_sent_twice(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    async with open_world(installation.settings, installation.document) as world:
        await world.signup()
        assert await world.count(tables.Job) > 0
    with open_backup(installation.settings) as (backup, _):
        assert backup.undone() > 0
    with elsewhere.empty(kind) as settings:
        restore_backup(settings, backup_of(installation.settings))
        assert execute(settings, "SELECT count(*) FROM job") == [(0,)]


def test_new_rows_are_numbered_behind_the_old(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    execute(
        installation.settings,
        *(
            _account("a1"),
            "INSERT INTO old_password (id, user_id, password_hash, replaced_at) VALUES "
            "(7, 'a1', 'x', '2026-01-01 00:00:00+00:00')",
        ),
    )
    with elsewhere.empty(OTHER[kind]) as settings:
        restore_backup(settings, backup_of(installation.settings))
        execute(
            settings,
            "INSERT INTO old_password (user_id, password_hash, replaced_at) VALUES "
            "('a1', 'y', '2026-01-02 00:00:00+00:00')",
        )
        assert execute(settings, "SELECT id, password_hash FROM old_password ORDER BY id") == [(7, "x"), (8, "y")]


def test_where_there_is_something_it_says_so(installation: Stencil) -> None:
    file = backup_of(installation.settings)
    before = rows_of(file)
    with pytest.raises(Conflict, match="--replace"):
        restore_backup(installation.settings, file)
    with pytest.raises(Conflict):
        restore_backup(installation.settings, file, lambda manifest: False)
    after = rows_of(backup_of(installation.settings))
    assert len(after["journal"]) == len(before["journal"]) + 1, "that backup alone"
    assert after | {"journal": []} == before | {"journal": []}


def test_all_that_was_there_is_replaced(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    file = backup_of(installation.settings)
    execute(installation.settings, _account("stray"))
    asked: list[int] = []

    def consent(manifest: Manifest) -> bool:
        asked.append(manifest.rows)
        return True

    manifest, brought = restore_backup(installation.settings, file, consent)
    assert asked == [manifest.rows]
    assert not brought
    assert execute(installation.settings, "SELECT user_id FROM account") == []
    db = Database(installation.settings.database_url.reveal())
    with db.engine.connect() as connection:
        schema.differences(connection)
    db.close()
    with elsewhere.empty(kind) as settings:  # where nothing is lost, nobody is asked
        restore_backup(settings, file, lambda manifest: pytest.fail("asked"))


KEYS = (Secret("0" * 64),)


def signed(lines: Lines, keys: tuple[Secret[str], ...] = KEYS) -> BytesIO:
    """Return a backup that was changed and is whole again, vouched for by these keys."""
    reading = Reading(iter([*lines[:-1], b"{}\n"]))
    rows = [(table, [list(row) for row in found]) for table, found in _all(reading)]
    sealer = Sealer(keys, SystemEntropy())
    return packed(list(backups.written(reading.head, rows, lambda text: sealer.sign(text, PURPOSE))))


def _all(reading: Reading) -> list[tuple[Table, list[Any]]]:
    found = []
    try:
        for table, rows in reading.tables():
            found.append((table, list(rows)))
    except InvalidBackup:  # the manifest does not fit any more
        pass
    return found


def _account(user_id: str) -> str:
    """Return a statement that adds somebody; the user handle is any bytes that there are."""
    values = {
        "user_id": f"'{user_id}'",
        "connection_id": "(SELECT min(id) FROM connection)",
        "email_verified": "false",
        "phone_verified": "false",
        "user_handle": "sealed_private",
        "created_at": "'2026-01-01 00:00:00+00:00'",
        "updated_at": "'2026-01-01 00:00:00+00:00'",
        "logins_count": "0",
        "must_verify": "'[]'",
    }
    found = f"SELECT {', '.join(values.values())} FROM signing_key WHERE algorithm = 'RS256'"  # noqa: S608 - ours
    return f"INSERT INTO account ({', '.join(values)}) {found}"


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file: packed([line.replace(b"Default App", b"Evil App 12") for line in lines_of(file)]), "changed"),
        (lambda file: packed([line for line in lines_of(file) if b"cgr_" not in line]), "changed"),
        (lambda file: packed(lines_of(file)[:-1]), "not complete"),
        (lambda file: BytesIO(file.getvalue()[:-20]), "not complete"),
        (lambda file: BytesIO(file.getvalue()[:2000]), "not complete"),
        (lambda file: BytesIO(b"hello"), "damaged"),
        (lambda file: BytesIO(b""), "complete"),
        (lambda file: BytesIO(b"".join(lines_of(file))), "damaged"),
        (lambda file: signed(lines_of(file), (Secret("1" * 64),)), "other secret keys"),
        (lambda file: signed([_newer(lines_of(file)[0]), *lines_of(file)[1:]]), "newer version"),
    ],
)
def test_what_is_not_as_it_was_is_refused_and_nothing_written(
    installation: Stencil, elsewhere: Elsewhere, change: Callable[[BytesIO], BytesIO], told: str
) -> None:
    with elsewhere.empty("sqlite") as settings:
        with pytest.raises(InvalidBackup, match=told):
            restore_backup(settings, change(backup_of(installation.settings)))
        assert is_empty(settings)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_one_that_changes_while_it_is_read_is_refused(installation: Stencil, elsewhere: Elsewhere) -> None:
    whole = backup_of(installation.settings)
    other = signed([line.replace(b"Default App", b"Evil App 12") for line in lines_of(whole)])

    class Changing(BytesIO):
        rewound = 0

        def seek(self, at: int, whence: int = 0) -> int:
            if at == 0 and whence == 0:
                self.rewound += 1
                if self.rewound == 2:  # examined, and now to be loaded
                    self.truncate(0)
                    super().seek(0)
                    self.write(other.getvalue())
            return super().seek(at, whence)

    with elsewhere.empty("sqlite") as settings:
        with pytest.raises(InvalidBackup, match="while it was read"):
            restore_backup(settings, Changing(whole.getvalue()))
        assert is_empty(settings)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_the_secret_keys_are_needed(installation: Stencil, elsewhere: Elsewhere) -> None:
    file = backup_of(installation.settings)
    with elsewhere.empty("sqlite") as settings:
        without = settings.model_copy(update={"secret_keys": ()})
        with pytest.raises(SettingsError, match="KEYSTEAD_SECRET_KEYS"):
            restore_backup(without, file)
        assert not without.key_file.exists()
        assert is_empty(settings)
        other = settings.model_copy(update={"secret_keys": (Secret("1" * 64),)})
        with pytest.raises(InvalidBackup, match="other secret keys"):
            restore_backup(other, file)
        # One that vouches, and one that opens the signing keys, need not be the same.
        sealed_by_another = signed(lines_of(file), (Secret("1" * 64),))
        with pytest.raises(SettingsError, match="KEYSTEAD_SECRET_KEYS: signing-keys"):
            restore_backup(other, sealed_by_another)
        assert is_empty(settings)
        both = settings.model_copy(update={"secret_keys": (Secret("1" * 64), Secret("0" * 64))})
        restore_backup(both, file)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_secret_keys_that_come_along_are_put_on_file(installation: Stencil, elsewhere: Elsewhere) -> None:
    file = backup_of(installation.settings, with_secret_keys=True)
    with elsewhere.empty("sqlite") as settings:
        without = settings.model_copy(update={"secret_keys": ()})
        _, brought = restore_backup(without, file)
        assert brought
        assert without.key_file.read_text(encoding="utf-8").split() == ["0" * 64]
        assert without.key_file.stat().st_mode & 0o777 == 0o600
    with elsewhere.empty("sqlite") as settings:  # the key at hand is what counts
        other = settings.model_copy(update={"secret_keys": (Secret("1" * 64),)})
        with pytest.raises(InvalidBackup, match="other secret keys"):
            restore_backup(other, file)
        assert not other.key_file.exists()


@pytest.mark.parametrize("replace", [True, False])
def test_a_backup_that_brings_its_keys_replaces_nothing_on_its_own_word(installation: Stencil, replace: bool) -> None:
    """Whoever makes one up signs it, too: with keys of their own."""
    file = backup_of(installation.settings, with_secret_keys=True)
    without = installation.settings.model_copy(update={"secret_keys": ()})
    without.key_file.unlink(missing_ok=True)
    execute(without, _account("later"))
    with pytest.raises(SettingsError, match="KEYSTEAD_SECRET_KEYS: must be set to replace"):
        restore_backup(without, file, (lambda manifest: True) if replace else None)
    assert execute(without, "SELECT user_id FROM account") == [("later",)]
    assert not without.key_file.exists()


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_made_up_backup_does_not_fill_the_memory(installation: Stencil, elsewhere: Elsewhere) -> None:
    first, *_ = lines_of(backup_of(installation.settings))
    heading = b'{"table":"signing_key","columns":[["sealed_private","bytes"]]}\n'
    row = b'["' + b"A" * 4_000_000 + b'"]\n'
    file = packed([first, heading, *[row] * 30])
    with elsewhere.empty("sqlite") as settings:
        tracemalloc.start()
        with pytest.raises(InvalidBackup, match="too many signing keys"):
            restore_backup(settings.model_copy(update={"secret_keys": (Secret("0" * 64),)}), file)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 60_000_000


def _newer(head: bytes) -> bytes:
    return head.replace(schema.latest().encode(), b"9999")


LATER = {
    "account": (
        *("email_domain", "name_folded", "nickname_folded", "given_name_folded", "family_name_folded"),
        *("other_attributes", "sealed_extras"),
    ),
    "journal": ("actor", "request_id", "seal"),
    **dict.fromkeys(("journal_seal", "log_stream", "daily_count", "shadow_count", "shadow_difference"), ()),
}
"""What schema 0005 did not have: columns, or whole tables."""


def _of_schema_5(file: BytesIO) -> BytesIO:
    """Return a backup as a version would have made it that knew nothing of seals, streams and searches."""
    reading, found = Reading(iter(lines_of(file))), []
    for table, rows in reading.tables():
        kept = [at for at, (name, _) in enumerate(table.columns) if name not in LATER.get(table.name, ())]
        if table.name not in LATER or LATER[table.name]:
            older = Table(table.name, tuple(table.columns[at] for at in kept))
            found.append((older, [[row[at] for at in kept] for row in rows]))
    sealer = Sealer(KEYS, SystemEntropy())
    head = Head("0005", "0.0.1", reading.head.created_at)
    return packed(list(backups.written(head, found, lambda text: sealer.sign(text, PURPOSE))))


async def test_an_older_backup_is_brought_up_to_date(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    phone = Authenticator()
    async with open_world(installation.settings, installation.document) as world:
        await world.signup()
        await world.register(phone, "bob@example.com")
    file = _of_schema_5(backup_of(installation.settings))
    with elsewhere.empty(kind) as settings:
        restore_backup(settings, file)
        db = Database(settings.database_url.reveal())
        assert schema.version(db.engine) == schema.latest()
        with db.engine.connect() as connection:
            schema.differences(connection)
        db.close()
        made, restored = "backup_made", "backup_restored"
        said = "SELECT type, actor FROM journal WHERE type LIKE 'backup%' ORDER BY log_id"
        assert execute(settings, said) == [(made, None), (restored, "cli")]
        async with open_world(settings, installation.document, seed="elsewhere") as moved:
            assert (await moved.login()).status_code == 200
            assert (await moved.passkey_login(phone)).status_code == 200, "what hangs on an account is there still"


KILLED = """
import os, signal, sys
from pathlib import Path
from keystead.db import schema, snapshot
from keystead.settings import load
from keystead.backups import restore_backup

last, load_table, upgrade_to = int(sys.argv[2]), snapshot.load, schema.upgrade_to
loaded = []

def killed(connection, table, rows):
    load_table(connection, table, rows)
    loaded.append(table)
    if len(loaded) == last:
        os.kill(os.getpid(), signal.SIGKILL)

def upgraded(connection, revision="head"):
    upgrade_to(connection, revision)
    if revision == "head" and last == 0:
        os.kill(os.getpid(), signal.SIGKILL)

snapshot.load, schema.upgrade_to = killed, upgraded
with open(sys.argv[1], "rb") as file:
    restore_backup(load(), file, lambda manifest: True)
"""


@pytest.mark.parametrize("tables_before", [1, 14, 0], ids=["first table", "midway", "before the commit"])
@pytest.mark.timeout(300)
def test_killed_in_the_middle_it_leaves_all_as_it_was(
    installation: Stencil, kind: str, elsewhere: Elsewhere, tmp_path: Path, tables_before: int
) -> None:
    path = tmp_path / "killed.backup"
    path.write_bytes(backup_of(installation.settings).getvalue())
    execute(installation.settings, _account("later"))

    def restored(settings: Settings) -> int:
        url = settings.database_url.reveal().replace("postgresql+psycopg", "postgresql")
        given = environment({"DATABASE_URL": url, "SECRET_KEYS": "0" * 64, "DATA_DIR": str(settings.data_dir)})
        command = [sys.executable, "-c", KILLED, str(path), str(tables_before)]
        return subprocess.run(command, env=given, timeout=SECONDS, check=False, capture_output=True).returncode

    assert restored(installation.settings) == -signal.SIGKILL
    assert execute(installation.settings, "SELECT user_id FROM account") == [("later",)]
    with elsewhere.empty(kind) as settings:
        assert restored(settings) == -signal.SIGKILL
        assert is_empty(settings)
        restore_backup(settings, backup_of(installation.settings))
        assert execute(settings, "SELECT user_id FROM account") == [("later",)]


def test_many_people_take_no_more_memory_than_few(installation: Stencil, kind: str, elsewhere: Elsewhere) -> None:
    numbers = {
        "postgres": "SELECT n FROM generate_series(1, 20000) AS n",
        "sqlite": "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 20000) SELECT n FROM a",
    }
    row = f"""'x' || n, '2026-01-01 00:00:00+00:00', 's', '', '', '{{"text": "{"x" * 1000}"}}'"""
    into = "INSERT INTO journal (log_id, date, type, ip, user_agent, details)"
    execute(installation.settings, f"{into} SELECT {row} FROM ({numbers[kind]}) AS counted")  # noqa: S608 - ours
    tracemalloc.start()
    file = backup_of(installation.settings)
    _, made = tracemalloc.get_traced_memory()
    assert made < 10_000_000, "the rows alone are twice that"
    with elsewhere.empty(OTHER[kind]) as settings:
        tracemalloc.reset_peak()
        restore_backup(settings, file)
        _, restored = tracemalloc.get_traced_memory()
        assert restored < 15_000_000
    tracemalloc.stop()
