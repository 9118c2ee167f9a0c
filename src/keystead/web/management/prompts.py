"""``/api/v2/prompts``: how the hosted login asks (UL-1), and texts of its pages in place of ours (UL-12)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules import page_texts
from keystead.rules.page_texts import Place
from keystead.rules.prompts import Prompts, edit
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import Schema, text

_SCREEN: Final[Schema] = {"type": "object", "additionalProperties": text(1, page_texts.LONGEST)}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _SCREEN}
"""Texts by screen and key."""

SHOW: Final = Scoped("Show how pages ask", scopes=("read:prompts",), answers={200: Prompts})


async def show(request: Request) -> Response:
    """``GET /prompts``."""
    await SHOW.read(request)
    return Json(Prompts().model_dump())


UPDATE: Final = Scoped(
    "Change how pages ask", scopes=("update:prompts",), body=Body(Prompts, needs=()), answers={200: Prompts}
)


async def update(request: Request) -> Response:
    """``PATCH /prompts``: takes what it shows."""
    return Json(edit((await UPDATE.read(request)).body).model_dump())


SHOW_TEXTS: Final = Scoped("Show texts of pages", scopes=("read:prompts",), answers={200: TEXTS})


async def show_texts(request: Request) -> Response:
    """``GET /prompts/{prompt}/custom-text/{language}``: those that were set; none of prompts that have no page here."""
    await SHOW_TEXTS.read(request)
    return Json(await management_of(request).page_design.texts(_place(request)))


SET_TEXTS: Final = Scoped("Replace texts of pages", scopes=("update:prompts",), body=Body(TEXTS), answers={200: None})


async def set_texts(request: Request) -> Response:
    """``PUT /prompts/{prompt}/custom-text/{language}``: what is left out is what Keystead says itself."""
    asked = await SET_TEXTS.read(request)
    operation = operation_of(request, asked.bearer)
    await management_of(request).page_design.say(_place(request), asked.body, operation)
    return Response()


def _place(request: Request) -> Place:
    return page_texts.place(request.path_params["prompt"], request.path_params["language"])
