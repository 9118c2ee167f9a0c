"""A web service: somebody signs up."""

import json
import ssl
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from keystead_scripts import NewUser, ValidationError, configuration


def create(user: NewUser) -> None:
    status, text = call("create", dict(user))
    if status == 409:
        raise refusal(text, "user_exists", "There is a user with this e-mail address already.")
    if status == 422:
        raise refusal(text, "", "The user was not accepted.")
    if not 200 <= status < 300:
        raise unexpected(status)


def refusal(text: bytes, code: str, words: str) -> ValidationError:
    """Return what the service says in its answer; people are shown it, so it is to be written for them."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    return ValidationError(code or str(said.get("code") or "invalid"), str(said.get("message") or words))


def call(path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """POST JSON with basic authentication. Redirects are not followed: they would take the credentials along."""
    url = urlsplit(f"{configuration['SERVICE_URL'].rstrip('/')}/{path}")
    if url.scheme == "https":
        # The service must prove to be this very host, by SERVICE_CA or by an authority that this machine knows.
        trusted = ssl.create_default_context(cadata=configuration.get("SERVICE_CA") or None)
        connection: HTTPConnection = HTTPSConnection(url.hostname or "", url.port, timeout=10, context=trusted)
    elif configuration.get("SERVICE_TLS") == "off":
        connection = HTTPConnection(url.hostname or "", url.port, timeout=10)
    else:
        raise ValueError("SERVICE_URL must begin with https://, unless SERVICE_TLS is off")
    credentials = f"{configuration['SERVICE_USER']}:{configuration['SERVICE_PASSWORD']}"
    headers = {
        "authorization": f"Basic {b64encode(credentials.encode()).decode()}",
        "content-type": "application/json",
        "accept": "application/json",
    }
    with closing(connection):
        connection.request("POST", url.path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read(100_001)
        if len(text) > 100_000:
            raise ValueError("The service answered too much.")
        return answer.status, text


def unexpected(status: int) -> Exception:
    return RuntimeError(f"The service answered with status {status}.")
