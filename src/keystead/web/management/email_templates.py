"""``/api/v2/email-templates`` (EM-1, EM-2)."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, NoSuchTemplate
from keystead.rules.messages import TemplateName
from keystead.rules.templates import read_whole, shown
from keystead.web.answers import Json
from keystead.web.body import json_object
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of

_NAMES: Final = get_args(TemplateName)


async def create(request: Request) -> Response:
    """``POST /email-templates``: 200, as Auth0 answers."""
    operation = operation_of(request, await require(request, "create:email_templates"))
    template = read_whole(await json_object(request))
    if template.template not in _NAMES:
        raise BadRequest(f"No enum match for: {template.template[:100]}", path="template")
    return Json(shown(await flows_of(request).templates.create(template, operation)))


async def show(request: Request) -> Response:
    """``GET /email-templates/{name}``."""
    await require(request, "read:email_templates")
    return Json(shown(await flows_of(request).templates.show(_name(request))))


async def replace(request: Request) -> Response:
    """``PUT /email-templates/{name}``."""
    operation, body = (
        operation_of(request, await require(request, "update:email_templates")),
        await json_object(request),
    )
    _check_name(request, body)
    return Json(shown(await flows_of(request).templates.replace(read_whole(body), operation)))


async def update(request: Request) -> Response:
    """``PATCH /email-templates/{name}``."""
    operation, body = (
        operation_of(request, await require(request, "update:email_templates")),
        await json_object(request),
    )
    _check_name(request, body)
    return Json(shown(await flows_of(request).templates.update(_name(request), body, operation)))


def _name(request: Request) -> str:
    name = str(request.path_params["name"])
    if name not in _NAMES:
        raise NoSuchTemplate
    return name


def _check_name(request: Request, body: Mapping[str, Any]) -> None:
    """A template keeps its name. Raises ``NoSuchTemplate``, ``BadRequest``."""
    name = _name(request)
    if body.get("template", name) != name:
        raise BadRequest(f"Must be {name}, as in the path", path="template")
