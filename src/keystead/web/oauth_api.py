"""The authorization server over HTTP: ``/authorize``, ``/oauth/token``, ``/userinfo``, discovery and keys."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest
from keystead.oauth.authorize import Continue
from keystead.oauth.issue import Tokens
from keystead.oauth.keys import CACHE_SECONDS
from keystead.oauth.token_endpoint import TokenRequest
from keystead.rules.authorization import ACR_VALUES, PROMPTS, RESPONSE_MODES
from keystead.rules.clients import AUTH_METHODS, GRANTS
from keystead.rules.credentials import KEY_ALGORITHMS
from keystead.rules.letter_texts import LANGUAGES
from keystead.rules.oauth import OIDC_SCOPES
from keystead.web.answers import Json
from keystead.web.authorization_answers import back_to_client, keep_opener
from keystead.web.body import form, parameters, query_once, submitted
from keystead.web.client_proof import client_credentials
from keystead.web.flows import flows_of
from keystead.web.guard import bearer_token, caller_of
from keystead.web.redirects import redirect
from keystead.web.request_limits import count_person

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_PUBLISHED = {"cache-control": f"public, max-age={CACHE_SECONDS}"}


async def token(request: Request) -> Response:
    """``POST /oauth/token``. A client that took somebody's proof itself runs on a device that is known from then on."""
    body = await parameters(request)
    grant_type = body.get("grant_type")
    if not isinstance(grant_type, str) or not grant_type:
        raise BadRequest("Missing required parameter: grant_type", path="grant_type")
    asked = TokenRequest(client_credentials(request, body), grant_type, body, caller_of(request))
    flows = flows_of(request)
    tokens = await flows.token_endpoint(asked)
    response = Json(_answer(tokens), headers=_NO_STORE)
    if tokens.logged_in is not None:
        flows.devices.hand_out(request, response, tokens.logged_in)
    return response


def _answer(tokens: Tokens) -> dict[str, Any]:
    found: dict[str, Any] = {"access_token": tokens.access_token.reveal()}
    if tokens.id_token:
        found["id_token"] = tokens.id_token.reveal()
    if tokens.refresh_token:
        found["refresh_token"] = tokens.refresh_token.reveal()
    return found | {"scope": " ".join(tokens.scope), "expires_in": tokens.expires_in, "token_type": "Bearer"}


async def revoke(request: Request) -> Response:
    """``POST /oauth/revoke``: 200 with an empty body, whatever the token was (RFC 7009 §2.2)."""
    body = await parameters(request)
    token = body.get("token")
    if not isinstance(token, str) or not token:
        raise BadRequest("Missing required parameter: token", path="token")
    await flows_of(request).revoke(client_credentials(request, body), token, caller_of(request))
    return Response(headers=_NO_STORE)


async def push(request: Request) -> Response:
    """``POST /oauth/par``."""
    body = await parameters(request)
    pushed = await flows_of(request).pushed_requests(client_credentials(request, body), body, caller_of(request))
    return Json({"request_uri": pushed.request_uri, "expires_in": pushed.expires_in}, 201, headers=_NO_STORE)


async def authorize(request: Request) -> Response:
    """``GET /authorize``: straight back with a code where a session will do, else on to the hosted pages.

    A POST becomes a GET (OpenID Connect Core §3.1.2.1 wants both): a form from another site brings no cookie of ours.
    """
    if submitted(request):
        return redirect(f"/authorize?{urlencode(await form(request))}")
    flows, asked = flows_of(request), query_once(request)
    session = await flows.sessions.read(flows.cookies.session(request), caller_of(request))
    browser = flows.cookies.browser(request) or flows.cookies.new_browser()
    outcome = await flows.authorize.begin(asked, session, browser)
    if not isinstance(outcome, Continue):
        return back_to_client(outcome)
    if outcome.in_popup:
        keep_opener(request)
    response = redirect(f"/u/login?state={outcome.state}")
    flows.cookies.set_browser(response, browser)
    return response


async def userinfo(request: Request) -> Response:
    """``GET|POST /userinfo``."""
    claims = await flows_of(request).userinfo(bearer_token(request))
    await count_person(request, claims["sub"])
    return Json(claims, headers=_NO_STORE)


async def jwks(request: Request) -> Response:
    """``GET /.well-known/jwks.json``."""
    return Json(await flows_of(request).keys.jwks(), headers=_PUBLISHED)


async def every_jwk(request: Request) -> Response:
    """``GET /.well-known/keystead-jwks.json``: those of every algorithm, for APIs that ask for others than RS256."""
    return Json(await flows_of(request).keys.every_jwk(), headers=_PUBLISHED)


async def openid_configuration(request: Request) -> Response:
    """``GET /.well-known/openid-configuration`` (OpenID Connect Discovery §3) and its OAuth twin (RFC 8414)."""
    url = flows_of(request).settings.public_url
    return Json(
        {
            "issuer": f"{url}/",
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/oauth/token",
            "userinfo_endpoint": f"{url}/userinfo",
            "revocation_endpoint": f"{url}/oauth/revoke",
            "pushed_authorization_request_endpoint": f"{url}/oauth/par",
            "jwks_uri": f"{url}/.well-known/jwks.json",
            "keystead_jwks_uri": f"{url}/.well-known/keystead-jwks.json",
            "end_session_endpoint": f"{url}/oidc/logout",
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "response_types_supported": ["code"],
            "response_modes_supported": list(RESPONSE_MODES),
            "prompt_values_supported": list(PROMPTS),
            "acr_values_supported": list(ACR_VALUES),
            "grant_types_supported": list(GRANTS),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": list(OIDC_SCOPES),
            "claims_supported": [
                *(
                    "acr",
                    "address",
                    "amr",
                    "aud",
                    "auth_time",
                    "azp",
                    "email",
                    "email_verified",
                    "exp",
                    "family_name",
                    "given_name",
                    "iat",
                ),
                *("iss", "name", "nickname", "nonce", "phone_number", "phone_number_verified", "picture", "sid", "sub"),
                "updated_at",
            ],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "token_endpoint_auth_signing_alg_values_supported": list(KEY_ALGORITHMS),
            "authorization_response_iss_parameter_supported": True,
            "request_uri_parameter_supported": False,
            "request_parameter_supported": False,
            "claims_parameter_supported": False,
            "ui_locales_supported": list(LANGUAGES),
        },
        headers={"cache-control": "public, max-age=300"},
    )
