"""``/u/account``: where a person sees where they are signed in and what has access, and ends what they like."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.sessions import SessionDetails, SessionRecord
from keystead.flows.own_sessions import Application, Overview
from keystead.rules.devices import device_name
from keystead.web import screens, wording
from keystead.web.body import form, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.logout import leave
from keystead.web.redirects import redirect

PATH: Final = "/u/account"
_WHILE_AWAY: Final = "offline_access"
"""Not said of each: it is what all of them have."""

_METHODS: Final = {"pwd": "with a password", "phr": "with a passkey"}


async def account(request: Request) -> Response:
    """Show it, or do what one of its buttons says. Without a session: sign in, and come back."""
    flows = flows_of(request)
    if submitted(request):
        same_origin(request)
    here = await flows.sessions.read(flows.cookies.session(request), caller_of(request))
    if submitted(request):
        return await _act(request, here)
    overview = await flows.own_sessions.overview(here) if here else None
    return _show(overview) if overview else await sign_in(request, PATH)


async def _act(request: Request, here: SessionRecord | None) -> Response:
    """Do one thing and show the page again: whatever is sent again then changes nothing."""
    own, sent, caller = flows_of(request).own_sessions, await form(request), caller_of(request)
    if here is None:
        return redirect(PATH)
    if "session" in sent:
        await own.end(here, sent["session"], caller)
    elif "client" in sent:
        await own.revoke(here, sent["client"], caller)
    elif sent.get("action") == "end-others":
        await own.end_others(here, caller)
    elif sent.get("action") == "sign-out":
        return await leave(request, "", "")
    return redirect(PATH)


async def sign_in(request: Request, path: str, user_id: str = "") -> Response:
    """Sign in, and come back to a page of ours; ``user_id`` is of somebody whose login is too old for a change."""
    flows = flows_of(request)
    browser = flows.cookies.browser(request) or flows.cookies.new_browser()
    started = await flows.authorize.sign_in_for(path, browser, user_id)
    response = redirect(f"/u/login?state={started.state}")
    flows.cookies.set_browser(response, browser)
    return response


def _show(overview: Overview) -> Response:
    context = {
        "identifier_value": overview.identifier,
        "here": _session(overview.here),
        "elsewhere": [_session(each) for each in overview.elsewhere],
        "applications": [_application(each) for each in overview.applications],
        "home_url": "/",
    }
    return screens.show("account.html", context)


def _session(found: SessionDetails) -> dict[str, Any]:
    methods = (_METHODS.get(each.get("name", "")) for each in found.methods)
    return {
        "id": found.id,
        "device": device_name(found.last_user_agent or found.user_agent),
        "address": found.last_ip or found.ip,
        "methods": " and ".join(dict.fromkeys(each for each in methods if each)),
        "since": wording.moment(found.authenticated_at),
        "seen": wording.moment(found.seen_at),
    }


def _application(found: Application) -> dict[str, Any]:
    return {
        "id": found.client_id,
        "name": found.name,
        "scopes": wording.scopes([each for each in found.scope if each != _WHILE_AWAY], found.texts),
        "since": wording.moment(found.since),
    }
