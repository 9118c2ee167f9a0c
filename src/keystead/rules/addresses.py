"""What is an address, and its one spelling: what is counted and recorded must not depend on how it was written."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final

_LONGEST: Final = 45
"""Characters of the longest address, which is what columns hold."""

_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")
"""The name of a network card. Python takes any text behind the ``%``."""


def spelled(text: str) -> str | None:
    """Return an IPv4 or IPv6 address in its one spelling; ``None`` for anything else, such as a name or a list.

    On a socket for both versions an IPv4 address comes as ``::ffff:a.b.c.d``: it is the same address.
    """
    if len(text) > _LONGEST:
        return None
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None and not _ZONE.fullmatch(found.scope_id):
            return None
        return str(found.ipv4_mapped or found)
    return str(found)
