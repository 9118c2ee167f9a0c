"""``/api/v2/clients/{id}/credentials``: the public keys with which clients prove themselves."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.credentials import CredentialRecord
from keystead.rules.claims import iso
from keystead.web.answers import Json
from keystead.web.body import json_object
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of

# Whoever may make a client's secrets may make its keys: both are ways to be the client.


async def index(request: Request) -> Response:
    """``GET /clients/{id}/credentials``."""
    await require(request, "read:client_credentials", "read:client_keys")
    found = await flows_of(request).credentials.of_client(request.path_params["id"])
    return Json([shown(each) for each in found])


async def create(request: Request) -> Response:
    """``POST /clients/{id}/credentials``."""
    operation = operation_of(request, await require(request, "create:client_credentials", "update:client_keys"))
    body = await json_object(request)
    return Json(shown(await flows_of(request).credentials.create(request.path_params["id"], body, operation)), 201)


async def show(request: Request) -> Response:
    """``GET /clients/{id}/credentials/{credential_id}``."""
    await require(request, "read:client_credentials", "read:client_keys")
    return Json(shown(await flows_of(request).credentials.known(**_path(request))))


async def update(request: Request) -> Response:
    """``PATCH /clients/{id}/credentials/{credential_id}``: moves its end."""
    operation = operation_of(request, await require(request, "update:client_credentials", "update:client_keys"))
    body = await json_object(request)
    found = await flows_of(request).credentials.update(**_path(request), body=body, operation=operation)
    return Json(shown(found))


async def delete(request: Request) -> Response:
    """``DELETE /clients/{id}/credentials/{credential_id}``: 204, also where there is none."""
    operation = operation_of(request, await require(request, "delete:client_credentials", "update:client_keys"))
    await flows_of(request).credentials.delete(**_path(request), operation=operation)
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
