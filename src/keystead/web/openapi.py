"""``/openapi.json``: what every route takes and answers, made of the endpoints that requests are read by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from keystead import __version__
from keystead.errors import ForeignOrigin, NoSuchRoute, TooManyRequests
from keystead.rules.json_schemas import REFERENCE, is_model, schemas_of
from keystead.rules.request_limits import group_of
from keystead.web import wire
from keystead.web.answers import Json
from keystead.web.cors import FOR_CLIENTS
from keystead.web.endpoints import Body, Described, Endpoint
from keystead.web.flows import flows_of
from keystead.web.parameters import Parameter
from keystead.web.shapes import JSON, OBJECT, TEXT, Content, Schema, Shape
from keystead.web.surfaces import OAUTH_ERROR, SURFACES, Surface

DESCRIPTION: Final = Endpoint("Describe every route", answers={200: OBJECT})

_FILE: Final = Endpoint(
    "Fetch a style sheet, a script or a picture", answers={200: Content("*/*")}, refuses=(NoSuchRoute,)
)
_SECURITY: Final = {
    "client": {"type": "http", "scheme": "basic", "description": "A client's id and secret; or both in the body."},
    "access_token": {"type": "http", "scheme": "bearer", "description": "An access token with the scope `openid`."},
    "management": {"type": "http", "scheme": "bearer", "description": "A token for the audience `{url}/api/v2/`."},
    "my_account": {"type": "http", "scheme": "bearer", "description": "A token for the audience `{url}/me/`."},
}
_READABLE: Final = {"cache-control": "public, max-age=300"}
_IN_PATH: Final = re.compile(r"\{(\w+)(?::\w+)?\}")

Document = dict[str, Any]


@dataclass
class Description:
    """The description of an application, made when it is first asked for: a start need not wait for it."""

    _written: bytes = field(default=b"", repr=False)

    async def show(self, request: Request) -> Response:
        """``GET /openapi.json``."""
        if not self._written:
            document = describe(request.app.routes, flows_of(request).settings.public_url)
            self._written = bytes(Json(document).body)
        return Response(self._written, headers=_READABLE, media_type=Json.media_type)


def describe(routes: Sequence[BaseRoute], public_url: str) -> Document:
    """Return the description of routes: OpenAPI 3.1, whose schemas are JSON Schema 2020-12."""
    components = _Components()
    paths: dict[str, Document] = {}
    for path, method, endpoint in endpoints_of(routes):
        paths.setdefault(path, {})[method.lower()] = _operation(path, endpoint, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Keystead", "version": __version__},
        "servers": [{"url": public_url}],
        "tags": [{"name": surface.tag} for surface in SURFACES.values()],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.schemas.items())), "securitySchemes": _SECURITY},
    }


def endpoints_of(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str, Endpoint]]:
    """Give each path, as OpenAPI writes it, with each method and its endpoint."""
    for route in routes:
        if isinstance(route, Described):
            path = _IN_PATH.sub(r"{\1}", prefix + route.path)
            yield from ((path, method, endpoint) for method, endpoint in route.endpoints.items())
        elif isinstance(route, Mount) and route.routes:
            yield from endpoints_of(route.routes, prefix + route.path)
        elif isinstance(route, Mount):
            yield f"{prefix}{route.path}/{{path}}", "GET", _FILE


@dataclass(frozen=True)
class _Components:
    """The schemas that have a name, and references to them."""

    schemas: dict[str, Document] = field(default_factory=dict)
    _references: dict[Any, Document] = field(default_factory=dict)
    """Of each model and shape that was met before."""

    def schema(self, found: Any) -> Any:
        """Return a schema in which models and named shapes are references."""
        if isinstance(found, Shape) or is_model(found):
            if found not in self._references:
                self._references[found] = self._reference(found)
            return self._references[found]
        if isinstance(found, Mapping):
            return {name: self.schema(value) for name, value in found.items()}
        return [self.schema(value) for value in found] if isinstance(found, list | tuple) else found

    def _reference(self, found: Any) -> Document:
        if isinstance(found, Shape):
            return self._named(found.name, {found.name: self._whole(found)})
        return self._named(found.__name__, schemas_of(found))

    def _whole(self, shape: Shape) -> Schema:
        if shape.like is None:
            return shape.schema()
        model = self.schemas[self.schema(shape.like)["$ref"].rpartition("/")[2]]
        own = shape.schema()
        return {**own, "properties": {**model["properties"], **own["properties"]}}

    def _named(self, name: str, found: Mapping[str, Any]) -> Document:
        for each, schema in found.items():
            resolved = self.schema(schema)
            if self.schemas.setdefault(each, resolved) != resolved:
                raise ValueError(f"two schemas by the name of {each}")
        return {"$ref": REFERENCE.format(model=name)}


def _operation(path: str, endpoint: Endpoint, components: _Components) -> Document:
    surface = SURFACES[wire.dialect_of(path)]
    parameters = [_path_parameter(name) for name in _IN_PATH.findall(path)]
    found: Document = {
        "operationId": re.sub(r"\W+", "_", endpoint.summary.lower()),
        "summary": endpoint.summary,
        "tags": [surface.tag],
        "security": endpoint.security(),
        "parameters": parameters + [_query_parameter(each) for each in endpoint.query],
        "responses": _refusals(path, endpoint, surface, components) | _answers(endpoint, components),
    }
    return found | ({"requestBody": _body(endpoint.body, components)} if endpoint.body else {})


def _path_parameter(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameter(parameter: Parameter[Any]) -> Document:
    needed = {"required": True} if parameter.needed else {}
    return {"name": parameter.name, "in": "query", **needed, "schema": dict(parameter.schema())}


def _body(body: Body, components: _Components) -> Document:
    schema = components.schema(body.shape)
    if body.wrapped or body.needs is not None:
        schema = components.schemas[schema["$ref"].rpartition("/")[2]]
        hidden = {name: {"type": "string", "minLength": 1, "writeOnly": True} for name in body.wrapped}
        needs = schema.get("required", ()) if body.needs is None else body.needs
        schema = schema | {"properties": schema["properties"] | hidden, "required": list(needs)}
    return {"required": body.required, "content": {media: {"schema": schema} for media in body.media}}


def _answers(endpoint: Endpoint, components: _Components) -> Document:
    return {str(status): _answer(status, found, components) for status, found in endpoint.answers.items()}


def _answer(status: int, found: object, components: _Components) -> Document:
    answer: Document = {"description": HTTPStatus(status).phrase}
    if found is not None:
        contents = found if isinstance(found, tuple) else (found,)
        whole = [each if isinstance(each, Content) else Content(JSON, each) for each in contents]
        answer["content"] = {each.media: {"schema": components.schema(each.schema)} for each in whole}
    if status == HTTPStatus.SEE_OTHER:
        answer["headers"] = {"location": {"required": True, "schema": dict(TEXT)}}
    return answer


def _refusals(path: str, endpoint: Endpoint, surface: Surface, components: _Components) -> Document:
    # Whatever is in the place of a name may be no name at all, such as one with a slash.
    elsewhere = (NoSuchRoute,) if _IN_PATH.search(path) else ()
    limited = (TooManyRequests,) if group_of(path) else ()
    listed = (ForeignOrigin,) if path.startswith(FOR_CLIENTS) else ()
    kinds = (*endpoint.refusals(), *elsewhere, *limited, *listed)
    statuses = sorted({wire.status_of(surface.table, kind) for kind in kinds})
    # Scripts of ours ask for these; they show the text.
    by_script = surface is SURFACES[wire.pages] and path.endswith("/options")
    error = Content(JSON, OAUTH_ERROR) if by_script else Content(surface.media, surface.error)
    return {str(status): _answer(status, error, components) for status in statuses}
