"""JSON answers, all with the same content type; and answers that look like any other and refuse something."""

from typing import Final, TypeVar

from starlette.responses import JSONResponse, Response

from keystead.errors import DomainError

_REFUSAL: Final = "refusal"

R = TypeVar("R", bound=Response)


class Json(JSONResponse):
    """A JSON body that names its charset, as Auth0's does (auth0-behaviour 2.0)."""

    media_type = "application/json; charset=utf-8"


def refusing(response: R, error: DomainError | None) -> R:
    """Note on a page or a redirect what it refuses: its route tells the gate, which keeps why."""
    if error is not None:
        setattr(response, _REFUSAL, error)
    return response


def refused_by(response: Response) -> DomainError | None:
    """Return what an answer refuses, if it was noted."""
    found: DomainError | None = getattr(response, _REFUSAL, None)
    return found
