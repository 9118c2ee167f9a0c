"""The pages about passkeys beside the one that asks for one: what a browser makes by itself, and what links lead to."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import DomainError
from keystead.flows.enrolment_tickets import Enrolling
from keystead.rules.devices import known_device
from keystead.rules.oauth import with_query
from keystead.web import screens, wire, wording
from keystead.web.body import form, query_once, submitted
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of, same_origin
from keystead.web.pages import ON_PAGE, authenticator_answer, go_to, here, options_answer, page
from keystead.web.redirects import redirect

_CREATED: Final = "Your passkey was created."


async def upgrade(request: Request) -> Response:
    """``/u/passkey-upgrade``: a moment for the browser to make a passkey by itself, if it likes."""
    visit, place = await here(request)
    if place.step != "passkey-upgrade":
        return go_to(place.step, visit.state)
    flows = flows_of(request)
    if not submitted(request):
        return page("passkey-upgrade", place, {"identifier_value": await flows.hosted_login.name_of(place)})
    sent = await form(request)
    try:
        if sent.get("response"):
            await flows.upgrade.finish(visit, place, sent.get("auth_session", ""), authenticator_answer(sent))
            return go_to("done", visit.state)
    except ON_PAGE:  # nobody asked for it, so nobody is told that it failed; the journal is
        pass
    await flows.hosted_login.past_upgrade(visit, made=False)
    return go_to("done", visit.state)


async def upgrade_options(request: Request) -> Response:
    """``POST /u/passkey-upgrade/options``: options for the page's script."""
    _, place = await here(request)
    return options_answer(await flows_of(request).upgrade.options(place))


async def undo(request: Request) -> Response:
    """``/u/passkey-upgrade/undo?ticket=``: take a passkey away that a browser made by itself."""
    flows, token = flows_of(request), query_once(request).get("ticket", "")
    found = await flows.upgrade.look(token, caller_of(request))
    if not submitted(request):
        made = found.passkey.created_at
        context = {
            "ticket": token,
            "identifier_value": found.identifier,
            "device": known_device(found.passkey.user_agent),
            "day": wording.day(made),
            "is_last_way_in": found.is_last_way_in,
        }
        return screens.show("passkey-upgrade-undo.html", context)
    same_origin(request)
    await flows.upgrade.undo(token, caller_of(request))
    return screens.show("passkey-upgrade-undone.html", {"home_url": "/"})


async def ticket(request: Request) -> Response:
    """``/u/passkey-enrollment/ticket?ticket=``: a passkey for whoever was given an administrator's link."""
    flows, token = flows_of(request), query_once(request).get("ticket", "")
    found = await flows.tickets.enrolment.look(token, caller_of(request))
    if not submitted(request):
        return _ask(token, found)
    same_origin(request)
    sent = await form(request)
    try:
        answer = authenticator_answer(sent)
        await flows.tickets.enrolment.finish(token, sent.get("auth_session", ""), answer, caller_of(request))
    except ON_PAGE as error:
        return _ask(token, found, error)
    if found.link.result_url:
        return redirect(with_query(found.link.result_url, {"success": "true", "message": _CREATED}))
    return screens.show("passkey-ticket-done.html", {"identifier_value": found.identifier, "home_url": "/"})


async def ticket_options(request: Request) -> Response:
    """``POST /u/passkey-enrollment/ticket/options``: options for the page's script."""
    same_origin(request)
    token = query_once(request).get("ticket", "")
    return options_answer(await flows_of(request).tickets.enrolment.options(token, caller_of(request)))


def _ask(token: str, found: Enrolling, error: DomainError | None = None) -> Response:
    context: dict[str, Any] = {
        "ticket": token,
        "identifier_value": found.identifier,
        "error": wording.said(error, found.connection.policy()) if error else None,
    }
    return wire.page("passkey-ticket.html", context, error, redirects_to=found.link.result_url)
