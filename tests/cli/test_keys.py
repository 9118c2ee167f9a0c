"""``keystead keys`` on the database; and what a start does to keys of an older version or under another secret key."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import Stencil
from keystead.start import prepare
from program import SECONDS, environment, rows, serving, typed
from shell import Shell, Told
from world import test_settings as settings_for

pytestmark = pytest.mark.timeout(300)  # several programs start, one after the other

Key = dict[str, Any]
OLD, NEW = "o" * 64, "n" * 64
COLUMNS = ["kid", "algorithm", "public_jwk", "sealed_private", "created_at", "current_since", "current_until"]


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start, which was an hour ago."""
    found = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, found)
    (found / "secret-keys").write_text("0" * 64)
    (found / "secret-keys").chmod(0o600)
    return found


def run(data_dir: Path, *arguments: str, code: int = 0, **settings: str) -> Told:
    return Shell.elsewhere("keys", *arguments, "--data-dir", str(data_dir), code=code, **settings)


def migrate(data_dir: Path, code: int = 0, **settings: str) -> Told:
    return Shell.elsewhere("migrate", "--data-dir", str(data_dir), code=code, **{"HASH_COST": "4"} | settings)


def listed(data_dir: Path, algorithm: str = "RS256") -> list[Key]:
    found: list[Key] = json.loads(run(data_dir, "list", "--json").out)
    return [key for key in found if key["algorithm"] == algorithm]


def states(keys: Sequence[Key]) -> list[str]:
    return [key["state"] for key in keys]


def change(data_dir: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection, connection:
        connection.execute(statement, values)


def test_the_list_is_a_table_or_json(data_dir: Path) -> None:
    before = rows(data_dir)
    told = run(data_dir, "list")
    assert told.err == ""
    head, *lines = told.out.splitlines()
    assert head.split()[:3] == ["algorithm", "kid", "state"]
    assert [line.split()[0] for line in lines] == ["RS256", "ES256", "Ed25519"]
    (key,) = listed(data_dir)
    assert set(key) == {"algorithm", "kid", "state", "published", "current_since", "current_until", "revoked_at"}
    assert (key["state"], key["current_until"], key["revoked_at"]) == ("current", None, None)
    assert key["kid"] in lines[0]
    assert rows(data_dir) == before


def test_a_rotation_waits_until_clients_know_the_next_key(data_dir: Path) -> None:
    (current,) = listed(data_dir)
    refused = run(data_dir, "rotate", code=1)
    assert (refused.out, refused.err.count("\n")) == ("", 1)
    assert "--now" in refused.err
    assert listed(data_dir) == [current]

    made = json.loads(run(data_dir, "rotate", "--now", "--json").out)
    signs, following, before = listed(data_dir)
    assert made == signs
    assert states((signs, following, before)) == ["current", "next", "previous"]
    assert before["kid"] == current["kid"]

    assert "wait" in run(data_dir, "rotate", code=1).err
    earlier = (datetime.now(UTC) - timedelta(minutes=6)).replace(tzinfo=None).isoformat(" ")
    change(data_dir, "UPDATE signing_key SET created_at = ? WHERE kid = ?", earlier, following["kid"])
    told = run(data_dir, "rotate")
    assert following["kid"] in told.out
    assert states(listed(data_dir)) == ["current", "next", "previous", "previous"]
    assert listed(data_dir)[0]["kid"] == following["kid"]


def test_a_rotation_is_of_one_algorithm(data_dir: Path) -> None:
    rsa = [key["kid"] for key in listed(data_dir) if key["state"] != "next"]
    run(data_dir, "rotate", "--now", "--algorithm", "Ed25519")
    assert states(listed(data_dir, "Ed25519")) == ["current", "next", "previous"]
    assert [key["kid"] for key in listed(data_dir) if key["state"] != "next"] == rsa
    unknown = run(data_dir, "rotate", "--now", "--algorithm", "EdDSA", code=2)
    assert "RS256" in unknown.err


def test_a_revocation_asks_first(data_dir: Path) -> None:
    (current,) = listed(data_dir)
    command = [sys.executable, "-m", "keystead", "keys", "revoke", current["kid"], "--data-dir", str(data_dir)]
    piped = subprocess.run(
        command, input="y\n", capture_output=True, text=True, env=environment(), timeout=SECONDS, check=False
    )
    assert (piped.returncode, piped.stdout) == (2, "")  # a yes in a pipe is nobody's
    assert "--yes" in piped.stderr
    for answer in ("n\n", "\x04"):
        asked = typed(answer, "keys", "revoke", current["kid"], "--data-dir", data_dir)
        assert (asked.returncode, asked.stdout.strip()) == (1, "")
        assert current["kid"] in asked.stderr
        assert states(listed(data_dir)) == ["current"]
    assert typed("y\n", "keys", "revoke", current["kid"], "--data-dir", data_dir).returncode == 0
    signs, following, gone = listed(data_dir)
    assert states((signs, following, gone)) == ["current", "next", "revoked"]
    assert gone["kid"] == current["kid"]

    ended = json.loads(run(data_dir, "revoke", signs["kid"], "--yes", "--json").out)
    assert (ended["kid"], ended["state"]) == (signs["kid"], "revoked")
    assert listed(data_dir)[0]["kid"] == following["kid"]


def test_what_there_is_not(data_dir: Path, tmp_path: Path) -> None:
    nobody = run(data_dir, "revoke", "nobody", "--yes", code=2)
    assert nobody.err == "keystead: The signing key does not exist.\n"
    for command in (("list",), ("rotate", "--now"), ("revoke", "k", "--yes")):
        nothing = run(tmp_path / "empty", *command, code=2)
        assert (nothing.out, nothing.err.count("\n")) == ("", 1)
        assert "keystead serve" in nothing.err
    assert not (tmp_path / "empty").exists()


def test_the_journal_names_the_command_line(data_dir: Path) -> None:
    made = json.loads(run(data_dir, "rotate", "--now", "--json").out)
    run(data_dir, "revoke", made["kid"], "--yes")
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection:
        found = connection.execute(
            "SELECT type, client_id, description, details FROM journal ORDER BY log_id"
        ).fetchall()
    assert [entry[:3] for entry in found] == [
        ("sapi", "cli", "Rotate the signing keys"),
        ("sapi", "cli", "Revoke a signing key"),
    ]
    assert all(json.loads(entry[3])["kid"] == made["kid"] for entry in found)


def test_a_running_server_follows(data_dir: Path) -> None:
    """It publishes a next key by itself, and signs and refuses as the command line says."""
    with serving(data_dir, SECRET_KEYS="0" * 64) as server:
        jwks = f"{server.url}/.well-known/jwks.json"
        _until(lambda: len(httpx.get(jwks).json()["keys"]) == 2)
        current, following = (key["kid"] for key in httpx.get(jwks).json()["keys"])
        run(data_dir, "rotate", "--now")
        _until(lambda: httpx.get(jwks).json()["keys"][0]["kid"] == following)
        run(data_dir, "revoke", current, "--yes")
        _until(lambda: current not in [key["kid"] for key in httpx.get(jwks).json()["keys"]])


def _until(holds: Any) -> None:
    """Wait for it, for as long as a server may take to follow, and a slow machine more."""
    until = datetime.now(UTC) + timedelta(seconds=SECONDS)
    while not holds():
        assert datetime.now(UTC) < until


# --- a start -----------------------------------------------------------------------------------------------------


def _older(data_dir: Path) -> str:
    """Make the keys what an older version left: one RSA key, without a certificate. Return its ``kid``."""
    change(data_dir, "DELETE FROM signing_key WHERE algorithm <> 'RS256'")
    change(data_dir, "UPDATE signing_key SET public_jwk = json_remove(public_jwk, '$.x5c', '$.x5t')")
    return str(listed(data_dir)[0]["kid"])


def test_an_upgrade_makes_what_lacks(data_dir: Path) -> None:
    kid = _older(data_dir)
    migrate(data_dir)
    (current,) = listed(data_dir)
    assert current["kid"] == kid
    assert [states(listed(data_dir, name)) for name in ("ES256", "Ed25519")] == [["current"], ["current"]]
    found = {row[0]: json.loads(str(row[2])) for row in _key_rows(data_dir)}
    assert all({"x5c", "x5t", "kid", "alg", "use"} <= set(jwk) for jwk in found.values())
    before = rows(data_dir)
    migrate(data_dir)
    assert rows(data_dir) == before


def test_two_upgrades_at_once_make_one_of_each(data_dir: Path) -> None:
    _older(data_dir)
    command = [sys.executable, "-m", "keystead", "migrate", "--data-dir", str(data_dir)]
    starts = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment()) for _ in range(2)]
    assert [start.wait(SECONDS) for start in starts] == [0, 0]
    assert [states(listed(data_dir, name)) for name in ("RS256", "ES256", "Ed25519")] == [["current"]] * 3


def test_keys_are_sealed_anew_with_the_newest_secret_key(data_dir: Path) -> None:
    def start(*secret_keys: str, code: int = 0) -> Told:
        return migrate(data_dir, code=code, SECRET_KEYS=",".join(secret_keys))

    refused = start(NEW, code=2)
    assert refused.err.count("\n") == 1
    assert refused.err.startswith("keystead: KEYSTEAD_SECRET_KEYS: ")
    before = _key_rows(data_dir)
    start(NEW, "0" * 64)
    after = _key_rows(data_dir)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert not {row[3] for row in after} & {row[3] for row in before}
    start(NEW)
    assert _key_rows(data_dir) == after
    start("0" * 64, code=2)


def _key_rows(data_dir: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection:
        statement = f"SELECT {', '.join(COLUMNS)} FROM signing_key ORDER BY kid"  # noqa: S608 - names of ours
        return connection.execute(statement).fetchall()


def test_larger_rsa_keys_come_with_rotations(tmp_path: Path) -> None:
    settings, _ = prepare(settings_for(tmp_path / "data", rsa_bits=2048))
    (data := settings.data_dir).joinpath("secret-keys").write_text("0" * 64)
    data.joinpath("secret-keys").chmod(0o600)
    for _ in range(2):
        run(data, "rotate", "--now", RSA_BITS="3072")
    sizes = {row[0]: len(json.loads(str(row[2])).get("n", "")) * 6 // 8 * 8 for row in _key_rows(data)}
    assert [sizes[key["kid"]] for key in listed(data)] == [3072, 3072, 3072, 2048]
