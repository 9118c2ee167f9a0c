"""The three user stores, in every place that people can live in."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.user_stores import Home, UserStoreConformance
from customer import Customer, customer, live_elsewhere
from keystead.rules.action_scripts import ScriptLanguage
from world import World

ELSEWHERE = pytest.mark.parametrize(
    ("installation", "language"),
    [("sqlite", "node"), ("sqlite", "python"), ("postgres", "python")],
    indirect=True,
)


@pytest.fixture
def language(request: pytest.FixtureRequest) -> ScriptLanguage:
    """What the scripts are written in."""
    found: ScriptLanguage = request.param
    return found


@pytest.fixture
def people() -> Iterator[Customer]:
    """A customer with a database of their own."""
    with customer() as found:
        yield found


class TestHosted(UserStoreConformance):
    """Here, on both databases."""

    @pytest.fixture
    def home(self, world: World) -> Home:
        return Home(world)


@ELSEWHERE
class TestScripted(UserStoreConformance):
    """There, behind scripts in both languages."""

    @pytest.fixture
    async def home(self, world: World, people: Customer, language: ScriptLanguage) -> Home:
        # With context, and so with passkeys, in one of them; create returns the profile there.
        more: dict[str, Any] = {"enable_script_context": True} if language == "node" else {"authentication_methods": {}}
        await live_elsewhere(world, people, language, **more)
        return Home(world, people)


@ELSEWHERE
class TestMigrating(UserStoreConformance):
    """On the way from there to here, behind the two scripts that this needs."""

    @pytest.fixture
    async def home(self, world: World, people: Customer, language: ScriptLanguage) -> Home:
        await live_elsewhere(world, people, language, "login", "get_user", import_mode=True)
        return Home(world, people)
