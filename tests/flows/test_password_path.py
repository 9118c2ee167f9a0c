"""How much of the house a login walks through: a path that one can hold in one's head."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import keystead
from authenticator import Authenticator
from conftest import Stencil
from world import PASSWORD, PUBLIC_URL, open_world

ROOT = str(Path(keystead.__file__).parent)


@contextmanager
def walked() -> Iterator[set[CodeType]]:
    """Collect every function of ours that is entered, on the event loop and on threads that start meanwhile."""
    entered: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ROOT) and not frame.f_code.co_name.startswith("<"):
            entered.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # documented; the stub forgets None


def files(entered: set[CodeType]) -> set[str]:
    return {code.co_filename.removeprefix(ROOT) for code in entered}


async def test_password(installation: Stencil) -> None:
    async with open_world(installation.settings, installation.document) as world:
        await world.signup()
    async with open_world(installation.settings, installation.document) as world:
        with walked() as entered:
            answer = await world.login()
    assert answer.status_code == 200
    for c in sorted(entered, key=lambda c: (c.co_filename, c.co_firstlineno)): print(c.co_filename.removeprefix(ROOT), c.co_qualname)
    print(len(entered), len(files(entered)))

async def test_passkey(installation: Stencil) -> None:
    a = Authenticator()
    async with open_world(installation.settings, installation.document) as world:
        await world.register(a)
    async with open_world(installation.settings, installation.document) as world:
        world.clock.advance(seconds=1)
        begun = (await world.begin_challenge()).json()
        response = a.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    async with open_world(installation.settings, installation.document) as world:
        world.clock.advance(seconds=1)
        with walked() as entered:
            answer = await world.exchange(begun["auth_session"], response)
    assert answer.status_code == 200
    for c in sorted(entered, key=lambda c: (c.co_filename, c.co_firstlineno)): print(c.co_filename.removeprefix(ROOT), c.co_qualname)
    print(len(entered), len(files(entered)))
