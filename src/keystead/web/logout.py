"""Logging out over HTTP: Auth0's ``/v2/logout``, OpenID Connect's ``/oidc/logout``, and the page that asks."""

from dataclasses import replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import ForeignOrigin
from keystead.oauth.logout import Farewell, LogoutRequest
from keystead.web import screens
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.redirects import redirect


async def logout(request: Request) -> Response:
    """``GET /v2/logout``: end the browser's session without asking, and go back only to what is registered."""
    flows, asked = flows_of(request), query_once(request)
    client_id = asked.get("client_id", "")
    target = await flows.logout.back_to(client_id, asked.get("returnTo", ""))
    navigated(request)
    return await leave(request, target, client_id)


async def oidc_logout(request: Request) -> Response:
    """``GET|POST /oidc/logout``: end the browser's session, once it is clear that its person wants that.

    A POST becomes a GET: a form from another site brings no cookie of ours, so that we would not know whom it is about.
    """
    if submitted(request):
        return redirect(f"/oidc/logout?{urlencode(await form(request))}")
    asked = query_once(request)
    farewell = await _consider(request, asked)
    navigated(request)
    return _question(farewell, asked) if farewell.ask else await leave(request, farewell.target, farewell.client_id)


async def confirm(request: Request) -> Response:
    """``POST /u/logout``: yes."""
    same_origin(request)
    farewell = await _consider(request, await form(request))
    return await leave(request, farewell.target, farewell.client_id)


def navigated(request: Request) -> None:
    """Refuse what no person sees: an image, a frame or a prefetch of another site's page. Raises ``ForeignOrigin``.

    These headers cannot be set by a page. A client that sends none is an old browser, or none at all.
    """
    headers = request.headers
    if headers.get("sec-fetch-dest", "document") != "document" or "prefetch" in headers.get("sec-purpose", ""):
        raise ForeignOrigin("Sign out by opening this page.", detail=f"not a visit: {headers.get('sec-fetch-dest')}")


async def _consider(request: Request, asked: dict[str, str]) -> Farewell:
    flows = flows_of(request)
    cookie = flows.cookies.session(request)
    session = await flows.sessions.not_ended(cookie)
    wanted = LogoutRequest(
        id_token_hint=asked.get("id_token_hint", ""),
        client_id=asked.get("client_id", ""),
        post_logout_redirect_uri=asked.get("post_logout_redirect_uri", ""),
        state=asked.get("state"),
    )
    farewell = await flows.logout.consider(wanted, session)
    if farewell.ask and await flows.sessions.read(cookie) is None:
        return replace(farewell, person="")  # it is over: whoever is here now need not learn who was
    return farewell


def _question(farewell: Farewell, asked: dict[str, str]) -> Response:
    """Ask. The form says which client it is for, also where only a hint said so: that hint proves nothing here."""
    asked = asked | {"client_id": farewell.client_id}
    context = {
        "client_name": farewell.client_name,
        "identifier_value": farewell.person,
        "asked": [(name, asked[name]) for name in ("client_id", "post_logout_redirect_uri", "state") if name in asked],
        "home_url": "/",
    }
    return screens.show("logout.html", context, redirects_to=farewell.target)


async def leave(request: Request, target: str, client_id: str) -> Response:
    """End the session, and every login that is under way in this browser: what was half done is nobody's any more."""
    response = redirect(target) if target else screens.show("signed-out.html", {"home_url": "/"})
    if request.method == "HEAD":  # asked by programs that look where a link leads
        return response
    flows = flows_of(request)
    named = client_id[:64] or None  # for the journal: nobody has checked it where nothing depends on it
    await flows.sessions.end(flows.cookies.session(request), caller_of(request), client_id=named)
    flows.cookies.clear_session(response)
    flows.cookies.clear_browser(response)
    return response
