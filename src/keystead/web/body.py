"""Bodies and queries, read once: bytes in, plain values or a complaint out. Nothing that a client sends is a 500."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from sys import maxsize
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request

from keystead.errors import BadRequest, InvalidQuery, UnsupportedMediaType
from keystead.secrecy import Secret

MAX_BYTES: Final = 1_048_576
"""What any route reads at most; the gate counts bytes as they arrive."""

ARCHIVES: Final = "/api/v2/keystead/user-archives"

_MORE: Final[Mapping[str, int]] = {"/api/v2/keystead/fido-metadata": 33_554_432, ARCHIVES: 4 * 2**30}
"""But for these: the FIDO Alliance's blob has some eight megabytes, and an archive holds everybody. Each is read once
the token is known to be good; an archive piece by piece."""


IMPORTS: Final = "/api/v2/jobs/users-imports"
_BESIDE: Final = 1_048_576
"""What may come beside the file of an import."""


def most_bytes(path: str, imports: int = 0) -> int:
    """Return how long the body of a request may be; ``imports`` is what a file of users may have, 0 for any size."""
    if path == IMPORTS:
        return imports + _BESIDE if imports else maxsize
    return _MORE.get(path, MAX_BYTES)


_LONGER: Final[Mapping[str, float]] = {ARCHIVES: 3600.0, IMPORTS: 3600.0}
"""Seconds, for what is larger than anything else."""


def most_seconds(path: str, otherwise: float) -> float:
    """Return how long the body of a request may take to arrive."""
    return _LONGER.get(path, otherwise)


_DEPTH: Final = 32
_FIELDS: Final = 200
_QUERY_BYTES: Final = 8192
_WHOLE: Final = re.compile("-?[0-9]{1,100}")
"""A whole number; one of thousands of digits takes long to read, and Python refuses it."""
_SECRETS: Final = ("password", "client_secret", "client_assertion")


def submitted(request: Request) -> bool:
    """Whether a form is being sent rather than looked at. HEAD is a GET without the page (RFC 9110 §9.3.2)."""
    return request.method not in ("GET", "HEAD")


async def json_object(request: Request) -> dict[str, Any]:
    """Return a JSON body that is an object. Raises ``BadRequest``, ``UnsupportedMediaType``."""
    found = await json_value(request)
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


async def json_value(request: Request) -> Any:
    """Return a JSON body. Raises ``BadRequest``, ``UnsupportedMediaType``."""
    if _media_type(request) != "application/json":
        raise UnsupportedMediaType(detail=_media_type(request)[:100])
    return parse_json(await request.body())


async def parameters(request: Request) -> dict[str, Any]:
    """Return the body of an endpoint that takes JSON and forms alike; passwords and client secrets come wrapped.

    Raises ``BadRequest``, ``UnsupportedMediaType``.
    """
    found = await form(request) if _media_type(request) == _FORM else await json_object(request)
    return {name: _wrapped(name, value) for name, value in found.items()}


async def form(request: Request) -> dict[str, str]:
    """Return a form body, each field once. Raises ``BadRequest``, ``UnsupportedMediaType``."""
    if _media_type(request) != _FORM:
        raise UnsupportedMediaType(detail=_media_type(request)[:100])
    return _once(await request.body(), "The form")


_FORM: Final = "application/x-www-form-urlencoded"


def parse_json(body: bytes) -> Any:
    """Parse JSON strictly: UTF-8, each member once, finite numbers, bounded depth, no NUL and no lone surrogates.

    ``json.loads`` alone sniffs UTF-16, keeps the last of two members and recurses without end. Raises ``BadRequest``.
    """
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_not_finite)
        _check_text(found, _DEPTH)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid UTF-8.") from None
    except _Unstorable as unstorable:
        raise unstorable.refusal("The body") from None
    except ValueError:
        raise BadRequest("The body is not valid JSON.") from None
    return found


@dataclass(frozen=True)
class Query:
    """A query string, each name once but for lists."""

    pairs: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str | None:
        """Return a parameter, or ``None``. Raises ``InvalidQuery`` where it comes twice."""
        found = self.texts(name)
        if len(found) > 1:
            raise InvalidQuery(f"'{name}' must be given once", path=name)
        return found[0] if found else None

    def texts(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return [value for key, value in self.pairs if key == name]

    def flag(self, name: str, default: bool) -> bool:
        """Return ``true`` or ``false``. Raises ``InvalidQuery``."""
        found = self.text(name)
        if found is None:
            return default
        if found not in ("true", "false"):
            raise InvalidQuery("Expected type boolean but found type string", path=name)
        return found == "true"

    def number(self, name: str, default: int, most: int, least: int = 0) -> int:
        """Return a whole number within its bounds. Raises ``InvalidQuery``."""
        found = self.text(name)
        if found is None:
            return default
        if not _WHOLE.fullmatch(found):
            raise InvalidQuery("Expected type integer but found type string", path=name)
        if int(found) > most:
            raise InvalidQuery(f"Value {found} is greater than maximum {most}", path=name)
        if int(found) < least:
            raise InvalidQuery(f"Value {found} is less than minimum {least}", path=name)
        return int(found)


def query(request: Request) -> Query:
    """Return the query string. Raises ``InvalidQuery``."""
    try:
        pairs = _pairs(_query_string(request))
    except ValueError as error:
        raise InvalidQuery("The query string is not valid.", detail=str(error)) from None
    return Query(tuple(pairs))


def query_once(request: Request) -> dict[str, str]:
    """Return a query string in which no name may come twice (RFC 6749 §3.1). Raises ``BadRequest``."""
    return _once(_query_string(request), "The query")


def _query_string(request: Request) -> bytes:
    """Return the query undecoded; much of it is stored with a login, so it is bounded. Raises ``InvalidQuery``."""
    encoded: bytes = request.scope["query_string"]
    if len(encoded) > _QUERY_BYTES:
        raise InvalidQuery("The query string is too long.")
    return encoded


def _once(encoded: bytes, what: str) -> dict[str, str]:
    try:
        pairs = _pairs(encoded)
    except _Unstorable as unstorable:
        raise unstorable.refusal(what) from None
    except ValueError:
        raise BadRequest(f"{what} is not valid.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two values for one name: whichever we took, somebody behind us may take the other (parameter pollution).
        raise BadRequest(f"{what} has a field twice.")
    return found


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    pairs = parse_qsl(
        encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS, strict_parsing=False
    )
    for name, text in pairs:
        _check_text({name: text}, 2)
    return pairs


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _wrapped(name: str, value: Any) -> Any:
    if name not in _SECRETS or value is None:
        return value
    if not isinstance(value, str):
        raise BadRequest(f"Parameter {name} must be a string", path=name)
    return Secret(value)


def secret_of(body: Mapping[str, Any], name: str) -> Secret[str] | None:
    """Return a wrapped secret out of ``parameters``."""
    found = body.get(name)
    return found if isinstance(found, Secret) else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


class _Unstorable(ValueError):
    """A text that no database can store; its arguments are the names of the members that lead to it."""

    def refusal(self, what: str) -> BadRequest:
        """Return what is said of it: the path of the member, where its name can be said."""
        path = ".".join(self.args)[:120]
        return BadRequest(f"{path or what} contains characters that are not allowed.", path=path or None)


def _is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def _check_text(value: Any, depth: int) -> None:
    """Refuse what a database cannot store: NUL and lone surrogates, as value or as name ."""
    if depth == 0:
        raise RecursionError
    if isinstance(value, str) and not _is_storable(value):
        raise _Unstorable
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number without end")
    if isinstance(value, dict):
        for name, member in value.items():
            _check_text(name, depth)
            _check_member(name, member, depth)
    elif isinstance(value, list):
        for member in value:
            _check_text(member, depth - 1)


def _check_member(name: str, member: Any, depth: int) -> None:
    try:
        _check_text(member, depth - 1)
    except _Unstorable as found:
        raise _Unstorable(name, *found.args) from None
