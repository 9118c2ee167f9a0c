"""A web service: whose password is this?"""

import json
import ssl
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from keystead_scripts import Profile, WrongUsernameOrPasswordError, configuration


def login(identifier: str, password: str) -> Profile:
    status, text = call("login", {"identifier": identifier, "password": password})
    if status == 200:
        return profile_of(text)
    if status in (401, 404):
        raise WrongUsernameOrPasswordError(whose(text), "The service did not accept the password.")
    raise unexpected(status)


def whose(text: bytes) -> str | None:
    """Return whose password was wrong, where the service says so: kept in the journal, and told to nobody else."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    given = said.get("user_id") if isinstance(said, dict) else None
    return None if given is None else str(given)


def profile_of(text: bytes) -> Profile:
    profile: Profile = json.loads(text)
    if profile.get("user_id") in (None, ""):
        raise ValueError("The service gave no user_id.")
    return {**profile, "user_id": str(profile["user_id"])}


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
