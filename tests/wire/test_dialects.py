"""Every error in every dialect: a row, the right shape, and never a word that is for the log (auth0-behaviour 2.0)."""

import inspect
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message

from envelopes import dialect_of
from keystead import errors
from keystead.errors import DomainError
from keystead.web import wire
from keystead.web.routes import HOSTED, MANAGEMENT, MY_ACCOUNT
from world import World

DETAIL = "for the log alone 5c1e"
PATHS = {
    "oauth": "/oauth/token",
    "passkey": "/passkey/register",
    "userinfo": "/userinfo",
    "dbconnections": "/dbconnections/signup",
    "management": "/api/v2/users",
    "my account": "/me/v1/authentication-methods",
    "pages": "/u/login",
    "script": "/u/login/passkey/options",
}


def tree(root: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Give every class of the tree, the root too."""
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


EVERY = sorted(set(tree()), key=lambda kind: kind.__name__)


def example(kind: type[DomainError]) -> DomainError:
    """Make an error of a class, with a detail."""
    values: dict[str, Any] = {
        "detail": DETAIL,
        "retry_after": 2.5,
        "max_age": 300,
        "needed": ("read:users",),
        "credential_id": "AAAA",
        "rp_id": "localhost",
        "user_id": "auth0|ann",
        "attribute": "email",
        "grant": "password",
        "by": "client",
        "path": "some.path",
        "why": "it is cut off",
        "again": "",
        "client_id": "a client",
        "audience": "https://api.example/",
        "text": None if kind is not errors.InvalidOptions else "A text.",
        "name": "PasswordStrengthError",
        "permanent": True,
        "report": {"rules": [], "verified": False},
        "summary": "* At least 8 characters",
        "script": "login",
        "console": (),
        "reason": "user_exists",
    }
    known = inspect.signature(kind).parameters
    if kind in (errors.InvalidIdentifier, errors.WeakPassword, errors.RefusedByScript):
        values["text"] = "A text."
    return kind(**{name: values[name] for name in known})


def request(path: str) -> Request:
    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"host", b"localhost")], "query_string": b""}
    return Request(scope | {"scheme": "http", "server": ("localhost", 80)})


def answer(path: str, error: DomainError) -> tuple[int, dict[str, str], str]:
    response = wire.answer(request(path), error)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("an answer reads nothing")

    anyio.run(response, request(path).scope, receive, send)
    return response.status_code, dict(response.headers), bytes(sent[1].get("body", b"")).decode()


def test_the_tree_is_there() -> None:
    assert len(EVERY) > 45
    described = {name for name in (errors.__doc__ or "").replace("·", " ").split() if name[0].isupper()}
    missing = {kind.__name__ for kind in EVERY} - described
    assert not missing, "the tree at the top of errors.py leaves these out"


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dialect", PATHS)
def test_every_error_in_every_dialect(dialect: str, kind: type[DomainError]) -> None:
    error = example(kind)
    status, headers, body = answer(PATHS[dialect], error)
    assert 400 <= status <= 599
    assert (status >= 500) == issubclass(kind, errors.Unavailable) or kind is DomainError
    assert DETAIL not in body + str(headers)
    assert headers["cache-control"] == "no-store"
    if dialect == "pages":
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert "form-action 'self'" in headers["content-security-policy"]
        assert "<h1>" in body
        return
    found = json.loads(body)
    check = SHAPES[dialect]
    check(found, status, headers, error)


def _oauth(found: dict[str, Any], status: int, headers: dict[str, str], error: DomainError) -> None:
    if isinstance(error, errors.UnknownCredential) and found["error"] == "invalid_grant":
        options = {"rpId": "localhost", "credentialId": "AAAA"}
        assert found.pop("signals") == [{"type": "unknownCredential", "options": options}]
    assert list(found) == ["error", "error_description"]
    assert all(isinstance(value, str) and value for value in found.values())
    assert found["error"].replace("_", "").isalnum()
    assert found["error"] == found["error"].lower()


def _dbconnections(found: dict[str, Any], status: int, headers: dict[str, str], error: DomainError) -> None:
    if isinstance(error, errors.SignupDisabled | errors.ConnectionNotAllowed):
        assert list(found) == ["error"]
    elif isinstance(error, errors.RefusedByScript):
        assert list(found) == ["name", "code", "description", "message", "statusCode"]
        assert found["code"] == "user_exists"
    elif isinstance(error, errors.WeakPassword):
        assert list(found) == ["name", "message", "code", "description", "policy", "statusCode"]
        assert found["name"] == "PasswordStrengthError"
    else:
        assert list(found) == ["name", "code", "description", "statusCode"]
        leaked = isinstance(error, errors.PasswordLeaked)
        assert found["name"] == ("PasswordLeakedError" if leaked else "BadRequestError")
        assert isinstance(found["description"], str)
        assert found["statusCode"] == status


def _management(found: dict[str, Any], status: int, headers: dict[str, str], error: DomainError) -> None:
    report = ["report"] if isinstance(error, errors.WouldStrandUsers) else []
    assert list(found) in (["statusCode", "error", "message"], ["statusCode", "error", "message", "errorCode", *report])
    assert (found["statusCode"], found["error"]) == (status, HTTPStatus(status).phrase)
    assert found["message"]


def _my_account(found: dict[str, Any], status: int, headers: dict[str, str], error: DomainError) -> None:
    assert headers["content-type"] == "application/problem+json"
    assert set(found) - {"validation_errors"} == {"type", "status", "title", "detail"}
    assert (found["status"], found["title"]) == (status, HTTPStatus(status).phrase)
    assert found["type"].startswith("urn:keystead:error:")


SHAPES = {
    "oauth": _oauth,
    "passkey": _oauth,
    "userinfo": _oauth,
    "script": _oauth,
    "dbconnections": _dbconnections,
    "management": _management,
    "my account": _my_account,
}


@pytest.mark.parametrize("dialect", [name for name in PATHS if name != "pages"])
def test_what_asks_to_come_back_says_when(dialect: str) -> None:
    for error, seconds in (
        (errors.TooManyAttempts(0.2), "1"),
        (errors.TooManyAttempts(86_399.01), "86400"),
        (errors.Busy(), "1"),
    ):
        _, headers, _ = answer(PATHS[dialect], error)
        assert headers["retry-after"] == seconds


@pytest.mark.parametrize("dialect", [name for name in PATHS if name != "pages"])
def test_what_wants_a_token_says_so(dialect: str) -> None:
    status, headers, _ = answer(PATHS[dialect], errors.InvalidToken())
    assert (status, headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


ANSWERS = [
    ("/oauth/token", errors.WrongCredentials(), 403, "invalid_grant", "Wrong email or password."),
    ("/oauth/token", errors.UserBlocked(), 401, "unauthorized", "user is blocked"),
    ("/oauth/token", errors.BadClient(), 401, "access_denied", "Unauthorized"),
    ("/passkey/challenge", errors.BadClient(), 401, "invalid_client", "Unauthorized"),
    ("/oauth/token", errors.InvalidGrant(), 403, "invalid_grant", "Invalid authorization code"),
    ("/oauth/token", errors.CeremonyExpired(), 403, "invalid_grant", "Authentication session expired"),
]


@pytest.mark.parametrize(("path", "error", "status", "code", "text"), ANSWERS)
def test_the_recorded_texts(path: str, error: DomainError, status: int, code: str, text: str) -> None:
    found = answer(path, error)
    assert found[0] == status
    assert json.loads(found[2]) == {"error": code, "error_description": text}


def test_a_script_s_refusal_of_a_sign_up_has_its_own_code() -> None:
    validation = errors.RefusedByScript("Not from there.", reason="no_such_country")
    body = {
        "code": "no_such_country",
        "description": "Not from there.",
        "message": "Not from there.",
        "statusCode": 400,
    }
    assert json.loads(answer("/dbconnections/signup", validation)[2]) == {"name": "ValidationError", **body}
    unauthorized = json.loads(answer("/dbconnections/signup", errors.RefusedByScript("Call us."))[2])
    assert unauthorized == {
        "name": "BadRequestError",
        "code": "refused_by_script",
        "description": "Call us.",
        "statusCode": 400,
    }


def test_a_passkey_s_refusals_are_one() -> None:
    """But for what the browser is told of one that nobody has."""
    kinds = (errors.UnknownCredential("AAAA", "localhost"), errors.CeremonyRefused(), errors.PasskeyTaken())
    found = [json.loads(answer("/oauth/token", error)[2]) for error in kinds]
    assert [body.pop("signals", None) is not None for body in found] == [True, False, False]
    assert found[0] == found[1] == found[2]


NOWHERE = {
    "/oauth/nowhere": "oauth",
    "/passkey/nowhere": "oauth",
    "/.well-known/nowhere": "oauth",
    "/userinfo/nowhere": "oauth",
    "/dbconnections/nowhere": "dbconnections",
    "/api/v2/nowhere": "management",
    "/api/v3/users": "management",
    "/me/v1/nowhere": "my account",
    "/me/v2/authentication-methods": "my account",
    "/u/nowhere": "page",
    "/nowhere": "page",
    "/static/nowhere.js": "page",
    "/static/../pyproject.toml": "page",
    "/static/%2e%2e/%2e%2e/pyproject.toml": "page",
    "/avatars/": "page",
}


@pytest.mark.parametrize("path", NOWHERE)
async def test_what_is_not_there(shared_world: World, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answered = await shared_world.client.request(method, path)
        assert answered.status_code in (404, 405), (method, path)
        assert dialect_of(answered) == NOWHERE[path]


def _routes() -> Iterator[tuple[str, set[str]]]:
    methods: dict[str, set[str]] = {
        "/oauth/token": {"POST"},
        "/userinfo": {"GET", "HEAD", "POST"},
        "/.well-known/jwks.json": {"GET", "HEAD"},
        "/.well-known/openid-configuration": {"GET", "HEAD"},
        "/passkey/challenge": {"POST"},
        "/passkey/register": {"POST"},
        "/dbconnections/signup": {"POST"},
        "/oauth/revoke": {"POST"},
        "/oauth/par": {"POST"},
        "/authorize": {"GET", "HEAD", "POST"},
        "/v2/logout": {"GET", "HEAD"},
        "/oidc/logout": {"GET", "HEAD", "POST"},
        "/": {"GET", "HEAD"},
        "/healthz": {"GET", "HEAD"},
    }
    for prefix, routes in (("/u", HOSTED), ("/me/v1", MY_ACCOUNT), ("/api/v2", MANAGEMENT)):
        for route in routes:
            assert isinstance(route, Route)
            path = prefix + route.path.replace("{id}", "x").replace("{method_id}", "y")
            methods.setdefault(path, set()).update(route.methods or ())
    # Words that are ids as well: of a job, a key, a token.
    for job in ("verification-email", "users-imports", "users-exports"):
        methods[f"/api/v2/jobs/{job}"] |= {"GET", "HEAD"}
    methods["/api/v2/keys/signing/rotate"] |= {"GET", "HEAD"}
    methods["/api/v2/refresh-tokens/revoke"] |= {"GET", "HEAD", "PATCH", "DELETE"}
    yield from methods.items()


@pytest.mark.parametrize(("path", "methods"), [pytest.param(path, methods, id=path) for path, methods in _routes()])
async def test_another_method(shared_world: World, path: str, methods: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - methods:
        answered = await shared_world.client.request(method, path)
        assert answered.status_code == 405, method
        assert answered.headers["allow"] == ", ".join(sorted(methods))
        expected = "oauth" if path.endswith("/options") else None
        found = dialect_of(answered)
        assert found == (expected or found)
        prefixes = {"/oauth": "oauth", "/api": "management", "/me": "my account", "/dbconnections": "dbconnections"}
        assert found == next((dialect for prefix, dialect in prefixes.items() if path.startswith(prefix)), found)


async def test_another_method_of_a_file(shared_world: World) -> None:
    answered = await shared_world.client.put("/static/favicon.svg")
    assert (answered.status_code, answered.headers["allow"]) == (405, "GET, HEAD")


async def test_a_slash_more_is_another_path_and_never_a_redirect(shared_world: World) -> None:
    for path, _ in _routes():
        if path != "/" and "/resource-servers" not in path:  # whose ids may begin and end with one
            for method in ("GET", "POST"):
                answered = await shared_world.client.request(method, path + "/")
                assert answered.status_code in (404, 405), path
