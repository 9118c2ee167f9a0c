"""``keystead migrate``: the database as this version needs it, or one line that says why not."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from conftest import Stencil
from program import keystead, rows


def test_migrate(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    told = keystead("migrate", "--data-dir", data_dir)
    assert (told.returncode, told.stdout, told.stderr) == (0, "The database is up to date.\n", "")
    before = rows(data_dir)
    assert keystead("migrate", "--data-dir", data_dir).returncode == 0
    assert rows(data_dir) == before


def test_a_newer_database_is_left_alone(tmp_path: Path, sqlite_stencil: Stencil) -> None:
    """After a step back to an older version: neither served nor migrated."""
    data_dir = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, data_dir)
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = rows(data_dir)
    for command in (("serve", "--migrate"), ("migrate",)):
        refused = keystead(*command, "--data-dir", data_dir)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert refused.stderr.startswith("keystead: the database is at schema 9999")
    assert rows(data_dir) == before
