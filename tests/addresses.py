"""The same Keystead, as somebody at another address reaches it."""

from dataclasses import replace

import httpx

from world import PROMISES, World


def at(world: World, address: str) -> World:
    """Return the world of somebody at an address."""
    transport = httpx.ASGITransport(app=world.app, client=(address, 4711))
    hooks = {"response": [PROMISES.keep]}
    client = httpx.AsyncClient(transport=transport, base_url=world.settings.public_url, event_hooks=hooks)
    return replace(world, client=client)
