"""From what went wrong to what goes over the wire: one table for each of the five dialects.

A row for a branch of the tree in ``errors.py`` stands for all below it; a leaf may refine it. A test walks every class
through every dialect. Public text only: ``detail`` goes to the log.
"""

from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any, Final, NamedTuple, cast

from starlette.requests import Request
from starlette.responses import Response

from keystead import errors as e
from keystead.rules.signals import unknown
from keystead.web import screens
from keystead.web.answers import Json, refusing
from keystead.web.redirects import redirect
from keystead.web.signals import shown


class Row(NamedTuple):
    """What a dialect makes of an error: its status, its code there, and a text where the dialect has one of its own."""

    status: int
    code: str
    text: str = ""


Table = dict[type[e.DomainError], Row]

OAUTH: Final[Table] = {
    e.DomainError: Row(500, "server_error"),
    e.Rejected: Row(403, "access_denied"),
    e.WrongCredentials: Row(403, "invalid_grant"),
    e.UserBlocked: Row(401, "unauthorized"),
    e.AccountGone: Row(403, "invalid_grant"),
    e.TooManyAttempts: Row(429, "too_many_attempts"),
    e.TooManyRequests: Row(429, "too_many_requests"),
    e.CeremonyExpired: Row(403, "invalid_grant"),
    e.UnknownCredential: Row(403, "invalid_grant"),
    e.CeremonyRefused: Row(403, "invalid_grant"),
    e.InvalidGrant: Row(403, "invalid_grant"),
    e.InvalidToken: Row(401, "invalid_token"),
    e.StepUpRequired: Row(401, "insufficient_user_authentication"),
    e.EnrolmentRequired: Row(403, "unmet_authentication_requirements"),
    e.Invalid: Row(400, "invalid_request"),
    e.WeakPassword: Row(400, "invalid_password"),
    e.PasswordLeaked: Row(401, "password_leaked"),
    e.BodyTooLarge: Row(413, "invalid_request"),
    e.MethodNotAllowed: Row(405, "invalid_request"),
    e.UnsupportedMediaType: Row(415, "invalid_request"),
    e.ForeignOrigin: Row(403, "access_denied"),
    e.Conflict: Row(400, "invalid_request", "The request could not be completed."),
    e.PasskeyTaken: Row(403, "invalid_grant", e.CeremonyRefused.default_text),
    e.Missing: Row(404, "not_found"),
    e.Forbidden: Row(403, "access_denied"),
    e.BadClient: Row(401, "access_denied"),
    e.GrantNotAllowed: Row(403, "unauthorized_client"),
    e.UnsupportedGrant: Row(403, "unsupported_grant_type"),
    e.InvalidScope: Row(403, "invalid_scope"),
    e.InsufficientScope: Row(403, "insufficient_scope"),
    e.ConnectionNotAllowed: Row(400, "invalid_request", "invalid connection specified for the grant"),
    e.Unavailable: Row(503, "temporarily_unavailable"),
    e.ScriptFailed: Row(500, "server_error"),
    e.InternalError: Row(500, "server_error"),
}
# A client that fails to prove itself has another name at the passkey endpoints (auth0-behaviour 6 #5).
_PASSKEY: Final[Table] = OAUTH | {e.BadClient: Row(401, "invalid_client")}

DBCONNECTIONS: Final[Table] = {
    e.DomainError: Row(500, "server_error"),
    e.Rejected: Row(403, "access_denied"),
    e.TooManyAttempts: Row(429, "too_many_requests"),
    e.TooManyRequests: Row(429, "too_many_requests"),
    e.InvalidToken: Row(401, "invalid_token"),
    e.RefusedByScript: Row(400, "refused_by_script"),
    e.Invalid: Row(400, "invalid_request"),
    e.InvalidIdentifier: Row(400, "invalid_signup"),
    e.InvalidSignup: Row(400, "invalid_signup"),
    e.WeakPassword: Row(400, "invalid_password"),
    e.PasswordLeaked: Row(400, "password_leaked"),
    e.SignupDisabled: Row(400, "signup_disabled"),
    e.BodyTooLarge: Row(413, "invalid_request"),
    e.MethodNotAllowed: Row(405, "invalid_request"),
    e.UnsupportedMediaType: Row(415, "invalid_request"),
    e.ForeignOrigin: Row(403, "access_denied"),
    e.Conflict: Row(400, "invalid_signup", e.InvalidSignup.default_text),
    e.Missing: Row(404, "not_found"),
    e.Forbidden: Row(403, "access_denied"),
    e.ConnectionNotAllowed: Row(400, "connection_not_found"),
    e.Unavailable: Row(503, "temporarily_unavailable"),
    e.ScriptFailed: Row(500, "server_error"),
    e.InternalError: Row(500, "server_error"),
}

MANAGEMENT: Final[Table] = {
    e.DomainError: Row(500, ""),
    e.Rejected: Row(403, "operation_not_supported"),
    e.TooManyAttempts: Row(429, "too_many_requests"),
    e.TooManyRequests: Row(429, "too_many_requests"),
    e.PasskeyLimitReached: Row(
        403, "operation_not_supported", "You reached the limit of entities of this type for this user."
    ),
    e.InvalidToken: Row(401, ""),
    e.RefusedByScript: Row(400, "auth0_idp_error"),
    e.Invalid: Row(400, "invalid_body"),
    e.InvalidQuery: Row(400, "invalid_query_string"),
    e.BeyondPaging: Row(400, "invalid_paging"),
    e.InvalidPath: Row(400, "invalid_uri"),
    e.WouldStrandUsers: Row(400, "would_strand_users"),
    e.WeakPassword: Row(400, "auth0_idp_error"),
    e.PasswordLeaked: Row(400, "auth0_idp_error"),
    e.OperationNotSupported: Row(400, "operation_not_supported"),
    e.BodyTooLarge: Row(413, "invalid_body"),
    e.MethodNotAllowed: Row(405, ""),
    e.UnsupportedMediaType: Row(415, ""),
    e.ForeignOrigin: Row(403, ""),
    e.Conflict: Row(409, "conflict"),
    e.IdentifierTaken: Row(409, "auth0_idp_error"),
    e.Missing: Row(404, ""),
    e.NoSuchConnection: Row(404, "inexistent_connection"),
    e.NoSuchUser: Row(404, "inexistent_user"),
    e.NoSuchClient: Row(404, "inexistent_client"),
    e.NoSuchApi: Row(404, "inexistent_resource_server"),
    e.NoSuchClientGrant: Row(404, "inexistent_client_grant"),
    e.NoSuchCredential: Row(404, "inexistent_credential"),
    e.NoSuchPasskey: Row(404, "inexistent_authentication_method"),
    e.NoSuchProvider: Row(404, "inexistent_email_provider"),
    e.NoSuchTemplate: Row(404, "inexistent_email_template"),
    e.NoSuchJob: Row(404, "inexistent_job"),
    e.NoSuchSession: Row(404, "inexistent_session"),
    e.NoSuchRefreshToken: Row(404, "inexistent_refresh_token"),
    e.NoSuchKey: Row(404, "inexistent_signing_key"),
    e.NoSuchAuthenticator: Row(404, "inexistent_authenticator"),
    e.NoSuchDecision: Row(404, "inexistent_decision"),
    e.NoSuchLog: Row(404, "inexistent_log"),
    e.NoSuchLogStream: Row(404, "inexistent_log_stream"),
    e.Forbidden: Row(403, "operation_not_supported"),
    e.InsufficientScope: Row(403, "insufficient_scope"),
    e.Unavailable: Row(503, ""),
    e.ScriptFailed: Row(500, "auth0_idp_error"),
    e.InternalError: Row(500, ""),
}

MY_ACCOUNT: Final[Table] = {
    e.DomainError: Row(500, "server-error"),
    e.Rejected: Row(403, "refused"),
    e.TooManyAttempts: Row(429, "too-many-requests"),
    e.TooManyRequests: Row(429, "too-many-requests"),
    e.CeremonyExpired: Row(400, "session-expired"),
    e.UnknownCredential: Row(400, "passkey-refused"),
    e.CeremonyRefused: Row(400, "passkey-refused"),
    e.PasskeyLimitReached: Row(400, "passkey-limit-reached"),
    e.InvalidToken: Row(401, "invalid-token"),
    e.StepUpRequired: Row(403, "step-up-required"),
    e.EnrolmentRequired: Row(403, "passkey-required"),
    e.Invalid: Row(400, "invalid-request"),
    e.BodyTooLarge: Row(413, "body-too-large"),
    e.MethodNotAllowed: Row(405, "method-not-allowed"),
    e.UnsupportedMediaType: Row(415, "unsupported-media-type"),
    e.ForeignOrigin: Row(403, "foreign-origin"),
    e.Conflict: Row(409, "conflict"),
    e.Missing: Row(404, "not-found"),
    e.Forbidden: Row(403, "forbidden"),
    e.InsufficientScope: Row(403, "insufficient-scope"),
    e.Unavailable: Row(503, "unavailable"),
    e.InternalError: Row(500, "server-error"),
}

PAGES: Final[Table] = {
    e.DomainError: Row(500, "Something went wrong"),
    e.Rejected: Row(403, "You cannot sign in"),
    e.TooManyAttempts: Row(429, "Too many attempts"),
    e.TooManyRequests: Row(429, "Too many requests", "Too much was asked from here. Wait a minute, and try again."),
    e.InvalidToken: Row(401, "You are not signed in"),
    e.TransactionExpired: Row(400, "This sign-in has expired"),
    e.InvalidTicket: Row(400, "This link is not valid"),
    e.Invalid: Row(400, "That did not work"),
    e.BodyTooLarge: Row(413, "That was too much"),
    e.MethodNotAllowed: Row(405, "That did not work"),
    e.UnsupportedMediaType: Row(415, "That did not work"),
    e.ForeignOrigin: Row(403, "That did not come from here"),
    e.Conflict: Row(409, "That is taken"),
    e.Missing: Row(404, "There is no such page"),
    e.Forbidden: Row(403, "That is not allowed"),
    e.ConnectionNotAllowed: Row(400, "That did not work", "The application cannot sign you in here at the moment."),
    e.Unavailable: Row(503, "Not available at the moment"),
    e.InternalError: Row(500, "Something went wrong"),
}

Dialect = Callable[[Request, e.DomainError], Response]


def status_of(table: Table, kind: type[e.DomainError]) -> int:
    """Return the status that a dialect gives a kind of error."""
    return _row(table, kind).status


def row_of(table: Table, error: e.DomainError) -> Row:
    """Return the row of the nearest class above an error; its text filled in."""
    found = _row(table, type(error))
    return found if found.text else found._replace(text=error.text)


def _row(table: Table, kind: type[e.DomainError]) -> Row:
    return next(table[each] for each in kind.__mro__ if each in table)


def oauth(request: Request, error: e.DomainError) -> Response:
    """``{"error", "error_description"}`` (RFC 6749 §5.2), with ``signals`` where a passkey is to be forgotten."""
    row = row_of(_PASSKEY if request.url.path.startswith("/passkey/") else OAUTH, error)
    body: dict[str, Any] = {"error": row.code, "error_description": row.text}
    if isinstance(error, e.UnknownCredential):
        body["signals"] = shown(unknown(error.rp_id, error.credential_id))
    return _json(row, error, body)


def dbconnections(request: Request, error: e.DomainError) -> Response:
    """``{"name", "code", "description", "statusCode"}``, or the bare form for two of them (auth0-behaviour 2.1)."""
    row = row_of(DBCONNECTIONS, error)
    if isinstance(error, e.SignupDisabled | e.ConnectionNotAllowed):
        return _json(row, error, {"error": row.text})
    body: dict[str, Any] = {"name": "BadRequestError", "code": row.code, "description": row.text}
    if isinstance(error, e.PasswordLeaked):
        body["name"] = "PasswordLeakedError"
    elif isinstance(error, e.WeakPassword):
        body = {"name": error.name, "message": error.text, "code": row.code, "description": error.report or error.text}
        if error.summary:
            body["policy"] = error.summary
    elif isinstance(error, e.RefusedByScript) and error.reason:
        body = {"name": "ValidationError", "code": error.reason, "description": row.text, "message": row.text}
    return _json(row, error, body | {"statusCode": row.status})


def management(request: Request, error: e.DomainError) -> Response:
    """``{"statusCode", "error", "message", "errorCode"}`` (auth0-behaviour 2.0)."""
    row = row_of(MANAGEMENT, error)
    message = f"{error.name}: {row.text}" if isinstance(error, e.WeakPassword) else row.text
    if isinstance(error, e.PasswordLeaked):
        message = f"PasswordLeakedError: {row.text}"
    path = getattr(error, "path", None)
    if isinstance(error, e.BadRequest | e.InvalidOptions) and path is not None:
        kind = {e.InvalidQuery: "Query", e.InvalidPath: "Path"}.get(cast("type[e.BadRequest]", type(error)), "Payload")
        message = f"{kind} validation error: '{row.text}'{f' on property {path}' if path else ''}."
    body: dict[str, Any] = {"statusCode": row.status, "error": HTTPStatus(row.status).phrase, "message": message}
    report = {"report": error.report} if isinstance(error, e.WouldStrandUsers) else {}
    return _json(row, error, body | ({"errorCode": row.code} if row.code else {}) | report)


def my_account(request: Request, error: e.DomainError) -> Response:
    """A problem document (RFC 9457), with Auth0's ``validation_errors`` where a member is at fault."""
    row = row_of(MY_ACCOUNT, error)
    body: dict[str, Any] = {
        "type": f"urn:keystead:error:{row.code}",
        "status": row.status,
        "title": HTTPStatus(row.status).phrase,
        "detail": row.text,
    }
    if isinstance(error, e.BadRequest) and error.path:
        body["validation_errors"] = [{"detail": row.text, "field": error.path}]
    return _json(row, error, body, "application/problem+json")


def pages(request: Request, error: e.DomainError) -> Response:
    """A page that says what happened and what to do."""
    row = row_of(PAGES, error)
    if request.url.path.endswith("/options"):  # asked by a script of ours, which shows the text
        return _json(row, error, {"error": error.code, "error_description": row.text})
    if isinstance(error, e.TransactionExpired) and error.again:
        return redirect(error.again)
    response = screens.error(request, row.code, row.text, row.status)
    response.headers.update(_headers(row, error))
    return response


def page(
    template: str, context: dict[str, Any], refusal: e.DomainError | None = None, *, redirects_to: str = ""
) -> Response:
    """Render a page of ours: as it is, or again with what was refused on it."""
    status = row_of(PAGES, refusal).status if refusal else 200
    response = screens.show(template, context, status=status, redirects_to=redirects_to)
    response.headers.update(when_to_come_back(refusal))
    return refusing(response, refusal)


DIALECTS: Final[tuple[tuple[str, Dialect], ...]] = (
    ("/api/", management),
    ("/me/", my_account),
    ("/dbconnections/", dbconnections),
    ("/oauth/", oauth),
    ("/passkey/", oauth),
    ("/userinfo", oauth),
    ("/readyz", oauth),
    ("/metrics", oauth),
    ("/.well-known/", oauth),
)
"""Which dialect a path speaks; so that a 404, 405 or 413 raised before any route speaks the right one; else pages."""


def answer(request: Request, error: e.DomainError) -> Response:
    """Return the response for an error, in the dialect of the path."""
    return dialect_of(request.url.path)(request, error)


def dialect_of(path: str) -> Dialect:
    """Return the dialect of a path; of whatever was sent as one, for ``*`` and nothing at all come through, too."""
    return next((dialect for prefix, dialect in DIALECTS if path.startswith(prefix)), pages)


def when_to_come_back(error: e.DomainError | None) -> dict[str, str]:
    """Return the header that says when, in whole seconds and not before; for a page that shows the error by itself."""
    if isinstance(error, e.TooManyAttempts | e.TooManyRequests | e.Busy):
        return {"retry-after": str(max(1, ceil(round(error.retry_after, 6))))}
    return {}


def _json(row: Row, error: e.DomainError, body: dict[str, Any], media_type: str | None = None) -> Response:
    return Json(body, row.status, _headers(row, error), media_type=media_type)


def _headers(row: Row, error: e.DomainError) -> dict[str, str]:
    headers = {"cache-control": "no-store"} | when_to_come_back(error)
    if isinstance(error, e.BadClient):
        headers["www-authenticate"] = 'Basic realm="token"'
    elif isinstance(error, e.StepUpRequired):
        challenge = f'error="insufficient_user_authentication", max_age="{error.max_age}"'
        headers["www-authenticate"] = f"Bearer {challenge}"  # RFC 9470
    elif isinstance(error, e.InsufficientScope):
        headers["www-authenticate"] = f'Bearer error="insufficient_scope", scope="{" ".join(error.needed)}"'
    elif row.status == HTTPStatus.UNAUTHORIZED and isinstance(error, e.InvalidToken):
        headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return headers
