"""The pages for whoever cannot sign in: who they are, the code that they were sent, and a new passkey.

They belong to a login under way, like all of its pages, and so to one browser. Nothing that is shown before the code
tells whether there is an account, what it has, or where the code went.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    BadRequest,
    Busy,
    CeremonyExpired,
    PasskeyLimitReached,
    ScriptFailed,
    TooManyAttempts,
    WrongCode,
)
from keystead.flows.hosted_login import Place, Visit
from keystead.flows.passkey_recovery import Recovering
from keystead.rules.passkey_policy import recoverable
from keystead.web import wording
from keystead.web.body import form, submitted
from keystead.web.flows import flows_of
from keystead.web.pages import (
    ON_PAGE,
    PATHS,
    authenticator_answer,
    go_to,
    here,
    options_answer,
    page,
    reset_url,
)
from keystead.web.redirects import redirect
from keystead.web.signals import for_page

PATH = "/u/passkey-recovery"


async def request_code(request: Request) -> Response:
    """``/u/passkey-recovery``: who are you, and what would you have instead?"""
    visit, place = await here(request)
    if _elsewhere(place):
        return go_to(place.step, visit.state)
    typed = place.transaction.identifiers.get("typed") or place.transaction.request.login_hint
    context: dict[str, Any] = {
        "identifier_value": typed,
        "action": _at(PATH, visit),
        "reset_url": reset_url(place),
        "back_url": _at(PATHS["login-identifier"], visit),
    }
    if not submitted(request):
        return page("passkey-recovery-request", place, context)
    flows, typed = flows_of(request), (await form(request)).get("username", "")
    client_id = place.transaction.request.client_id
    try:
        await flows.recovery.request(place.connection, client_id, typed, visit.caller, page=place.transaction.id)
    except (TooManyAttempts, BadRequest, Busy, ScriptFailed) as error:
        shown = context | {"identifier_value": typed[:254]}
        return page("passkey-recovery-request", place, shown, error, "username")
    return redirect(_at(f"{PATH}/code", visit))


async def enter_code(request: Request) -> Response:
    """``/u/passkey-recovery/code``: which code did we send you, if we did?"""
    visit, place = await here(request)
    if _elsewhere(place):
        return go_to(place.step, visit.state)
    context = {"action": _at(f"{PATH}/code", visit), "again_url": _at(PATH, visit)}
    if not submitted(request):
        return page("passkey-recovery-code", place, context)
    code = (await form(request)).get("code", "")
    try:
        await flows_of(request).recovery.prove(place.connection, place.transaction.id, code, visit.caller)
    except (WrongCode, TooManyAttempts) as error:
        return page("passkey-recovery-code", place, context, error, "code")
    return redirect(_at(f"{PATH}/passkey", visit))


async def new_passkey(request: Request) -> Response:
    """``/u/passkey-recovery/passkey``: the passkey that the code is good for, and what becomes of the others."""
    visit, place = await here(request)
    recovery = flows_of(request).recovery
    found = None if _elsewhere(place) else await recovery.look(place.transaction.id)
    if found is None:
        return redirect(_at(PATH, visit))
    if not submitted(request):
        return page("passkey-recovery", place, _screen(found, visit))
    sent, party = await form(request), place.party
    remove_others = "remove_others" in sent
    try:
        ceremony = await recovery.enrolment.ceremonies.claim(
            sent.get("auth_session", ""), ("recovery",), client_id=party.client_id, transaction=party.transaction
        )
        answer = authenticator_answer(sent)
        await recovery.finish(place.transaction.id, ceremony, answer, visit.caller, remove_others=remove_others)
    except ON_PAGE as error:
        full = isinstance(error, PasskeyLimitReached)
        return page("passkey-recovery", place, _screen(found, visit, full=full, remove=remove_others), error)
    signals = for_page(await flows_of(request).signals.of_owner(found.profile.user_id))
    done = {"login_path": PATHS["done"], "removed": remove_others, "signals": signals}
    return page("passkey-recovery-done", place, done)


async def new_passkey_options(request: Request) -> Response:
    """``POST /u/passkey-recovery/passkey/options``: options for the page's script."""
    _, place = await here(request)
    if _elsewhere(place):
        raise CeremonyExpired(wording.LATE)
    return options_answer(await flows_of(request).recovery.begin(place.transaction.id, place.party))


def _elsewhere(place: Place) -> bool:
    """Whether there is nothing to recover here: somebody is signed in already, or the connection has no recovery."""
    return place.transaction.proof is not None or not recoverable(place.connection.policy())


def _screen(found: Recovering, visit: Visit, *, full: bool = False, remove: bool = False) -> dict[str, Any]:
    return {
        "identifier_value": found.name,
        "others": found.passkeys,
        "full": full or found.is_full,
        "remove_others": remove,
        "change_url": _at(PATH, visit),
    }


def _at(path: str, visit: Visit) -> str:
    return f"{path}?state={visit.state}"
