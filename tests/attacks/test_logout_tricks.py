"""A client's back-channel logout is no way to what only the server reaches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from conftest import Stencil
from keystead.errors import DeliveryFailed
from keystead.secrecy import Secret
from post_box import Gateway, gateway
from world import World, open_world

INSIDE = [
    *("http://127.0.0.1:{port}/x?y", "http://localhost:{port}/", "http://[::1]:{port}/", "https://10.0.0.1/"),
    *("https://169.254.169.254/latest", "https://[::ffff:127.0.0.1]:8443/", "https://localhost:{port}/"),
]


@pytest.fixture
async def inside() -> AsyncIterator[Gateway]:
    """A server that only this machine reaches."""
    async with gateway() as found:
        yield found


@asynccontextmanager
async def published_of(installation: Stencil, **settings: object) -> AsyncIterator[World]:
    """Open Keystead as people reach it from elsewhere."""
    url = "https://login.example.com"
    changed = installation.settings.model_copy(update={"public_url": url} | settings)
    document = installation.document | {"management_audience": f"{url}/api/v2/"}
    async with open_world(changed, document, seed=f"published {settings}") as world:
        yield world


@pytest.fixture
async def published(installation: Stencil) -> AsyncIterator[World]:
    """Keystead as people reach it from elsewhere."""
    async with published_of(installation) as world:
        yield world


@pytest.mark.parametrize("url", INSIDE)
async def test_whoever_manages_clients_cannot_have_us_call_inside(published: World, inside: Gateway, url: str) -> None:
    address = url.format(port=inside.port)
    asked = {"name": "x", "oidc_logout": {"backchannel_logout_urls": [address]}}
    made = await published.manage("POST", "/clients", asked, scope="create:clients")
    changed = await published.manage("PATCH", f"/clients/{published.client_id}", {"oidc_logout": asked["oidc_logout"]})
    for refused in (made, changed):
        assert refused.status_code == 400, refused.text
        assert "KEYSTEAD_LOGOUT_HOSTS" in refused.text
        assert "oidc_logout.backchannel_logout_urls.0" in refused.text
    calling = published.app.state.flows.logout_tokens.caller
    with pytest.raises(DeliveryFailed, match="KEYSTEAD_LOGOUT_HOSTS"):
        await calling.call(address, Secret("a token"))
    assert not inside.requests


async def test_a_client_that_was_saved_before_can_be_changed_otherwise(installation: Stencil, inside: Gateway) -> None:
    url = f"http://127.0.0.1:{inside.port}/backchannel"
    async with open_world(installation.settings, installation.document) as world:
        await world.patch_client(world.client_id, oidc_logout={"backchannel_logout_urls": [url]})
    async with published_of(installation) as world:
        await world.patch_client(world.client_id, description="Another")
    inside.statuses += [200]
    async with published_of(installation, logout_hosts=("127.0.0.0/8",)) as world:
        await world.app.state.flows.logout_tokens.caller.call(url, Secret("a token"))
    assert len(inside.requests) == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://evil.example/", "data:text/html,x", "nowhere"])
async def test_no_page_leads_to_what_is_no_address(world: World, url: str) -> None:
    for name in ("initiate_login_uri", "logo_uri"):
        if name == "logo_uri" and url.startswith("http:"):
            continue  # a picture may be anywhere
        refused = await world.manage("PATCH", f"/clients/{world.client_id}", {name: url})
        assert refused.status_code == 400, refused.text
        assert name in refused.json()["message"]
