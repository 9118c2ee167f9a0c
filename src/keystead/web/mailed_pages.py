"""The pages behind links in mails: confirm an address, choose a new password. A GET shows; only a button acts."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, Busy, TooManyAttempts, WeakPassword
from keystead.secrecy import Secret
from keystead.web import screens, wire
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.pages import here, page, password_rules

_SENT: Final = "If there is an account with these details, we have sent a message with a link. It may take a minute."


async def email_verification(request: Request) -> Response:
    """``/u/email-verification?ticket=``: is this your address, and did you sign up?"""
    flows, ticket = flows_of(request), query_once(request).get("ticket", "")
    if not submitted(request):
        email = await flows.verification.look(ticket)
        return screens.show("email-verification.html", {"ticket": ticket, "email": email})
    same_origin(request)
    sent = await form(request)
    if sent.get("action") == "disown":
        await flows.verification.disown(ticket, caller_of(request))
        return screens.show("email-verification-done.html", {"confirmed": False, "home_url": "/"})
    await flows.verification.confirm(ticket, caller_of(request))
    return screens.show("email-verification-done.html", {"confirmed": True, "home_url": "/"})


async def reset_request(request: Request) -> Response:
    """``/u/reset-password/request?state=``: where shall we send the link?"""
    _, place = await here(request)
    value = place.transaction.identifiers.get("typed") or place.transaction.request.login_hint
    context: dict[str, Any] = {"identifier_value": value, "sent": ""}
    if not submitted(request):
        return page("reset-password-request", place, context)
    flows, typed = flows_of(request), (await form(request)).get("username", "")
    client_id = place.transaction.request.client_id
    try:
        await flows.reset.request(place.connection, client_id, typed, caller_of(request))
    except (TooManyAttempts, BadRequest, Busy) as error:
        return page("reset-password-request", place, context, error, "username")
    return page("reset-password-request", place, context | {"sent": _SENT})


async def reset_password(request: Request) -> Response:
    """``/u/reset-password?ticket=``: choose a new password."""
    flows, ticket = flows_of(request), query_once(request).get("ticket", "")
    found = await flows.reset.look(ticket)
    identifier = found.profile.best_identifier(found.options.precedence)
    context: dict[str, Any] = {"ticket": ticket, "identifier_value": identifier, "error": None, "error_field": ""}
    context |= password_rules(found.options)
    if not submitted(request):
        return screens.show("reset-password.html", context)
    same_origin(request)
    password = Secret((await form(request)).get("password", ""))
    try:
        await flows.reset.finish(ticket, password, caller_of(request))
    except (WeakPassword, BadRequest, Busy) as error:
        context |= {"error": error.text, "error_field": "password"}
        return screens.show("reset-password.html", context, status=wire.row_of(wire.PAGES, error).status)
    return screens.show("reset-password-done.html", {"home_url": "/"})
