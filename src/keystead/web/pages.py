"""The hosted pages, ``/u/*``: each handler reads a form, calls one flow and goes back to the dispatcher.

Which screen is next is never decided here (``resume`` asks the rules), and a GET changes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    AccountGone,
    BadRequest,
    Busy,
    CeremonyExpired,
    CeremonyRefused,
    DomainError,
    EnrolmentRequired,
    InvalidIdentifier,
    InvalidSignup,
    PasskeyLimitReached,
    PasskeyTaken,
    PasswordLeaked,
    PasswordUnchecked,
    RefusedByScript,
    ScriptFailed,
    SignupDisabled,
    StepUpRequired,
    TooManyAttempts,
    TransactionExpired,
    Unavailable,
    UnknownCredential,
    UserBlocked,
    WeakPassword,
    WrongCredentials,
)
from keystead.flows.hosted_login import Place, Visit
from keystead.flows.passkey_login import Options
from keystead.flows.sessions import Opened
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.languages import preferred_language
from keystead.rules.login_steps import Step
from keystead.rules.oauth import origin_of
from keystead.rules.passkey_policy import policy_of, recoverable
from keystead.rules.password_hints import for_password_managers, hints
from keystead.rules.password_policy import complexity_of
from keystead.rules.resets import may_choose
from keystead.rules.signals import unknown
from keystead.secrecy import Secret
from keystead.web import wire, wording
from keystead.web.answers import Json
from keystead.web.authorization_answers import back_to_client, keep_opener
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.redirects import redirect
from keystead.web.signals import for_page

PATHS: Final[dict[Step, str]] = {
    "login-identifier": "/u/login/identifier",
    "login-password": "/u/login/password",
    "signup-identifier": "/u/signup/identifier",
    "email-identifier-challenge": "/u/email-identifier-challenge",
    "phone-identifier-challenge": "/u/phone-identifier-challenge",
    "signup-passkey": "/u/signup/passkey",
    "signup-password": "/u/signup/password",
    "verification-pending": "/u/verification-pending",
    "passkey-upgrade": "/u/passkey-upgrade",
    "passkey-enrollment": "/u/passkey-enrollment",
    "consent": "/u/consent",
    "done": "/u/login",
}

# What a person can do something about, on the page where it happened; anything else is an error page.
ON_PAGE: Final = (
    WrongCredentials,
    AccountGone,
    RefusedByScript,
    ScriptFailed,
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
    RefusedByScript,
    PasswordUnchecked,
    PasskeyTaken,
    PasskeyLimitReached,
    StepUpRequired,
    EnrolmentRequired,
    RefusedByScript,
    ScriptFailed,
    BadRequest,
)

AT_PASSWORD: Final = (WeakPassword, PasswordLeaked)
"""What is wrong with a password that somebody chose."""


async def resume(request: Request) -> Response:
    """``GET /u/login?state=``: go to the screen that the login is waiting for, or back to the client with a code."""
    visit, place = await here(request)
    if place.step != "done":
        return go_to(place.step, visit.state)
    try:
        return back_to_client(await flows_of(request).authorize.finish(place.transaction))
    except TransactionExpired as late:  # another tab was faster
        raise await _expired(request, visit, late) from None


async def login_identifier(request: Request) -> Response:
    """Who are you?"""
    visit, place = await here(request)
    if place.transaction.proof:
        return go_to(place.step, visit.state)
    if not submitted(request):
        return await _greet(request, place)
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
        "change_url": url_of("login-identifier", visit.state),
        "reset_url": reset_url(place),
        "recovery_url": recovery_url(place),
        "passkey": _passkey(place),
        "may_upgrade": policy_of(place.connection.policy()).automatic_upgrade,
    }
    if not submitted(request):
        return page("login-password", place, context)
    flows, sent = flows_of(request), await form(request)
    password, can_upgrade = Secret(sent.get("password", "")), bool(sent.get("can_upgrade"))
    try:
        opened = await flows.hosted_login.with_password(visit, place, typed, password, can_upgrade=can_upgrade)
        return signed_in(request, visit, opened)
    except UserBlocked as refusal:
        return back_to_client(await flows.authorize.abandon(visit.state, refusal))
    except ON_PAGE as error:
        return page("login-password", place, context, error, "password")


async def login_passkey(request: Request) -> Response:
    """``POST /u/login/passkey``: the answer of an authenticator, from either login page."""
    visit, place = await here(request)
    if place.transaction.proof:
        return go_to(place.step, visit.state)
    flows, sent = flows_of(request), await form(request)
    try:
        opened = await flows.hosted_login.with_passkey(
            visit, place, sent.get("auth_session", ""), authenticator_answer(sent)
        )
        return signed_in(request, visit, opened)
    except UserBlocked as refusal:
        response = back_to_client(await flows.authorize.abandon(visit.state, refusal))
        flows.cookies.set_blocked(response, refusal.user_id)
        return response
    except ON_PAGE as error:
        return page("login-identifier", place, _identifier_screen(place), error)


async def login_passkey_options(request: Request) -> Response:
    """``POST /u/login/passkey/options``: a challenge for the page's script, for passkeys of an older address too."""
    visit, place = await here(request)
    rp_id = query_once(request).get("rp_id", "")
    return options_answer(await flows_of(request).hosted_login.login_options(visit, place, rp_id))


async def passkey_enrolment(request: Request) -> Response:
    """A passkey for next time; or not now."""
    visit, place = await here(request)
    if place.step != "passkey-enrollment":
        return go_to(place.step, visit.state)
    flows, policy = flows_of(request), policy_of(place.connection.policy())
    context = {
        "kind": "required" if place.deadline else place.transaction.prompt,
        "screen": "passkey-enrollment-local" if not place.deadline and place.transaction.prompt == "local" else "",
        "countdown": wording.countdown(place.deadline) if place.deadline else "",
        "must_enrol": place.must_enrol,
        "address": place.relying_party.id,
        "identifier_value": await flows.hosted_login.name_of(place),
        "snooze_days": policy.snooze_days,
        "may_say_never": policy.allow_never_ask,
    }
    if not submitted(request):
        return page("passkey-enrollment", place, context | await _signals(request, place))
    sent = await form(request)
    action = sent.get("action")
    try:
        if action == "restart":
            await flows.hosted_login.start_over(visit)
        elif action in ("skip", "never"):
            await flows.hosted_login.skip_enrolment(visit, place, snooze="dont_ask" in sent, never=action == "never")
        else:
            await flows.hosted_login.enrol(visit, place, sent.get("auth_session", ""), authenticator_answer(sent))
    except ON_PAGE as error:
        return page("passkey-enrollment", place, context | await _signals(request, place), error)
    return go_to("done", visit.state)


async def passkey_enrolment_options(request: Request) -> Response:
    """``POST /u/passkey-enrollment/options``: options for the page's script."""
    _, place = await here(request)
    return options_answer(await flows_of(request).hosted_login.enrolment_options(place))


async def consent(request: Request) -> Response:
    """May the client have what it asks for, and is it the one that you meant?"""
    visit, place = await here(request)
    if place.step != "consent":
        return go_to(place.step, visit.state)
    flows = flows_of(request)
    if not submitted(request):
        return page("consent", place, await _consent_screen(request, place) | await _signals(request, place))
    if (await form(request)).get("action") != "accept":
        return back_to_client(await flows.authorize.deny(place.transaction))
    await flows.authorize.consent(place.transaction)
    return go_to("done", visit.state)


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
    try:
        place = await flows_of(request).hosted_login.look(visit)
    except TransactionExpired as late:
        raise await _expired(request, visit, late) from None
    asked = place.transaction.request
    if asked.by_message:
        keep_opener(request)
    language = preferred_language(asked.ui_locales.replace(" ", ","), visit.caller.language)
    return replace(visit, caller=visit.caller.model_copy(update={"language": language})), place


async def _expired(request: Request, visit: Visit, late: TransactionExpired) -> TransactionExpired:
    """Add to a refusal where the person can begin again, if anybody said so (UL-14)."""
    again = await flows_of(request).authorize.start_again(visit.state)
    return TransactionExpired(again=again or "", detail=late.detail)


def page(
    template: str, place: Place, context: dict[str, Any], error: DomainError | None = None, field: str = ""
) -> Response:
    """Render a page of a login; ``field`` is the input at fault, where a refusal is about one."""
    common = {
        "state": place.transaction.id,
        "client_name": place.client.settings.name,
        "ui_locales": place.transaction.request.ui_locales,
        "error": wording.said(error, place.connection.policy()) if error else None,
        # What could not be tried, or was refused for a reason of the customer's, is not the fault of what was typed.
        "error_field": "" if isinstance(error, Unavailable | RefusedByScript) else field,
    }
    if isinstance(error, UnknownCredential):
        common["signals"] = for_page(unknown(error.rp_id, error.credential_id))
    redirects_to = place.transaction.request.redirect_uri
    return wire.page(f"{template}.html", common | context, error, redirects_to=redirects_to)


def recovery_url(place: Place) -> str:
    """Return where somebody gets in who lost what they sign in with; empty where the connection has no such way."""
    return f"/u/passkey-recovery?state={place.transaction.id}" if recoverable(place.connection.policy()) else ""


def reset_url(place: Place) -> str:
    """Return where somebody chooses another password; empty where nobody may."""
    return f"/u/reset-password/request?state={place.transaction.id}" if may_choose(place.connection.policy()) else ""


def go_to(step: Step, state: str) -> Response:
    """Go to the page of a step; ``done`` is the dispatcher, which finds out."""
    return redirect(url_of(step, state))


def url_of(step: Step, state: str) -> str:
    """Return the path of a step's page."""
    return f"{PATHS[step]}?state={state}"


def signed_in(request: Request, visit: Visit, opened: Opened | None) -> Response:
    """Go on, with the session that was opened, if one was: an account to be verified has none yet.

    From then on the browser is known, and has a lock of its own.
    """
    response = go_to("done", visit.state)
    if opened is not None:
        flows_of(request).cookies.set_session(response, opened)
        flows_of(request).devices.remember(request, response, opened.profile)
    return response


def _identifier_screen(place: Place, typed: str = "") -> dict[str, Any]:
    kinds = place.connection.policy().active_identifiers()
    value = typed or place.transaction.identifiers.get("typed") or place.transaction.request.login_hint
    kind = wording.INPUTS[kinds[0]].type if len(kinds) == 1 else "text"
    return {
        "identifier": {"label": wording.asked_for(place.connection.policy()), "type": kind, "value": value},
        "password_allowed": place.offer.password,
        "passkey": _passkey(place),
        "recovery_url": recovery_url(place),
        "signup_url": url_of("signup-identifier", place.transaction.id) if place.offer.signup else "",
    }


async def _greet(request: Request, place: Place) -> Response:
    """Ask who it is, and tell a browser whose passkey was turned away how things are with it by now."""
    flows = flows_of(request)
    turned_away = flows.cookies.blocked(request)
    signals, still = await flows.signals.of_blocked(turned_away) if turned_away else ((), False)
    response = page("login-identifier", place, _identifier_screen(place) | {"signals": for_page(signals)})
    if turned_away and not still:
        flows.cookies.clear_blocked(response)
    return response


async def _signals(request: Request, place: Place) -> dict[str, str]:
    """Return what the browser is told after a login, on a page that is shown anyway: no login waits for it."""
    proof = place.transaction.proof
    return {"signals": for_page(await flows_of(request).signals.of_owner(proof.user_id))} if proof else {}


def _passkey(place: Place) -> dict[str, Any]:
    older = place.relying_party.retiring if place.connection.policy().methods.passkey.enabled else ()
    return {"button": place.offer.button, "autofill": place.offer.autofill, "older": older}


async def _consent_screen(request: Request, place: Place) -> dict[str, Any]:
    flows, asked = flows_of(request), place.transaction.request
    api = await flows.issuer.audiences.api(asked.audience)
    return {
        "ask": place.transaction.ask,
        "identifier_value": await flows.hosted_login.name_of(place),
        "api_name": api.name if api else "",
        "scopes": wording.scopes(asked.scope.split(), api.scopes if api else {}),
        "target": origin_of(asked.redirect_uri),
    }


def options_answer(options: Options) -> Response:
    """Hand the options of a ceremony to the page's script."""
    body = {"authn_params_public_key": options.public_key, "auth_session": options.auth_session}
    return Json(body, headers={"cache-control": "no-store"})


def authenticator_answer(sent: Mapping[str, str]) -> object:
    """Return the authenticator's answer out of a form; what is not JSON is refused like any other wrong answer."""
    try:
        return json.loads(sent.get("response", ""))
    except (ValueError, RecursionError):
        return None
