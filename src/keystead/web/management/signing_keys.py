"""``/api/v2/keys/signing``: the keys that sign tokens, as Auth0 shows them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidQuery
from keystead.oauth import certificates
from keystead.oauth.key_pairs import ALGORITHMS, DEFAULT
from keystead.rules.claims import iso
from keystead.rules.signing_keys import KeyRecord
from keystead.web.answers import Json
from keystead.web.body import query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /keys/signing``: those of one algorithm; RS256 unless ``algorithm`` names another."""
    await require(request, "read:signing_keys")
    found = await flows_of(request).signing_keys.of(_algorithm(request))
    return Json([_shown(key) for key in found])


async def show(request: Request) -> Response:
    """``GET /keys/signing/{kid}``."""
    await require(request, "read:signing_keys")
    return Json(_shown(await flows_of(request).signing_keys.show(request.path_params["kid"])))


async def rotate(request: Request) -> Response:
    """``POST /keys/signing/rotate``: 201 with the key that signs now. Needs both scopes: it makes one and ends one."""
    await require(request, "create:signing_keys")
    operation = operation_of(request, await require(request, "update:signing_keys"))
    return Json(_named(await flows_of(request).signing_keys.rotate(operation, _algorithm(request))), 201)


async def revoke(request: Request) -> Response:
    """``PUT /keys/signing/{kid}/revoke``: the key that verifies nothing from now on."""
    operation = operation_of(request, await require(request, "update:signing_keys"))
    return Json(_named(await flows_of(request).signing_keys.revoke(request.path_params["kid"], operation)))


def _algorithm(request: Request) -> str:
    found = query(request).text("algorithm")
    if found is not None and found not in ALGORITHMS:
        raise InvalidQuery(f"Expected one of {', '.join(ALGORITHMS)}", path="algorithm")
    return found or DEFAULT


def _named(key: KeyRecord) -> dict[str, Any]:
    return {"cert": certificates.read(key.public_jwk["x5c"]).pem, "kid": key.kid}


def _shown(key: KeyRecord) -> dict[str, Any]:
    certificate = certificates.read(key.public_jwk["x5c"])
    times = {"current_since": key.current_since, "current_until": key.current_until, "revoked_at": key.revoked_at}
    return {
        "kid": key.kid,
        "cert": certificate.pem,
        "pkcs7": certificate.pkcs7,
        "fingerprint": certificate.fingerprint,
        "thumbprint": certificate.thumbprint,
        "current": key.state == "current",
        "next": key.state == "next",
        "previous": key.state == "previous",
        "revoked": key.revoked_at is not None,
        **{name: iso(moment) for name, moment in times.items() if moment is not None},
    }
