"""Settings: read once, refused in one line, and never shown where they are secret."""

import copy
import json
import logging
import os
import pickle
import stat
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from keystead.secrecy import Secret, fingerprint
from keystead.settings import PREFIX, Settings, SettingsError, load, publish, with_keys

KEY, OLDER = "k" * 32, "o" * 48


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set ``KEYSTEAD_*`` variables and no others."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update({PREFIX + name: value for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def read(**variables: str) -> Settings:
    with environment(**variables):
        return load()


def refusal(**variables: str) -> str:
    with environment(**variables), pytest.raises(SettingsError) as refused:
        load()
    return str(refused.value)


def test_defaults() -> None:
    settings = read()
    assert settings.public_url == "http://localhost:8000"
    assert settings.issuer == "http://localhost:8000/"
    assert settings.host_name == "localhost"
    assert settings.database_url.reveal() == "sqlite:///data/keystead.db"
    assert settings.key_file == Path("data/secret-keys")
    assert (settings.hash_cost, settings.workers, settings.is_https) == (10, 1, False)
    assert settings.secret_keys == settings.trusted_proxies == settings.allowed_hosts == ()


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - a value, nothing listens
        ("PORT", "65535", 65535),
        ("WORKERS", "2", 2),
        ("DATA_DIR", "/var/lib/keystead", Path("/var/lib/keystead")),
        ("PUBLIC_URL", "https://login.example.com", "https://login.example.com"),
        ("PUBLIC_URL", " https://Login.Example.COM/ ", "https://login.example.com"),
        ("PUBLIC_URL", "https://localhost:8443", "https://localhost:8443"),
        ("PUBLIC_URL", "https://login.example.com:443", "https://login.example.com"),
        ("PUBLIC_URL", "http://localhost:80", "http://localhost"),
        ("PUBLIC_URL", "https://localhost:80", "https://localhost:80"),
        ("PUBLIC_URL", "http://[::1]:8000", "http://[::1]:8000"),
        ("DATABASE_POOL", "1", 1),
        ("REDIS_URL", "redis://localhost", "redis://localhost"),
        ("REDIS_URL", " redis://:p%40ss@[::1]:6380/1\n", "redis://:p%40ss@[::1]:6380/1"),
        ("REDIS_URL", "rediss://ann:hunter2@redis.example.com:6379/0", "rediss://ann:hunter2@redis.example.com:6379/0"),
        ("HASH_COST", "12", 12),
        ("HASH_WORKERS", "4", 4),
        ("HASH_QUEUE", "10", 10),
        ("REQUEST_LIMITS", "on", 1),
        ("REQUEST_LIMITS", " OFF ", 0),
        ("REQUEST_LIMITS", "10", 10),
        ("RSA_BITS", "3072", 3072),
        ("MAIL_FROM", "Example <no-reply@example.com>", "Example <no-reply@example.com>"),
        ("SMS_FROM", "+15005550006", "+15005550006"),
        ("BREACHED_PASSWORDS", __file__, __file__),
        ("BREACHED_PASSWORDS", "https://api.pwnedpasswords.com/range/", "https://api.pwnedpasswords.com/range"),
        ("BREACHED_PASSWORDS", "http://127.0.0.1:9000/range", "http://127.0.0.1:9000/range"),
        ("BREACHED_PASSWORDS", "", ""),
        ("BREACHED_PASSWORDS_DOWN", "closed", "closed"),
        ("LOG_STREAM_HOSTS", "Logs.Internal, 10.0.0.0/8 ::1", ("logs.internal", "10.0.0.0/8", "::1/128")),
        ("LOGOUT_HOSTS", "Shop.Internal, ::1", ("shop.internal", "::1/128")),
        ("JOURNAL_DAYS", "400", 400),
        ("METRICS_LISTEN", "127.0.0.1:9090", "127.0.0.1:9090"),
        ("METRICS_LISTEN", "9090", "9090"),
        ("METRICS_LISTEN", "[::1]:9090", "[::1]:9090"),
        ("METRICS_TOKEN", f" {'t' * 16}\n", "t" * 16),
        ("OTEL_ENDPOINT", "http://localhost:4318/", "http://localhost:4318"),
        ("IMPORT_BYTES", "0", 0),
        ("IMPORT_HOURS", "720", 720),
        ("NODE", "/usr/bin/node", "/usr/bin/node"),
        ("SCRIPT_SECONDS", "300", 300),
        ("SCRIPT_MEMORY", "96", 96),
        ("SCRIPT_CONCURRENCY", "250", 250),
        ("SCRIPT_OUTPUT", "16", 16),
        ("SCRIPT_NODE_MODULES", f" {__file__} ", __file__),
        ("SCRIPT_PYTHON", "", ""),
        ("SCRIPT_WRAPPER", "systemd-run --scope -p 'MemoryMax=1G'", "systemd-run --scope -p 'MemoryMax=1G'"),
        ("DRAIN_SECONDS", "30", 30),
        ("LOG_LEVEL", "debug", "debug"),
        ("LOG_FORMAT", "json", "json"),
        ("ALLOWED_HOSTS", "Login.example.com, localhost:8000", ("login.example.com", "localhost:8000")),
    ],
)
def test_good_values(variable: str, text: str, value: object) -> None:
    found = getattr(read(**{variable: text}), variable.lower())
    assert (found.reveal() if isinstance(found, Secret) else found) == value


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////var/lib/keystead.db", "sqlite:////var/lib/keystead.db"),
        ("sqlite:///keystead.db", "sqlite:///keystead.db"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d?sslmode=require", "postgresql+psycopg://u:p@h/d?sslmode=require"),
        ("postgresql+psycopg:///d?host=/run/postgresql", "postgresql+psycopg:///d?host=/run/postgresql"),
        ("", "sqlite:///data/keystead.db"),
    ],
)
def test_database_urls(url: str, driver: str) -> None:
    assert read(DATABASE_URL=url).database_url.reveal() == driver


def test_lists() -> None:
    assert [key.reveal() for key in read(SECRET_KEYS=f"{KEY}, {OLDER}").secret_keys] == [KEY, OLDER]
    assert [str(each) for each in read(TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8 ::1").trusted_proxies] == [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "::1/128",
    ]


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("WORKERS", "0", "a whole number from 1 to 64"),
        ("PUBLIC_URL", "login.example.com", "https://login.example.com"),
        ("PUBLIC_URL", "localhost:8000", "https://login.example.com"),
        ("PUBLIC_URL", "ftp://login.example.com", "https://login.example.com"),
        ("PUBLIC_URL", "https://", "https://login.example.com"),
        ("PUBLIC_URL", "https://login.example.com/auth", "https://login.example.com"),
        ("PUBLIC_URL", "https://login.example.com?x", "https://login.example.com"),
        ("PUBLIC_URL", "https://login.example.com#x", "https://login.example.com"),
        ("PUBLIC_URL", "https://somebody@login.example.com", "https://login.example.com"),
        ("PUBLIC_URL", "https://login.example.com:0", "https://login.example.com"),
        ("PUBLIC_URL", "https://login.example.com:65536", "https://login.example.com"),
        ("PUBLIC_URL", "https://login example.com", "https://login.example.com"),
        ("PUBLIC_URL", "https://bücher.example", "https://login.example.com"),
        ("PUBLIC_URL", "https://[::1", "https://login.example.com"),
        ("DATABASE_URL", "keystead.db", "sqlite:///path/to/file"),
        ("DATABASE_URL", "sqlite://", "sqlite:///path/to/file"),
        ("DATABASE_URL", "sqlite:///", "sqlite:///path/to/file"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///path/to/file"),
        ("DATABASE_URL", "sqlite+aiosqlite:///x", "sqlite:///path/to/file"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d", "postgresql://user:password@host/database"),
        ("DATABASE_POOL", "0", "a whole number from 1 to 100"),
        ("REDIS_URL", "redis.example.com:6379", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "http://ann:hunter2@redis.example.com", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "redis://", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "redis://ann:hun/ter2@redis.example.com/0", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "redis://redis.example.com:0/0", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "redis://redis.example.com/counts", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_cert_reqs=none", "redis://user:password@host:6379/0"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis://user:password@host:6379/0"),
        ("SECRET_KEYS", "hunter2", "at least 32 bytes"),
        ("SECRET_KEYS", f"{KEY},hunter2", "at least 32 bytes"),
        ("TRUSTED_PROXIES", "proxy.example", "IPv4 or IPv6 network"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "host bits"),
        ("COOKIE_SAMESITE", "strict", "'lax' or 'none'"),
        ("COOKIE_SAMESITE", "none", "https"),
        ("HASH_COST", "3", "a whole number from 4 to 16"),
        ("HASH_COST", "17", "a whole number from 4 to 16"),
        ("HASH_WORKERS", "0", "a whole number from 1 to 64"),
        ("HASH_QUEUE", "-1", "a whole number from 1 to 10000"),
        ("REQUEST_LIMITS", "x10", "on, off, or how many times"),
        ("REQUEST_LIMITS", "1001", "from 1 to 1000"),
        ("REQUEST_LIMITS", "0.5", "on, off, or how many times"),
        ("RSA_BITS", "1024", "2048, 3072 or 4096"),
        ("SMTP_URL", "http://ann:hunter2@mail.example.com", "smtp://user:password@host:587"),
        ("MAIL_FROM", "no address", "an address, or a name and an address"),
        ("SMS_URL", "twilio+http://AC1:hunter2@api.twilio.com", "twilio+https://SID:TOKEN@api.twilio.com"),
        ("BREACHED_PASSWORDS", "/nowhere/hashes", "must be a file that can be read"),
        ("BREACHED_PASSWORDS", "/", "must be a file that can be read"),
        ("BREACHED_PASSWORDS", "http://breaches.example/range", "https://host/path"),
        ("BREACHED_PASSWORDS", "ftp://breaches.example/range", "https://host/path"),
        ("BREACHED_PASSWORDS", "https://", "https://host/path"),
        ("BREACHED_PASSWORDS_DOWN", "ajar", "'open', 'closed' or 'silent'"),
        ("JOURNAL_DAYS", "-1", "from 0 to 36500"),
        ("METRICS_LISTEN", "127.0.0.1", "such as 127.0.0.1:9090"),
        ("METRICS_LISTEN", "127.0.0.1:70000", "such as 127.0.0.1:9090"),
        ("METRICS_LISTEN", "127.0.0.1:8000", "another port than 8000"),
        ("METRICS_TOKEN", "hunter2", "at least 16 characters"),
        ("METRICS_TOKEN", "hunter2 and spaces", "without spaces"),
        ("OTEL_ENDPOINT", "localhost:4318", "http://host:4318"),
        ("OTEL_ENDPOINT", "http://localhost:0", "http://host:4318"),
        ("IMPORT_BYTES", "-1", "from 0 to 999999999"),
        ("IMPORT_HOURS", "721", "from 0 to 720"),
        ("SCRIPT_SECONDS", "0", "from 1 to 300"),
        ("SCRIPT_MEMORY", "95", "from 96 to 65536"),
        ("SCRIPT_CONCURRENCY", "251", "from 1 to 250"),
        ("SCRIPT_OUTPUT", "15", "from 16 to 65536"),
        ("SCRIPT_NODE_MODULES", "/nowhere/node_modules", "a path that is there, or empty"),
        ("SCRIPT_PYTHON", "/nowhere/python", "a path that is there, or empty"),
        ("SCRIPT_WRAPPER", "nice 'unclosed", "a command, with its quotes closed"),
        ("DRAIN_SECONDS", "301", "from 0 to 300"),
        ("LOG_LEVEL", "loud", "'debug', 'info'"),
        ("LOG_FORMAT", "xml", "'console' or 'json'"),
    ],
)
def test_wrong_values(variable: str, text: str, told: str) -> None:
    """One line that names the variable and what it must look like; never the value of a secret."""
    message = refusal(**{variable: text})
    assert message.startswith(f"KEYSTEAD_{variable}: ")
    assert told in message
    assert "\n" not in message
    assert "hunter2" not in message


def test_samesite_none_over_https() -> None:
    assert read(COOKIE_SAMESITE="none", PUBLIC_URL="https://login.example.com").cookie_samesite == "none"


def test_every_setting_is_tried_here() -> None:
    """A new setting fails this until its good and wrong values are in the tables above."""
    tables: list[Any] = [*test_good_values.pytestmark, *test_wrong_values.pytestmark]  # type: ignore[attr-defined]
    tried = {row[0].lower() for mark in tables for row in mark.args[1]} | {"secret_keys", "trusted_proxies"}
    tried |= {"sms_key"}  # any text is one
    assert tried == set(Settings.model_fields)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read().port = 1  # type: ignore[misc]  # what is tried


def test_options_win_over_the_environment() -> None:
    with environment(PORT="9000", HASH_COST="5"):
        settings = load(port=8123, hash_cost=None)
    assert (settings.port, settings.hash_cost, settings.public_url) == (8123, 5, "http://localhost:8123")


# --- files with secrets ----------------------------------------------------------------------------------------------


def test_files_hold_secrets(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n{OLDER}\n")
    (tmp_path / "url").write_text("postgres://u:p@h/d\n")
    (tmp_path / "redis").write_text("rediss://:p@h/0\n")
    files = {"SECRET_KEYS_FILE": "keys", "DATABASE_URL_FILE": "url", "REDIS_URL_FILE": "redis"}
    settings = read(**{variable: str(tmp_path / name) for variable, name in files.items()})
    assert [key.reveal() for key in settings.secret_keys] == [KEY, OLDER]
    assert settings.database_url.reveal() == "postgresql+psycopg://u:p@h/d"
    assert settings.redis_url.reveal() == "rediss://:p@h/0"


def test_the_variable_itself_wins_over_its_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(OLDER)
    assert read(SECRET_KEYS=KEY, SECRET_KEYS_FILE=str(tmp_path / "keys")).secret_keys[0].reveal() == KEY


@pytest.mark.parametrize("name", ["SECRET_KEYS", "DATABASE_URL", "REDIS_URL"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        assert refusal(**{f"{name}_FILE": str(path)}).startswith(f"KEYSTEAD_{name}_FILE: ")


def test_a_file_with_a_short_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("hunter2")
    assert (
        refusal(SECRET_KEYS_FILE=str(tmp_path / "keys")) == "KEYSTEAD_SECRET_KEYS: each key must have at least 32 bytes"
    )


def test_keys_are_made_once(tmp_path: Path) -> None:
    with environment():
        settings = load(data_dir=tmp_path / "deep" / "data", port=8123)
        made = with_keys(settings, lambda: KEY)
        again = with_keys(settings, lambda: OLDER)
    assert [key.reveal() for key in made.secret_keys] == [key.reveal() for key in again.secret_keys] == [KEY]
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert [path.name for path in made.data_dir.iterdir()] == ["secret-keys"]
    assert made.public_url == "http://localhost:8123"
    assert made.database_url.reveal() == settings.database_url.reveal()


def test_configured_keys_need_no_file(tmp_path: Path) -> None:
    with environment(SECRET_KEYS=KEY):
        assert with_keys(load(data_dir=tmp_path), lambda: OLDER).secret_keys[0].reveal() == KEY
    assert not (tmp_path / "secret-keys").exists()


def test_keys_on_file_are_a_list(tmp_path: Path) -> None:
    """To rotate by hand: a new line on top."""
    with environment():
        settings = load(data_dir=tmp_path)
        with_keys(settings, lambda: OLDER)
        settings.key_file.write_text(f"{KEY}\n{OLDER}\n")
        assert [key.reveal() for key in with_keys(settings, lambda: "").secret_keys] == [KEY, OLDER]


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (KEY, 0o640, "chmod 600"),
        (KEY, 0o604, "chmod 600"),
        ("hunter2", 0o600, "at least 32 bytes"),
        ("", 0o600, "must hold a key"),
    ],
)
def test_key_files_that_are_refused(tmp_path: Path, content: str, mode: int, told: str) -> None:
    with environment():
        settings = load(data_dir=tmp_path)
        settings.key_file.write_text(content)
        settings.key_file.chmod(mode)
        with pytest.raises(SettingsError, match=told) as refused:
            with_keys(settings, lambda: KEY)
    assert "hunter2" not in str(refused.value)


def test_workers_get_the_settings_of_their_parent(tmp_path: Path) -> None:
    with environment(TRUSTED_PROXIES="10.0.0.0/8", ALLOWED_HOSTS="a.example,b.example", SECRET_KEYS=f"{KEY},{OLDER}"):
        parent = load(
            data_dir=tmp_path,
            public_url="https://login.example.com",
            database_url="postgres://u:p@h/d",
            workers=2,
            cookie_samesite="none",
            rsa_bits=4096,
        )
    with environment():
        publish(parent)
        worker = load()
    assert _plain(worker) == _plain(parent)


def _plain(settings: Settings) -> dict[str, object]:
    found = settings.model_dump()
    secrets = {name: value.reveal() for name, value in found.items() if isinstance(value, Secret)}
    return found | secrets | {"secret_keys": [key.reveal() for key in settings.secret_keys]}


# --- secrets hide themselves -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    """What a flow's argument looks like."""

    secret: Secret[str]


def _raised(secret: Secret[str]) -> str:
    try:
        raise ValueError(secret)
    except ValueError:
        return traceback.format_exc()


SHOWN: dict[str, Callable[[Secret[str]], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret} {secret:>20} {secret!r} {secret!s}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - how loggers format
    "list": lambda secret: str([secret, {secret: secret}]),
    "dataclass": lambda secret: repr(Holder(secret)),
    "json": lambda secret: json.dumps({"secret": secret}, default=str),
    "log": lambda secret: logging.makeLogRecord({"msg": "%s %r", "args": (secret, secret)}).getMessage(),
    "traceback": _raised,
    "settings": lambda secret: repr(
        read(SECRET_KEYS=secret.reveal(), DATABASE_URL=f"postgres://u:{secret.reveal()}@h/d")
    ),
    "dump": lambda secret: str(read(SECRET_KEYS=secret.reveal()).model_dump()),
}


@pytest.mark.parametrize("how", SHOWN)
def test_secrets_hide_themselves(how: str) -> None:
    shown = SHOWN[how](Secret("hunter2" * 10))
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("carry", "error"),
    [
        (json.dumps, TypeError),
        (pickle.dumps, TypeError),
        (copy.copy, TypeError),
        (copy.deepcopy, TypeError),
        (vars, TypeError),
        (lambda secret: secret.__dict__, AttributeError),
        (lambda secret: read(SECRET_KEYS=secret.reveal()).model_dump_json(), PydanticSerializationError),
    ],
)
def test_secrets_are_not_carried_off(carry: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        carry(Secret("hunter2" * 10))
    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_compared() -> None:
    """Comparing with ``==`` leaks how much was right; it is identity here, so that nobody is tempted."""
    secret = Secret("x")
    assert secret != Secret("x")
    assert secret.reveal() == "x"
    assert (bool(secret), bool(Secret("")), bool(Secret(b""))) == (True, False, False)


def test_fingerprints() -> None:
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(fingerprint("\ud800")) == 64
