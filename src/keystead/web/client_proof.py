"""What a request shows of its client, wherever a client has to prove itself."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import Request

from keystead.errors import BadClient, BadRequest
from keystead.oauth.client_assertions import ASSERTION_TYPE, named_by
from keystead.oauth.client_auth import ClientCredentials
from keystead.rules.oauth import basic_credentials
from keystead.secrecy import Secret
from keystead.web.body import secret_of
from keystead.web.request_limits import count_client
from keystead.web.shapes import TEXT

CLIENT_MEMBERS: Final = {
    "client_id": TEXT,
    "client_secret": TEXT,
    "client_assertion": TEXT,
    "client_assertion_type": {"const": ASSERTION_TYPE},
}
"""What a body may show of its client."""


def client_credentials(request: Request, body: Mapping[str, Any]) -> ClientCredentials:
    """Return what a request shows of its client: a secret by HTTP Basic or in the body, an assertion, or only a name.

    With it comes the address that it says it asks for, if it names just one. Raises ``BadClient``, and ``BadRequest``
    for more than one way at once (RFC 6749 §2.3).
    """
    named = request.headers.getlist("auth0-forwarded-for")
    forwarded = named[0].strip() if len(named) == 1 else ""
    return replace(_shown(request, body), forwarded_for=forwarded, proved=partial(count_client, request))


def _shown(request: Request, body: Mapping[str, Any]) -> ClientCredentials:
    header = request.headers.get("authorization")
    by_basic = _by_basic(header, body) if header is not None else None
    secret, assertion = secret_of(body, "client_secret"), secret_of(body, "client_assertion")
    if [by_basic is not None, bool(secret), bool(assertion)].count(True) > 1:
        raise BadRequest("More than one way of client authentication")
    if bool(assertion) != bool(body.get("client_assertion_type")):
        raise BadRequest("client_assertion and client_assertion_type belong together", path="client_assertion_type")
    if by_basic is not None:
        return by_basic
    if assertion:
        return _by_assertion(assertion, body)
    client_id = body.get("client_id")
    if not isinstance(client_id, str) or not client_id:
        raise BadRequest("Missing required parameter: client_id", path="client_id")
    return ClientCredentials(client_id, secret)


def _by_basic(header: str, body: Mapping[str, Any]) -> ClientCredentials:
    # RFC 6749 §2.3.1 has both form-encoded before they are joined. PostgreSQL looks for no NUL.
    name, secret = map(unquote, basic_credentials(header) or ("", ""))
    if not name or "\0" in name:
        raise BadClient(detail="malformed Authorization header")
    return ClientCredentials(_same(name, body), Secret(secret))


def _by_assertion(assertion: Secret[str], body: Mapping[str, Any]) -> ClientCredentials:
    if body.get("client_assertion_type") != ASSERTION_TYPE:
        raise BadRequest("Unknown client_assertion_type", path="client_assertion_type")
    return ClientCredentials(_same(named_by(assertion), body), assertion=assertion)


def _same(name: str, body: Mapping[str, Any]) -> str:
    """Return the client's name; ``client_id`` beside it must say the same (RFC 7521 §4.2). Raises ``BadClient``."""
    if body.get("client_id") not in (None, "", name):
        raise BadClient(detail="two clients in one request")
    return name
