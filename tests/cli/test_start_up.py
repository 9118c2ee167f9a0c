"""What a new user runs into at the start: each ends with one line that says what to do, or is told in one."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from keystead.cli.listener import listen
from keystead.secrecy import Secret
from keystead.settings import PREFIX, Settings, SettingsError, load, publish
from keystead.start import doubts, follow_public_url, prepare
from program import SECONDS, environment, free_port, keystead
from world import test_settings as settings_for

FOR_PEOPLE = "https://login.example.com"
MAIL = "smtp://mail.example.com"


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Leave the environment as it was, and begin without settings."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


# --- the way into worker processes -----------------------------------------------------------------------------------

UNUSUAL: dict[str, Any] = {
    "journal_days": 365,
    "import_bytes": 0,
    "import_hours": 24,
    "log_stream_hosts": "siem.internal 10.0.0.0/8",
    "logout_hosts": "shop.internal, 10.1.0.0/16",
    "host": "::",
    "port": 8123,
    "workers": 3,
    "data_dir": Path("/var/lib/key stead"),
    "public_url": "https://login.example.com:8443",
    "database_url": "postgresql://u:p%40,s s@h:1/d?sslmode=require",
    "database_pool": 3,
    "redis_url": "rediss://u:p%40,s@h:1/2",
    "secret_keys": ["k" * 32, "o" * 40],
    "trusted_proxies": "10.0.0.0/8, ::1, 2001:db8::/32",
    "allowed_hosts": "A.example, b.example:8443",
    "request_limits": 7,
    "cookie_samesite": "none",
    "hash_cost": 4,
    "hash_workers": 3,
    "hash_queue": 5,
    "rsa_bits": 4096,
    "smtp_url": "smtp://u:p%40@mail.example.com:2525?tls=offered",
    "mail_from": '"Example, Inc." <team@example.com>',
    "sms_url": "twilio+https://AC1:t%40ken@api.twilio.com",
    "sms_from": "+15005550006",
    "sms_key": "k, 1",
    "breached_passwords": "https://api.example.com/range",
    "breached_passwords_down": "closed",
    "metrics_listen": "[::1]:9090",
    "metrics_token": "t" * 16,
    "otel_endpoint": "http://collector.example.com:4318",
    "script_seconds": 7,
    "script_memory": 128,
    "script_concurrency": 3,
    "script_output": 64,
    "node": "/usr/local/bin/node",
    "script_node_modules": "/usr",
    "script_python": "/usr/bin",
    "script_wrapper": "sudo -u 'script runner' --",
    "drain_seconds": 7,
    "log_level": "debug",
    "log_format": "json",
}
EMPTY: dict[str, Any] = dict.fromkeys(("public_url", "database_url", "trusted_proxies", "allowed_hosts"), "")


@pytest.mark.parametrize("given", [UNUSUAL, EMPTY, {}], ids=["unusual", "empty", "default"])
def test_every_setting_reaches_a_worker(given: dict[str, Any]) -> None:
    parent = load(**given)
    publish(parent)
    assert _in_clear(load()) == _in_clear(parent)


def test_every_setting_is_unusual_above() -> None:
    usual, unusual = _in_clear(load()), _in_clear(load(**UNUSUAL))
    assert set(UNUSUAL) == set(Settings.model_fields)
    assert [name for name in usual if usual[name] == unusual[name]] in ([], ["hash_workers"])


def _in_clear(settings: Settings) -> dict[str, Any]:
    def shown(value: object) -> object:
        if isinstance(value, tuple):
            return [shown(each) for each in value]
        return value.reveal() if isinstance(value, Secret) else value

    return {name: shown(getattr(settings, name)) for name in Settings.model_fields}


# --- doubts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://app.localhost",
        "https://login.example.com",
        "https://localhost:8443",
        "https://10.example.com",
    ],
)
def test_good_public_urls_raise_no_doubts(url: str) -> None:
    assert doubts(load(public_url=url, smtp_url=MAIL)) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com",
        "http://localhost.example.com",
        "http://notlocalhost",
        "http://127.0.0.1:8000",
        "https://10.0.0.1",
        "https://[::1]:8443",
    ],
)
def test_public_urls_without_passkeys(url: str) -> None:
    (doubt,) = doubts(load(public_url=url, smtp_url=MAIL))
    assert doubt.startswith(f"KEYSTEAD_PUBLIC_URL: browsers refuse passkeys on {url}, ")


def test_a_cheap_hash_for_real_people() -> None:
    (doubt,) = doubts(load(public_url=FOR_PEOPLE, smtp_url=MAIL, hash_cost=9))
    assert doubt.startswith("KEYSTEAD_HASH_COST: 9 ")
    assert doubts(load(public_url=FOR_PEOPLE, smtp_url=MAIL, hash_cost=10)) == doubts(load(hash_cost=4)) == []


def test_unknown_variables() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    secrets = ("SECRET_KEYS", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "SMS_URL", "SMS_KEY", "METRICS_TOKEN")
    files = {f"{PREFIX}{name}_FILE" for name in secrets}
    os.environ.update(dict.fromkeys({*known, *files, "KEYSTEAD_TEST_ANYTHING", "UNRELATED"}, "x"))
    settings = load(**UNUSUAL | {"hash_cost": 10})
    assert doubts(settings) == []
    os.environ.update({"KEYSTEAD_PUBLC_URL": "x", "KEYSTEAD_ZZZZZZ": "x"})
    assert doubts(settings) == [
        "KEYSTEAD_PUBLC_URL: there is no such setting; did you mean KEYSTEAD_PUBLIC_URL?",
        "KEYSTEAD_ZZZZZZ: there is no such setting",
    ]


# --- the port --------------------------------------------------------------------------------------------------------


def test_a_port_is_had_by_one() -> None:
    port = free_port()
    held = listen("127.0.0.1", port)
    with pytest.raises(SettingsError) as refused:
        listen("127.0.0.1", port)
    assert str(refused.value) == f"KEYSTEAD_PORT: 127.0.0.1:{port} is in use; choose another with --port"
    with socket.create_connection(("127.0.0.1", port)):
        pass
    for each in held:
        each.close()
    for each in listen("127.0.0.1", port):  # at once: what is left of the old connection is in nobody's way
        each.close()


@pytest.mark.parametrize("host", ["203.0.113.9", "host.invalid", "not a host", "2001:db8::1"])
def test_addresses_of_others(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^KEYSTEAD_HOST: ") as refused:
        listen(host, free_port())
    assert host in str(refused.value)


def test_every_address_of_a_name() -> None:
    port = free_port()
    sockets = listen("localhost", port)
    found = {each.getsockname()[0] for each in sockets}
    assert "127.0.0.1" in found
    assert found <= {"127.0.0.1", "::1"}
    for each in sockets:
        each.close()


def test_nothing_is_written_for_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = keystead("serve", "--data-dir", tmp_path / "data", "--port", str(port))
    told = f"keystead: KEYSTEAD_PORT: 127.0.0.1:{port} is in use; choose another with --port\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_interrupted(tmp_path: Path, workers: str) -> None:
    """Ctrl-C reaches all processes at once, also those that are still on their imports."""
    log, port = tmp_path / "log", free_port()
    options = ("--port", str(port), "--data-dir", str(tmp_path / "data"), "--workers", workers)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "keystead", "serve", *options],
            stdout=output,
            stderr=output,
            env=environment(),
            start_new_session=True,
        )
    until = time.monotonic() + SECONDS
    while "Keystead is at" not in log.read_text() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    time.sleep(1)  # into the imports of the workers, or past them: it must not matter
    os.killpg(process.pid, signal.SIGINT)
    try:
        assert process.wait(SECONDS) == 0
    finally:
        with suppress(ProcessLookupError):  # nobody is left, as it should be
            os.killpg(process.pid, signal.SIGKILL)
    told = log.read_text()
    assert "Keystead is at" in told
    assert "Traceback" not in told
    assert "Aborted" not in told


# --- directories and databases that cannot be used -------------------------------------------------------------------


def _a_file(path: Path) -> str:
    path.write_text("")
    return f"{path}: is not a directory"


def _below_a_file(path: Path) -> str:
    path.parent.rmdir()
    path.parent.write_text("")
    return f"{path}: Not a directory"


@pytest.mark.parametrize("obstacle", [_a_file, _below_a_file])
def test_data_directories_that_cannot_be(tmp_path: Path, obstacle: Callable[[Path], str]) -> None:
    data_dir = tmp_path / "parent" / "data"
    data_dir.parent.mkdir()
    told = obstacle(data_dir)
    with pytest.raises(SettingsError) as refused:
        prepare(load(data_dir=data_dir))
    assert str(refused.value) == f"KEYSTEAD_DATA_DIR: {told}"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a directory that nobody may write to, not even root")
def test_a_data_directory_that_cannot_be_written_to() -> None:
    with pytest.raises(SettingsError, match=r"^KEYSTEAD_DATA_DIR: /proc/"):
        prepare(load(data_dir="/proc"))


def test_secret_keys_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "secret-keys").write_bytes(bytes(range(128, 192)))
    (tmp_path / "secret-keys").chmod(0o600)
    with pytest.raises(SettingsError, match="must be text"):
        prepare(load(data_dir=tmp_path))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "keystead.db"
    path.write_bytes(b"no database " * 1000)
    before = path.read_bytes()
    with pytest.raises(SettingsError) as refused:
        prepare(settings_for(tmp_path))
    assert str(refused.value) == f"KEYSTEAD_DATABASE_URL: {path} cannot be used: file is not a database"
    assert path.read_bytes() == before


def test_a_damaged_database(tmp_path: Path) -> None:
    settings, _ = prepare(settings_for(tmp_path))
    with (tmp_path / "keystead.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 40_000)
    with pytest.raises(SettingsError, match=f"{tmp_path}/keystead.db cannot be used: .*malformed"):
        prepare(settings)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/d", "PostgreSQL cannot be used: .*refused"),
        ("postgresql://u:1/hunter2@127.0.0.1:x/d", "PostgreSQL cannot be used: the URL cannot be read"),
        ("sqlite:////nowhere/at/all.db", "/nowhere/at/all.db cannot be used: unable to open database file"),
    ],
)
def test_databases_that_are_not_there(tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"^KEYSTEAD_DATABASE_URL: {told}") as refused:
        prepare(settings_for(tmp_path, database_url=url))
    assert "hunter2" not in str(refused.value)


def test_redis_without_its_library(tmp_path: Path) -> None:
    """Where the extra is missing, that is told before anybody relies on it; without Redis nobody misses it."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['redis'] = None\n")
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))

    def run(code: str, **settings: str) -> tuple[int, list[str]]:
        env = environment({"DATA_DIR": str(tmp_path / "data")} | settings) | {"PYTHONPATH": paths}
        command = [sys.executable, "-c", f"from keystead import start, settings, app\n{code}"]
        told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
        return told.returncode, told.stderr.strip().splitlines()[-1:]

    code, told = run("start.prepare(settings.load())", REDIS_URL="redis://127.0.0.1/0")
    assert (code, told) == (1, ["keystead.settings.SettingsError: KEYSTEAD_REDIS_URL: Redis needs the extra 'redis'"])
    assert run("app.create_app(start.prepare(settings.load())[0])") == (0, [])


@pytest.mark.parametrize("user", ["guest", "stranger"])
def test_databases_of_somebody_else(tmp_path: Path, postgres_url: str, user: str) -> None:
    """A role that may not make tables, and one that may not even come in."""
    admin = make_url(postgres_url).set(drivername="postgresql+psycopg")
    name = f"closed_{os.getpid()}_{user}"
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    _execute(engine, f'CREATE DATABASE "{name}"', f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'hunter2'")
    closed = admin.set(username=name if user == "guest" else "stranger", password="hunter2", database=name)
    try:
        with pytest.raises(SettingsError, match=r"^KEYSTEAD_DATABASE_URL: PostgreSQL cannot be used: ") as refused:
            prepare(settings_for(tmp_path, database_url=closed.render_as_string(hide_password=False)))
    finally:
        _execute(engine, f'DROP DATABASE "{name}"', f'DROP ROLE "{name}"')
        engine.dispose()
    assert "hunter2" not in str(refused.value)
    assert not (tmp_path / "first-run.json").exists()


def _execute(engine: Engine, *statements: str) -> None:
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize("name", ["SECRET_KEYS_FILE", "DATABASE_URL_FILE"])
def test_files_of_secrets_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / "none", tmp_path):
        os.environ[f"KEYSTEAD_{name}"] = str(path)
        with pytest.raises(SettingsError, match=f"^KEYSTEAD_{name}: "):
            load()


# --- first-run.json --------------------------------------------------------------------------------------------------


def test_the_urls_follow_the_public_url(tmp_path: Path) -> None:
    path, lines = tmp_path / "first-run.json", list[str]()
    settings, made = prepare(settings_for(tmp_path))
    assert made is not None
    before = path.read_bytes()
    follow_public_url(settings, lines.append)
    assert (path.read_bytes(), lines) == (before, [])

    moved = settings.model_copy(update={"public_url": "https://login.example.com"})
    follow_public_url(moved, lines.append)
    found = path.read_text()
    assert found == before.decode().replace("http://localhost:8000", "https://login.example.com")
    assert found.count("https://login.example.com") == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines == [f"{path}: its URLs now begin with https://login.example.com"]

    written = path.stat()
    follow_public_url(moved, lines.append)
    assert (path.stat().st_ino, path.stat().st_mtime_ns, len(lines)) == (written.st_ino, written.st_mtime_ns, 1)
    follow_public_url(settings, lines.append)
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} >= {"first-run.json", "keystead.db", "secret-keys"}
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith("first-run.json.")]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"public_url": "http://localhost:1"}'])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, content: str) -> None:
    settings, _ = prepare(settings_for(tmp_path))
    path, lines = tmp_path / "first-run.json", list[str]()
    path.write_text(content)
    follow_public_url(settings, lines.append)
    assert path.read_text() == content
    assert lines == [f"{path} is left as it is: {path}: is not what a first start wrote"]
    path.unlink()
    follow_public_url(settings, lines.append)
    assert (path.exists(), len(lines)) == (False, 1)


def test_what_another_database_left_is_kept(tmp_path: Path) -> None:
    lines = list[str]()
    prepare(settings_for(tmp_path), tell=lines.append)
    older = (tmp_path / "first-run.json").read_bytes()
    assert lines == []
    elsewhere = f"sqlite:///{tmp_path}/another.db"
    for _ in range(2):  # the second finds an installation and moves nothing
        prepare(settings_for(tmp_path, database_url=elsewhere), tell=lines.append)
        kept = tmp_path / "first-run.json.old"
        assert kept.read_bytes() == older
        assert (tmp_path / "first-run.json").read_bytes() != older
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert lines == [f"{tmp_path}/first-run.json was of another database; it is kept as first-run.json.old"]


def test_first_run_says_which_start_it_was(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    first = keystead("first-run", "--data-dir", data_dir, "--port", "8123")
    assert first.stdout.startswith("This is the first start. ")
    assert f"kept in {data_dir}/first-run.json:" in first.stdout
    assert "http://localhost:8123/u/setup?ticket=" in first.stdout
    made = (data_dir / "first-run.json").read_bytes()

    again = keystead("first-run", "--data-dir", data_dir)
    assert again.stdout.startswith("The first start was on 2")
    assert "may have been used" in again.stdout
    assert again.stdout.splitlines()[1:] == first.stdout.splitlines()[1:]
    assert (data_dir / "first-run.json").read_bytes() == made  # only a server decides where it is


def test_doubts_are_told_and_the_start_goes_on(tmp_path: Path) -> None:
    told = keystead("first-run", "--data-dir", tmp_path / "data", PUBLIC_URL="http://10.0.0.1", HASHCOST="4")
    assert told.returncode == 0
    assert told.stderr.splitlines() == [
        "keystead: KEYSTEAD_HASHCOST: there is no such setting; did you mean KEYSTEAD_HASH_COST?",
        "keystead: KEYSTEAD_PUBLIC_URL: browsers refuse passkeys on http://10.0.0.1, "
        "whose host is an address, not a name",
        "keystead: KEYSTEAD_SMTP_URL: none; unless a server is stored through the Management API, no mail is sent",
    ]


@pytest.mark.parametrize("text", ["hunter2\n", f"{'F' * 40}\n{'0' * 40}\n", ""])
def test_a_file_in_which_no_breached_password_would_be_found_ends_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "breached.txt"
    file.write_text(text, encoding="utf-8")
    told = keystead("first-run", "--data-dir", tmp_path / "data", BREACHED_PASSWORDS=str(file))
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"keystead: KEYSTEAD_BREACHED_PASSWORDS: {file}: ")
