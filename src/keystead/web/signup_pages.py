"""The hosted sign-up: by what somebody is known, and how they will prove it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import CeremonyExpired, InvalidIdentifier
from keystead.flows.hosted_login import Place
from keystead.rules.identifiers import KINDS
from keystead.rules.login_steps import next_to_prove
from keystead.secrecy import Secret
from keystead.web import wording
from keystead.web.body import form, submitted
from keystead.web.flows import flows_of
from keystead.web.pages import (
    AT_PASSWORD,
    ON_PAGE,
    authenticator_answer,
    go_to,
    here,
    options_answer,
    page,
    password_rules,
    signed_in,
    url_of,
)


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
    except ON_PAGE as error:
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
        "change_url": url_of("signup-identifier", visit.state),
    }
    if not submitted(request):
        return page("signup-passkey", place, context)
    flows, sent = flows_of(request), await form(request)
    if sent.get("action") == "skip":
        await flows.hosted_login.decline_passkey(visit)
        return go_to("done", visit.state)
    try:
        opened = await flows.hosted_login.signup_with_passkey(
            visit, place, sent.get("auth_session", ""), authenticator_answer(sent)
        )
        return signed_in(request, visit, opened)
    except ON_PAGE as error:
        return page("signup-passkey", place, context, error)


async def signup_passkey_options(request: Request) -> Response:
    """``POST /u/signup/passkey/options``: options for the page's script."""
    visit, place = await here(request)
    if not _signing_up(place):
        raise CeremonyExpired(wording.LATE)
    return options_answer(await flows_of(request).hosted_login.signup_options(visit, place))


async def signup_password(request: Request) -> Response:
    """A password for the account to be."""
    visit, place = await here(request)
    if not _signing_up(place) or not place.offer.signup_password:
        return go_to(place.step, visit.state)
    passkey_url = url_of("signup-passkey", visit.state) if place.offer.signup_passkey else ""
    context = {
        "identifier_value": _first(place.transaction.identifiers),
        "change_url": url_of("signup-identifier", visit.state),
        "passkey_url": passkey_url,
        **password_rules(place.connection.policy()),
    }
    if not submitted(request):
        return page("signup-password", place, context)
    password = Secret((await form(request)).get("password", ""))
    try:
        opened = await flows_of(request).hosted_login.signup_with_password(visit, place, password)
        return signed_in(request, visit, opened)
    except ON_PAGE as error:
        return page("signup-password", place, context, error, "password" if isinstance(error, AT_PASSWORD) else "")


def _signing_up(place: Place) -> bool:
    """Whether the account to be is known, and proved where it must be; also once sign-up was switched off meanwhile."""
    transaction = place.transaction
    begun = transaction.intent == "signup" and bool(transaction.identifiers) and not transaction.pending
    return begun and not transaction.proof and next_to_prove(transaction, place.offer) is None


def _fields_screen(place: Place, given: dict[str, str]) -> dict[str, Any]:
    options, hint = place.connection.policy(), place.transaction.request.login_hint
    fields = []
    for kind, status in options.signup_attributes().items():
        label, type_, autocomplete = wording.INPUTS[kind]
        if status != "inactive":
            value = given.get(kind, hint if kind == "email" and "@" in hint else "")
            field = {"name": kind, "label": label, "type": type_, "autocomplete": autocomplete, "value": value}
            fields.append(field | {"required": status == "required"})
    return {"fields": fields, "login_url": url_of("login-identifier", place.transaction.id)}


def _first(identifiers: dict[str, str]) -> str:
    return next(iter(identifiers.values()), "")
