"""The scripts on the page about action scripts run, and its tables name what there is."""

import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from keystead.custom_db.limits import Limits
from keystead.custom_db.runner import Children
from keystead.rules import circuits
from keystead.rules.action_scripts import NAMES, Script, ScriptAnswer, ScriptRefusal
from keystead.secrecy import Secret
from world import CountingEntropy

PAGE = (Path(__file__).parents[2] / "docs/action-scripts.md").read_text(encoding="utf-8")
JS_LOGIN, JS_GET_USER = re.findall(r"```js\n(.*?)```", PAGE, flags=re.DOTALL)
PY_CREATE, PY_LOGIN = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ANN = "ann@example.com"
PASSWORD = "correct horse battery"


class Service(BaseHTTPRequestHandler):
    """The web service that the page's scripts ask."""

    def do_GET(self) -> None:
        self._say(200 if self.path == "/users/ann%40example.com" else 404)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/login":
            self._say(200 if given == {"email": ANN, "password": PASSWORD} else 401)
        else:
            self._say(409 if given["email"] == ANN else 201)

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"id": 7, "email": ANN}).encode())

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
async def runtime() -> AsyncIterator[Children]:
    """What runs them."""
    runtime = Children(CountingEntropy("page"))
    yield runtime
    await runtime.close()


def wrong(user_id: str) -> ScriptRefusal:
    return ScriptRefusal("wrong_credentials", "wrong password", user_id=user_id)


@pytest.mark.parametrize(
    ("name", "source", "arguments", "value", "refusal"),
    [
        ("login", JS_LOGIN, [ANN, PASSWORD], {"user_id": "7", "email": ANN, "email_verified": True}, None),
        ("login", JS_LOGIN, [ANN, "other"], None, wrong(ANN)),
        ("get_user", JS_GET_USER, [ANN], {"user_id": "7", "email": ANN}, None),
        ("get_user", JS_GET_USER, ["bob@example.com"], None, None),
        ("create", PY_CREATE, [{"email": "bob@example.com", "password": PASSWORD}], None, None),
        (
            "create",
            PY_CREATE,
            [{"email": ANN, "password": PASSWORD}],
            None,
            ScriptRefusal("validation", "There is an account with this address.", "user_exists"),
        ),
        ("login", PY_LOGIN, [ANN, PASSWORD], {"user_id": "7", "email": ANN}, None),
        ("login", PY_LOGIN, [ANN, "other"], None, wrong("7")),
        ("login", PY_LOGIN, ["bob@example.com", "other"], None, None),
    ],
)
async def test_the_scripts_of_the_page(
    runtime: Children, url: str, name: Any, source: str, arguments: list[Any], value: Any, refusal: ScriptRefusal | None
) -> None:
    language: Any = "node" if source.startswith(("function", "async function")) else "python"
    script = Script("con_1", name, language, source, {"url": Secret(url)})
    found = await runtime.run(script, arguments, None)
    assert found == ScriptAnswer(value, refusal, found.console, found.seconds)


def test_figures_and_names_are_told() -> None:
    limits = Limits()
    assert tuple(re.findall(r"^\| `(\w+)` \| `\w+", PAGE, flags=re.MULTILINE)) == NAMES
    assert f"After {limits.calls} calls" in PAGE
    assert f"[{limits.seconds:g} seconds]" in PAGE
    assert f"[{limits.memory} MiB]" in PAGE
    assert f"[{limits.output} KiB]" in PAGE
    assert f"at once for {circuits.PAUSE:g} seconds" in PAGE
    assert (circuits.FAILURES, circuits.LONGEST_PAUSE, limits.idle, limits.concurrency) == (5, 60, 300, 4)
