"""A customer's database that finds one person by many spellings: each is tried, and all are counted as one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from customer import customer, live_elsewhere
from guarding import LOCK, guard
from keystead.db import accounts, tables
from keystead.errors import DomainError
from keystead.flows.password_login import PasswordLogin
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.known_devices import Device
from keystead.secrecy import Secret
from world import PASSWORD, World

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("installation", ["sqlite"], indirect=True)]

ANN, NOBODY = "ann@example.com", "nobody@example.com"
HERE, AWAY = "198.51.100.7", "203.0.113.9"


def spelled(email: str, number: int) -> str:
    """Return another spelling, which is another identifier to us."""
    return email.replace("@", f"+{number}@")


@pytest.fixture
async def town(world: World) -> AsyncIterator[World]:
    """Ann lives in a database that does not look at what follows a plus, and was met."""
    with customer() as people:
        await live_elsewhere(world, people, "python", authentication_methods={})
        people.add(ANN, PASSWORD, "1", email_verified=True)

        def login(given: list[Any]) -> dict[str, Any]:
            name, _, host = given[0].partition("@")
            return people._login(f"{name.partition('+')[0]}@{host}", *given[1:])

        people.instead["login"] = login
        await world.tokens()
        yield world


async def guesses(world: World, email: str, number: int, address: str = "") -> list[tuple[int, str]]:
    """Guess at somebody, by another spelling each time; return what was answered."""
    answers = []
    for each in range(number):
        asked = world.at(address or f"198.18.7.{each}")
        answer = await asked.login(spelled(email, each), f"wrong {each}")
        answers.append((answer.status_code, answer.text))
    return answers


async def on_device(world: World, device: Device, email: str) -> str:
    """Log in on a device at the attacker's address; return the code of the refusal, if there is one."""
    login: PasswordLogin = world.app.state.flows.hosted_login.passwords
    connection = await world.app.state.flows.directory.by_id(world.connection_id, world.client_id)
    try:
        await login(connection, world.client_id, email, Secret(PASSWORD), Caller(address=HERE, device=device))
    except DomainError as refusal:
        return refusal.code
    return ""


async def test_spellings_of_one_person_share_a_lock_that_says_nothing(town: World) -> None:
    assert len(set(await guesses(town, ANN, 12, HERE) + await guesses(town, NOBODY, 12, HERE))) == 1
    entries = [(row["type"], row["user_id"]) for row in await town.rows(tables.JournalRow)]
    assert entries.count(("fp", "auth0|1")) == 10
    assert entries.count(("limit_wc", "auth0|1")) == 2
    right, wrong = [await town.at(HERE).login(spelled(ANN, 50), each) for each in (PASSWORD, "wrong")]
    assert (right.status_code, right.text) == (wrong.status_code, wrong.text) == (403, wrong.text)
    assert (await town.at(AWAY).login(spelled(ANN, 51))).status_code == 200, "it is of one address"
    # Whoever was here before is not locked out by it.
    ann = await town.db.read(accounts.by_id, "auth0|1")
    assert ann
    device = Device(id="dev_laptop").after_login(town.connection_id, [Identifier("email", ANN)], ann.tenure)
    assert await on_device(town, device, ANN) == ""
    assert await on_device(town, device, spelled(ANN, 52)) == "wrong_credentials"


async def test_all_strangers_together_have_as_many_tries_at_an_account_as_at_an_identifier(town: World) -> None:
    await guard(town.db, LOCK, max_attempts_by_strangers=5)
    await guesses(town, ANN, 5)
    (letter,) = [each for each in await town.letters() if "wrong passwords" in each.subject]
    assert (await town.at(AWAY).login(spelled(ANN, 50))).status_code == 403
    assert letter.to == ANN
    blocks = [{"identifier": ANN, "connection": town.connection}]
    for path in ("/user-blocks/auth0%7C1", f"/user-blocks?identifier={ANN}"):
        assert (await town.manage("GET", path)).json() == {"blocked_for": blocks}
    for number, path in enumerate(("/user-blocks/auth0%7C1", f"/user-blocks?identifier={ANN}")):
        assert (await town.manage("DELETE", path)).status_code == 204
        assert (await town.at(AWAY).login(spelled(ANN, 60 + number))).status_code == 200
        await guesses(town, ANN, 5)


async def test_a_right_password_gives_back_what_it_was_charged(town: World) -> None:
    await guard(town.db, LOCK, max_attempts_by_strangers=3)
    answers = [(await town.at(AWAY).login(spelled(ANN, each))).status_code for each in range(6)]
    assert answers == [200] * 6
