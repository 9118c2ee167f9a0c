"""What attacks need: settings of the limits, and people at other addresses."""

from typing import Any

import httpx

from keystead.db import tenant
from keystead.db.session import Database
from keystead.rules.attack_protection import BRUTE_FORCE, LOCK, SUSPICIOUS_IP
from visitor import Visitor
from world import PROMISES, World

__all__ = ["BRUTE_FORCE", "LOCK", "SUSPICIOUS_IP", "browser_at", "client_at", "guard"]


async def guard(db: Database, name: str, **members: Any) -> None:
    """Set members of one of the settings; the others are as they are by default."""
    await db.write(tenant.set_to, name, members)


def client_at(world: World, address: str) -> httpx.AsyncClient:
    """Return a program at another address."""
    transport = httpx.ASGITransport(app=world.app, client=(address, 4711))
    hooks = {"response": [PROMISES.keep]}
    return httpx.AsyncClient(transport=transport, base_url=world.settings.public_url, event_hooks=hooks)


def browser_at(world: World, address: str) -> Visitor:
    """Return a browser at another address."""
    return Visitor(world, client_at(world, address))
