"""``/api/v2/connections/{id}/passkey-policy/preview``: what options would do to people, before they are saved."""

from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidOptions, NoSuchConnection
from keystead.flows.passkey_preview import Allowance, Examples
from keystead.rules.connection_edits import OptionsPreview, read_preview
from keystead.rules.passkey_preview import REASONS, Outcome, Why
from keystead.rules.passkey_report import PreviewReport
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import BY_CURSOR, cursor
from keystead.web.parameters import Choice, Number

READ_OPTIONS: Final = "read:connections_options"
READ_PEOPLE: Final = "read:users"

_NAMED: Final = 10
"""How many of those who would be stranded a refusal names."""

ACCEPT_STRANDED: Final = Number("accept_stranded", 0, most=999_999_999)
_OUTCOME: Final = Choice("outcome", get_args(Outcome))
_REASON: Final = Choice("reason", REASONS)


PREVIEW: Final = Scoped(
    "Preview the options of a connection",
    scopes=("read:connections",),
    besides=(READ_OPTIONS,),
    query=(*BY_CURSOR, _OUTCOME, _REASON),
    body=Body(OptionsPreview),
    answers={200: PreviewReport},
    refuses=(NoSuchConnection, InvalidOptions),
)


async def preview(request: Request) -> Response:
    """``POST /connections/{id}/passkey-policy/preview``: everybody counted, and named to those who may read people."""
    asked = await PREVIEW.read(request)
    options, part = read_preview(asked.body), cursor(asked)
    examples = Examples(
        part.size if READ_PEOPLE in asked.bearer.scope else 0,
        part.last,
        cast("Outcome | None", asked[_OUTCOME]),
        cast("Why | None", asked[_REASON]),
    )
    found = await management_of(request).connections.preview(request.path_params["id"], options, examples)
    return Json(found.model_dump(exclude_none=True))


def allowance(asked: Asked) -> Allowance:
    """Return how many people a change may strand; who may not read people is shown none of them."""
    return Allowance(asked[ACCEPT_STRANDED], examples=_NAMED if READ_PEOPLE in asked.bearer.scope else 0)
