"""The gate: one pure ASGI middleware around everything, for what must hold on every request, routed or not."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from keystead.errors import BadRequest, BodyTooLarge, DomainError, InternalError, InvalidPath, NoSuchRoute
from keystead.ports import Entropy, Telemetry, Timing
from keystead.rules.decisions import Asking, is_refusal
from keystead.rules.telemetry import (
    REFUSALS,
    REQUEST,
    SILENCE,
    is_request_id,
    request_labels,
    rule_label,
    trace_of,
)
from keystead.settings import Settings
from keystead.web import wire
from keystead.web.authorization_answers import OPENER
from keystead.web.body import IMPORTS, most_bytes, most_seconds
from keystead.web.client_ip import client_address, is_trusted
from keystead.web.request_limits import headers_of

BODY_SECONDS: Final = 30.0
_CLIENT_LEFT: Final = 499
"""What the log calls a request whose client did not wait for an answer, as others do."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
DECISION: Final = "Keystead-Decision"
"""The header of a refusal: the id under which administrators find why. It says nothing else to anybody."""

_REFUSAL: Final = "keystead.refusal"
ROUTE: Final = "keystead.route"
"""In a scope: the template of the route that it found."""

_STATIC: Final = "/static/"
_PROBED: Final = ("/healthz", "/readyz", "/metrics")
"""What is asked every few seconds by what watches over us, and all that there is at the address of the metrics."""

Record = Callable[[DomainError, Asking], Awaitable[None]]
"""Keeps why a request was refused."""

_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_HSTS: Final = "max-age=31536000; includeSubDomains"

log = structlog.get_logger("keystead")


@dataclass
class Gate:
    """Request id, Host, body limits, client address, security headers, the one log line, and the last resort."""

    app: ASGIApp
    settings: Settings
    entropy: Entropy
    record: Record
    telemetry: Telemetry = SILENCE
    body_seconds: float = BODY_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        peer = scope["client"][0] if scope.get("client") else ""
        request_id, parent = self._marks(peer, request.headers)
        scope["keystead.address"] = client_address(peer, request.headers, self.settings.trusted_proxies)
        scope["keystead.decision"] = f"dec_{self.entropy.token(12)}"
        line = {"id": request_id, "method": scope["method"], "path": scope["path"][:200]}
        scope["keystead.log"] = line
        with bound_contextvars(id=request_id), self.telemetry.timed(REQUEST, parent=parent) as timing:
            if trace := timing.trace or trace_of(parent):
                line["trace"] = trace
            await self._serve(request, receive, _Answer(send, self._headers(request_id), scope, self._decided), timing)

    async def _serve(self, request: Request, receive: Receive, answer: "_Answer", timing: Timing) -> None:
        """Serve a request to its end, whatever happens, and write its line."""
        scope, began = request.scope, time.perf_counter()
        try:
            self._check_host(request.headers, scope)
            if "\0" in scope["path"]:
                raise InvalidPath("The path is not valid.", path="")  # PostgreSQL stores no NUL, nor looks for one
            limited = _counted(request, receive, self.body_seconds, self.settings.import_bytes)
            await self.app(scope, limited, answer)
        except DomainError as error:
            await self._refuse(request, error, receive, answer)
        except ClientDisconnect:
            answer.status = answer.status or _CLIENT_LEFT
        except Exception as error:
            log.exception("failed", path=scope["path"][:200], error=type(error).__name__)
            await self._refuse(request, InternalError(detail=type(error).__name__), receive, answer)
        finally:
            self._end(scope, answer.status, timing, round((time.perf_counter() - began) * 1000, 2))

    def _marks(self, peer: str, headers: Headers) -> tuple[str, str]:
        """Return the id of a request and the ``traceparent`` that it is a part of: a proxy's that we trust, or ours."""
        given, parent = headers.get("x-request-id", ""), headers.get("traceparent", "")
        if (given or parent) and is_trusted(peer, self.settings.trusted_proxies):
            named = given if is_request_id(given) else self.entropy.token(12)
            return named, parent if trace_of(parent) else ""
        return self.entropy.token(12), ""

    def _end(self, scope: Scope, status: int, timing: Timing, milliseconds: float) -> None:
        """Write the one line of a request, and measure it. Probes that went well are not worth a line."""
        line = scope["keystead.log"]
        route = scope.get(ROUTE) or (f"{_STATIC}{{path}}" if scope["path"].startswith(_STATIC) else "")
        timing.named(*request_labels(scope["method"], route, status))
        timing.note("http.response.status_code", status)
        timing.note("keystead.request_id", line["id"])
        refusal: DomainError | None = scope.get(_REFUSAL)
        if refusal is not None:
            timing.note("error.type", refusal.code)
            if is_refusal(refusal):
                timing.note("keystead.decision_id", scope["keystead.decision"])
                self.telemetry.count(REFUSALS, rule_label(str(refusal.facts.get("rule") or refusal.code)))
        write = log.debug if route in _PROBED and status < 500 else log.info
        write("request", **line, route=route, status=status, ms=milliseconds)

    async def _decided(self, scope: Scope) -> str:
        """Keep why the request is refused, if it is, and return under which id; whoever asks at once finds it.

        Whatever goes wrong with that, the refusal stands, and looks the same.
        """
        error: DomainError | None = scope.get(_REFUSAL)
        if error is None or not is_refusal(error):
            return ""
        decision: str = scope["keystead.decision"]
        agent = Headers(scope=scope).get("user-agent", "")
        try:
            await self.record(error, Asking(decision, scope["path"], scope["keystead.address"], agent))
        except Exception as failed:  # noqa: BLE001 - a database that is away must not turn a refusal into anything else
            detail = getattr(failed, "detail", "")
            log.warning("a refusal was not kept", decision=decision, error=type(failed).__name__, detail=detail)
        return decision

    def _check_host(self, headers: Headers, scope: Scope) -> None:
        """Exactly one well-formed ``Host``. It is never used for anything; links come from the public URL alone.

        At the address of the metrics any will do, and there is nothing else.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            raise BadRequest("The Host header is missing or not valid.")
        apart = came_to_metrics(scope, self.settings)
        if apart and scope["path"] not in _PROBED:
            raise NoSuchRoute
        allowed = self.settings.allowed_hosts
        if allowed and not apart and hosts[0].lower() not in allowed:
            raise BadRequest("The Host header is not allowed.")

    def _headers(self, request_id: str) -> dict[str, str]:
        secure = {"strict-transport-security": _HSTS} if self.settings.is_https else {}
        return _HEADERS | secure | {"x-request-id": request_id}

    async def _refuse(self, request: Request, error: DomainError, receive: Receive, answer: "_Answer") -> None:
        if answer.status == 0:
            note(request, error)
            await wire.answer(request, error)(request.scope, receive, answer)


def came_to_metrics(scope: Scope, settings: Settings) -> bool:
    """Whether a request came to the address that the metrics have for themselves: by its socket, not its ``Host``."""
    address, server = settings.metrics_address, scope.get("server")
    return bool(address and server and server[1] == address[1])


def note(request: Request, error: DomainError) -> None:
    """Put what was refused, and why, on the request's log line, and before the gate, which keeps it."""
    line: dict[str, Any] = request.scope["keystead.log"]
    line |= {"error": error.code, "detail": error.detail[:500]}
    if is_refusal(error):
        line["decision"] = request.scope["keystead.decision"]
    request.scope[_REFUSAL] = error


class _Answer:
    """Passes a response on, adding headers and remembering the status."""

    def __init__(
        self, send: Send, headers: dict[str, str], scope: Scope, decided: Callable[[Scope], Awaitable[str]]
    ) -> None:
        self._send, self._headers, self._scope, self._decided = send, headers, scope, decided
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] in (307, 308):
                # A redirect that replays the body would hand a password to wherever it points (RFC 9700 §4.12).
                raise InternalError(detail="a redirect that repeats the request")
            self.status = message["status"]
            decision = await self._decided(self._scope)
            headers = MutableHeaders(scope=message)
            if decision:
                headers[DECISION] = decision
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.raw.extend(headers_of(self._scope, self.status, headers))
            headers.setdefault("content-security-policy", _API_POLICY)
            isolation = "unsafe-none" if self._scope.get(OPENER) else "same-origin"
            headers.setdefault("cross-origin-opener-policy", isolation)
            # Files have an ETag, to be asked about again; all else is about somebody, or may be tomorrow.
            headers.setdefault("cache-control", "no-cache" if "etag" in headers else "no-store")
        await self._send(message)


def _counted(request: Request, receive: Receive, seconds: float, imports: int) -> Receive:
    """Count a body as it arrives, whatever its ``Content-Length`` says, and do not wait for it for ever.

    The deadline is one for the whole of it: whoever sends a byte now and then would otherwise be waited for.
    """
    seen, complete = 0, False
    headers, path = request.headers, request.scope["path"]
    most = most_bytes(path, imports)
    too_large = BodyTooLarge.import_beyond(imports) if path == IMPORTS else BodyTooLarge()
    deadline = asyncio.get_running_loop().time() + most_seconds(path, seconds)

    async def counted() -> Message:
        nonlocal seen, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BadRequest("The body did not arrive in time.") from None
        seen += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if seen > most:
            raise too_large
        return message

    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise too_large
    return counted if "content-length" in headers or "transfer-encoding" in headers else receive
