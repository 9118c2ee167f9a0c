"""The pages behind links in mails: confirm an address, choose a new password, open a lock.

A GET shows; only a button acts.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    BadRequest,
    Busy,
    DomainError,
    InvalidTicket,
    PasswordUnchecked,
    ProofNeeded,
    RefusedByScript,
    ScriptFailed,
    TooManyAttempts,
    WrongCredentials,
)
from keystead.flows.verification import Verifying
from keystead.rules.oauth import with_query
from keystead.secrecy import Secret
from keystead.web import screens, wire, wording
from keystead.web.answers import refusing
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.pages import AT_PASSWORD, password_rules
from keystead.web.redirects import redirect

_CONFIRMED: Final = "Your address is confirmed."
_CHANGED: Final = "Your password was changed."
_NOT_RIGHT: Final = "That is not the password of this account."


async def email_verification(request: Request) -> Response:
    """``/u/email-verification?ticket=``: is this your address (or number), and did you make the account?"""
    flows, ticket = flows_of(request), query_once(request).get("ticket", "")
    found, user_id = await flows.verification.look(ticket, caller_of(request)), await _signed_in_as(request)
    ours = found.already or found.same_person(caller_of(request), user_id)
    if not submitted(request):
        return _ask(ticket, found, ours=ours)
    same_origin(request)
    sent = await form(request)
    try:
        if sent.get("action") == "take-over":
            return _taken_over(await flows.verification.take_over(ticket, caller_of(request)))
        if "password" in sent:
            password = Secret(sent["password"])
            await flows.verification.confirm_with_password(ticket, password, caller_of(request))
        else:
            await flows.verification.confirm(ticket, caller_of(request), user_id=user_id)
    except WrongCredentials as refusal:
        return refusing(_ask(ticket, found, ours=False, error=BadRequest(_NOT_RIGHT)), refusal)
    except (ScriptFailed, RefusedByScript) as failed:
        return _failed(failed, found.link.result_url, _address_of(found))
    except (ProofNeeded, TooManyAttempts, Busy) as error:
        return _ask(ticket, found, ours=False, error=error)
    return _confirmed(found)


async def reset_password(request: Request) -> Response:
    """``/u/reset-password?ticket=``: choose a new password."""
    flows, ticket = flows_of(request), query_once(request).get("ticket", "")
    found = await flows.reset.look(ticket, caller_of(request))
    link = found.link
    identifier = found.profile.best_identifier(found.options.precedence)
    context: dict[str, Any] = {"ticket": ticket, "identifier_value": identifier, "error": None, "error_field": ""}
    context |= password_rules(found.options, replaces=True)
    if not submitted(request):
        return screens.show("reset-password.html", context, redirects_to=link.result_url)
    same_origin(request)
    password = Secret((await form(request)).get("password", ""))
    try:
        done = await flows.reset.finish(ticket, password, caller_of(request))
    except (ScriptFailed, RefusedByScript) as failed:
        return _failed(failed, link.result_url, found.profile.email or "" if link.include_email else "")
    except (*AT_PASSWORD, BadRequest, Busy, PasswordUnchecked) as error:
        context |= {"error": wording.said(error, found.options), "error_field": "password"}
        return wire.page("reset-password.html", context, error, redirects_to=link.result_url)
    if link.result_url:
        response = _back(link.result_url, _CHANGED, found.profile.email or "" if link.include_email else "")
    else:
        response = screens.show("reset-password-done.html", {"home_url": "/"})
    flows.devices.remember(request, response, done.profile)
    return response


async def unblock(request: Request) -> Response:
    """``/u/unblock?ticket=``: open every lock of an account, and let this browser be known there."""
    flows, ticket, caller = flows_of(request), query_once(request).get("ticket", ""), caller_of(request)
    if submitted(request):
        same_origin(request)
    try:
        if not submitted(request):
            profile, connection = await flows.unblocking.look(ticket, caller)
            name = profile.best_identifier(connection.policy().precedence)
            return screens.show("unblock.html", {"ticket": ticket, "identifier_value": name})
        profile, client_id = await flows.unblocking.open(ticket, caller)
    except InvalidTicket as late:
        return wire.page("unblock-late.html", {"home_url": "/"}, late)
    login_url = await flows.authorize.login_route(client_id)
    response = screens.show("unblock-done.html", {"login_url": login_url, "home_url": "/"})
    # Strangers may go on filling their own lock: the owner's browser has another from now on.
    flows.devices.remember(request, response, profile)
    return response


async def _signed_in_as(request: Request) -> str | None:
    flows = flows_of(request)
    session = await flows.sessions.read(flows.cookies.session(request), caller_of(request))
    return session.user_id if session else None


def _ask(ticket: str, found: Verifying, *, ours: bool, error: DomainError | None = None) -> Response:
    context = {
        "ticket": ticket,
        "address": found.link.value,
        "noun": "address" if found.link.kind == "email" else "number",
        "already": found.already,
        "ours": ours,
        "takes_password": found.takes_password,
        "error": wording.said(error, found.connection.policy()) if error else None,
        "error_field": "password" if error else "",
    }
    return wire.page("email-verification.html", context, error, redirects_to=found.link.result_url)


def _taken_over(reset_url: str) -> Response:
    return screens.show("email-verification-taken.html", {"reset_url": reset_url, "home_url": "/"})


def _confirmed(found: Verifying) -> Response:
    if found.link.result_url:
        return _back(found.link.result_url, _CONFIRMED, _address_of(found))
    return screens.show("email-verification-done.html", {"already": found.already, "home_url": "/"})


def _address_of(found: Verifying) -> str:
    """Return what the page of an administrator's is told of whom it is about."""
    return found.link.value if found.link.include_email and found.link.kind == "email" else ""


def _failed(error: ScriptFailed | RefusedByScript, result_url: str, email: str) -> Response:
    """Say that the customer's database did not take it; there, where a link leads on and is used up (section 5.6)."""
    if not result_url or not error.facts.get("spent"):
        raise error
    return refusing(_back(result_url, error.text, email, success=False), error)


def _back(result_url: str, message: str, email: str, *, success: bool = True) -> Response:
    """Go to where an administrator wanted the browser to end (VF-4, EM-5)."""
    said = {"success": str(success).lower(), "message": message}
    return redirect(with_query(result_url, said | ({"email": email} if email else {})))
