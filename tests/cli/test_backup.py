"""``keystead backup`` and ``keystead restore`` as programs: files, exit statuses, and what is said."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backups import backup_of, lines_of, packed
from conftest import Stencil
from program import SECONDS, environment, rows, serving, typed
from shell import Shell, Told, steered

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_stencil: Stencil) -> Path:
    found = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    (found / "secret-keys").write_text("0" * 64)
    (found / "secret-keys").chmod(0o600)
    return found


def run(*arguments: str | Path, code: int = 0, data_dir: Path) -> Told:
    return Shell.elsewhere(*map(str, arguments), "--data-dir", str(data_dir), code=code)


def test_a_file_of_its_owner_whole_or_not_at_all(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    with serving(data_dir):
        manifest = json.loads(run("backup", file, "--json", data_dir=data_dir).out)
    told = run("backup", tmp_path / "told", data_dir=data_dir).err
    assert f"without the secret keys, which are not in it: keep those of {data_dir / 'secret-keys'}" in told
    (tmp_path / "told").unlink()
    assert {table["name"]: table["rows"] for table in manifest["tables"]}["connection"] == 2
    assert manifest["with_secret_keys"] is False
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    refused = run("backup", file, code=2, data_dir=data_dir)
    assert refused.err == f"keystead: {file}: is there already; --force replaces it\n"
    assert file.read_bytes() == before
    run("backup", "make", file, "--force", data_dir=data_dir)
    assert file.read_bytes() != before
    nowhere = run("backup", tmp_path / "nowhere" / "b.backup", code=2, data_dir=data_dir)
    assert nowhere.err.startswith("keystead: ")
    assert nowhere.err.count("\n") == 1
    none = run("backup", tmp_path / "c.backup", code=2, data_dir=tmp_path / "no-installation")
    assert none.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["a.backup"]


def test_it_goes_through_a_pipe(data_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "keystead", "backup", "-", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=SECONDS, check=True)
    assert b"rows of" in done.stderr
    (tmp_path / "piped.backup").write_bytes(done.stdout)
    run("backup", "verify", tmp_path / "piped.backup", data_dir=data_dir)


def test_a_backup_is_checked_without_a_database(data_dir: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "a.backup", tmp_path / "other"
    run("backup", file, data_dir=data_dir)
    (data_dir / "keystead.db").unlink()
    assert "rows of" in run("backup", "verify", file, data_dir=data_dir).out
    stranger = run("backup", "verify", file, code=1, data_dir=other)
    assert "no secret key at hand" in stranger.err
    assert not other.exists()
    (data_dir / "secret-keys").write_text("1" * 64)
    assert "other secret keys" in run("backup", "verify", file, code=2, data_dir=data_dir).err
    file.write_bytes(file.read_bytes()[:-1])
    assert run("backup", "verify", file, code=2, data_dir=data_dir).err.count("\n") == 1
    assert run("backup", "verify", tmp_path / "none", code=2, data_dir=data_dir).err.count("\n") == 1


def test_an_installation_is_made_of_it(data_dir: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "a.backup", tmp_path / "other"
    run("backup", file, "--with-secret-keys", data_dir=data_dir)
    told = run("restore", file, data_dir=other)
    assert "secret keys of the backup are in use" in told.err
    assert (other / "keystead.db").stat().st_mode & 0o777 == 0o600
    kept = rows(other)
    assert {name: kept[name] for name in ("client", "signing_key", "setting")} == {
        name: rows(data_dir)[name] for name in ("client", "signing_key", "setting")
    }
    with serving(other) as server:
        assert "first-run" not in server.output
    kept = rows(other)  # the server has sealed what happened, with the newest key
    assert "not empty" in run("restore", file, code=2, data_dir=other).err
    command = [sys.executable, "-m", "keystead", "restore", str(file), "--replace", "--data-dir", str(other)]
    piped = subprocess.run(
        command, input="y\n", capture_output=True, text=True, env=environment(), timeout=SECONDS, check=False
    )
    assert piped.returncode == 2  # nobody is there to be asked
    assert "--yes" in piped.stderr
    assert typed("n\n", "restore", file, "--replace", "--data-dir", other).returncode == 1
    assert {name: rows(other)[name] for name in kept} == kept
    run("restore", file, "--replace", "--yes", data_dir=other)
    assert [row[2] for row in rows(other)["journal"]] == ["backup_made", "backup_restored"]


def test_without_the_secret_keys_it_is_worth_nothing(data_dir: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "a.backup", tmp_path / "other"
    run("backup", file, data_dir=data_dir)
    refused = run("restore", file, code=2, data_dir=other)
    assert refused.err.startswith("keystead: KEYSTEAD_SECRET_KEYS: ")
    assert str(other / "secret-keys") in refused.err
    assert not other.exists()


def test_a_file_of_a_stranger_is_not_believed(installation: Stencil, tmp_path: Path) -> None:
    """Before anything of it is shown, it is said that nobody vouches for it; and what it says has no room for a lie."""
    lines = lines_of(backup_of(installation.settings))
    shell = Shell(installation.settings.model_copy(update={"data_dir": tmp_path / "none", "secret_keys": ()}))
    file = tmp_path / "a\x1b]0;owned\x07\x9b2J.backup"
    file.write_bytes(packed(lines).getvalue())
    first, second, *_ = shell.at_terminal("backup", "verify", str(file), code=1).splitlines()
    assert first.startswith("keystead: it is whole, but not vouched for")
    assert second.startswith(f"{tmp_path / 'a?]0;owned??2J.backup'}: ")
    as_json = shell.at_terminal("backup", "verify", str(file), "--json", code=1)
    assert as_json.startswith("keystead: it is whole, but not vouched for")
    for old in (b'"schema":"', b'"created_at":"'):
        lie = old + b"\\u001b]0;owned\\u0007\\nkeystead: it is vouched for, "
        file.write_bytes(packed([lines[0].replace(old, lie), *lines[1:]]).getvalue())
        for command in (("backup", "verify"), ("restore",)):
            drawn = shell.at_terminal(*command, str(file), code=2)
            assert not steered(drawn)
            assert "owned" not in drawn
            assert "it is vouched for" not in drawn
    missing = shell.at_terminal("backup", "verify", f"{file}\x1b[2J", code=2)
    assert missing == f"keystead: {tmp_path / 'a?]0;owned??2J.backup?[2J'}: No such file or directory\r\n"
