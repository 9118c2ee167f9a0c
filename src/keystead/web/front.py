"""What stands around the hosted pages: the landing page, the first owner's set-up, pictures, health and metrics."""

from hmac import compare_digest
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from keystead.errors import (
    Busy,
    IdentifierTaken,
    InvalidIdentifier,
    InvalidToken,
    NoSuchRoute,
    PasswordUnchecked,
)
from keystead.rules.branding import stylesheet
from keystead.secrecy import Secret, fingerprint
from keystead.web import screens, wire, wording
from keystead.web.answers import Json
from keystead.web.avatars import initials_picture
from keystead.web.body import form, query_once, submitted
from keystead.web.client_ip import is_trusted
from keystead.web.flows import flows_of
from keystead.web.guard import bearer_token, caller_of, same_origin
from keystead.web.middleware import came_to_metrics
from keystead.web.pages import AT_PASSWORD, password_rules

_PICTURE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


async def home(request: Request) -> Response:
    """``GET /``: an ordinary client of this server, to see that it works and what it feels like."""
    flows = flows_of(request)
    issuer = flows.issuer.name
    context = {"client_id": await flows.directory.home_client(), "issuer": issuer, "audience": f"{issuer}me/"}
    return screens.show("home.html", context)


async def setup(request: Request) -> Response:
    """``/u/setup?ticket=``: whoever holds the link becomes the administrator that it is for, or an owner."""
    flows, ticket = flows_of(request), query_once(request).get("ticket", "")
    found = await flows.administrator_setup.look(ticket, caller_of(request))
    options, email = found.options, found.profile.email if found.profile else ""
    about = {"kind": found.kind, "role": found.role, "is_known": found.profile is not None}
    context = {"ticket": ticket, "email": email, "error": None, "error_field": ""} | about | password_rules(options)
    if not submitted(request):
        return screens.show("setup.html", context)
    same_origin(request)
    sent = await form(request)
    try:
        password = Secret(sent.get("password", ""))
        await flows.administrator_setup(ticket, sent.get("email", ""), password, caller_of(request))
    except (InvalidIdentifier, IdentifierTaken, *AT_PASSWORD, Busy, PasswordUnchecked) as error:
        at = "password" if isinstance(error, AT_PASSWORD) else "email"
        context |= {"email": email or sent.get("email", ""), "error": wording.said(error, options), "error_field": at}
        return wire.page("setup.html", context, error)
    return screens.show("setup-done.html", {"home_url": "/"})


async def branding(request: Request) -> Response:
    """``GET /branding.css``: the tenant's colours, as a file: no page has styles of its own, nor would it be let."""
    css = stylesheet((await flows_of(request).looks.now()).branding)
    tag = f'"{fingerprint(css)[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(css, headers={"etag": tag}, media_type="text/css")


async def avatar(request: Request) -> Response:
    """``GET /avatars/{initials}.svg``: the default picture, so that no browser tells a third party who logs in here."""
    picture = initials_picture(request.path_params["initials"])
    headers = {"content-security-policy": _PICTURE_POLICY, "cache-control": "public, max-age=86400"}
    headers["cross-origin-resource-policy"] = "cross-origin"  # clients show it on their own pages
    return Response(picture, headers=headers, media_type="image/svg+xml")


def favicon(directory: Path) -> Response:
    """Return the icon that browsers ask for unasked."""
    return FileResponse(directory / "favicon.svg", media_type="image/svg+xml")


async def health(request: Request) -> Response:
    """``GET /healthz``: the process answers; to a doctor of this installation also, how the request arrived."""
    question, headers = query_once(request).get("probe", ""), request.headers
    peer = request.client.host if request.client else ""
    seen = {
        "peer": peer,
        "address": request.scope["keystead.address"],
        "host": headers["host"],
        "forwarded_for": "x-forwarded-for" in headers,
        "trusted": is_trusted(peer, flows_of(request).settings.trusted_proxies),
    }
    answer = flows_of(request).management.doctor.answer(question, seen) if question else None
    body = {"status": "ok"} | ({"probe": answer} if answer else {})
    return Json(body, headers={"cache-control": "no-store"})


async def ready(request: Request) -> Response:
    """``GET /readyz``: the process can serve; 503 where it cannot, or is about to end."""
    checks = await flows_of(request).readiness.checks()
    good = all(state == "ok" for state in checks.values())
    body = {"status": "ready" if good else "not ready", "checks": checks}
    return Json(body, 200 if good else 503, headers={"cache-control": "no-store"})


async def metrics(request: Request) -> Response:
    """``GET /metrics``: on an address of its own, or for whoever has the token; else there is nothing here.

    Raises ``NoSuchRoute``, ``NoToken``, ``InvalidToken``.
    """
    flows = flows_of(request)
    if not came_to_metrics(request.scope, flows.settings):
        expected = flows.settings.metrics_token.reveal().encode()
        if not expected:
            raise NoSuchRoute
        if not compare_digest(bearer_token(request).encode("utf-8", "surrogateescape"), expected):
            raise InvalidToken(detail="not the token of the metrics")
    found = await flows.vitals.text()
    if found is None:
        raise NoSuchRoute
    body, media = found
    return Response(body, headers={"content-type": media, "cache-control": "no-store"})
