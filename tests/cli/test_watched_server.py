"""A server that is watched: metrics of all its processes, readiness until it ends, and traces without secrets."""

import gzip
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from program import SECONDS, free_port, keystead, serving
from world import PASSWORD

pytestmark = pytest.mark.timeout(300)

TOKEN = "token-of-the-metrics"


def counted(page: str, name: str, *labels: str) -> float:
    """Return the sum of what a page says by a name, with these labels."""
    lines = [line for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in labels))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_numbers_are_those_of_all_processes(tmp_path: Path, workers: str) -> None:
    port = free_port()
    listen = f"127.0.0.1:{port}"
    with serving(tmp_path / "data", "--workers", workers, METRICS_LISTEN=listen, METRICS_TOKEN=TOKEN) as server:
        for number in range(40):  # a connection for each, so that the workers share them
            assert httpx.get(f"{server.url}/avatars/a{number % 9}.svg").status_code == 200
        page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        route = 'route="/avatars/{initials}.svg"'
        assert counted(page, "keystead_request_seconds_count", 'method="GET"', route, 'status="2xx"') == 40
        assert counted(page, "keystead_request_seconds_bucket", route, 'le="+Inf"') == 40
        assert counted(page, "keystead_processes") == int(workers)
        assert counted(page, "keystead_build_info") == 1
        assert counted(page, "keystead_memory_bytes") > int(workers) * 10_000_000
        headers = {"authorization": f"Bearer {TOKEN}"}
        again = [httpx.get(f"{server.url}/metrics", headers=headers).text for _ in range(8)]
        assert {counted(each, "keystead_request_seconds_count", route) for each in again} == {40}
        assert httpx.get(f"{server.url}/metrics").status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/u/login").status_code == 404
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with serving(tmp_path / "first") as server:
        listen = f"127.0.0.1:{server.port}"
        ended = keystead("serve", "--data-dir", tmp_path / "data", "--port", str(free_port()), METRICS_LISTEN=listen)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert ended.stderr.startswith(f"keystead: KEYSTEAD_METRICS_LISTEN: {listen} is in use")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ready_until_it_is_told_to_stop_and_serving_still(tmp_path: Path, workers: str) -> None:
    with serving(tmp_path / "data", "--workers", workers, DRAIN_SECONDS="300") as server:
        _until(server.url, 200)
        server.process.send_signal(signal.SIGTERM)
        _until(server.url, 503)
        answer = httpx.get(f"{server.url}/readyz")
        assert {name for name, state in answer.json()["checks"].items() if state != "ok"} == {"serving"}
        assert httpx.get(f"{server.url}/.well-known/jwks.json").status_code == 200
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)  # whoever says so twice means it
        assert server.process.wait(SECONDS) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.output


def _until(url: str, status: int) -> None:
    """Wait until several in a row answer so: of two processes each is asked."""
    until, seen = time.monotonic() + SECONDS, 0
    while seen < 12 and time.monotonic() < until:
        seen = seen + 1 if httpx.get(f"{url}/readyz").status_code == status else 0
        time.sleep(0.02)
    assert seen >= 12


# --- traces ----------------------------------------------------------------------------------------------------------


@dataclass
class Collector:
    """Whoever takes traces: OTLP over HTTP, as protobuf."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def requests(self) -> Iterator[ExportTraceServiceRequest]:
        for body in self.bodies:
            found = ExportTraceServiceRequest()
            found.ParseFromString(body)
            yield found

    def spans(self) -> list[Span]:
        """Return every span that came."""
        return [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, str]:
        """Return who sent them."""
        request = next(self.requests())
        return {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.headers.append(dict(self.headers))
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.bodies.append(body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield collector
    server.shutdown()
    server.server_close()
    thread.join()


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MARKS = (PASSWORD, "marked", "ann@example.com", "ann%40")


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def live(url: str, first: dict[str, Any]) -> dict[str, str]:
    """Do what carries secrets; return the ids of the requests."""
    client_id = first["clients"]["default"]["client_id"]
    parent = {"traceparent": f"00-{TRACE}-{SPAN}-01", "cookie": "a=marked-cookie", "user-agent": "marked-agent"}
    person = {"client_id": client_id, "connection": first["connection"]["name"], "email": "ann@example.com"}
    assert httpx.post(f"{url}/dbconnections/signup", json=person | {"password": PASSWORD}).status_code == 200
    body = {"grant_type": "password", "client_id": client_id, "username": "ann@example.com"}
    good = httpx.post(f"{url}/oauth/token", json=body | {"password": PASSWORD}, headers=parent)
    assert good.status_code == 200
    bad = httpx.post(f"{url}/oauth/token", json=body | {"password": "marked-wrong"})
    assert bad.status_code == 403
    httpx.get(f"{url}/u/login?state=marked-state&ticket=marked-ticket", headers=parent)
    httpx.get(f"{url}/marked/path")
    management = first["clients"]["management"] | {
        "grant_type": "client_credentials",
        "audience": first["management_audience"],
    }
    token = httpx.post(f"{url}/oauth/token", json=management).json()["access_token"]
    users = httpx.get(f"{url}/api/v2/users?q=email:marked", headers={"authorization": f"Bearer {token}"})
    return {
        "good": good.headers["x-request-id"],
        "bad": bad.headers["x-request-id"],
        "decision": bad.headers["keystead-decision"],
        "users": users.headers["x-request-id"],
        "token": token,
    }


def test_traces_without_secrets(tmp_path: Path) -> None:
    with collecting() as collector:
        settings: dict[str, Any] = {
            "OTEL_ENDPOINT": collector.url,
            "TRUSTED_PROXIES": "127.0.0.1",
            "LOG_FORMAT": "json",
        }
        with serving(tmp_path / "data", **settings) as server:
            first = json.loads((tmp_path / "data" / "first-run.json").read_text())
            ids = live(server.url, first)
            _until_sent(server.url)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(SECONDS)
            log = server.output.partition("Keystead is at")[2]  # what the first start made is shown before
        spans = collector.spans()
    assert collector.resource()["service.name"] == "keystead"
    requests = {
        attributes(span).get("keystead.request_id"): span for span in spans if span.kind == Span.SPAN_KIND_SERVER
    }
    good, bad = requests[ids["good"]], requests[ids["bad"]]
    assert good.name == "POST /oauth/token"
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (TRACE, SPAN)
    assert attributes(good)["http.response.status_code"] == 200
    within = {span.name for span in spans if span.trace_id == good.trace_id}
    assert {"login", "hash", "database", "POST /oauth/token"} <= within
    assert attributes(bad)["keystead.decision_id"] == ids["decision"]
    assert attributes(bad)["error.type"] == "wrong_credentials"
    assert {"job", "message"} <= {span.name for span in spans}
    units = [attributes(span)["keystead.unit"] for span in spans if span.name == "database"]
    assert all(re.fullmatch(r"[\w.<>]+", unit) for unit in units)
    sent = b"".join(collector.bodies).decode("latin-1") + log
    secrets = (*MARKS, ids["token"], first["clients"]["management"]["client_secret"], "SELECT ")
    assert [mark for mark in secrets if mark in sent.replace("/marked/path", "")] == []
    assert f'"trace": "{TRACE}"' in log


def _until_sent(url: str) -> None:
    """Wait until the worker has delivered what was asked for."""
    until = time.monotonic() + SECONDS
    while "ann@example.com" not in httpx.get(f"{url}/dev/outbox").text and time.monotonic() < until:
        time.sleep(0.05)
