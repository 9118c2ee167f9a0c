"""What a route takes and answers, said once: requests are read by it, and ``/openapi.json`` is made of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import wraps
from typing import Any, Final, Literal, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from keystead.errors import (
    BadRequest,
    BodyTooLarge,
    DomainError,
    InsufficientScope,
    InternalError,
    InvalidQuery,
    InvalidToken,
    Unavailable,
    UnsupportedMediaType,
)
from keystead.oauth.bearers import Bearer
from keystead.web.answers import refused_by
from keystead.web.body import Query, json_object, json_value, query
from keystead.web.cors import refuse_unlisted
from keystead.web.guard import require, require_person
from keystead.web.middleware import ROUTE, note
from keystead.web.parameters import Parameter
from keystead.web.request_limits import count, count_bearer
from keystead.web.shapes import JSON

T = TypeVar("T")
Proof = Literal["", "client", "access_token"]
"""How a caller shows who they are: not at all, as a client, or with a token of a person."""

Api = Literal["management", "my_account"]
"""Which of our own APIs a token must be for."""

_GUARDS: Final[Mapping[Api, Callable[..., Awaitable[Bearer]]]] = {
    "management": require,
    "my_account": require_person,
}
_ALWAYS: Final = (BadRequest, BodyTooLarge, Unavailable, InternalError)
"""What any request may meet: a ``Host`` that is none, a body that nobody reads, no database, a defect of ours."""


@dataclass(frozen=True)
class Body:
    """What is sent: a model that validates it, or a shape."""

    shape: object
    _: KW_ONLY
    media: tuple[str, ...] = (JSON,)
    required: bool = True
    wrapped: tuple[str, ...] = ()
    """Secrets beside the members of the model, which travel wrapped; no answer shows them."""
    needs: tuple[str, ...] | None = None
    """The members that must be there, where the model says otherwise: none of them in a PATCH."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list rather than an object."""
        return isinstance(self.shape, Mapping) and self.shape.get("type") == "array"


@dataclass(frozen=True)
class Endpoint:
    """One method of one route."""

    summary: str
    """Unique, and the ``operationId`` too."""
    _: KW_ONLY
    answers: Mapping[int, object]
    """What is answered where all went well: a shape by status, ``None`` where the body is empty."""
    query: tuple[Parameter[Any], ...] = ()
    body: Body | None = None
    refuses: tuple[type[DomainError], ...] = ()
    """What it refuses of its own; each dialect knows the statuses."""
    proofs: tuple[Proof, ...] = ("",)
    """Any of these will do."""

    def refusals(self) -> tuple[type[DomainError], ...]:
        """Return all that may go wrong, what goes without saying included."""
        with_body = (UnsupportedMediaType,) if self.body else ()
        return (*_ALWAYS, *with_body, *self.refuses)

    def security(self) -> list[dict[str, list[str]]]:
        """Return what a caller must show: any of these, as OpenAPI writes it."""
        return [{proof: []} if proof else {} for proof in self.proofs]


@dataclass(frozen=True)
class Asked:
    """A request as its endpoint read it: by whom, with which parameters and with what body."""

    bearer: Bearer
    query: Query
    body: Any
    _values: Mapping[str, Any]

    def __getitem__(self, parameter: Parameter[T]) -> T:
        """Return a parameter that the endpoint declares."""
        found: T = self._values[parameter.name]
        return found

    def names(self, *parameters: Parameter[Any]) -> bool:
        """Whether the query says anything about one of these."""
        return any(self.query.texts(each.name) for each in parameters)


@dataclass(frozen=True)
class Scoped(Endpoint):
    """An endpoint of one of our own APIs, for whoever holds a token with a scope."""

    _: KW_ONLY
    scopes: tuple[str, ...]
    """Any of these will do."""
    besides: tuple[str, ...] = ()
    """And all of these are needed too."""
    api: Api = "management"
    absent: tuple[str, ...] = ()
    """Parameters of Auth0's that are refused: a filter that is ignored would show what was not asked for."""

    async def read(self, request: Request) -> Asked:
        """Return what is asked. Raises ``InvalidToken``, ``InsufficientScope``, ``TooManyRequests``, ``BadRequest``.

        In this order: whoever may not ask does not learn what is wrong with the question.
        """
        bearer = await _GUARDS[self.api](request, *self.scopes)
        await count_bearer(request, bearer)
        if not bearer.scope.issuperset(self.besides):
            raise InsufficientScope(self.besides)
        asked = query(request)
        for name in self.absent:
            if asked.texts(name):
                raise InvalidQuery("Not supported", path=name)
        values = {each.name: each.read(asked) for each in self.query}
        return Asked(bearer, asked, await self._body(request), values)

    def refusals(self) -> tuple[type[DomainError], ...]:
        """Return all that may go wrong, a token that will not do included."""
        return (*super().refusals(), InvalidToken, InsufficientScope)

    def security(self) -> list[dict[str, list[str]]]:
        """Return the scopes: any one of some, with all of the others."""
        return [{self.api: [scope, *self.besides]} for scope in self.scopes]

    async def _body(self, request: Request) -> Any:
        if self.body is None or JSON not in self.body.media:  # a file is read by its handler, as it arrives
            return None
        if not self.body.required and not await request.body():
            return {}
        return await (json_value(request) if self.body.is_list else json_object(request))


class Described(Route):
    """A route with an endpoint for each of its methods: ``Described("/users", users.index, GET=users.INDEX)``."""

    def __init__(self, path: str, handler: Callable[..., Any], **endpoints: Endpoint) -> None:
        self.endpoints = endpoints
        super().__init__(path, _noting(handler), methods=list(endpoints))
        self.own = frozenset(self.methods or ())
        self.allowed = sorted(self.own)
        """What the path can be asked for, by whichever route."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request, and pass it on. Raises ``TooManyRequests``, ``ForeignOrigin``, ``HTTPException``."""
        scope[ROUTE] = f"{scope.get('root_path', '')}{self.path_format}"
        await count(scope)
        refuse_unlisted(scope)
        if scope["method"] not in self.own:
            raise HTTPException(405, headers={"Allow": ", ".join(self.allowed)})
        await super().handle(scope, receive, send)


def allowing(found: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """Let each route know the methods of its path, also as an id: a 405 names them all (RFC 9110 §15.5.6)."""
    described = [each for each in found if isinstance(each, Described)]
    for each in described:
        beside = (other.own for other in described if other.path_regex.match(each.path))
        each.allowed = sorted(set().union(*beside))
    return found


def _noting(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Tell the gate of refusals that were not raised but shown on a page, or sent back to a client."""

    @wraps(handler)
    async def noting(request: Request) -> Response:
        response: Response = await handler(request)
        error = refused_by(response)
        if error is not None:
            note(request, error)
        return response

    return noting
