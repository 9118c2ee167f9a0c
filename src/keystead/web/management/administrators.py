"""``/api/v2/keystead/administrators``: who administers this installation, and as what. For owners alone."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.administrators import AdministratorRecord
from keystead.errors import IdentifierTaken, InvalidIdentifier, LastOwner, NoSuchUser
from keystead.rules.administrators import (
    AdministratorEdit,
    Invitation,
    read_administrator_edit,
    read_invitation,
)
from keystead.rules.claims import iso
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, MOMENT, TEXT, Shape, word

_ROLE: Final = word("owner", "editor", "viewer")
_ALWAYS: Final = {"user_id": TEXT, "role": _ROLE, "blocked": FLAG, "invited": FLAG, "created_at": MOMENT}
_MAYBE: Final = {"email": TEXT, "name": TEXT, "last_login": MOMENT}

ADMINISTRATOR: Final = Shape("Administrator", _ALWAYS, _MAYBE)
_INVITED: Final = Shape("InvitedAdministrator", {**_ALWAYS, "ticket": TEXT}, _MAYBE)

INDEX: Final = Scoped(
    "List administrators",
    scopes=("read:administrators",),
    query=PAGED,
    answers={200: pages_of("administrators", ADMINISTRATOR)},
)


async def index(request: Request) -> Response:
    """``GET /keystead/administrators``: the oldest first."""
    page = paged(await INDEX.read(request))
    found, total = await management_of(request).administrators.page(page.start, page.size)
    return page.answer("administrators", [shown(each) for each in found], total)


INVITE: Final = Scoped(
    "Invite an administrator",
    scopes=("create:administrators",),
    body=Body(Invitation),
    answers={201: _INVITED},
    refuses=(InvalidIdentifier, IdentifierTaken),
)


async def invite(request: Request) -> Response:
    """``POST /keystead/administrators``: the answer is the one place where the link is ever shown."""
    asked = await INVITE.read(request)
    wanted, operation = read_invitation(asked.body), operation_of(request, asked.bearer)
    invited = await management_of(request).administrators.invite(wanted, asked.bearer.scope, operation)
    body = shown(invited.administrator) | {"ticket": invited.url}
    return Json(body, 201, {"cache-control": "no-store"})


SHOW: Final = Scoped(
    "Show an administrator",
    scopes=("read:administrators",),
    answers={200: ADMINISTRATOR},
    refuses=(NoSuchUser,),
)


async def show(request: Request) -> Response:
    """``GET /keystead/administrators/{id}``."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).administrators.show(request.path_params["id"])))


UPDATE: Final = Scoped(
    "Change an administrator",
    scopes=("update:administrators",),
    body=Body(AdministratorEdit),
    answers={200: ADMINISTRATOR},
    refuses=(NoSuchUser, LastOwner),
)


async def update(request: Request) -> Response:
    """``PATCH /keystead/administrators/{id}``: holds from the next request on, whatever the token says."""
    asked = await UPDATE.read(request)
    edit, operation = read_administrator_edit(asked.body), operation_of(request, asked.bearer)
    flow, held = management_of(request).administrators, asked.bearer.scope
    return Json(shown(await flow.update(request.path_params["id"], edit, held, operation)))


DELETE: Final = Scoped(
    "Delete an administrator",
    scopes=("delete:administrators",),
    answers={204: None},
    refuses=(LastOwner,),
)


async def delete(request: Request) -> Response:
    """``DELETE /keystead/administrators/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).administrators.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def shown(found: AdministratorRecord) -> dict[str, Any]:
    """Return an administrator as the wire shows one; what there is none of is left out."""
    whole = {
        "user_id": found.user_id,
        "email": found.email,
        "name": found.name,
        "role": found.role,
        "blocked": found.blocked,
        "invited": not found.can_enter,
        "created_at": iso(found.created_at),
        "last_login": iso(found.last_login) if found.last_login else None,
    }
    return {name: value for name, value in whole.items() if value is not None}
