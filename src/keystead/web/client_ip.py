"""Whose address is it: the connection's, unless hops that we were told to trust say whom they speak for."""

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers

from keystead.rules.addresses import spelled
from keystead.settings import Networks


def client_address(peer: str, headers: Headers, trusted: Networks) -> str:
    """Return the rightmost address that no trusted proxy vouches for.

    Anybody can write ``X-Forwarded-For``; each trusted proxy only appends whom it heard. So the header is read from
    the right, as long as the hop that wrote an entry is trusted. What cannot be read ends the walk at the last hop
    that could (uvicorn's own parsing trusts loopback callers blindly and is off).
    """
    hops = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
    address = _bare(peer) or peer
    while hops and is_trusted(address, trusted):
        candidate = _bare(hops.pop())
        if candidate is None:
            break
        address = candidate
    return address


def is_trusted(address: str, trusted: Sequence[object]) -> bool:
    """Whether an address is a proxy's that may say for whom it speaks."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)  # type: ignore[operator]  # networks of both versions


def _bare(hop: str) -> str | None:
    """Return the address of an entry, without a port or brackets; ``None`` where it is none."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    return spelled(hop)
