"""How often may somebody try: which bucket an attempt is charged to, how large it is, and what a refusal says."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from keystead.rules.identifiers import Identifier

MAX_ATTEMPTS: Final = 10
"""Failures of one identifier from one address before the pair is blocked (AP-2)."""

BLOCK: Final = timedelta(days=30)
"""How long a block lasts after the last attempt that counted (AP-7)."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What an attempt is charged to: ``capacity`` tries, of which ``refill`` come back each second.

    The key ends in ``who``, which somebody typed and is nothing for the log; ``prefix`` is what stands before it.
    """

    prefix: str
    who: str
    capacity: float
    refill: float

    @property
    def key(self) -> str:
        """Return what the bucket is counted under."""
        return f"{self.prefix}/{self.who}"


def login_bucket(connection_id: str, identifier: Identifier | None, typed: str, address: str) -> Bucket:
    """Return the bucket of one identifier and one address (AP-3, default mode).

    Keyed by the canonical identifier, so that another spelling is not another bucket (security.md 4b row 35). Text
    that is no identifier is counted too, under what was typed: it costs the same hash.
    """
    who = f"{identifier.kind}:{identifier.value}" if identifier else f"text:{typed[:128]}"
    return Bucket(f"login/{connection_id}/{source(address)}", who, MAX_ATTEMPTS, 1 / BLOCK.total_seconds())


def secret_bucket(client_id: str, address: str) -> Bucket:
    """Return the bucket for guesses at a client's secret: ten, then one each six seconds."""
    return Bucket(f"client/{source(address)}", client_id[:64], MAX_ATTEMPTS, 1 / 6)


def places_of_one(workers: int, queue: int) -> int:
    """Return how many hashes one source may have under way: a quarter of all, but never fewer than there are threads.

    Whoever is alone may use every thread; nobody can fill the queue from one address.
    """
    return max(workers, (workers + queue) // 4)


def source(address: str) -> str:
    """Return what stands for an address: itself, or the /64 of an IPv6 address, which one person may own whole.

    What is no address shares one bucket: a missing address must not mean a missing limit (row 33).
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return str(parsed)
