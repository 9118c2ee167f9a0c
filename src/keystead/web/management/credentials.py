"""``/api/v2/clients/{id}/credentials``: the public keys with which clients prove themselves."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.credentials import CredentialRecord
from keystead.errors import CredentialTaken, NoSuchClient, NoSuchCredential
from keystead.rules.claims import iso
from keystead.rules.credentials import KEY_ALGORITHMS, CredentialEdit, NewCredential
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import MOMENT, TEXT, Shape, each, word

# Whoever may make a client's secrets may make its keys: both are ways to be the client.
_READ: Final = ("read:client_credentials", "read:client_keys")

CREDENTIAL: Final = Shape(
    "Credential",
    {
        "id": TEXT,
        "name": TEXT,
        "kid": TEXT,
        "alg": word(*KEY_ALGORITHMS),
        "credential_type": word("public_key"),
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
    {"expires_at": MOMENT},
)

INDEX: Final = Scoped(
    "List the credentials of a client", scopes=_READ, answers={200: each(CREDENTIAL)}, refuses=(NoSuchClient,)
)


async def index(request: Request) -> Response:
    """``GET /clients/{id}/credentials``."""
    await INDEX.read(request)
    found = await management_of(request).credentials.of_client(request.path_params["id"])
    return Json([shown(each) for each in found])


CREATE: Final = Scoped(
    "Add a credential to a client",
    scopes=("create:client_credentials", "update:client_keys"),
    body=Body(NewCredential),
    answers={201: CREDENTIAL},
    refuses=(NoSuchClient, CredentialTaken),
)


async def create(request: Request) -> Response:
    """``POST /clients/{id}/credentials``."""
    asked = await CREATE.read(request)
    operation = operation_of(request, asked.bearer)
    made = await management_of(request).credentials.create(request.path_params["id"], asked.body, operation)
    return Json(shown(made), 201)


SHOW: Final = Scoped(
    "Show a credential of a client",
    scopes=_READ,
    answers={200: CREDENTIAL},
    refuses=(NoSuchClient, NoSuchCredential),
)


async def show(request: Request) -> Response:
    """``GET /clients/{id}/credentials/{credential_id}``."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).credentials.known(**_path(request))))


UPDATE: Final = Scoped(
    "Change when a credential ends",
    scopes=("update:client_credentials", "update:client_keys"),
    body=Body(CredentialEdit, needs=("expires_at",)),
    answers={200: CREDENTIAL},
    refuses=(NoSuchClient, NoSuchCredential),
)


async def update(request: Request) -> Response:
    """``PATCH /clients/{id}/credentials/{credential_id}``: moves its end."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    found = await management_of(request).credentials.update(**_path(request), body=asked.body, operation=operation)
    return Json(shown(found))


DELETE: Final = Scoped(
    "Delete a credential of a client",
    scopes=("delete:client_credentials", "update:client_keys"),
    answers={204: None},
    refuses=(NoSuchClient,),
)


async def delete(request: Request) -> Response:
    """``DELETE /clients/{id}/credentials/{credential_id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).credentials.delete(**_path(request), operation=operation)
    return Response(status_code=204)


def shown(record: CredentialRecord) -> dict[str, Any]:
    """Return a credential as the wire shows it: about the key, not the key."""
    found = {
        "id": record.id,
        "name": record.name,
        "kid": record.kid,
        "alg": record.algorithm,
        "credential_type": "public_key",
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
    }
    return found | ({"expires_at": iso(record.expires_at)} if record.expires_at else {})


def _path(request: Request) -> dict[str, str]:
    return {"client_id": request.path_params["id"], "credential_id": request.path_params["credential_id"]}
