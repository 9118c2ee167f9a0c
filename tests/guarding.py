"""What attacks need: settings of the limits, and people at other addresses."""

from typing import Any

from keystead.db import tenant
from keystead.db.session import Database
from keystead.rules.attack_protection import BRUTE_FORCE, LOCK, SUSPICIOUS_IP
from visitor import Visitor
from world import World

__all__ = ["BRUTE_FORCE", "LOCK", "SUSPICIOUS_IP", "browser_at", "guard"]


async def guard(db: Database, name: str, **members: Any) -> None:
    """Set members of one of the settings; the others are as they are by default."""
    await db.write(tenant.set_to, name, members)


def browser_at(world: World, address: str) -> Visitor:
    """Return a browser at another address."""
    return Visitor(world, world.at(address).client)
