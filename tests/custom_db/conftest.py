"""Real databases behind the templates, and the real runtime in front of them."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from custom_db.legacy import TEMPLATES
from environments import Environment, Missing
from keystead.app import SystemEntropy
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.runner import Children
from mariadb_server import PASSWORD, USER, MariaDbServer
from refilled import database_of, execute

DRIVERS = Environment("custom_db", Path(__file__).parent)


@pytest.fixture(scope="session")
def programs() -> Programs:
    """What runs scripts, with the packages that the templates ask for and nothing of ours."""
    return Programs(modules=_there(DRIVERS.node_modules), python=_there(DRIVERS.python))


@pytest.fixture
async def runtime(programs: Programs) -> AsyncIterator[Children]:
    """The script runtime, with patience for a busy machine."""
    opened = Children(SystemEntropy(), Limits(seconds=60), programs)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that vouches for the servers."""
    return trustme.CA()


@pytest.fixture(scope="session")
def mariadb(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbServer]:
    """A real MariaDB."""
    server = MariaDbServer(tmp_path_factory.mktemp("mariadb"), ca)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mysql_configuration(mariadb: MariaDbServer) -> Iterator[dict[str, str]]:
    """The configuration values of a fresh database of MariaDB, with the table of the template."""
    mariadb.execute("CREATE DATABASE legacy")
    mariadb.execute((TEMPLATES / "mysql" / "tables.sql").read_text(encoding="utf-8"), "legacy")
    yield {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(mariadb.port),
        "DB_NAME": "legacy",
        "DB_USER": USER,
        "DB_PASSWORD": PASSWORD,
        "DB_TLS": "off",
        "BCRYPT_COST": "4",
    }
    mariadb.execute("DROP DATABASE legacy")


@pytest.fixture
def postgresql_configuration(postgres_url: str) -> Iterator[dict[str, str]]:
    """The configuration values of a fresh database of PostgreSQL, with the table of the template."""
    name = f"legacy_{os.getpid()}"
    execute(postgres_url, f'CREATE DATABASE "{name}"')
    url = database_of(postgres_url, name)
    execute(url, (TEMPLATES / "postgresql" / "tables.sql").read_text(encoding="utf-8"))
    parts = urlsplit(url)
    (host,) = parse_qs(parts.query).get("host", [parts.hostname])
    yield {
        "DB_HOST": str(host),
        "DB_PORT": str(parts.port or 5432),
        "DB_NAME": name,
        "DB_USER": parts.username or "postgres",
        "DB_PASSWORD": parts.password or "",
        "DB_TLS": "off",
        "BCRYPT_COST": "4",
    }
    execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _there(made: Callable[[], Path]) -> Path:
    try:
        return made()
    except Missing as reason:
        missing = pytest.fail if os.environ.get("KEYSTEAD_TEST_REQUIRE_ALL") else pytest.skip
        missing(str(reason))
