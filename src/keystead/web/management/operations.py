"""From a request that changes something to what the journal will say about it."""

from typing import Final

from starlette.requests import Request

from keystead.flows.operations import Operation
from keystead.oauth.bearers import Bearer
from keystead.rules.sessions import LONGEST_NOTE, MOST_NOTES
from keystead.web.guard import caller_of
from keystead.web.shapes import Schema, Shape

ACCEPTED: Final = Shape("Accepted", {})
"""The answer to an end that is under way: an empty object."""

NOTES: Final[Schema] = {
    "type": "object",
    "maxProperties": MOST_NOTES,
    "additionalProperties": {"type": "string", "maxLength": LONGEST_NOTE},
}
"""What an administrator may note about a session or a token."""


def operation_of(request: Request, bearer: Bearer) -> Operation:
    """Return who asks for what."""
    caller = caller_of(request).model_copy(update={"actor": bearer.subject})
    return Operation(bearer.client_id, caller, request.method, request.url.path)
