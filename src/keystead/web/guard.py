"""Who may: bearer tokens and their scopes, and the check that a form of ours came from a page of ours."""

from typing import Final

from starlette.requests import Request

from keystead.errors import ForeignOrigin, InsufficientScope, NoToken
from keystead.oauth.bearers import Bearer
from keystead.rules.apis import MY_ACCOUNT_PATH
from keystead.rules.events import Caller
from keystead.rules.languages import preferred_language
from keystead.secrecy import fingerprint
from keystead.web.cors import foreign_page
from keystead.web.flows import flows_of

OPERATOR: Final = "keystead.operator"
"""In the scope of a request that the command line makes in its own process: a ``Bearer``. No request can carry it."""


async def require(request: Request, *any_of: str) -> Bearer:
    """Return the caller of the Management API. Raises ``InvalidToken``, ``InsufficientScope``."""
    operator: Bearer | None = request.scope.get(OPERATOR)
    return _scoped(operator or await flows_of(request).bearers.management(bearer_token(request)), any_of)


async def require_person(request: Request, *any_of: str) -> Bearer:
    """Return the person who calls the My Account API. Raises ``InvalidToken``, ``InsufficientScope``."""
    flows = flows_of(request)
    person, _ = await flows.bearers.person(bearer_token(request), flows.settings.public_url + MY_ACCOUNT_PATH)
    return _scoped(person, any_of)


def _scoped(bearer: Bearer, any_of: tuple[str, ...]) -> Bearer:
    if any_of and not bearer.scope & set(any_of):
        raise InsufficientScope(any_of)
    return bearer


def bearer_token(request: Request) -> str:
    """Return the token of the ``Authorization`` header. Raises ``NoToken``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NoToken
    return token.strip()


def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate found out."""
    flows = flows_of(request)
    browser = flows.cookies.browser(request)
    return Caller(
        address=request.scope["keystead.address"],
        user_agent=request.headers.get("user-agent", "")[:300],
        language=preferred_language(request.headers.get("accept-language", "")),
        browser=fingerprint(browser.reveal()) if browser else "",
        device=flows.devices.of(request),
        request=request.scope["keystead.log"]["id"],
        decision=request.scope["keystead.decision"],
        foreign=bool(foreign_page(request.headers, flows.settings.public_url)),
    )


def same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent (CSRF). Raises ``ForeignOrigin``."""
    sign = foreign_page(request.headers, flows_of(request).settings.public_url)
    if sign:
        raise ForeignOrigin(detail=sign)
