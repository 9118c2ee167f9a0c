"""``/api/v2/keystead/decisions`` and ``/users/{id}/decisions``: why somebody was refused."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchDecision, NoSuchUser
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.parameters import Text
from keystead.web.shapes import MOMENT, NOTHING, NUMBER, TEXT, Shape, each, either

_READ: Final = ("read:logs",)

DECISION: Final = Shape(
    "Decision",
    {
        "id": TEXT,
        "date": MOMENT,
        "code": TEXT,
        "rule": TEXT,
        "explanation": TEXT,
        "lifted_by": TEXT,
        "path": TEXT,
        "events": each(Shape("DecisionEvent", {"type": TEXT, "date": MOMENT})),
    },
    {
        "script": TEXT,
        "detail": TEXT,
        "reasons": each(TEXT),
        "connection": TEXT,
        "connection_id": TEXT,
        "user_id": TEXT,
        "identifier": TEXT,
        "client_id": TEXT,
        "ip": TEXT,
        "user_agent": TEXT,
        "limit": Shape(
            "DecisionLimit",
            {
                "bucket": TEXT,
                "capacity": NUMBER,
                "spent": NUMBER,
                "since": either(MOMENT, NOTHING),
                "refuses_until": either(MOMENT, NOTHING),
            },
        ),
    },
)

_ABOUT: Final = Text("about")

INDEX: Final = Scoped(
    "Find why somebody was refused",
    scopes=_READ,
    besides=("read:administrators",),
    query=(_ABOUT,),
    answers={200: each(DECISION)},
)


async def index(request: Request) -> Response:
    """``GET /keystead/decisions?about=``: by the id of a decision, an identifier or a user id; administrators too."""
    asked = await INDEX.read(request)
    return Json([found.on_wire() for found in await flows_of(request).decisions.find(asked[_ABOUT] or "")])


SHOW: Final = Scoped("Show why a request was refused", scopes=_READ, answers={200: DECISION}, refuses=(NoSuchDecision,))


async def show(request: Request) -> Response:
    """``GET /keystead/decisions/{id}``."""
    await SHOW.read(request)
    return Json((await flows_of(request).decisions.show(request.path_params["id"])).on_wire())


OF_USER: Final = Scoped(
    "List why a user was refused",
    scopes=_READ,
    query=PAGED,
    answers={200: pages_of("decisions", DECISION)},
    refuses=(NoSuchUser,),
)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/decisions``: newest first."""
    page, decisions = paged(await OF_USER.read(request)), flows_of(request).decisions
    user_id = request.path_params["id"]
    found = await decisions.of_user(user_id, page.start, page.size)
    total = await decisions.count_of_user(user_id) if page.totals else 0
    return page.answer("decisions", [each.on_wire() for each in found], total)
