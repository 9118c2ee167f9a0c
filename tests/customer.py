"""A customer with people in a database of their own: a small web service, and the action scripts that ask it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final

from keystead.rules.action_scripts import NAMES, ScriptLanguage
from world import World

Answer = dict[str, Any]
"""``{"value": …}``, or ``{"refusal": …}`` with the members of an error class."""

_NODE: Final = """
function script() {
  const given = Array.prototype.slice.call(arguments), callback = given.pop();
  const url = new URL(configuration.url + "/NAME");
  const request = require("http").request(url, {method: "POST"}, function (response) {
    let text = "";
    response.on("data", function (piece) { text += piece; });
    response.on("end", function () {
      const said = JSON.parse(text), no = said.refusal;
      if (!no) return callback(null, said.value);
      if (no.kind === "wrong_credentials") return callback(new WrongUsernameOrPasswordError(no.user_id, no.message));
      if (no.kind === "validation") return callback(new ValidationError(no.code, no.message));
      if (no.kind === "unauthorized") return callback(new UnauthorizedError(no.message));
      callback(new Error(no.message));
    });
  });
  request.on("error", callback);
  request.end(JSON.stringify(given));
}
"""

_PYTHON: Final = """
import json
from urllib.request import Request, urlopen

from keystead_scripts import UnauthorizedError, ValidationError, WrongUsernameOrPasswordError, configuration


def NAME(*given, context=None):
    given = list(given) if context is None else [*given, context]
    with urlopen(Request(configuration["url"] + "/NAME", json.dumps(given).encode())) as response:
        said = json.load(response)
    no = said.get("refusal")
    if no is None:
        return said["value"]
    if no["kind"] == "wrong_credentials":
        raise WrongUsernameOrPasswordError(no["user_id"], no["message"])
    if no["kind"] == "validation":
        raise ValidationError(no["code"], no["message"])
    if no["kind"] == "unauthorized":
        raise UnauthorizedError(no["message"])
    raise RuntimeError(no["message"])
"""


def scripts(language: ScriptLanguage, *names: str) -> dict[str, str]:
    """Return scripts that ask the web service, all of them where none is named."""
    source = _NODE if language == "node" else _PYTHON
    return {name: source.replace("NAME", name) for name in names or NAMES}


@dataclass
class Customer:
    """People by id, as the customer has them: members of the profile, and a password in clear."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, list[Any]]] = field(default_factory=list)
    """Which script asked what, in order."""
    instead: dict[str, Callable[[list[Any]], Answer]] = field(default_factory=dict)
    """What a script is answered, where it is not the usual."""
    url: str = ""
    _lock: Lock = field(default_factory=Lock)

    def add(self, email: str, password: str | None, user_id: str | None = None, **profile: Any) -> str:
        """Have somebody there, and return their id."""
        user_id = user_id or str(len(self.people) + 1)
        self.people[user_id] = {"user_id": user_id, "email": email, "password": password, **profile}
        return user_id

    def count(self, script: str) -> int:
        """Return how often a script asked."""
        return sum(name == script for name, _ in self.asked)

    def options(self, language: ScriptLanguage, *names: str, **more: Any) -> dict[str, Any]:
        """Return the options of a connection whose people are here."""
        return {
            "enabledDatabaseCustomization": True,
            "script_language": language,
            "customScripts": scripts(language, *names),
            "configuration": {"url": self.url},
            **more,
        }

    def answer(self, script: str, given: list[Any]) -> Answer:
        """Answer a script."""
        with self._lock:
            self.asked.append((script, given))
            usual: Callable[..., Answer] = getattr(self, f"_{script}")
            return self.instead[script](given) if script in self.instead else usual(*given)

    def _who(self, identifier: str, by: str = "") -> dict[str, Any] | None:
        names = ("user_id",) if by == "user_id" else ("email", "username", "phone_number")
        people = self.people.values()
        return next((each for each in people if identifier in [each.get(name) for name in names]), None)

    def _login(self, identifier: str, password: str, context: Any = None) -> Answer:
        found = self._who(identifier)
        if found is None or found["password"] != password:
            user_id = found["user_id"] if found else None
            return {"refusal": {"kind": "wrong_credentials", "user_id": user_id, "message": "no such pair"}}
        return _profile(found)

    def _get_user(self, identifier: str, context: Any = None) -> Answer:
        found = self._who(identifier, (context or {}).get("identifierType", ""))
        return _profile(found) if found else {"value": None}

    def _create(self, user: dict[str, Any], context: Any = None) -> Answer:
        if any(self._who(user[name]) for name in ("email", "username", "phone_number") if user.get(name)):
            return {"refusal": {"kind": "validation", "code": "user_exists", "message": "there already"}}
        told = {name: user[name] for name in ("username", "phone_number", "given_name") if name in user}
        user_id = self.add(user.get("email", ""), user.get("password"), **told)
        return _profile(self.people[user_id]) if context is not None else {"value": None}

    def _verify(self, email: str, context: Any = None) -> Answer:
        found = self._who(email)
        if found is not None:
            found["email_verified"] = True
        return {"value": found is not None}

    def _change_password(self, identifier: str, password: str, context: Any = None) -> Answer:
        found = self._who(identifier)
        if found is not None:
            found["password"] = password
        return {"value": found is not None}

    def _delete(self, user_id: str, context: Any = None) -> Answer:
        self.people.pop(user_id, None)
        return {"value": None}

    def _change(self, name: str, before: str, after: str) -> Answer:
        found = self._who(before)
        if found is not None:
            found[name] = after
        return {"value": found is not None}

    def _change_email(self, before: str, after: str, verified: bool, context: Any = None) -> Answer:
        return self._change("email", before, after)

    def _change_username(self, before: str, after: str, context: Any = None) -> Answer:
        return self._change("username", before, after)

    def _change_phone_number(self, before: str, after: str, verified: bool, context: Any = None) -> Answer:
        return self._change("phone_number", before, after)


def _profile(person: dict[str, Any]) -> Answer:
    return {"value": {name: value for name, value in person.items() if name != "password"}}


async def live_elsewhere(world: World, people: Customer, language: ScriptLanguage, *names: str, **options: Any) -> None:
    """Have the people of the default connection live at the customer's."""
    answer = await world.patch_options(**people.options(language, *names, **options))
    assert answer.status_code == 200, answer.text


@contextmanager
def customer() -> Iterator[Customer]:
    """Serve a customer's people on this machine."""
    found = Customer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or b"[]")
            body = json.dumps(found.answer(self.path.strip("/"), given)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
