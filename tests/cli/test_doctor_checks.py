"""``keystead doctor``: an installation looked at, well and ill, alone and with its server."""

import json
import os
import re
import shutil
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from browser.tls import in_front_of
from conftest import Stencil
from program import free_port, keystead, serving
from shell import Shell

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_stencil: Stencil) -> Path:
    """An installation after its first start, its files as a start leaves them."""
    path = tmp_path / "data"
    shutil.copytree(sqlite_stencil.settings.data_dir, path)
    path.chmod(0o700)
    (path / "secret-keys").write_text("0" * 64)
    for each in path.iterdir():
        each.chmod(0o600)
    return path


def examined(data_dir: Path, *options: str, status: int = 0, **settings: str) -> dict[str, dict[str, str]]:
    """Return what the doctor finds, by check; the worst of several of one check."""
    done = Shell.elsewhere("doctor", "--data-dir", str(data_dir), "--json", *options, code=status, **settings)
    assert done.err == ""
    return by_check(done.document)


def by_check(findings: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    order = ("skipped", "ok", "warning", "error")
    found = sorted(findings, key=lambda each: order.index(each["status"]))
    assert all(set(each) == {"id", "status", "found", "remedy"} for each in found)
    return {each["id"]: each for each in found}


def bad(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: each["status"] for name, each in found.items() if each["status"] in ("warning", "error")}


def sql(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / "keystead.db")) as connection, connection:
        connection.execute(statement)


def test_a_new_installation_is_well_and_left_as_it_is(data_dir: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mode) for path in data_dir.iterdir()}
    found = examined(data_dir, "--offline")
    assert bad(found) == {}
    after = {path.name: (path.read_bytes(), path.stat().st_mode) for path in data_dir.iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"keystead.db-wal", "keystead.db-shm"}


def test_one_line_for_each_check(data_dir: Path) -> None:
    done = keystead("doctor", "--offline", "--data-dir", data_dir, ALLOWED_HSTS="x")
    lines = done.stdout.splitlines()
    assert all(re.match(r"(ok|warning|error|skipped) +[a-z_]+  ", line) for line in lines)
    (line,) = [line for line in lines if line.startswith("warning")]
    assert line.endswith("  ->  unset KEYSTEAD_ALLOWED_HSTS")
    assert "did you mean KEYSTEAD_ALLOWED_HOSTS?" in line


def test_every_check_is_documented(data_dir: Path) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").split("## `keystead doctor`\n")[1].split("\n## ")[0]
    told = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall("`([a-z_]+)`", line.split(" | ")[0])
    }
    found = examined(data_dir, status=1, PUBLIC_URL="https://localhost:1")
    assert set(found) <= told
    assert told - set(found) <= {
        "settings",
        "outbox",
        "metrics",
        "traces",
        "database_clock",
        "public_clock",
        "proxy",
        "mail",
    }


def test_what_does_not_open_is_named(data_dir: Path) -> None:
    sql(
        data_dir,
        "UPDATE signing_key SET sealed_private = x'000102030405060708090a0b0c0d0e0f' WHERE algorithm = 'RS256'",
    )
    found = examined(data_dir, "--offline", status=1)
    assert bad(found) == {"sealed": "error"}
    assert "signing key" in found["sealed"]["found"]
    assert "KEYSTEAD_SECRET_KEYS=" in found["sealed"]["remedy"]


def test_an_older_schema(data_dir: Path) -> None:
    sql(data_dir, "UPDATE alembic_version SET version_num = '0001'")
    found = examined(data_dir, "--offline", status=1)
    assert found["schema"]["remedy"] == "keystead migrate"
    assert found["stored"]["status"] == "skipped"


def test_files_that_others_can_read(data_dir: Path) -> None:
    (data_dir / "keystead.db").chmod(0o644)
    found = examined(data_dir, "--offline")
    assert bad(found) == {"files": "warning"}
    assert f"chmod 600 {data_dir}/keystead.db" in found["files"]["remedy"].split("; ")


def test_no_owner_and_no_link(data_dir: Path) -> None:
    sql(data_dir, "DELETE FROM ticket")
    assert bad(examined(data_dir, "--offline")) == {"administrators": "warning"}


def test_an_owner_who_never_came(data_dir: Path) -> None:
    invited = keystead("administrators", "invite", "ann@example.com", "owner", "--data-dir", data_dir)
    assert invited.returncode == 0, invited.stderr
    found = examined(data_dir, "--offline")
    assert bad(found) == {"administrators": "warning"}
    assert found["administrators"]["found"].startswith("no owner can sign in: 1 invited")


def test_a_moved_public_url(data_dir: Path) -> None:
    sql(data_dir, """INSERT INTO setting (name, value) VALUES ('relying_party', '{"id": "old.example.org"}')""")
    found = examined(data_dir, "--offline", status=1)
    assert bad(found) == {"relying_party": "error"}
    assert found["relying_party"]["remedy"].startswith("PATCH /api/v2/keystead/relying-party {")


def test_work_that_is_overdue(data_dir: Path) -> None:
    sql(
        data_dir,
        "INSERT INTO job (id, type, status, sealed, created_at, run_at, tries) "
        "VALUES ('j', 'message', 'pending', x'', '2026-01-01', '2026-01-01 00:00:00.000000', 0)",
    )
    assert bad(examined(data_dir, "--offline")) == {"jobs": "warning"}


def test_lost_keys_are_not_made_anew(data_dir: Path) -> None:
    (data_dir / "secret-keys").unlink()
    assert bad(examined(data_dir, "--offline", status=1)) == {"secret_keys": "error"}
    assert not (data_dir / "secret-keys").exists()


def test_keys_that_others_can_read(data_dir: Path) -> None:
    (data_dir / "secret-keys").chmod(0o644)
    assert bad(examined(data_dir, "--offline", status=1)) == {"secret_keys": "error"}
    assert stat.S_IMODE((data_dir / "secret-keys").stat().st_mode) == 0o644


def test_where_nothing_is_nothing_is_made(tmp_path: Path) -> None:
    done = keystead("doctor", "--data-dir", tmp_path / "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "nowhere").exists()


def test_places_that_are_lost(data_dir: Path) -> None:
    lost = f"127.0.0.1:{free_port()}"
    found = examined(
        data_dir,
        status=1,
        PUBLIC_URL=f"http://{lost.replace('127.0.0.1', 'localhost')}",
        REDIS_URL=f"redis://{lost}/0",
        SMTP_URL=f"smtp://{lost}",
        BREACHED_PASSWORDS=f"http://{lost}/range",
    )
    assert bad(found) == dict.fromkeys(("reached", "redis", "mail", "breached_passwords"), "error")
    assert "ConnectError" in found["reached"]["found"] or "refused" in found["reached"]["found"]


def test_it_knows_its_own_server(data_dir: Path, tmp_path: Path) -> None:
    with serving(data_dir) as server:
        found = examined(data_dir, PUBLIC_URL=server.url)
        assert bad(found) == {}
        assert {found[name]["status"] for name in ("reached", "proxy", "public_clock")} == {"ok"}
        elsewhere = tmp_path / "elsewhere"
        shutil.copytree(data_dir, elsewhere, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
        (elsewhere / "secret-keys").write_text("1" * 64)
        other = examined(elsewhere, status=1, PUBLIC_URL=server.url)
        assert "not to this installation" in other["reached"]["found"]


@contextmanager
def bound() -> Iterator[socket.socket]:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        yield each


def test_behind_a_proxy_with_tls(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, port = trustme.CA(), free_port()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with bound() as front:
        url = f"https://localhost:{front.getsockname()[1]}"
        settings: dict[str, Any] = {"PUBLIC_URL": url, "SMTP_URL": "", "HASH_COST": "10"}
        with in_front_of(port, bound=front, ca=ca), serving(data_dir, port=port, **settings):
            distrusting = examined(data_dir, status=1, **settings)
            assert {"reached", "tls"} <= set(bad(distrusting))
            monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            done = keystead("doctor", "--data-dir", data_dir, "--json", **settings)
            found = by_check(json.loads(done.stdout))
            assert found["tls"]["status"] == found["reached"]["status"] == "ok"
            assert found["proxy"]["remedy"].endswith("KEYSTEAD_TRUSTED_PROXIES=127.0.0.1")


def test_a_start_tells_what_it_sees(data_dir: Path) -> None:
    sql(data_dir, "DELETE FROM ticket")
    (data_dir / "keystead.db").chmod(0o644)
    with serving(data_dir) as server:
        told = [line for line in server.output.splitlines() if line.startswith("keystead: ")]
    assert sum(line.startswith("keystead: files: others can read") for line in told) == 1
    assert sum(line.startswith("keystead: administrators: there is no owner") for line in told) == 1
