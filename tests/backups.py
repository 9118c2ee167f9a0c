"""Installations that a backup can be put into, and backups as tests look at them."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from keystead.backups import open_backup
from keystead.flows.operations import Operation
from keystead.rules.backups import Reading
from keystead.rules.events import Caller
from keystead.settings import Settings
from refilled import database_of, execute
from world import test_settings as settings_for

OPERATION = Operation("cli", Caller(actor="cli"), "keystead", "backup")

Lines = list[bytes]


@dataclass(frozen=True)
class Elsewhere:
    """Makes places for an installation that hold nothing yet, on either database."""

    request: pytest.FixtureRequest
    directory: Path

    @contextmanager
    def empty(self, kind: str) -> Iterator[Settings]:
        """Give the settings of one."""
        data_dir = self.directory / f"empty-{kind}-{len(list(self.directory.iterdir()))}"
        data_dir.mkdir()
        if kind == "sqlite":
            settings = settings_for(data_dir)
            settings.key_file.unlink()
            yield settings
            return
        admin: str = self.request.getfixturevalue("postgres_url")
        name = f"empty_{abs(hash(str(data_dir))):x}"
        execute(admin, f'CREATE DATABASE "{name}"')
        yield settings_for(data_dir, database_url=database_of(admin, name))
        execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


def backup_of(settings: Settings, *, with_secret_keys: bool = False) -> BytesIO:
    """Make a backup."""
    file = BytesIO()
    with open_backup(settings, with_secret_keys=with_secret_keys) as (backup, keys):
        backup.write(file, OPERATION, keys)
    file.seek(0)
    return file


def lines_of(file: BytesIO) -> Lines:
    """Return the lines of a backup."""
    return gzip.decompress(file.getvalue()).splitlines(keepends=True)


def packed(lines: Lines) -> BytesIO:
    """Return a backup of these lines."""
    return BytesIO(gzip.compress(b"".join(lines), 1))


def rows_of(file: BytesIO) -> dict[str, list[str]]:
    """Return the rows of each table in an order that no database has a say in."""
    found = {}
    for table, rows in Reading(iter(lines_of(file))).tables():
        names = [name for name, _ in table.columns]
        written = (dict(zip(names, row, strict=True)) for row in rows)
        found[table.name] = sorted(json.dumps(row, sort_keys=True, default=repr) for row in written)
    return found
