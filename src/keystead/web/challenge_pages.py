"""The pages of a login that ask for a code, or wait for a link to be followed."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, Busy, ScriptFailed, TooManyAttempts, WrongCode
from keystead.flows.passkey_notices import PAGE as PASSKEYS
from keystead.rules.login_steps import CHALLENGES, next_to_prove
from keystead.web import screens, wire
from keystead.web.body import form, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.pages import PATHS, go_to, here, page, recovery_url, reset_url, url_of
from keystead.web.redirects import redirect

_SENT: Final = "If there is an account with these details, we have sent a message with a link. It may take a minute."
_AGAIN: Final = "We have sent another code. Only the newest one works."


async def identifier_challenge(request: Request) -> Response:
    """``/u/email-identifier-challenge`` and its like for phones: which code did we send you?"""
    visit, place = await here(request)
    kind = next_to_prove(place.transaction, place.offer)
    if kind is None or place.step != CHALLENGES[kind]:
        return go_to(place.step, visit.state)
    context: dict[str, Any] = {
        "address": place.transaction.identifiers[kind],
        "action": PATHS[CHALLENGES[kind]],
        "screen": CHALLENGES[kind],
        "change_url": f"{PATHS['signup-identifier']}?state={visit.state}",
        "notice": "",
    }
    if not submitted(request):
        return page("identifier-challenge", place, context)
    login, sent = flows_of(request).hosted_login, await form(request)
    try:
        if sent.get("action") == "resend":
            await login.send_code(visit, place)
            return page("identifier-challenge", place, context | {"notice": _AGAIN})
        await login.prove(visit, place, sent.get("code", ""))
    except (WrongCode, TooManyAttempts, Busy, ScriptFailed) as error:
        return page("identifier-challenge", place, context, error, "code")
    return go_to("done", visit.state)


async def verification_pending(request: Request) -> Response:
    """``/u/verification-pending``: the account is there; its owner has a link to follow."""
    visit, place = await here(request)
    if place.step != "verification-pending":
        return go_to(place.step, visit.state)
    if not submitted(request):
        return page("verification-pending", place, {"address": place.transaction.pending})
    await flows_of(request).hosted_login.go_on(visit)
    return go_to("done", visit.state)


async def reset_request(request: Request) -> Response:
    """``/u/reset-password/request``: where shall we send the way in?"""
    visit, place = await here(request)
    if not reset_url(place):
        return redirect(recovery_url(place) or url_of(place.step, visit.state))
    value = place.transaction.identifiers.get("typed") or place.transaction.request.login_hint
    context: dict[str, Any] = {
        "identifier_value": value,
        "sent": "",
        "action": f"/u/reset-password/request?state={visit.state}",
        "back_url": f"{PATHS['login-identifier']}?state={visit.state}",
    }
    if not submitted(request):
        return page("reset-password-request", place, context)
    flows, typed = flows_of(request), (await form(request)).get("username", "")
    client_id = place.transaction.request.client_id
    try:
        by_code = await flows.reset.request(
            place.connection, client_id, typed, caller_of(request), page=place.transaction.id
        )
    except (TooManyAttempts, BadRequest, Busy, ScriptFailed) as error:
        return page("reset-password-request", place, context, error, "username")
    if by_code:
        return redirect(f"/u/reset-password/code?state={visit.state}")
    return page("reset-password-request", place, context | {"sent": _SENT})


async def change_password(request: Request) -> Response:
    """``/u/change-password``: the same without a login under way, for whoever a password manager sends here.

    ``/.well-known/change-password`` leads here (https://w3c.github.io/webappsec-change-password-url/). Where there are
    no passwords, people change what they sign in with on their own page; whoever cannot sign in finds the way there.
    """
    flows = flows_of(request)
    client_id = await flows.directory.home_client()
    connection = await flows.directory.by_realm(None, client_id)
    if not connection.policy().methods.password.enabled:
        return redirect(PASSKEYS)
    context: dict[str, Any] = {
        "identifier_value": "",
        "client_name": "",
        "sent": "",
        "error": None,
        "error_field": "",
        "action": "/u/change-password",
        "back_url": "/",
    }
    if not submitted(request):
        return screens.show("reset-password-request.html", context)
    same_origin(request)
    typed = (await form(request)).get("username", "")
    try:
        await flows.reset.request(connection, client_id, typed, caller_of(request))
    except (TooManyAttempts, BadRequest, Busy, ScriptFailed) as error:
        context |= {"identifier_value": typed[:254], "error": error.text, "error_field": "username"}
        return wire.page("reset-password-request.html", context, error)
    return screens.show("reset-password-request.html", context | {"sent": _SENT})


async def well_known_change_password(request: Request) -> Response:
    """``/.well-known/change-password``: where password managers look."""
    return redirect("/u/change-password")


async def reset_code(request: Request) -> Response:
    """``/u/reset-password/code``: which code did we send you, if we did?"""
    _, place = await here(request)
    if not submitted(request):
        return page("reset-password-code", place, {})
    flows, code = flows_of(request), (await form(request)).get("code", "")
    try:
        url = await flows.reset.with_code(place.transaction.id, code, caller_of(request))
    except (WrongCode, TooManyAttempts) as error:
        return page("reset-password-code", place, {}, error, "code")
    return redirect(url.removeprefix(flows.settings.public_url))
