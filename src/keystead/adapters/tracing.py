"""Traces, by OpenTelemetry's own library: spans of what is timed anyway, and nothing that people sent."""

from types import TracebackType
from typing import Any, Final, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from keystead.rules.telemetry import REQUEST, Metric, outcome_of

_NAME: Final = "keystead"
_UNNAMED: Final = "unknown_service"
_PATH: Final = "/v1/traces"
_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_REQUEST_LABELS: Final = {"method": "http.request.method", "route": "http.route"}
_parents: Final = TraceContextTextMapPropagator()


class Tracing:
    """Sends spans to a collector, over OTLP/HTTP, on a thread of its own.

    Headers, limits, sampling and the name of the service are the standard variables' ``OTEL_*``, which the library
    reads itself. Counting is not its business: for that there are metrics.
    """

    def __init__(self, endpoint: str, version: str) -> None:
        resource = Resource.create({SERVICE_VERSION: version})
        if str(resource.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
            resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _PATH)))
        self._tracer = self._provider.get_tracer(_NAME, version)

    def timed(self, what: Metric, *labels: str, parent: str = "") -> "_Timing":
        """Make a span of the block."""
        around = _parents.extract({"traceparent": parent}) if parent else None
        return _Timing(self._tracer, what, labels, around)

    def count(self, what: Metric, *labels: str, by: float = 1) -> None:
        """Do nothing: a count is no span."""

    def observe(self, what: Metric, seconds: float, *labels: str) -> None:
        """Do nothing: what is over is no span."""

    def close(self) -> None:
        """Send what is left, and end the thread."""
        self._provider.shutdown()


class _Timing:
    """One piece of work, as a span that is the parent of those in it."""

    __slots__ = ("_around", "_labels", "_span", "_token", "_tracer", "_what")

    def __init__(self, tracer: trace.Tracer, what: Metric, labels: tuple[str, ...], around: Any) -> None:
        self._tracer, self._what, self._labels, self._around = tracer, what, labels, around

    @property
    def trace(self) -> str:
        return format(self._span.get_span_context().trace_id, "032x")

    def named(self, *labels: str) -> None:
        self._labels = labels

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def __enter__(self) -> Self:
        name = self._what.name.removeprefix("keystead_").removesuffix("_seconds")
        self._span = self._tracer.start_span(name, self._around, _KINDS[self._what.side])
        self._token = contexts.attach(trace.set_span_in_context(self._span, self._around))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        contexts.detach(self._token)
        for name, value in zip(self._what.labels, self._labels, strict=False):
            self._span.set_attribute(_attribute(self._what, name), value)
        if self._what is REQUEST:
            method, route, _ = self._labels or ("", "", "")
            self._span.update_name(f"{method} {route}".strip() or "request")
        if kind is not None:  # its name and never its text, which may say what somebody sent
            self._span.set_attribute("error.type", outcome_of(kind))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _attribute(what: Metric, label: str) -> str:
    return _REQUEST_LABELS.get(label, f"keystead.{label}") if what is REQUEST else f"keystead.{label}"
