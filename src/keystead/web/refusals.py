"""Where whatever was raised becomes an answer: in the dialect of its path, and noted for the log line."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, DomainError, MethodNotAllowed, NoSuchRoute
from keystead.web import wire
from keystead.web.middleware import note


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    note(request, error)
    return wire.answer(request, error)


def _not_routed(request: Request, error: Exception) -> Response:
    """Give Starlette's own refusals the dialect of their path."""
    assert isinstance(error, HTTPException)
    kinds: dict[int, type[DomainError]] = {404: NoSuchRoute, 405: MethodNotAllowed}
    response = _refused(request, kinds.get(error.status_code, BadRequest)())
    response.headers.update(error.headers or {})
    return response


HANDLERS: Final = {DomainError: _refused, HTTPException: _not_routed}
"""By what is raised."""
