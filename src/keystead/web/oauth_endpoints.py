"""What ``/authorize``, ``/oauth/*``, ``/userinfo``, logout, discovery and the keys take and answer."""

from dataclasses import replace
from typing import Final

from keystead.errors import (
    BadClient,
    ForeignOrigin,
    GrantNotAllowed,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    PasswordLeaked,
    TooManyAttempts,
    WrongCredentials,
)
from keystead.rules.authorization import RESPONSE_MODES
from keystead.rules.clients import GRANTS
from keystead.web.client_proof import CLIENT_MEMBERS
from keystead.web.endpoints import Body, Endpoint
from keystead.web.parameters import Text
from keystead.web.shapes import FLAG, FORM, JSON, OBJECT, PAGE, TEXT, WHOLE, Schema, Shape, each, either, text, word

_BOTH: Final = (JSON, FORM)
_AS_CLIENT: Final = ("", "client")

_OF_GRANTS: Final = (
    *("scope", "audience", "realm", "username", "password", "code", "redirect_uri", "code_verifier"),
    *("refresh_token", "auth_session"),
)

TOKEN: Final = Endpoint(
    "Get tokens",
    proofs=_AS_CLIENT,
    body=Body(
        Shape(
            "TokenRequest",
            {"grant_type": {"type": "string", "minLength": 1, "examples": list(GRANTS)}},
            {**CLIENT_MEMBERS, **dict.fromkeys(_OF_GRANTS, TEXT), "authn_response": either(OBJECT, TEXT)},
        ),
        media=_BOTH,
    ),
    answers={
        200: Shape(
            "Tokens",
            {"access_token": TEXT, "scope": TEXT, "expires_in": WHOLE, "token_type": word("Bearer")},
            {"id_token": TEXT, "refresh_token": TEXT},
        )
    },
    refuses=(
        *(BadClient, GrantNotAllowed, InvalidGrant, InvalidScope, WrongCredentials, PasswordLeaked),
        TooManyAttempts,
    ),
)

REVOKE: Final = Endpoint(
    "Revoke a refresh token",
    proofs=_AS_CLIENT,
    body=Body(Shape("RevokeRequest", {"token": text(1)}, {**CLIENT_MEMBERS, "token_type_hint": TEXT}), media=_BOTH),
    answers={200: None},
    refuses=(BadClient, TooManyAttempts),
)

_AUTHORIZATION: Final = {
    "client_id": TEXT,
    "response_type": word("code"),
    "redirect_uri": TEXT,
    "response_mode": word(*RESPONSE_MODES),
    "code_challenge_method": word("S256"),
    "request_uri": TEXT,
} | dict.fromkeys(
    (
        *("scope", "audience", "state", "nonce", "code_challenge", "prompt", "max_age", "login_hint", "screen_hint"),
        *("connection", "ui_locales", "acr_values", "id_token_hint"),
    ),
    TEXT,
)

PUSH: Final = Endpoint(
    "Push an authorization request",
    proofs=_AS_CLIENT,
    body=Body(Shape("PushedRequest", {}, CLIENT_MEMBERS | _AUTHORIZATION), media=_BOTH),
    answers={201: Shape("PushedRequestName", {"request_uri": TEXT, "expires_in": WHOLE})},
    refuses=(BadClient, InvalidScope, TooManyAttempts),
)

AUTHORIZE: Final = Endpoint(
    "Begin a login",
    query=tuple(Text(name) for name in _AUTHORIZATION),
    answers={200: PAGE, 303: None},
    refuses=(BadClient,),
)
AUTHORIZE_FORM: Final = Endpoint(
    "Begin a login by a form",
    body=Body(Shape("AuthorizationForm", {}, _AUTHORIZATION), media=(FORM,)),
    answers={303: None},
)

USERINFO: Final = Endpoint(
    "Show who a token is about",
    proofs=("access_token",),
    answers={
        200: Shape(
            "UserInfo",
            {"sub": TEXT},
            dict.fromkeys(
                (
                    *("nickname", "name", "given_name", "family_name", "picture", "updated_at", "username"),
                    *("preferred_username", "email", "phone_number"),
                ),
                TEXT,
            )
            | {"email_verified": FLAG, "phone_number_verified": FLAG, "phone_verified": FLAG, "address": OBJECT},
        )
    },
    refuses=(InvalidToken,),
)
USERINFO_FORM: Final = replace(USERINFO, summary="Show who a token is about by POST")

_KEYS: Final = Shape("JsonWebKeys", {"keys": each(Shape("JsonWebKey", {"kty": TEXT, "kid": TEXT}, others=True))})
JWKS: Final = Endpoint("List the keys that sign with RS256", answers={200: _KEYS})
EVERY_JWK: Final = Endpoint("List the keys of every algorithm", answers={200: _KEYS})

_URLS: Final = (
    *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint"),
    *("pushed_authorization_request_endpoint", "jwks_uri", "keystead_jwks_uri", "end_session_endpoint"),
)
_LISTS: Final = (
    *("response_types", "response_modes", "prompt_values", "acr_values", "grant_types", "subject_types"),
    *("id_token_signing_alg_values", "scopes", "claims", "code_challenge_methods", "token_endpoint_auth_methods"),
    *("token_endpoint_auth_signing_alg_values", "ui_locales"),
)
_FLAGS: Final = (
    *("backchannel_logout", "backchannel_logout_session", "authorization_response_iss_parameter"),
    *("request_uri_parameter", "request_parameter", "claims_parameter"),
)
CONFIGURATION: Final = Endpoint(
    "Show what clients need to know",
    answers={
        200: Shape(
            "Configuration",
            dict.fromkeys(_URLS, TEXT)
            | dict.fromkeys((f"{name}_supported" for name in _LISTS), each(TEXT))
            | dict.fromkeys((f"{name}_supported" for name in _FLAGS), FLAG),
        )
    },
)
OAUTH_CONFIGURATION: Final = replace(CONFIGURATION, summary="Show what OAuth clients need to know")

LOGOUT: Final = Endpoint(
    "Log out and go back",
    query=(Text("client_id"), Text("returnTo")),
    answers={200: PAGE, 303: None},
    refuses=(ForeignOrigin,),
)
_LOGOUT: Final[dict[str, Schema]] = dict.fromkeys(
    ("id_token_hint", "client_id", "post_logout_redirect_uri", "state"), TEXT
)
OIDC_LOGOUT: Final = Endpoint(
    "Log out of OpenID Connect",
    query=tuple(Text(name) for name in _LOGOUT),
    answers={200: PAGE, 303: None},
    refuses=(ForeignOrigin, InvalidToken),
)
OIDC_LOGOUT_FORM: Final = Endpoint(
    "Log out of OpenID Connect by a form",
    body=Body(Shape("LogoutForm", {}, _LOGOUT), media=(FORM,)),
    answers={303: None},
)
LOGOUT_CONFIRMED: Final = Endpoint(
    "Confirm a logout",
    body=Body(Shape("LogoutConfirmed", {}, _LOGOUT), media=(FORM,)),
    answers={200: PAGE, 303: None},
    refuses=(ForeignOrigin, InvalidToken),
)
