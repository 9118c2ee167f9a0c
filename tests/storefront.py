"""Keystead at a public URL of its own, and pages of the default client that show passkey dialogs themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from authenticator import Authenticator
from conftest import Stencil
from world import World, open_world

LOGIN = "https://login.example.com"
PATH = "/keystead/relying-party"


@asynccontextmanager
async def open_at(installation: Stencil, public_url: str = LOGIN, **more: Any) -> AsyncIterator[World]:
    """Open an installation at a public URL; opened again at another, it is the same one that has moved."""
    settings = installation.settings.model_copy(update={"public_url": public_url})
    document = installation.document | {"management_audience": f"{public_url}/api/v2/"}
    async with open_world(settings, document, **more) as opened:
        yield opened


async def set_to(world: World, **members: Any) -> dict[str, Any]:
    """Change the relying party, whoever is stranded, and return it."""
    answer = await world.manage("PATCH", f"{PATH}?accept_stranded=1000", members)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@dataclass(frozen=True)
class Storefront:
    """A page of the default client at some origin, in front of whatever device is at hand."""

    world: World
    origin: str = LOGIN

    async def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """Ask for the options of a ceremony, as a browser does from here."""
        body = {"client_id": self.world.client_id} | body
        answer = await self.world.client.post(f"/passkey/{path}", json=body, headers={"origin": self.origin})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def signs_up(self, device: Authenticator, email: str = "ann@example.com") -> httpx.Response:
        """Create an account with a passkey."""
        begun = await self.ask("register", user_profile={"email": email})
        response = device.create(begun["authn_params_public_key"], origin=self.origin)
        return await self.world.exchange(begun["auth_session"], response)

    async def logs_in(self, device: Authenticator) -> httpx.Response:
        """Log in with a passkey."""
        begun = await self.ask("challenge")
        response = device.get(begun["authn_params_public_key"], origin=self.origin)
        return await self.world.exchange(begun["auth_session"], response)
