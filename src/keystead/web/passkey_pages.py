"""``/u/account/passkeys``: where people see their passkeys, name and remove them, and add more."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.sessions import SessionRecord
from keystead.errors import (
    BadRequest,
    CeremonyExpired,
    CeremonyRefused,
    DomainError,
    InvalidToken,
    LastWayIn,
    NoSuchPasskey,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyTaken,
    StepUpRequired,
)
from keystead.flows.own_passkeys import Overview, OwnPasskey
from keystead.flows.passkey_notices import PAGE as PATH
from keystead.rules.authenticator_names import name_of
from keystead.rules.passkey_names import LONGEST, shown_name
from keystead.web import wire, wording
from keystead.web.account_pages import sign_in
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.pages import authenticator_answer, options_answer
from keystead.web.redirects import redirect
from keystead.web.signals import for_page

_ON_PAGE: Final = (
    BadRequest,
    CeremonyExpired,
    CeremonyRefused,
    LastWayIn,
    NoSuchPasskey,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyTaken,
)
"""What somebody can do something about here; anything else is an error page."""

_DONE: Final = {
    "added": "The passkey was added. Next time you can sign in with it.",
    "removed": "The passkey was removed, and your browser was told. If your device or password manager still lists it, "
    "delete it there as well.",
    "renamed": "The passkey has its new name.",
    "password": "Your password was removed. You sign in with a passkey from now on.",
}


async def passkeys(request: Request) -> Response:
    """Show them, or do what one of the forms says. Without a session: sign in, and come back."""
    if not submitted(request):
        here = await _session(request)
        return await _show(request, here) if here else await sign_in(request, PATH)
    same_origin(request)
    sent, here = await form(request), await _session(request)
    return await _act(request, here, sent) if here else redirect(PATH)


async def passkey_options(request: Request) -> Response:
    """``POST /u/account/passkeys/options``: options for the page's script."""
    same_origin(request)
    here = await _session(request)
    if here is None:
        raise InvalidToken("You are not signed in any more. Load the page again.")
    return options_answer(await flows_of(request).own_passkeys.begin(here))


async def _session(request: Request) -> SessionRecord | None:
    flows = flows_of(request)
    return await flows.sessions.read(flows.cookies.session(request), caller_of(request))


async def _act(request: Request, here: SessionRecord, sent: Mapping[str, str]) -> Response:
    """Do one thing and show the page again: whatever is sent again then changes nothing.

    A login that is too old is renewed on the way: the person comes back to where they were, and presses again.
    """
    caller, own = caller_of(request), flows_of(request).own_passkeys
    at = sent.get("remove") or sent.get("rename") or ""
    try:
        if "rename" in sent:
            await own.rename(here.user_id, at, sent.get("name", ""), caller)
            return _done("renamed")
        if "remove" in sent:
            await own.remove_here(here, at, caller)
            return _done("removed")
        if "password" in sent:
            await flows_of(request).password_removal.here(here, sent["password"], caller)
            return _done("password")
        await own.add(here, sent.get("auth_session", ""), authenticator_answer(sent), caller)
        return _done("added")
    except StepUpRequired:
        return await sign_in(request, f"{PATH}?at={quote(at, safe='')}" if at else PATH, here.user_id)
    except _ON_PAGE as error:
        return await _show(request, here, error)


def _done(what: str) -> Response:
    return redirect(f"{PATH}?done={what}")


async def _show(request: Request, here: SessionRecord, error: DomainError | None = None) -> Response:
    asked = query_once(request)
    overview = await flows_of(request).own_passkeys.overview(here)
    context = {
        "identifier_value": overview.identifier,
        "passkeys": [_passkey(each) for each in overview.passkeys],
        "can_add": overview.are_taken and not overview.is_full,
        "why_not": _why_not(overview),
        "password": overview.password,
        "at": asked.get("at", ""),
        "done": _DONE.get(asked.get("done", ""), ""),
        "error": _said(error) if error else None,
        "longest": LONGEST,
        "signals": for_page(overview.signals),
    }
    return wire.page("account-passkeys.html", context, error)


def _why_not(overview: Overview) -> str:
    if not overview.are_taken:
        return "Passkeys cannot be used here at the moment."
    return PasskeyLimitReached.default_text if overview.is_full else ""


def _said(error: DomainError) -> str:
    if isinstance(error, BadRequest) and error.path == "name":
        return f"Choose a name of 1 to {LONGEST} characters that can be seen."
    return wording.SAID.get(type(error), error.text)


def _passkey(own: OwnPasskey) -> dict[str, Any]:
    record = own.record
    provider = shown_name(None, name_of(record.aaguid), record.transports, record.user_agent)
    return {
        "id": record.id,
        "name": record.name or provider,
        "provider": provider if record.name else "",
        "reach": _reach(backed_up=record.backed_up, eligible=record.backup_eligible),
        "created": wording.moment(record.created_at),
        "used": wording.moment(record.last_used_at) if record.last_used_at else None,
        "out_of_use": record.quarantine is not None or own.is_for == "no address",
        "made_for": "" if own.is_for == "this address" else record.rp_id,
        "is_last_way_in": own.is_last_way_in,
    }


def _reach(*, backed_up: bool, eligible: bool) -> str:
    """Whether losing the device loses the passkey, in the words of its backup flags."""
    if backed_up:
        return "Synced"
    return "Can be synced" if eligible else "On one device only"
