"""What must be done once before any worker serves: keys, schema, first start. Run in the parent (decided; see docs)."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from keystead import __version__, worker
from keystead.adapters.breaches import HashFile
from keystead.adapters.own_calls import OwnCalls
from keystead.adapters.sealing import Sealer
from keystead.adapters.stranger import HttpStranger
from keystead.app import SystemEntropy, create_app, key_maker, let_go, system_clock
from keystead.db import keys, schema, tenant
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable, InternalError, PasswordUnchecked
from keystead.flows.administrator_recovery import AdministratorRecovery
from keystead.flows.configuration import renew
from keystead.flows.doctor import Doctor
from keystead.flows.enumeration import Enumeration, Report, Wanted
from keystead.flows.first_run import first_run
from keystead.flows.installation import complete
from keystead.flows.journal import Journal
from keystead.flows.operations import SHELL
from keystead.oauth.bearers import Bearer
from keystead.oauth.key_pairs import ALGORITHMS
from keystead.parts import doctor_of, given_of, parts_of
from keystead.rules import health
from keystead.rules.authority import MANAGEMENT_SCOPES
from keystead.rules.health import Finding
from keystead.rules.telemetry import SILENCE
from keystead.settings import Settings, SettingsError, load, with_keys
from keystead.users.hashing import BcryptHasher
from keystead.web.guard import OPERATOR

FIRST_RUN_FILE: Final = "first-run.json"
_URLS: Final = ("issuer", "public_url", "management_audience", "administrator_setup_url")
"""Its members that begin with the public URL."""

Tell = Callable[[str], None]
"""Where a line for the administrator goes."""


def prepare(
    settings: Settings, *, migrate: bool = False, tell: Tell = lambda line: None
) -> tuple[Settings, dict[str, Any] | None]:
    """Return the settings with keys, and what a first start made (``None`` where there was one before).

    An empty database is set up; an older one only with ``migrate``. Raises ``SettingsError``.
    """
    entropy = SystemEntropy()
    os.umask(0o077)  # whatever this process writes is its owner's alone: database, keys, secrets
    with in_data_dir(settings):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        settings = with_keys(settings, lambda: entropy.token(48))
        _check_breached_passwords(settings)
        _check_redis(settings)
        older = _older(settings)
        with database(settings) as db:
            _bring_up_to_date(db, migrate=migrate)
            made = _first_run(db, settings, entropy, older)
            _complete_keys(db, settings, entropy)
            newest = Sealer(settings.secret_keys[:1], entropy)
            db.write_now(renew, Sealer(settings.secret_keys, entropy), newest)
            added = db.write_now(complete, Journal(system_clock, entropy), system_clock())
    if added:
        tell(f"added what this version has and an older one had not: {', '.join(added)}")
    if made and older is not None:
        tell(f"{first_run_file(settings)} was of another database; it is kept as {FIRST_RUN_FILE}.old")
    return settings, made


def first_run_file(settings: Settings) -> Path:
    """Return where the first start writes down what it made."""
    return settings.data_dir.resolve() / FIRST_RUN_FILE


def read_first_run(settings: Settings) -> dict[str, Any] | None:
    """Return what the first start made, from the file that it left. Raises ``SettingsError``."""
    path = first_run_file(settings)
    with in_data_dir(settings):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            found = None
    if not isinstance(found, dict) or not {*_URLS, "connection", "clients"} <= found.keys():
        raise SettingsError(f"{path}: is not what a first start wrote")
    return found


def first_run_at(settings: Settings) -> datetime:
    """Return when the first start was. Raises ``SettingsError``."""
    with database(settings) as db:
        return datetime.fromisoformat(db.read_now(tenant.get, "first_run")["at"])


def follow_public_url(settings: Settings, tell: Tell) -> None:
    """Bring the URLs in ``first-run.json`` up to date where the public URL changed; ids and secrets stay as they are.

    The file is there for people and scripts alone: where it cannot be written, a line says so and the start goes on.
    """
    path, url = first_run_file(settings), settings.public_url
    try:
        found = read_first_run(settings)
        if found is None or found["public_url"] == url:
            return
        moved = {name: url + str(found[name]).removeprefix(found["public_url"]) for name in _URLS}
        with in_data_dir(settings):
            _put(path, json.dumps(found | moved, indent=2) + "\n")
    except SettingsError as error:
        tell(f"{path} is left as it is: {error}")
    else:
        tell(f"{path}: its URLs now begin with {url}")


@contextmanager
def open_management(settings: Settings) -> Iterator[OwnCalls]:
    """Open the Management API of an installation: its routes in this process, for whoever has its database.

    No worker runs: what is to be done later is done by the server, but for what a command waits for. Raises
    ``SettingsError`` where there is none.
    """
    entropy, may = SystemEntropy(), frozenset(MANAGEMENT_SCOPES)
    with installation(settings) as db:
        kept = keyed(_published(settings), entropy)
        # Whoever has the machine may import what it holds, for as long as they like to wait.
        unbounded = kept.model_copy(update={"import_bytes": 0, "import_hours": 0})
        app = create_app(unbounded, entropy=entropy, db=db)
        host = (*kept.allowed_hosts, urlsplit(kept.public_url).netloc)[0]
        agent, marks = f"keystead/{__version__}", {OPERATOR: Bearer(SHELL, SHELL, may)}
        management = app.state.flows.management
        handlers = (management.user_exports, management.archive_imports, management.user_import)

        async def work() -> None:
            for handler in handlers:
                await worker.deliver_due(db, handler, system_clock)

        yield OwnCalls(app, host, agent, marks, partial(let_go, app.state.flows), work)


async def try_enumeration(url: str, wanted: Wanted) -> Report:
    """Try whether a stranger can find out who has an account at a Keystead that is running."""
    async with HttpStranger(url) as stranger:
        return await Enumeration(stranger, SystemEntropy(), asyncio.sleep, wanted)()


def as_stranger(url: str) -> HttpStranger:
    """Return somebody who asks a Keystead that is running, as anybody may."""
    return HttpStranger(url)


@contextmanager
def open_administrator_recovery(settings: Settings) -> Iterator[AdministratorRecovery]:
    """Open the way back in for owners, likewise."""
    settings, entropy = _published(settings), SystemEntropy()
    with installation(settings) as db:
        journal = Journal(system_clock, entropy)
        yield AdministratorRecovery(db, journal, system_clock, entropy, settings.public_url)


def _published(settings: Settings) -> Settings:
    """Return the settings with the public URL that the server had last, where nobody says another: links begin so."""
    found = None if settings.model_fields_set & {"public_url", "port"} else read_first_run(settings)
    return load(**settings.model_dump() | {"public_url": found["public_url"]}) if found else settings


def doubts(settings: Settings) -> list[str]:
    """Return what can hardly be meant, one line each, although the start goes on."""
    return [each.line for each in health.of_settings(given_of(settings)) if each.is_bad]


async def doubts_about_data(settings: Settings) -> list[str]:
    """Return the same about what is stored, and where: what can be seen at once. It fails no start."""
    with suppress(SettingsError), _doctor(settings) as doctor:
        return [f"{each.line}; {each.remedy}" for each in await doctor.at_start() if each.is_bad]
    return []


async def run_doctor(settings: Settings, *, offline: bool, send_to: str) -> list[Finding]:
    """Look at an installation, and change nothing. Raises ``SettingsError`` where there is none."""
    _check_there(settings)
    try:
        settings = _known_keys(_published(settings))
    except SettingsError as error:
        return [*health.of_settings(given_of(settings)), health.error("secret_keys", str(error))]
    with _doctor(settings) as doctor:
        return await doctor(offline=offline, send_to=send_to)


@contextmanager
def _doctor(settings: Settings) -> Iterator[Doctor]:
    entropy = SystemEntropy()
    hasher = BcryptHasher(settings.hash_cost, workers=1, queue=1)
    with database(settings) as db:
        yield doctor_of(parts_of(settings, system_clock, entropy, hasher, db, SILENCE))
    hasher.close()


def _known_keys(settings: Settings) -> Settings:
    """Return the settings with the secret keys that there are: none is made. Raises ``SettingsError``."""
    if not settings.secret_keys and not settings.key_file.exists():
        raise SettingsError(f"{settings.key_file}: is gone; put it back, or set KEYSTEAD_SECRET_KEYS")
    return keyed(settings, SystemEntropy())


def keyed(settings: Settings, entropy: SystemEntropy) -> Settings:
    """Return the settings with secret keys, made where there are none. Raises ``SettingsError``."""
    with in_data_dir(settings):
        return with_keys(settings, lambda: entropy.token(48))


@contextmanager
def installation(settings: Settings) -> Iterator[Database]:
    """Open the database of an installation that is there, and up to date. Raises ``SettingsError``."""
    _check_there(settings)
    with database(settings) as db:
        if schema.version(db.engine) is None:
            raise SettingsError("KEYSTEAD_DATABASE_URL: the database is empty; 'keystead serve' sets it up")
        _bring_up_to_date(db, migrate=False)
        yield db


def _check_there(settings: Settings) -> None:
    path = settings.database_url.reveal().partition("sqlite:///")[2]
    if path and not Path(path).exists():  # opening it would make one
        remedy = "--data-dir names an installation, 'keystead serve' makes one"
        raise SettingsError(f"KEYSTEAD_DATABASE_URL: {path}: there is no such file: {remedy}")


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Open the database for this thread. Raises ``SettingsError``, which names it, where it cannot be used."""
    url = settings.database_url.reveal()
    try:
        db = Database(url, pool=1)
        try:
            yield db
        finally:
            db.close()
    except DatabaseUnavailable as error:
        name = url.partition(":///")[2] if url.startswith("sqlite") else "PostgreSQL"
        raise SettingsError(f"KEYSTEAD_DATABASE_URL: {name} cannot be used: {error.detail}") from None


@contextmanager
def in_data_dir(settings: Settings) -> Iterator[None]:
    """Turn what the system refuses into a ``SettingsError`` that names the file or the directory."""
    try:
        yield
    except FileExistsError:
        raise SettingsError(f"KEYSTEAD_DATA_DIR: {settings.data_dir}: is not a directory") from None
    except UnicodeError:
        raise SettingsError(f"{settings.key_file}: must be text") from None
    except OSError as error:
        raise SettingsError(f"KEYSTEAD_DATA_DIR: {error.filename or settings.data_dir}: {error.strerror}") from None


def _bring_up_to_date(db: Database, *, migrate: bool) -> None:
    found, needed = schema.version(db.engine), schema.latest()
    if found == needed:
        return
    if found is not None and not schema.knows(found):
        raise SettingsError(f"the database is at schema {found}, which a newer version made: this one knows {needed}")
    if found is not None and not migrate:
        raise SettingsError(
            f"the database is at schema {found}, and this version needs {needed}: run 'keystead migrate'"
        )
    schema.upgrade(db.engine)


def _first_run(db: Database, settings: Settings, entropy: SystemEntropy, older: str | None) -> dict[str, Any] | None:
    """Make what a new installation has; ``None`` where it has it. Keys are slow to make: only a first start does."""
    if db.read_now(tenant.get, "first_run") is not None:
        return None
    signing = [key_maker(settings, entropy).make(each, system_clock(), current=True) for each in ALGORITHMS]

    def keep(made: dict[str, Any]) -> None:
        _keep(settings, made, older)

    return db.write_now(first_run, settings.public_url, signing, entropy, system_clock(), keep)


def _check_breached_passwords(settings: Settings) -> None:
    """Refuse a file in which nothing would ever be found: shields that never hold are worse than none."""
    where = settings.breached_passwords
    if where and "://" not in where:
        try:
            HashFile(Path(where)).check()
        except PasswordUnchecked as error:
            raise SettingsError(f"KEYSTEAD_BREACHED_PASSWORDS: {error.detail}") from None


def _check_redis(settings: Settings) -> None:
    if settings.redis_url and find_spec("redis") is None:
        raise SettingsError("KEYSTEAD_REDIS_URL: Redis needs the extra 'redis'")


def _complete_keys(db: Database, settings: Settings, entropy: SystemEntropy) -> None:
    """Make the keys that an older version did not have, and keep all as a new one would be kept.

    Every key that signs or will is opened by that: a server that cannot must say so now, and not at every login.
    """
    maker, now = key_maker(settings, entropy), system_clock()
    newest = Sealer(settings.secret_keys[:1], entropy)
    try:
        found = [key for key in db.read_now(keys.known) if key.has_private_half]
        for key in found:
            renewed = maker.renewed(key, newest, now)
            if renewed is not key:
                db.write_now(keys.replace, renewed)
    except InternalError as error:
        raise SettingsError(f"KEYSTEAD_SECRET_KEYS: {error.detail}") from None
    for algorithm in set(ALGORITHMS) - {key.algorithm for key in found if key.state == "current"}:
        db.write_now(keys.add_current, maker.make(algorithm, now, current=True))


def _older(settings: Settings) -> str | None:
    path = first_run_file(settings)
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def _keep(settings: Settings, made: dict[str, Any], older: str | None) -> None:
    """Write ``first-run.json``, and what another database left there beside it: nothing else knows its secrets.

    It may be called again, when the unit of work around it lost a race; hence ``older``, which was read before.
    """
    path = first_run_file(settings)
    if older is not None:
        _put(path.with_name(f"{FIRST_RUN_FILE}.old"), older)
    _put(path, json.dumps(made, indent=2) + "\n")


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone from its first byte on."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
