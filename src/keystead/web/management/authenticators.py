"""``/api/v2/keystead/authenticators``: models of authenticators, so that a rule's AAGUIDs mean something to people."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchAuthenticator
from keystead.flows.authenticator_models import Described
from keystead.rules.passkey_terms import TRUST_LEVELS
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.shapes import NOTHING, TEXT, WHOLE, Shape, each, either, word

_READ: Final = ("read:connections",)
"""Whoever may read a policy may know what it means."""

AUTHENTICATOR: Final = Shape(
    "Authenticator",
    {
        "aaguid": TEXT,
        "name": either(TEXT, NOTHING),
        "trust": word(*TRUST_LEVELS),
        "compromised": either(TEXT, NOTHING),
        "roots": WHOLE,
        "statuses": each(Shape("AuthenticatorStatus", {"status": TEXT, "effective_date": either(TEXT, NOTHING)})),
    },
)

INDEX: Final = Scoped(
    "List models of authenticators",
    scopes=_READ,
    query=PAGED,
    answers={200: pages_of("authenticators", AUTHENTICATOR)},
)


async def index(request: Request) -> Response:
    """``GET /keystead/authenticators``: every model that has a name or is in the metadata, by AAGUID."""
    page = paged(await INDEX.read(request))
    found, total = await flows_of(request).authenticators.page(page.start, page.size)
    return page.answer("authenticators", [_shown(each) for each in found], total)


SHOW: Final = Scoped(
    "Show a model of authenticator", scopes=_READ, answers={200: AUTHENTICATOR}, refuses=(NoSuchAuthenticator,)
)


async def show(request: Request) -> Response:
    """``GET /keystead/authenticators/{aaguid}``."""
    await SHOW.read(request)
    return Json(_shown(await flows_of(request).authenticators.show(request.path_params["aaguid"].lower())))


def _shown(found: Described) -> dict[str, Any]:
    return {
        "aaguid": found.key,
        "name": found.name,
        "trust": found.trust,
        "compromised": found.compromised,
        "roots": found.roots,
        "statuses": [
            {"status": each.status, "effective_date": each.effective.isoformat() if each.effective else None}
            for each in found.reports
        ],
    }
