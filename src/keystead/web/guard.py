"""Who may: bearer tokens and their scopes, and the check that a form of ours came from a page of ours."""

from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from keystead.errors import ForeignOrigin, InsufficientScope, InvalidToken, NoSuchUser, UserBlocked
from keystead.oauth.issue import ACCESS_TYPE, MANAGEMENT_PATH, MY_ACCOUNT_PATH
from keystead.rules.events import Caller
from keystead.web.flows import flows_of


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever shows a good access token for one of our APIs."""

    subject: str
    client_id: str
    scope: frozenset[str]
    authenticated_at: datetime | None


async def require(request: Request, *any_of: str) -> Bearer:
    """Return the caller of the Management API. Raises ``InvalidToken``, ``InsufficientScope``."""
    return await _bearer(request, MANAGEMENT_PATH, any_of)


async def require_person(request: Request, *any_of: str) -> Bearer:
    """Return the person who calls the My Account API.

    Raises ``InvalidToken``, also once the account is gone or blocked (a token must not outlive that), and
    ``InsufficientScope``.
    """
    person = await _bearer(request, MY_ACCOUNT_PATH, any_of)
    try:
        profile = await flows_of(request).users.profile(person.subject)
    except NoSuchUser:
        raise InvalidToken(detail="the account is gone") from None
    if profile.blocked:
        raise InvalidToken(detail=UserBlocked.code)
    return person


def bearer_token(request: Request) -> str:
    """Return the token of the ``Authorization`` header. Raises ``InvalidToken``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Missing authentication")
    return token.strip()


def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate found out."""
    return Caller(address=request.scope["keystead.address"], user_agent=request.headers.get("user-agent", "")[:300])


def same_origin(request: Request) -> None:
    """Refuse a form that another site's page sent (CSRF). Raises ``ForeignOrigin``.

    ``Sec-Fetch-Site`` cannot be set by a page. Browsers without it send ``Origin``; a client that sends neither is not
    a browser, and carries no cookie of anybody else's.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForeignOrigin(detail=f"sec-fetch-site: {site[:40]}")
        return
    origin = request.headers.get("origin")
    if origin is not None and origin != flows_of(request).settings.public_url:
        raise ForeignOrigin(detail=f"origin: {origin[:200]}")


async def _bearer(request: Request, path: str, any_of: tuple[str, ...]) -> Bearer:
    flows = flows_of(request)
    claims = await flows.keys.verify(bearer_token(request), ACCESS_TYPE)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != flows.issuer.name or flows.settings.public_url + path not in audiences:
        raise InvalidToken(detail="for another audience")
    scope = frozenset(str(claims.get("scope", "")).split())
    if any_of and not scope & set(any_of):
        raise InsufficientScope(any_of)
    moment = claims.get("auth_time")
    at = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else None
    return Bearer(str(claims.get("sub")), str(claims.get("azp")), scope, at)
