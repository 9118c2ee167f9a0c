"""Whatever the description allows to be asked is answered as it says, and nothing that it forbids breaks anything.

Requests are made of the description itself, the same each time: such as it allows, about what there is and about what
there is not, and such as it forbids in some place. No answer is a defect of ours; each has a status, a content type and
a body that are described for the route.
"""

import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
import schemathesis
from anyio import from_thread, to_thread
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from account import MyAccount
from authenticator import Authenticator
from guarding import SUSPICIOUS_IP, guard
from keystead.db import tables
from scripted_people import ANN, options
from tally import TALLY
from world import PROMISES, PUBLIC_URL, World, claims_of

EXAMPLES = int(os.environ.get("KEYSTEAD_TEST_EXAMPLES", "10"))
"""For each method of each route; ``scripts/fuzz`` asks for more, and on each database."""

DATABASES = ["sqlite"] if EXAMPLES <= 10 else ["sqlite", "postgres"]

Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Operation]


def operations() -> dict[str, Operation]:
    """Return what is described, by method and path."""
    found = list(schemathesis.openapi.from_dict(PROMISES.document).get_all_operations())
    return {each.ok().label: each.ok() for each in found if isinstance(each, Ok)}


OPERATIONS = operations()

pytestmark = [pytest.mark.parametrize("installation", DATABASES, indirect=True), pytest.mark.timeout(30 * EXAMPLES)]


def requests_of(operation: Operation, known: dict[str, str]) -> st.SearchStrategy[AnyCase]:
    """Return requests: with ids of what there is, where there is something, and with any others."""
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in reversed(GenerationMode))
    if not known:
        return right | wrong
    about = partial(operation.as_strategy, path_parameters=known)
    return right | wrong | about(generation_mode=GenerationMode.POSITIVE)


@pytest.mark.parametrize("label", OPERATIONS)
async def test_it_answers_as_described(world: World, label: str) -> None:
    operation = OPERATIONS[label]
    headers, known = await credentials(world, operation), await things(world, operation.path)
    await guard(world.db, SUSPICIOUS_IP, enabled=False)
    database = world.settings.database_url.reveal().partition(":")[0].partition("+")[0]

    def ask(case: AnyCase) -> None:
        world.clock.advance(seconds=1)  # nobody asks so often that it is the limits alone that answer
        answer = from_thread.run(send, world.client, case, headers)
        TALLY[f"generated {database} {answer.status_code}"] += 1
        assert answer.status_code < 500 or operation.path == "/readyz", answer.text  # no worker runs here

    await to_thread.run_sync(examples(requests_of(operation, known), ask))


async def credentials(world: World, operation: Operation) -> dict[str, str]:
    """Return the header of somebody who may ask."""
    schemes = {name for each in operation.definition.raw.get("security", []) for name in each}
    if "management" in schemes:
        return {"authorization": f"Bearer {await world.management_token()}"}
    if schemes & {"my_account", "access_token"}:
        await world.person("somebody@example.com")
        login = {"username": "somebody@example.com"}
        of_person = await MyAccount.of(world, **login) if "my_account" in schemes else None
        token = of_person.token if of_person else (await world.tokens(**login))["access_token"]
        return {"authorization": f"Bearer {token}"}
    return {}


async def things(world: World, path: str) -> dict[str, str]:
    """Return the path parameters of something that there is, as far as a path speaks of such."""
    for prefix, made in THINGS.items():
        if path.startswith(prefix):
            found = await made(world)
            return {name: value for name, value in found.items() if f"{{{name}}}" in path}
    return {}


async def user(world: World) -> dict[str, str]:
    """Return somebody."""
    return {"id": await world.person()}


async def passkey(world: World) -> dict[str, str]:
    """Return somebody, and a passkey of theirs."""
    user_id = claims_of((await world.register(Authenticator()))["id_token"])["sub"]
    (row,) = await world.rows(tables.Passkey)
    return {"id": user_id, "method_id": row["id"], "passkey_id": row["id"]}


async def connection(world: World) -> dict[str, str]:
    """Return one more connection."""
    return {"id": await world.new_connection()}


async def scripted(world: World) -> dict[str, str]:
    """Return a connection with action scripts, and the name of one."""
    made = await world.new_connection(**options("node", ANN))
    return {"id": made, "connection_id": made, "name": "get_user"}


async def client(world: World) -> dict[str, str]:
    """Return one more client."""
    return {"id": (await world.new_client())["client_id"], "credential_id": "cred_none"}


async def template(world: World) -> dict[str, str]:
    """Return the name of a template, of which there is none yet."""
    return {"name": "verify_email"}


async def ceremony(world: World) -> dict[str, str]:
    """Return the id of a passkey that is being made."""
    return {"id": "passkey|new"}


async def api(world: World) -> dict[str, str]:
    """Return our own API, by id."""
    return {"id": (await world.manage("GET", "/resource-servers")).json()[0]["id"]}


async def grant(world: World) -> dict[str, str]:
    """Return the grant of the machine that manages."""
    return {"id": (await world.manage("GET", "/client-grants")).json()[0]["id"]}


async def key(world: World) -> dict[str, str]:
    """Return a signing key."""
    return {"kid": (await world.manage("GET", "/keys/signing")).json()[0]["kid"]}


THINGS: dict[str, Callable[[World], Awaitable[dict[str, str]]]] = {
    "/api/v2/users/{id}/authentication-methods/{method_id}": passkey,
    "/api/v2/keystead/users/{id}": passkey,
    "/api/v2/users/{id}": user,
    "/api/v2/user-blocks/{id}": user,
    "/api/v2/connections/{id}/scripts": scripted,
    "/api/v2/keystead/scripts/{connection_id}": scripted,
    "/api/v2/connections/{id}": connection,
    "/api/v2/clients/{id}": client,
    "/api/v2/email-templates/{name}": template,
    "/api/v2/resource-servers/{id}": api,
    "/api/v2/client-grants/{id}": grant,
    "/api/v2/keys/signing/{kid}": key,
    "/me/v1/authentication-methods/{id}": ceremony,
}


async def send(http: httpx.AsyncClient, case: AnyCase, headers: dict[str, str]) -> httpx.Response:
    """Send a request as it was made."""
    sent = case.as_transport_kwargs(base_url=PUBLIC_URL)
    request = {name: value for name, value in sent.items() if name not in ("headers", "cookies", "data")}
    made = {name.lower(): value for name, value in sent.get("headers", {}).items()}
    if "files" in request:
        request["files"] = [(name, _part(value)) for name, value in request["files"]]
    body = sent.get("data")
    if body is not None:
        request["content" if isinstance(body, bytes | str) else "data"] = body
    return await http.request(headers=made | headers, **request)


def _part(value: Any) -> Any:
    """Return a part of a form as HTTP can have it: of one that should be a file and is a number, its digits."""
    if isinstance(value, tuple):
        return tuple(_part(each) if at == 1 else each for at, each in enumerate(value))
    return value if isinstance(value, bytes | str) else json.dumps(value)


@schemathesis.serializer("application/gzip")
def of_bytes(context: Any, value: Any) -> Any:
    """Send a body that is bytes as it is, and whatever else was made of the schema as JSON."""
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


def examples(requests: st.SearchStrategy[AnyCase], ask: Callable[[AnyCase], None]) -> Callable[[], None]:
    """Return a run over examples that are the same each time: a failure is somebody's change."""
    bounds = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    return bounds(given(requests)(ask))
