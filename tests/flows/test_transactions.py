"""No transaction is open while a hash, a person or anything else is waited for; and what runs in one cannot wait."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, Engine, event
from sqlmodel import Session

from authenticator import Authenticator
from conftest import Stencil
from keystead.db import tenant
from keystead.db.session import Database
from keystead.ports import Verdict
from keystead.secrecy import Secret
from keystead.users.hashing import BcryptHasher
from world import World, open_world

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass
class Transactions:
    """How many are open, over every engine of the process."""

    open: int = 0
    seen: int = 0

    def begun(self, connection: Connection) -> None:
        self.open += 1
        self.seen += 1

    def ended(self, connection: Connection) -> None:
        self.open -= 1


@pytest.fixture
def transactions() -> Iterator[Transactions]:
    counted = Transactions()
    listeners = [("begin", counted.begun), ("commit", counted.ended), ("rollback", counted.ended)]
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    yield counted
    for name, listener in listeners:
        event.remove(Engine, name, listener)


@dataclass
class WaitingHasher(BcryptHasher):
    """bcrypt itself, that begins only when it is told to."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__(4, workers=1, queue=8)

    async def hash(self, password: bytes) -> str:
        await self._wait()
        return await super().hash(password)

    async def verify(self, password: bytes | None, stored: str | None, *, typed: Secret[str] | None = None) -> Verdict:
        await self._wait()
        return await super().verify(password, stored, typed=typed)

    async def _wait(self) -> None:
        self.entered.set()
        await self.may_go_on.wait()


async def login(world: World) -> int:
    return (await world.login()).status_code


async def wrong_login(world: World) -> int:
    return (await world.login(password="not hers at all")).status_code


async def login_of_nobody(world: World) -> int:
    return (await world.login("nobody@example.com")).status_code


async def signup(world: World) -> int:
    return (await world.signup("ben@example.com")).status_code


async def creation_by_an_administrator(world: World) -> int:
    body = {"connection": world.connection, "email": "cleo@example.com", "password": "correct horse battery"}
    return (await world.manage("POST", "/users", body)).status_code


async def setup_of_the_first_owner(world: World) -> int:
    form = {"email": "owner@example.com", "password": "correct horse battery"}
    return (await world.client.post(world.first["administrator_setup_url"], data=form)).status_code


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (login, 200),
        (wrong_login, 403),
        (login_of_nobody, 403),
        (signup, 200),
        (creation_by_an_administrator, 201),
        (setup_of_the_first_owner, 200),
    ],
)
async def test_others_write_while_a_hash_is_waited_for(
    world: World, transactions: Transactions, asked: Callable[[World], Awaitable[int]], status: int
) -> None:
    await world.signup()
    await world.management_token()
    first, hasher = world.hasher.inner, WaitingHasher()
    world.hasher.inner = hasher
    under_way = asyncio.ensure_future(asked(world))
    await asyncio.wait_for(hasher.entered.wait(), 20)
    assert transactions.open == 0
    assert await asyncio.wait_for(world.db.write(tenant.put, "written", "meanwhile"), 20)
    hasher.may_go_on.set()
    assert await under_way == status
    assert transactions.open == 0
    assert await world.db.read(tenant.get, "written") == "meanwhile"
    first.close()


async def test_no_transaction_waits_for_a_person(world: World, transactions: Transactions) -> None:
    """Between the options and the answer of a ceremony there is a row, not a transaction."""
    authenticator = Authenticator()
    await world.register(authenticator)
    begun = await world.begin_challenge(), await world.begin_register("ben@example.com")
    assert [answer.status_code for answer in begun] == [200, 200]
    assert transactions.seen > 0
    assert transactions.open == 0
    assert await asyncio.wait_for(world.db.write(tenant.put, "written", "meanwhile"), 20)


class Watched(Database):
    """A database that looks at what it is given to run."""

    seen: int = 0

    async def read(
        self, work: Callable[Concatenate[Session, Arguments], Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return self._look(work, await super().read(work, *args, **kwargs))

    async def write(
        self, work: Callable[Concatenate[Session, Arguments], Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        return self._look(work, await super().write(work, *args, **kwargs))

    def _look(self, work: Callable[..., Result], result: Result) -> Result:
        assert not inspect.iscoroutinefunction(work), work
        assert not inspect.isawaitable(result), work
        assert not inspect.isgenerator(result), work
        self.seen += 1
        return result


async def test_units_of_work_give_values(installation: Stencil) -> None:
    """A coroutine or a generator would go on after its transaction is over."""
    db = Watched(installation.settings.database_url.reveal())
    authenticator = Authenticator()
    async with open_world(installation.settings, installation.document, db=db) as world:
        for asked in (signup, login_of_nobody, creation_by_an_administrator, setup_of_the_first_owner):
            await asked(world)
        await world.register(authenticator)
        await world.passkey_login(authenticator)
        for path in ("/connections", "/clients", "/users"):
            await world.manage("GET", path)
    assert db.seen > 30
