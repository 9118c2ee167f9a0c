"""``/api/v2/keystead/relying-party``: whom passkeys are for, and how far a move to another id has come."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.passkey_counts import Tally
from keystead.errors import WouldStrandUsers
from keystead.rules.claims import iso
from keystead.rules.relying_party import RelyingParty, RelyingPartyMembers
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.operations import operation_of
from keystead.web.management.passkey_preview import ACCEPT_STRANDED, allowance
from keystead.web.shapes import FLAG, MOMENT, TEXT, WHOLE, Shape, each, word

_LISTS: Final = ("origins", "related_origins", "retiring")
_SHOWN: Final = Shape("RelyingParty", {"id": TEXT, "name": TEXT, **dict.fromkeys(_LISTS, each(TEXT))})

SHOW: Final = Scoped("Show whom passkeys are for", scopes=("read:tenant_settings",), answers={200: _SHOWN})


async def show(request: Request) -> Response:
    """``GET /keystead/relying-party``."""
    await SHOW.read(request)
    return Json((await flows_of(request).relying_party.show()).shown())


UPDATE: Final = Scoped(
    "Change whom passkeys are for",
    scopes=("update:tenant_settings",),
    query=(ACCEPT_STRANDED,),
    body=Body(RelyingPartyMembers, needs=()),
    answers={200: _SHOWN},
    refuses=(WouldStrandUsers,),
)


async def update(request: Request) -> Response:
    """``PATCH /keystead/relying-party``: what the body does not name stays, and an id that is replaced retires."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    return Json((await flows_of(request).relying_party.update(asked.body, operation, allowance(asked))).shown())


_LEFT: Final = ("people", "with_password", "with_verified_address", "with_neither")
_USE: Final = Shape(
    "PasskeysOfId",
    {
        "rp_id": TEXT,
        "status": word("current", "retiring", "unused"),
        "passkeys": WHOLE,
        "people": WHOLE,
        "moved": WHOLE,
        "not_moved": Shape("NotMoved", dict.fromkeys(_LEFT, WHOLE)),
    },
    {"last_used": MOMENT, "can_go": FLAG},
)
REPORT: Final = Scoped(
    "Count the passkeys of each address",
    scopes=("read:tenant_settings",),
    answers={200: Shape("RelyingPartyReport", {"rp_ids": each(_USE)})},
)


async def report(request: Request) -> Response:
    """``GET /keystead/relying-party/report``: the ids in use first, then whatever else there are passkeys of."""
    await REPORT.read(request)
    now, tallies = await flows_of(request).relying_party.report()
    return Json({"rp_ids": [_counted(now, each) for each in tallies]})


def _counted(now: RelyingParty, tally: Tally) -> dict[str, Any]:
    retiring = tally.rp_id in now.retiring
    found: dict[str, Any] = {
        "rp_id": tally.rp_id,
        "status": "current" if tally.rp_id == now.id else "retiring" if retiring else "unused",
        "passkeys": tally.passkeys,
        "people": tally.people,
        "moved": tally.moved,
        "not_moved": {
            "people": tally.not_moved,
            "with_password": tally.with_password,
            "with_verified_address": tally.with_address,
            "with_neither": tally.with_neither,
        },
    }
    if tally.last_used is not None:
        found["last_used"] = iso(tally.last_used)
    return found | ({"can_go": tally.not_moved == 0} if retiring else {})
