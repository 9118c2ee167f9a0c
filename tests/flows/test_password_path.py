"""How much of the house a login walks through: a path that can be held in one's head.

Counted are the public functions of the package that a flow enters: what a reader has to look up elsewhere. Private
functions are the inside of the file that one is in. What is under every unit of work alike is left out.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import keystead
from authenticator import Authenticator
from conftest import Stencil
from keystead.flows.ceremonies import Party
from keystead.rules.events import Caller
from keystead.secrecy import Secret
from keystead.web.flows import Flows
from world import PASSWORD, PUBLIC_URL, open_world

ROOT = Path(keystead.__file__).parent
UNDERNEATH = {"app.py", "db/session.py", "db/threads.py", "db/tables.py", "secrecy.py"}


@contextmanager
def walked() -> Iterator[set[CodeType]]:
    """Collect what is entered meanwhile, on the event loop and on the threads that start."""
    entered: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            entered.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def public(entered: set[CodeType]) -> set[tuple[str, str]]:
    """Return the public functions of ours among them, by file."""
    ours = {(Path(code.co_filename), code.co_qualname) for code in entered if ROOT in Path(code.co_filename).parents}
    named = {(str(path.relative_to(ROOT)), name) for path, name in ours if not _is_inner(name.split(".")[-1])}
    return {(path, name) for path, name in named if path not in UNDERNEATH}


def _is_inner(name: str) -> bool:
    return name.startswith(("_", "<")) and name != "__call__"


async def test_password_login(installation: Stencil) -> None:
    async with open_world(installation.settings, installation.document) as world:
        await world.signup()
    # Opened anew, so that the threads of the database and of the hasher start while we watch.
    with walked() as entered:
        async with open_world(installation.settings, installation.document) as world:
            flows: Flows = world.app.state.flows
            connection = await flows.directory.by_name(world.connection, world.client_id)
            entered.clear()
            login = flows.hosted_login.passwords
            await login(connection, world.client_id, "ann@example.com", Secret(PASSWORD), Caller())
            found = public(set(entered))
    assert ("users/hashing.py", "BcryptHasher.verify") in found
    # Twenty-three of them are the limits that it meets: which, how large, charged, and settled; six measure; two
    # find out where people live.
    assert len(found) <= 64, sorted(found)
    assert len({path for path, _ in found}) <= 25, sorted(found)


async def test_passkey_login(installation: Stencil) -> None:
    authenticator = Authenticator()
    async with open_world(installation.settings, installation.document) as world:
        await world.register(authenticator)
    with walked() as entered:
        async with open_world(installation.settings, installation.document) as world:
            flows: Flows = world.app.state.flows
            world.clock.advance(
                days=1
            )  # the entropy of a world counts from one: two ids of one moment would be the same
            connection = await flows.directory.by_name(world.connection, world.client_id)
            begun = await flows.passkey_login.begin(connection, Party(world.client_id, connection), Caller())
            response = authenticator.get(begun.public_key, origin=PUBLIC_URL)
            entered.clear()
            ceremonies = flows.hosted_login.ceremonies
            ceremony = await ceremonies.claim(begun.auth_session, ("login",), client_id=world.client_id)
            await flows.passkey_login.finish(ceremony, response, Caller())
            found = public(set(entered))
    assert ("adapters/webauthn.py", "verify_assertion") in found
    # Six of them judge by the connection's passkey policy, six find out whom passkeys are for, and four
    # whether they are still where they live.
    assert len(found) <= 50, "\n".join(map(str, sorted(found)))
    assert len({path for path, _ in found}) <= 27, sorted(found)
