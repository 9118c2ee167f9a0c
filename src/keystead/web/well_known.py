"""What browsers, platforms and password managers look up about passkeys, under ``/.well-known/``.

The same for every host name that leads here: an older address goes on saying who may use its passkeys. Nothing
redirects, for none of the readers would follow.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchRoute
from keystead.flows.passkey_notices import PAGE
from keystead.rules import app_links
from keystead.web.answers import Json
from keystead.web.endpoints import Endpoint
from keystead.web.flows import flows_of
from keystead.web.shapes import TEXT, Shape, each, word

_JSON: Final = "application/json"
"""The plain media type: some readers compare it as text."""
_KEPT: Final = "public, max-age=300"
_ASKED_EACH_TIME: Final = "no-cache"
"""What a browser kept of related origins would let in one that was taken out."""

WEBAUTHN: Final = Endpoint(
    "List the origins that may use our passkeys",
    answers={200: Shape("RelatedOrigins", {"origins": each(TEXT)})},
    refuses=(NoSuchRoute,),
)


async def webauthn(request: Request) -> Response:
    """``GET /.well-known/webauthn`` (WebAuthn Level 3 §5.11.1), where there are any."""
    origins = (await flows_of(request).relying_party.show()).published
    return _document({"origins": list(origins)} if origins else None, _ASKED_EACH_TIME)


PASSKEY_ENDPOINTS: Final = Endpoint(
    "Find where passkeys are made and managed",
    answers={200: Shape("PasskeyEndpoints", {"enroll": TEXT, "manage": TEXT})},
)


async def passkey_endpoints(request: Request) -> Response:
    """``GET /.well-known/passkey-endpoints`` (W3C Passkey Endpoints): where a password manager sends people."""
    page = f"{flows_of(request).settings.public_url}{PAGE}"
    return _document({"enroll": page, "manage": page})


APPLE_APPS: Final = Endpoint(
    "List the iOS apps of this host",
    answers={200: Shape("AppleApps", {"webcredentials": Shape("AppleCredentials", {"apps": each(TEXT)})})},
    refuses=(NoSuchRoute,),
)


async def apple_apps(request: Request) -> Response:
    """``GET /.well-known/apple-app-site-association``, where there are any."""
    return _document(app_links.for_apple(await flows_of(request).relying_party.apps()))


_TARGET: Final = Shape(
    "AssetTarget",
    {"namespace": word("android_app"), "package_name": TEXT, "sha256_cert_fingerprints": each(TEXT)},
)
ANDROID_APPS: Final = Endpoint(
    "List the Android apps of this host",
    answers={200: each(Shape("AssetLink", {"relation": each(TEXT), "target": _TARGET}))},
    refuses=(NoSuchRoute,),
)


async def android_apps(request: Request) -> Response:
    """``GET /.well-known/assetlinks.json``, where there are any."""
    return _document(app_links.for_android(await flows_of(request).relying_party.apps()) or None)


def _document(found: Any, cache: str = _KEPT) -> Response:
    if found is None:
        raise NoSuchRoute
    return Json(found, headers={"content-type": _JSON, "cache-control": cache})
