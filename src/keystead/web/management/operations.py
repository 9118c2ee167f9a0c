"""From a request that changes something to what the journal will say about it."""

from starlette.requests import Request

from keystead.flows.operations import Operation
from keystead.oauth.bearers import Bearer
from keystead.web.guard import caller_of


def operation_of(request: Request, bearer: Bearer) -> Operation:
    """Return who asks for what."""
    return Operation(bearer.client_id, caller_of(request), request.method, request.url.path)
