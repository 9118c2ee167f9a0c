"""openid-client, a certified client of OpenID Connect: discovery, code, refresh, userinfo, revocation, logout."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from browser import ON_SQLITE
from browser.site import Site
from clients.guest import Guest

pytestmark = [ON_SQLITE, pytest.mark.timeout(300)]  # the client is fetched by whoever comes first

PROGRAM = Path(__file__).with_name("programs") / "openid_client.mjs"
CALLBACK, BYE = "https://shop.example.com/callback", "https://shop.example.com/bye"


@pytest.mark.parametrize("push", [False, True], ids=["in the URL", "pushed"])
def test_from_discovery_to_logout(push: bool, site: Site, npm: Path, trusting: Mapping[str, str], guest: Guest) -> None:
    site.has_account("ann@example.com")
    settings = {"name": "App", "app_type": "regular_web", "callbacks": [CALLBACK], "allowed_logout_urls": [BYE]}
    app = site.manage("POST", "/clients", settings)
    told = {
        "issuer": f"{site.url}/",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "callback": CALLBACK,
        "bye": BYE,
        "push": push,
    }
    command = ["node", str(PROGRAM), str(npm), json.dumps(told)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(trusting)) as process:
        assert process.stdout is not None
        landed = guest.logs_in(process.stdout.readline().strip())
        output, _ = process.communicate(landed.target + "\n")
    found = json.loads(output)
    assert found["about"]["email"] == found["claims"]["email"] == "ann@example.com"
    assert (found["late"], found["wrong"]) == ("invalid_grant", 401)
    assert guest.opens(found["out"]).target == f"{BYE}?state=done"
    assert "/login/identifier" in guest.opens(f"{site.url}/authorize?{_asked(app['client_id'])}").text


def _asked(client_id: str) -> str:
    return f"response_type=code&client_id={client_id}&redirect_uri={CALLBACK}&scope=openid"
