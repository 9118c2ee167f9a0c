"""Authlib: a web application that logs people in, and clients of the token endpoint that prove themselves."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from browser import ON_SQLITE
from browser.site import Json, Site, listening, port_of
from clients.elsewhere import Elsewhere, RaisedThere, There
from clients.guest import Guest
from clients.robot import signing_robot
from world import claims_of

pytestmark = [ON_SQLITE, pytest.mark.timeout(300)]  # the clients' environment is made by whoever comes first

PROGRAM = Path(__file__).with_name("programs") / "authlib_app.py"
SECRET_METHODS = ("client_secret_basic", "client_secret_post")


@contextmanager
def running(python: Path, site: Site, environment: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    """Register the application and start it; a socket that listens already makes the first request wait for it."""
    with listening() as bound:
        url = f"http://127.0.0.1:{port_of(bound)}"
        app = site.manage(
            "POST", "/clients", {"name": "App", "app_type": "regular_web", "callbacks": [f"{url}/callback"]}
        )
        told = {
            "socket": bound.fileno(),
            "discovery": f"{site.url}/.well-known/openid-configuration",
            "callback": f"{url}/callback",
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
        }
        command = [str(python), "-I", str(PROGRAM), json.dumps(told)]
        with subprocess.Popen(command, env=dict(environment), pass_fds=[bound.fileno()]) as process:
            yield url, app
            process.terminate()


def endpoint(elsewhere: Elsewhere, site: Site, **about: Any) -> There:
    """Make Authlib's client of our token endpoint."""
    of_ours = {"token_endpoint": f"{site.url}/oauth/token", "revocation_endpoint": f"{site.url}/oauth/revoke"}
    return elsewhere.make("authlib.integrations.httpx_client.OAuth2Client", **of_ours, **about)


def test_a_web_application(
    python: Path, site: Site, trusting: Mapping[str, str], guest: Guest, elsewhere: Elsewhere
) -> None:
    """Discovery, a code with PKCE, the ID token, a refresh and userinfo; then the token is given back."""
    site.has_account("ann@example.com")
    with running(python, site, trusting) as (url, app), httpx.Client(base_url=url, timeout=60) as browser:
        asked = browser.get("/log-in").headers["location"]
        landed = guest.logs_in(asked)
        found = browser.get(landed.target).json()
    assert found["claims"]["iss"] == f"{site.url}/"
    assert found["about"]["email"] == found["claims"]["email"] == "ann@example.com"

    about = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    client = endpoint(elsewhere, site, **about)
    client.revoke_token(f"{site.url}/oauth/revoke", token=found["refresh_token"])
    with pytest.raises(RaisedThere, match="invalid_grant"):
        client.refresh_token(f"{site.url}/oauth/token", refresh_token=found["refresh_token"])


@pytest.mark.parametrize("method", SECRET_METHODS)
def test_a_machine_with_a_secret(elsewhere: Elsewhere, site: Site, method: str) -> None:
    """Both ways are taken, whatever the client is registered for."""
    client = endpoint(elsewhere, site, token_endpoint_auth_method=method, **site.first["clients"]["management"])
    token = client.fetch_token(grant_type="client_credentials", audience=f"{site.url}/api/v2/")
    assert token["token_type"] == "Bearer"


def test_a_machine_with_a_key(elsewhere: Elsewhere, site: Site) -> None:
    """``private_key_jwt``: Authlib's assertion is for the token endpoint, and good for an hour."""
    robot = signing_robot(site)
    about = {"client_id": robot.client_id, "client_secret": robot.key.private}
    asked = {"grant_type": "client_credentials", "audience": f"{site.url}/api/v2/"}

    client = endpoint(elsewhere, site, token_endpoint_auth_method="private_key_jwt", **about)
    proof = elsewhere.make("authlib.oauth2.rfc7523.PrivateKeyJWT", f"{site.url}/oauth/token")
    client.register_client_auth_method(proof.as_argument())
    for _ in range(2):
        token = client.fetch_token(**asked)
        assert claims_of(token["access_token"])["azp"] == robot.client_id
