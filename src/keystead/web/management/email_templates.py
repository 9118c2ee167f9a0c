"""``/api/v2/email-templates`` (EM-1, EM-2)."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, Conflict, NoSuchTemplate
from keystead.rules.messages import TemplateName
from keystead.rules.templates import REQUIRED, Template, read_whole, shown
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of

_NAMES: Final = get_args(TemplateName)
_WHOLE: Final = Body(Template, needs=REQUIRED)

CREATE: Final = Scoped(
    "Store an email template",
    scopes=("create:email_templates",),
    body=_WHOLE,
    answers={200: Template},
    refuses=(Conflict,),
)


async def create(request: Request) -> Response:
    """``POST /email-templates``: 200, as Auth0 answers."""
    asked = await CREATE.read(request)
    template, operation = read_whole(asked.body), operation_of(request, asked.bearer)
    if template.template not in _NAMES:
        raise BadRequest(f"No enum match for: {template.template[:100]}", path="template")
    return Json(shown(await management_of(request).templates.create(template, operation)))


SHOW: Final = Scoped(
    "Show an email template", scopes=("read:email_templates",), answers={200: Template}, refuses=(NoSuchTemplate,)
)


async def show(request: Request) -> Response:
    """``GET /email-templates/{name}``."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).templates.show(_name(request))))


REPLACE: Final = Scoped(
    "Replace an email template",
    scopes=("update:email_templates",),
    body=_WHOLE,
    answers={200: Template},
    refuses=(NoSuchTemplate,),
)


async def replace(request: Request) -> Response:
    """``PUT /email-templates/{name}``."""
    asked = await REPLACE.read(request)
    _check_name(request, asked.body)
    template, operation = read_whole(asked.body), operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).templates.replace(template, operation)))


UPDATE: Final = Scoped(
    "Change an email template",
    scopes=("update:email_templates",),
    body=Body(Template, needs=()),
    answers={200: Template},
    refuses=(NoSuchTemplate,),
)


async def update(request: Request) -> Response:
    """``PATCH /email-templates/{name}``."""
    asked = await UPDATE.read(request)
    _check_name(request, asked.body)
    operation = operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).templates.update(_name(request), asked.body, operation)))


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
