"""The authorization server over HTTP: ``/authorize``, ``/oauth/token``, ``/userinfo``, discovery, keys, logout."""

from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadClient, BadRequest
from keystead.oauth.authorize import Continue
from keystead.oauth.client_auth import ClientCredentials
from keystead.oauth.issue import Tokens
from keystead.oauth.token_endpoint import TokenRequest
from keystead.rules.clients import GRANTS
from keystead.rules.oauth import OIDC_SCOPES, basic_credentials
from keystead.secrecy import Secret
from keystead.web import screens
from keystead.web.answers import Json
from keystead.web.body import parameters, query_once, secret_of
from keystead.web.flows import flows_of
from keystead.web.guard import bearer_token, caller_of
from keystead.web.redirects import redirect

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


async def token(request: Request) -> Response:
    """``POST /oauth/token``."""
    body = await parameters(request)
    grant_type = body.get("grant_type")
    if not isinstance(grant_type, str) or not grant_type:
        raise BadRequest("Missing required parameter: grant_type", path="grant_type")
    asked = TokenRequest(client_credentials(request, body), grant_type, body, caller_of(request))
    tokens = await flows_of(request).token_endpoint(asked)
    return Json(_answer(tokens), headers=_NO_STORE)


def client_credentials(request: Request, body: dict[str, Any]) -> ClientCredentials:
    """Return what a request shows of its client: HTTP Basic where there is any, else the body. Raises ``BadClient``."""
    header = request.headers.get("authorization")
    if header is not None:
        # RFC 6749 §2.3.1 has both form-encoded before they are joined. PostgreSQL looks for no NUL.
        name, secret = map(unquote, basic_credentials(header) or ("", ""))
        if not name or "\0" in name:
            raise BadClient(detail="malformed Authorization header")
        return ClientCredentials(name, Secret(secret))
    client_id = body.get("client_id")
    if not isinstance(client_id, str) or not client_id:
        raise BadRequest("Missing required parameter: client_id", path="client_id")
    return ClientCredentials(client_id, secret_of(body, "client_secret"))


def _answer(tokens: Tokens) -> dict[str, Any]:
    found: dict[str, Any] = {"access_token": tokens.access_token.reveal()}
    if tokens.id_token:
        found["id_token"] = tokens.id_token.reveal()
    if tokens.refresh_token:
        found["refresh_token"] = tokens.refresh_token.reveal()
    return found | {"scope": " ".join(tokens.scope), "expires_in": tokens.expires_in, "token_type": "Bearer"}


async def authorize(request: Request) -> Response:
    """``GET /authorize``: straight back with a code where a session will do, else on to the hosted pages."""
    flows = flows_of(request)
    session = await flows.sessions.read(flows.cookies.session(request))
    browser = flows.cookies.browser(request) or flows.cookies.new_browser()
    outcome = await flows.authorize.begin(query_once(request), session, browser)
    if not isinstance(outcome, Continue):
        return redirect(outcome.url)
    response = redirect(f"/u/login?state={outcome.state}")
    flows.cookies.set_browser(response, browser)
    return response


async def userinfo(request: Request) -> Response:
    """``GET|POST /userinfo``."""
    return Json(await flows_of(request).userinfo(bearer_token(request)), headers=_NO_STORE)


async def jwks(request: Request) -> Response:
    """``GET /.well-known/jwks.json``."""
    return Json(await flows_of(request).keys.jwks(), headers={"cache-control": "public, max-age=300"})


async def openid_configuration(request: Request) -> Response:
    """``GET /.well-known/openid-configuration`` (OpenID Connect Discovery §3) and its OAuth twin (RFC 8414)."""
    url = flows_of(request).settings.public_url
    return Json(
        {
            "issuer": f"{url}/",
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/oauth/token",
            "userinfo_endpoint": f"{url}/userinfo",
            "jwks_uri": f"{url}/.well-known/jwks.json",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANTS),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": list(OIDC_SCOPES),
            "claims_supported": [
                *("aud", "auth_time", "amr", "email", "email_verified", "exp", "family_name", "given_name", "iat"),
                *("iss", "name", "nickname", "nonce", "phone_number", "phone_number_verified", "picture", "sid", "sub"),
                "updated_at",
            ],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "authorization_response_iss_parameter_supported": True,
            "request_uri_parameter_supported": False,
            "request_parameter_supported": False,
        },
        headers={"cache-control": "public, max-age=300"},
    )


async def logout(request: Request) -> Response:
    """``GET /v2/logout``: end the browser's session, and go back only to where the client registered."""
    flows, asked = flows_of(request), query_once(request)
    client_id, return_to = asked.get("client_id"), asked.get("returnTo")
    target = await flows.authorize.logout_target(client_id, return_to) if return_to else None
    named = (client_id or "")[:64] or None  # for the journal: nobody has checked it where there is no returnTo
    await flows.sessions.end(flows.cookies.session(request), caller_of(request), client_id=named)
    response = redirect(target) if target else screens.show("signed-out.html", {"home_url": "/"})
    flows.cookies.clear_session(response)
    return response
