"""The request limits at the edge: each request to a route counted, and its answer marked with what is left."""

from collections.abc import Mapping
from functools import partial
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from keystead.flows.request_limits import Counting
from keystead.oauth.bearers import Bearer
from keystead.rules.request_limits import HEADERS, group_of
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of

_LIMIT, _LEFT, _RESET = (name.encode() for name in HEADERS)
_COUNTING: Final = "keystead.counting"
_TOO_MANY: Final = 429


async def count(scope: Scope) -> None:
    """Charge a request that found its route to where it comes from. Raises ``TooManyRequests``."""
    group = group_of(scope["path"])
    if group is None:
        return
    request = Request(scope)
    counting = flows_of(request).request_limits.begin(group, partial(caller_of, request))
    scope[_COUNTING] = counting
    state = request.query_params.get("state", "") if group == "pages" else ""
    await counting.arrived(scope["keystead.address"], f"{scope['method']} {scope['path']}", state)


async def count_client(request: Request, client_id: str) -> None:
    """Charge it to a client that has proved itself. Raises ``TooManyRequests``."""
    await _counting(request).proved(client_id, client_id)


async def count_person(request: Request, user_id: str) -> None:
    """Charge it to a person whose token is good. Raises ``TooManyRequests``."""
    await _counting(request).proved(user_id)


async def count_bearer(request: Request, bearer: Bearer) -> None:
    """Charge it to whoever the token is of: a person, or a client in its own right. Raises ``TooManyRequests``."""
    await _counting(request).proved(bearer.subject, bearer.client_id)


def headers_of(scope: Scope, status: int, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return what the answer says of the limits; of one that another limit refused, only when to come back.

    How large that one is would say which it was, and so something about the account. auth0-python reads the time of
    every 429 as an integer.
    """
    counting: Counting | None = scope.get(_COUNTING)
    if counting is None:
        return []
    if status == _TOO_MANY and not counting.refused:
        after = headers.get("retry-after", "")
        return [(_LEFT, b"0"), (_RESET, b"%d" % (ceil(counting.now) + int(after)))] if after else []
    shown = counting.shown
    return [(_LIMIT, b"%d" % shown.limit), (_LEFT, b"%d" % shown.left), (_RESET, b"%d" % shown.reset)] if shown else []


def _counting(request: Request) -> Counting:
    found: Counting = request.scope[_COUNTING]
    return found
