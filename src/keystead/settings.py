"""What the process needs to start: read once from the environment, frozen, and refused in one line when wrong.

What an administrator may change while it runs is not here but in the database.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from keystead.secrecy import Secret

PREFIX: Final = "KEYSTEAD_"
MIN_KEY_BYTES: Final = 32
_FROM_FILE: Final = ("secret_keys", "database_url", "redis_url", "smtp_url", "sms_url", "sms_key", "metrics_token")
_PUBLIC: Final = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?/*")
_HOST: Final = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_REDIS: Final = re.compile(rf"rediss?://(?:[^\s/?#@]*@)?{_HOST}(?:/[0-9]{{0,5}})?")
_SMTP: Final = re.compile(
    rf"(?:smtp://(?:[^\s/?#@]+@)?{_HOST}/?(?:\?tls=(?:required|offered|never))?|smtps://(?:[^\s/?#@]+@)?{_HOST}/?)"
)
_SMS: Final = re.compile(rf"(?:webhook|twilio)\+http(?P<tls>s)?://(?:[^\s/?#@]+@)?{_HOST}(?:/[^\s?#]*)?(?:\?[^\s#]*)?")
_ADDRESS: Final = r'[^\s<>@,;:"()\\]+@(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])'
_MAILBOX: Final = re.compile(rf'{_ADDRESS}|(?:"[^"\\\r\n]*" ?|[^<>@,;:"()\\\r\n]*)<{_ADDRESS}>')
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_DEFAULT_PORTS: Final = (("http", "80"), ("https", "443"))
_MOST_WORKERS: Final = 64
_LARGEST_LIMITS: Final = 1000
_MIN_TOKEN: Final = 16
_LISTEN: Final = re.compile(r"(?:([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):)?([0-9]{1,5})")
_COLLECTOR: Final = re.compile(rf"https?://{_HOST}(?:/[^\s?#]*)?")
_OTEL: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own name for where a collector is; its others are read by its library."""
_METRICS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes count; its library reads the variable."""
_FOR_TESTS: Final = "TEST_"


class SettingsError(Exception):
    """A setting has a wrong value; the text is one line that names the variable and what it must look like."""


def _listed(value: object) -> object:
    """Read a list from text: separated by commas or white space."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _keys(value: object) -> tuple[Secret[str], ...]:
    found = [key if isinstance(key, Secret) else Secret(str(key)) for key in _as_list(_listed(value))]
    if any(len(key.reveal().encode()) < MIN_KEY_BYTES for key in found):
        raise ValueError(f"each key must have at least {MIN_KEY_BYTES} bytes")
    return tuple(found)


def _networks(value: object) -> object:
    return tuple(ip_network(str(each)) for each in _as_list(_listed(value)))


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _number(value: object) -> object:
    """Read a number that the environment holds as text, for a choice of numbers."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _whole(least: int, most: int) -> BeforeValidator:
    """Accept a whole number within bounds, both of which the refusal names."""

    def read(value: object) -> int:
        text = str(value).strip()
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return BeforeValidator(read)


def _limits(value: object) -> int:
    """Read how large limits are, as a multiple of what is written: ``on`` is once, ``off`` is none."""
    text = {"on": "1", "off": "0"}.get(str(value).strip().lower(), str(value).strip())
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) > _LARGEST_LIMITS:
        raise ValueError(f"must be on, off, or how many times as large, from 1 to {_LARGEST_LIMITS}")
    return int(text)


def _hosts(value: object) -> tuple[str, ...]:
    return tuple(str(each).lower() for each in _as_list(_listed(value)))


def _receivers(value: object) -> object:
    """Read names of hosts, and networks: what looks like an address must be one."""
    return tuple(str(ip_network(each)) if re.search(r"[:/]|^[0-9.]+$", each) else each for each in _hosts(value))


def _database(value: object) -> object:
    """Accept what hosting platforms write, and name the driver (``postgres://`` is refused by SQLAlchemy)."""
    url = value.reveal() if isinstance(value, Secret) else str(value)
    if not url:
        return Secret(url)
    scheme, found, rest = url.partition("://")
    driver = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}.get(scheme, scheme)
    # A database in memory is one for each connection: what one unit of work stored, the next would not find.
    is_file = driver == "sqlite" and len(rest) > 1 and rest.startswith("/") and ":memory:" not in rest
    if not found or not (is_file or driver == "postgresql+psycopg"):
        raise ValueError("must be sqlite:///path/to/file or postgresql://user:password@host/database")
    return Secret(f"{driver}://{rest}")


def _redis(value: object) -> object:
    """Accept a server and the number of a database. What else its library would read from a URL is ours to say."""
    url = (value.reveal() if isinstance(value, Secret) else str(value)).strip()
    if url and not (_REDIS.fullmatch(url) and _has_good_port(url)):
        raise ValueError("must be redis://user:password@host:6379/0, or rediss:// for TLS")
    return Secret(url)


def _secret(value: object) -> object:
    return value if isinstance(value, Secret) else Secret(str(value))


def _smtp(value: object) -> object:
    url = (value.reveal() if isinstance(value, Secret) else str(value)).strip()
    if url and not (_SMTP.fullmatch(url) and _has_good_port(url)):
        raise ValueError(
            "must be smtp://user:password@host:587 (with ?tls=required, offered or never) or smtps://...:465"
        )
    return Secret(url)


def _sms(value: object) -> object:
    """Accept a gateway; in clear only on this machine, since texts carry codes."""
    url = (value.reveal() if isinstance(value, Secret) else str(value)).strip()
    found = _SMS.fullmatch(url)
    parts = urlsplit(url)
    if url and not (found and _has_good_port(url) and (found["tls"] or parts.hostname in _LOOPBACK)):
        raise ValueError("must be webhook+https://host/path or twilio+https://SID:TOKEN@api.twilio.com")
    if parts.scheme.startswith("twilio") and not (parts.username and parts.password):
        raise ValueError("must hold the account and its token: twilio+https://SID:TOKEN@api.twilio.com")
    return Secret(url)


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _mailbox(value: object) -> object:
    text = str(value).strip()
    if text and not _MAILBOX.fullmatch(text):
        raise ValueError("must be an address, or a name and an address: Example <no-reply@example.com>")
    return text


def _token(value: object) -> object:
    text = (value.reveal() if isinstance(value, Secret) else str(value)).strip()
    if text and not (len(text) >= _MIN_TOKEN and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError(f"must have at least {_MIN_TOKEN} characters, in ASCII and without spaces")
    return Secret(text)


def _listen(value: object) -> object:
    text = str(value).strip()
    found = _LISTEN.fullmatch(text)
    if text and not (found and 0 < int(found[2]) <= 65535):
        raise ValueError("must be an address and a port, such as 127.0.0.1:9090")
    return text


def _collector(value: object) -> object:
    text = str(value).strip()
    if text and not (_COLLECTOR.fullmatch(text) and _has_good_port(text)):
        raise ValueError("must be http://host:4318, or https://")
    return text.rstrip("/")


def _breached(value: object) -> object:
    """Accept the path of a file that is there, or the address of a range API; in clear only to this machine."""
    given = str(value).strip()
    if "://" not in given:
        if given and not (Path(given).is_file() and os.access(given, os.R_OK)):
            raise ValueError("must be a file that can be read, or https://api.pwnedpasswords.com/range, or empty")
        return given
    parts = urlsplit(given)
    if not parts.hostname or parts.scheme not in ("https", "http" if parts.hostname in _LOOPBACK else "https"):
        raise ValueError("must be https://host/path, or a file")
    return given.rstrip("/")


def _public_url(value: object) -> object:
    """Write it as browsers write origins, which are compared byte for byte: lower case, no default port, no slash."""
    url = str(value).strip().lower()
    if not url:
        return url
    found = _PUBLIC.fullmatch(url)
    if found is None or int(found[3] or 0) > 65535:
        raise ValueError("must be scheme and host, such as https://login.example.com")
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" if port is None or (scheme, port) in _DEFAULT_PORTS else f"{scheme}://{host}:{port}"


def _place(value: object) -> object:
    """Accept the path of a file or directory that is there, or nothing."""
    given = str(value).strip()
    if given and not Path(given).exists():
        raise ValueError("must be a path that is there, or empty")
    return given


def _command(value: object) -> object:
    """Accept the beginning of a command line, quoted as a shell would have it."""
    given = str(value).strip()
    try:
        shlex.split(given)
    except ValueError:
        raise ValueError("must be a command, with its quotes closed") from None
    return given


Networks = tuple[IPv4Network | IPv6Network, ...]


class Settings(BaseSettings):
    """The process settings. Each is documented under its variable in ``docs/settings.md``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", arbitrary_types_allowed=True)

    host: str = "127.0.0.1"
    port: Annotated[int, _whole(1, 65535)] = 8000
    workers: Annotated[int, _whole(1, _MOST_WORKERS)] = 1
    data_dir: Path = Path("data")
    public_url: Annotated[str, BeforeValidator(_public_url)] = ""
    database_url: Annotated[Secret[str], BeforeValidator(_database)] = Secret("")
    database_pool: Annotated[int, _whole(1, 100)] = 8
    redis_url: Annotated[Secret[str], BeforeValidator(_redis)] = Secret("")
    secret_keys: Annotated[tuple[Secret[str], ...], NoDecode, BeforeValidator(_keys)] = ()
    trusted_proxies: Annotated[Networks, NoDecode, BeforeValidator(_networks)] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)] = ()
    request_limits: Annotated[int, BeforeValidator(_limits)] = 1
    cookie_samesite: Literal["lax", "none"] = "lax"
    hash_cost: Annotated[int, _whole(4, 16)] = 10
    hash_workers: Annotated[int, _whole(1, _MOST_WORKERS)] = Field(
        default_factory=lambda: min(os.cpu_count() or 1, _MOST_WORKERS)
    )
    hash_queue: Annotated[int, _whole(1, 10_000)] = 64
    rsa_bits: Annotated[Literal[2048, 3072, 4096], BeforeValidator(_number)] = 2048
    smtp_url: Annotated[Secret[str], BeforeValidator(_smtp)] = Secret("")
    mail_from: Annotated[str, BeforeValidator(_mailbox)] = ""
    sms_url: Annotated[Secret[str], BeforeValidator(_sms)] = Secret("")
    sms_from: str = ""
    sms_key: Annotated[Secret[str], BeforeValidator(_secret)] = Secret("")
    breached_passwords: Annotated[str, BeforeValidator(_breached)] = ""
    breached_passwords_down: Literal["open", "closed", "silent"] = "open"
    journal_days: Annotated[int, _whole(0, 36_500)] = 0
    import_bytes: Annotated[int, _whole(0, 999_999_999)] = 512_000
    import_hours: Annotated[int, _whole(0, 720)] = 2
    log_stream_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_receivers)] = ()
    logout_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_receivers)] = ()
    metrics_listen: Annotated[str, BeforeValidator(_listen)] = ""
    metrics_token: Annotated[Secret[str], BeforeValidator(_token)] = Secret("")
    otel_endpoint: Annotated[str, BeforeValidator(_collector)] = ""
    script_seconds: Annotated[int, _whole(1, 300)] = 20
    script_memory: Annotated[int, _whole(96, 65_536)] = 256
    script_concurrency: Annotated[int, _whole(1, 250)] = 4
    script_output: Annotated[int, _whole(16, 65_536)] = 1024
    node: str = "node"
    script_node_modules: Annotated[str, BeforeValidator(_place)] = ""
    script_python: Annotated[str, BeforeValidator(_place)] = ""
    script_wrapper: Annotated[str, BeforeValidator(_command)] = ""
    drain_seconds: Annotated[int, _whole(0, 300)] = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @model_validator(mode="before")
    @classmethod
    def _files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Read the ``*_FILE`` twins of secrets, as container platforms mount them."""
        for name in _FROM_FILE:
            variable = f"{PREFIX}{name.upper()}_FILE"
            path = os.environ.get(variable)
            if path and name not in given:
                try:
                    given[name] = Path(path).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeError):
                    raise SettingsError(f"{variable}: must name a text file that can be read") from None
        if not given.get("otel_endpoint") and _COLLECTOR.fullmatch(os.environ.get(_OTEL, "")):
            given["otel_endpoint"] = os.environ[_OTEL]
        return given

    @model_validator(mode="after")
    def _derived(self) -> Self:
        """Fill in what follows from other settings: the local address, and a SQLite file among the data."""
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://localhost:{self.port}")
        if not self.database_url:
            object.__setattr__(self, "database_url", Secret(f"sqlite:///{self.data_dir / 'keystead.db'}"))
        if self.cookie_samesite == "none" and not self.is_https:
            raise SettingsError(f"{PREFIX}COOKIE_SAMESITE: none needs a public URL with https, as browsers do")
        if not self.mail_from:
            host = f"[{self.host_name}]" if ":" in self.host_name else self.host_name
            object.__setattr__(self, "mail_from", f"no-reply@{host}")
        self._check_gateway()
        if self.metrics_address and self.metrics_address[1] == self.port:
            raise SettingsError(f"{PREFIX}METRICS_LISTEN: must be another port than {self.port}, which all reach")
        return self

    def _check_gateway(self) -> None:
        gateway = self.sms_url.reveal().partition("+")[0]
        if gateway == "webhook" and not self.sms_key:
            raise SettingsError(f"{PREFIX}SMS_KEY: must hold the key that texts are signed with")
        if gateway == "twilio" and not self.sms_from:
            raise SettingsError(f"{PREFIX}SMS_FROM: must hold the number that texts come from")

    @property
    def issuer(self) -> str:
        """The issuer of every token: the public URL with its slash, byte for byte as SDKs compare it."""
        return f"{self.public_url}/"

    @property
    def host_name(self) -> str:
        """The public host without its port: the RP id, unless the relying party says otherwise."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def is_https(self) -> bool:
        """Whether people reach us over TLS, so that cookies carry ``Secure`` and ``__Host-``."""
        return self.public_url.startswith("https://")

    @property
    def is_local(self) -> bool:
        """Whether people reach us on this machine alone: for development."""
        return not self.is_https and (self.host_name in _LOOPBACK or self.host_name.endswith(".localhost"))

    @property
    def has_outbox(self) -> bool:
        """Whether messages that nothing is configured for are put aside and shown: in development."""
        return self.is_local

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """The host and port that metrics have for themselves, if they have."""
        host, _, port = self.metrics_listen.rpartition(":")
        return (host.strip("[]") or "127.0.0.1", int(port)) if port else None

    @property
    def has_metrics(self) -> bool:
        """Whether anybody may read metrics; else nothing is counted."""
        return bool(self.metrics_listen or self.metrics_token)

    @property
    def key_file(self) -> Path:
        """Where secret keys are kept that nobody configured."""
        return self.data_dir / "secret-keys"


def load(**overrides: object) -> Settings:
    """Read the settings; ``overrides`` (from the command line) win over the environment. Raises ``SettingsError``."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise SettingsError(f"{PREFIX}{name.upper()}: {_plain(first['msg'])}") from None


def unknown_variables() -> Iterator[str]:
    """Give the variables that begin like ours and are no settings, each with what may have been meant."""
    known = [name.upper() for name in Settings.model_fields] + [f"{name.upper()}_FILE" for name in _FROM_FILE]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and not name.startswith(_FOR_TESTS) and name not in known:
            near = "".join(f"; did you mean {PREFIX}{each}?" for each in get_close_matches(name, known, n=1))
            yield f"{variable}: there is no such setting{near}"


def with_keys(settings: Settings, new_key: Callable[[], str]) -> Settings:
    """Return the settings with secret keys: those configured, or those on file, or new ones put on file (mode 0600).

    Called once, in the parent, before any worker starts. Raises ``SettingsError`` when the file is open to others.
    """
    if settings.secret_keys:
        return settings
    path = settings.key_file
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _put(path, new_key())
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path}: must be readable by its owner alone (chmod 600)")
    content = path.read_text(encoding="utf-8")
    try:
        found = _keys(content)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    if not found:
        raise SettingsError(f"{path}: must hold a key; delete the file to have a new one made")
    return settings.model_copy(update={"secret_keys": found})


def _put(path: Path, key: str) -> None:
    """Put a key on file, whole or not at all: of two first starts at once, both must end with the key of one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(key + "\n")
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def publish(settings: Settings, metrics: Path | None = None) -> None:
    """Put the settings into the environment, for the worker processes that are about to start.

    ``metrics`` is where they count together.
    """
    if metrics:
        os.environ[_METRICS_DIR] = str(metrics)
    for name, value in settings.model_dump().items():
        os.environ[f"{PREFIX}{name.upper()}"] = _written(value)


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_written(each) for each in value)
    return str(value.reveal()) if isinstance(value, Secret) else str(value)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ")
