"""The hosted pages, ``/u/*``: each handler reads a form, calls one flow and goes back to the dispatcher.

Which screen is next is never decided here (``resume`` asks the rules), and a GET changes nothing.
"""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    BadRequest,
    Busy,
    CeremonyExpired,
    CeremonyRefused,
    DomainError,
    InvalidIdentifier,
    InvalidSignup,
    PasskeyLimitReached,
    PasskeyTaken,
    PasswordLeaked,
    PasswordUnchecked,
    SignupDisabled,
    StepUpRequired,
    TooManyAttempts,
    UnknownCredential,
    UserBlocked,
    WeakPassword,
    WrongCredentials,
)
from keystead.flows.hosted_login import Place, Visit
from keystead.flows.passkey_login import Options
from keystead.flows.sessions import Opened
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS
from keystead.rules.login_steps import Step, next_to_prove
from keystead.rules.passkey_policy import SNOOZE
from keystead.rules.password_hints import for_password_managers, hints
from keystead.rules.password_policy import complexity_of
from keystead.secrecy import Secret
from keystead.web import screens, wire, wording
from keystead.web.answers import Json
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.redirects import redirect

PATHS: Final[dict[Step, str]] = {
    "login-identifier": "/u/login/identifier",
    "login-password": "/u/login/password",
    "signup-identifier": "/u/signup/identifier",
    "email-identifier-challenge": "/u/email-identifier-challenge",
    "phone-identifier-challenge": "/u/phone-identifier-challenge",
    "signup-passkey": "/u/signup/passkey",
    "signup-password": "/u/signup/password",
    "verification-pending": "/u/verification-pending",
    "passkey-enrollment": "/u/passkey-enrollment",
    "done": "/u/login",
}

# What a person can do something about, on the page where it happened; anything else is an error page.
_ON_PAGE: Final = (
    WrongCredentials,
    TooManyAttempts,
    Busy,
    CeremonyExpired,
    CeremonyRefused,
    UnknownCredential,
    InvalidIdentifier,
    InvalidSignup,
    SignupDisabled,
    WeakPassword,
    PasswordLeaked,
    PasswordUnchecked,
    PasskeyTaken,
    PasskeyLimitReached,
    StepUpRequired,
    BadRequest,
)

AT_PASSWORD: Final = (WeakPassword, PasswordLeaked)
"""What is wrong with a password that somebody chose."""


async def resume(request: Request) -> Response:
    """``GET /u/login?state=``: go to the screen that the login is waiting for, or back to the client with a code."""
    flows = flows_of(request)
    place = await flows.hosted_login.look(_visit(request))
    if place.step != "done":
        return go_to(place.step, place.transaction.id)
    return redirect((await flows.authorize.finish(place.transaction)).url)


async def login_identifier(request: Request) -> Response:
    """Who are you?"""
    visit, place = await here(request)
    if place.transaction.proof:
        return go_to(place.step, visit.state)
    if not submitted(request):
        return page("login-identifier", place, _identifier_screen(place))
    if not place.offer.password:
        return page("login-identifier", place, _identifier_screen(place), BadRequest(wording.NO_PASSWORDS))
    typed = (await form(request)).get("username", "")
    try:
        await flows_of(request).hosted_login.identify(visit, place, typed)
    except InvalidIdentifier:
        error = BadRequest(wording.not_one(place.connection.policy()))
        return page("login-identifier", place, _identifier_screen(place, typed[:254]), error, "username")
    return go_to("done", visit.state)


async def login_password(request: Request) -> Response:
    """The password of whoever was named."""
    visit, place = await here(request)
    typed = place.transaction.identifiers.get("typed")
    if place.transaction.proof or typed is None or not place.offer.password:
        return go_to(place.step, visit.state)
    context = {
        "identifier_value": typed,
        "change_url": _url("login-identifier", visit.state),
        "reset_url": _reset_url(place),
        "passkey": _passkey(place),
    }
    if not submitted(request):
        return page("login-password", place, context)
    password = Secret((await form(request)).get("password", ""))
    flows = flows_of(request)
    try:
        return _signed_in(request, visit, await flows.hosted_login.with_password(visit, place, typed, password))
    except UserBlocked as refusal:
        return redirect((await flows.authorize.abandon(visit.state, refusal)).url)
    except _ON_PAGE as error:
        return page("login-password", place, context, error, "password")


async def login_passkey(request: Request) -> Response:
    """``POST /u/login/passkey``: the answer of an authenticator, from either login page."""
    visit, place = await here(request)
    if place.transaction.proof:
        return go_to(place.step, visit.state)
    flows, sent = flows_of(request), await form(request)
    try:
        opened = await flows.hosted_login.with_passkey(visit, place, sent.get("auth_session", ""), _response(sent))
        return _signed_in(request, visit, opened)
    except UserBlocked as refusal:
        return redirect((await flows.authorize.abandon(visit.state, refusal)).url)
    except _ON_PAGE as error:
        return page("login-identifier", place, _identifier_screen(place), error)


async def login_passkey_options(request: Request) -> Response:
    """``POST /u/login/passkey/options``: a challenge for the page's script."""
    visit, place = await here(request)
    return _options(await flows_of(request).hosted_login.login_options(visit, place))


async def signup_identifier(request: Request) -> Response:
    """By what shall we know you?"""
    visit, place = await here(request)
    if place.transaction.proof or not place.offer.signup:
        return go_to("login-identifier" if not place.transaction.proof else place.step, visit.state)
    if not submitted(request):
        return page("signup-identifier", place, _fields_screen(place, place.transaction.identifiers))
    sent = await form(request)
    given: dict[str, str] = {kind: sent[kind] for kind in KINDS if sent.get(kind, "").strip()}
    try:
        await flows_of(request).hosted_login.identify_signup(visit, place, given)
    except _ON_PAGE as error:
        at = error.attribute if isinstance(error, InvalidIdentifier) else ""
        return page("signup-identifier", place, _fields_screen(place, given), error, at)
    return go_to("done", visit.state)


async def signup_passkey(request: Request) -> Response:
    """A passkey for the account to be; or on to a password."""
    visit, place = await here(request)
    if not _signing_up(place) or not place.offer.signup_passkey:
        return go_to(place.step, visit.state)
    context = {
        "identifier_value": _first(place.transaction.identifiers),
        "password_allowed": place.offer.signup_password,
        "change_url": _url("signup-identifier", visit.state),
    }
    if not submitted(request):
        return page("signup-passkey", place, context)
    flows, sent = flows_of(request), await form(request)
    if sent.get("action") == "skip":
        await flows.hosted_login.decline_passkey(visit)
        return go_to("done", visit.state)
    try:
        opened = await flows.hosted_login.signup_with_passkey(
            visit, place, sent.get("auth_session", ""), _response(sent)
        )
        return _signed_in(request, visit, opened)
    except _ON_PAGE as error:
        return page("signup-passkey", place, context, error)


async def signup_passkey_options(request: Request) -> Response:
    """``POST /u/signup/passkey/options``: options for the page's script."""
    visit, place = await here(request)
    if not _signing_up(place):
        raise CeremonyExpired(wording.LATE)
    return _options(await flows_of(request).hosted_login.signup_options(visit, place))


async def signup_password(request: Request) -> Response:
    """A password for the account to be."""
    visit, place = await here(request)
    if not _signing_up(place) or not place.offer.signup_password:
        return go_to(place.step, visit.state)
    passkey_url = _url("signup-passkey", visit.state) if place.offer.signup_passkey else ""
    context = {
        "identifier_value": _first(place.transaction.identifiers),
        "change_url": _url("signup-identifier", visit.state),
        "passkey_url": passkey_url,
        **password_rules(place.connection.policy()),
    }
    if not submitted(request):
        return page("signup-password", place, context)
    password = Secret((await form(request)).get("password", ""))
    try:
        opened = await flows_of(request).hosted_login.signup_with_password(visit, place, password)
        return _signed_in(request, visit, opened)
    except _ON_PAGE as error:
        return page("signup-password", place, context, error, "password" if isinstance(error, AT_PASSWORD) else "")


async def passkey_enrolment(request: Request) -> Response:
    """A passkey for next time; or not now."""
    visit, place = await here(request)
    if place.step != "passkey-enrollment":
        return go_to(place.step, visit.state)
    flows = flows_of(request)
    context = {
        "kind": place.transaction.prompt,
        "identifier_value": await flows.hosted_login.name_of(place),
        "snooze_days": SNOOZE.days,
    }
    if not submitted(request):
        return page("passkey-enrollment", place, context)
    sent = await form(request)
    if sent.get("action") == "skip":
        await flows.hosted_login.skip_enrolment(visit, place, snooze="dont_ask" in sent)
        return go_to("done", visit.state)
    try:
        await flows.hosted_login.enrol(visit, place, sent.get("auth_session", ""), _response(sent))
    except _ON_PAGE as error:
        return page("passkey-enrollment", place, context, error)
    return go_to("done", visit.state)


async def passkey_enrolment_options(request: Request) -> Response:
    """``POST /u/passkey-enrollment/options``: options for the page's script."""
    _, place = await here(request)
    return _options(await flows_of(request).hosted_login.enrolment_options(place))


def password_rules(options: ConnectionOptions, *, replaces: bool = False) -> dict[str, Any]:
    """Return what a page says about a new password; ``replaces`` where there may have been one before."""
    rules, shortest = hints(options, replaces=replaces), complexity_of(options).min_length
    return {"rules": rules, "min_length": shortest, "generated": for_password_managers(options)}


def _visit(request: Request) -> Visit:
    flows = flows_of(request)
    return Visit(
        state=query_once(request).get("state", ""),
        browser=flows.cookies.browser(request) or Secret(""),
        session=flows.cookies.session(request),
        caller=caller_of(request),
    )


async def here(request: Request) -> tuple[Visit, Place]:
    """Return who visits and where their login stands; a form must come from a page of ours."""
    if submitted(request):
        same_origin(request)
    visit = _visit(request)
    return visit, await flows_of(request).hosted_login.look(visit)


def page(
    template: str, place: Place, context: dict[str, Any], error: DomainError | None = None, field: str = ""
) -> Response:
    """Render a page of a login; ``field`` is the input at fault, where a refusal is about one."""
    common = {
        "state": place.transaction.id,
        "client_name": place.client_name,
        "error": wording.said(error, place.connection.policy()) if error else None,
        "error_field": field,
    }
    if isinstance(error, UnknownCredential):
        common |= {"unknown_credential": error.credential_id, "rp_id": place.rp_id}
    status = wire.row_of(wire.PAGES, error).status if error else 200
    redirects_to = place.transaction.request.redirect_uri
    response = screens.show(f"{template}.html", common | context, status=status, redirects_to=redirects_to)
    if isinstance(error, TooManyAttempts | Busy):
        response.headers["retry-after"] = str(max(1, int(error.retry_after)))
    return response


def _reset_url(place: Place) -> str:
    options = place.connection.policy()
    off = options.disable_self_service_change_password or not options.methods.password.enabled
    return "" if off else f"/u/reset-password/request?state={place.transaction.id}"


def go_to(step: Step, state: str) -> Response:
    """Go to the page of a step; ``done`` is the dispatcher, which finds out."""
    return redirect(_url(step, state))


def _url(step: Step, state: str) -> str:
    return f"{PATHS[step]}?state={state}"


def _signed_in(request: Request, visit: Visit, opened: Opened | None) -> Response:
    response = go_to("done", visit.state)
    if opened is not None:
        flows_of(request).cookies.set_session(response, opened.cookie)
    return response


def _signing_up(place: Place) -> bool:
    """Whether the account to be is known, and proved where it must be; also once sign-up was switched off meanwhile."""
    transaction = place.transaction
    begun = transaction.intent == "signup" and bool(transaction.identifiers) and not transaction.pending
    return begun and not transaction.proof and next_to_prove(transaction, place.offer) is None


def _identifier_screen(place: Place, typed: str = "") -> dict[str, Any]:
    kinds = place.connection.policy().active_identifiers()
    value = typed or place.transaction.identifiers.get("typed") or place.transaction.request.login_hint
    kind = wording.INPUTS[kinds[0]].type if len(kinds) == 1 else "text"
    return {
        "identifier": {"label": wording.asked_for(place.connection.policy()), "type": kind, "value": value},
        "password_allowed": place.offer.password,
        "passkey": _passkey(place),
        "signup_url": _url("signup-identifier", place.transaction.id) if place.offer.signup else "",
    }


def _fields_screen(place: Place, given: dict[str, str]) -> dict[str, Any]:
    options, hint = place.connection.policy(), place.transaction.request.login_hint
    fields = []
    for kind, status in options.signup_attributes().items():
        label, type_, autocomplete = wording.INPUTS[kind]
        if status != "inactive":
            value = given.get(kind, hint if kind == "email" and "@" in hint else "")
            field = {"name": kind, "label": label, "type": type_, "autocomplete": autocomplete, "value": value}
            fields.append(field | {"required": status == "required"})
    return {"fields": fields, "login_url": _url("login-identifier", place.transaction.id)}


def _passkey(place: Place) -> dict[str, bool]:
    return {"button": place.offer.button, "autofill": place.offer.autofill}


def _first(identifiers: dict[str, str]) -> str:
    return next(iter(identifiers.values()), "")


def _options(options: Options) -> Response:
    body = {"authn_params_public_key": options.public_key, "auth_session": options.auth_session}
    return Json(body, headers={"cache-control": "no-store"})


def _response(sent: dict[str, str]) -> object:
    """Return the authenticator's answer out of a form; what is not JSON is refused like any other wrong answer."""
    try:
        return json.loads(sent.get("response", ""))
    except (ValueError, RecursionError):
        return None
