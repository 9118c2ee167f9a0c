"""Whatever the description allows to be asked is answered as it says, and nothing that it forbids breaks anything.

Requests are made of the description itself: such as it allows, and such as it forbids in one place.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from anyio import from_thread, to_thread
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation

from promises import Promises, description
from world import PUBLIC_URL, World

EXAMPLES = 20
"""For each endpoint; half of them as it wants to be asked."""

DOCUMENT = description(PUBLIC_URL)
PROMISES = Promises(DOCUMENT)
OPERATIONS = {
    operation.label: operation
    for operation in (each.ok() for each in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
}

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


def requests_of(operation: APIOperation[Any, Any, Any, Any], known: dict[str, str]) -> st.SearchStrategy[Case]:
    """Return requests: with ids that there are, where there are some, and with any others."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    here = operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known) if known else modes[0]
    return st.one_of(here, *modes)


@pytest.mark.parametrize("label", OPERATIONS)
async def test_it_answers_as_described(world: World, label: str) -> None:
    operation = OPERATIONS[label]
    headers = {"authorization": f"Bearer {await world.management_token()}"}

    def ask(case: Case) -> None:
        sent = case.as_transport_kwargs(base_url=PUBLIC_URL)
        answer = from_thread.run(partial(send, world.client, sent, headers))
        assert not list(PROMISES.broken(answer))
        assert answer.status_code < 500

    await to_thread.run_sync(examples(requests_of(operation, {}), ask))


async def send(client: httpx.AsyncClient, sent: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    """Send a request as it was made."""
    kept = {name: value for name, value in sent.items() if name not in ("headers", "cookies")}
    if isinstance(kept.get("data"), bytes | str):
        kept["content"] = kept.pop("data")
    return await client.request(headers={**sent.get("headers", {}), **headers}, **kept)


def examples(requests: st.SearchStrategy[Case], ask: Callable[[Case], None]) -> Callable[[], None]:
    """Return the same examples each time: a failure is somebody's change."""
    return settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )(given(requests)(ask))
