"""How often may somebody try: which bucket an attempt is charged to, how large it is, and what a refusal says."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    The key is ``prefix`` and then what somebody typed, which is nothing for the log.
    """

    prefix: str
    key: str
    capacity: float
    refill: float


def login_bucket(connection_id: str, identifier: Identifier | None, typed: str, address: str) -> Bucket:
    """Return the bucket of one identifier and one address (AP-3, default mode).

    Keyed by the canonical identifier, so that another spelling is not another bucket. Text
    that is no identifier is counted too, under what was typed: it costs the same hash.
    """
    prefix = f"login/{connection_id}/{source(address)}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, typed)}", MAX_ATTEMPTS, 1 / BLOCK.total_seconds())


@dataclass(frozen=True, slots=True)
class LoginKey:
    """What the key of a login bucket says."""

    connection_id: str
    source: str
    kind: str
    value: str


def read_login_key(key: str) -> LoginKey | None:
    """Take the key of a login bucket apart again; ``None`` for any other key. A source may have a slash in it."""
    found = re.fullmatch(r"login/([^/]+)/([^/]+(?:/64)?)/([a-z_]+):(.*)", key, re.DOTALL)
    return LoginKey(*found.groups()) if found else None


def is_full(spent: float, since: datetime, now: datetime) -> bool:
    """Whether a login bucket has no room for another attempt."""
    left_over = spent - (now - since).total_seconds() / BLOCK.total_seconds()
    return left_over + 1 > MAX_ATTEMPTS


def reset_bucket(connection_id: str, identifier: Identifier | None, typed: str, address: str) -> Bucket:
    """Return the bucket for asking for resets: ten, then one a minute, by address and identifier (RS-4)."""
    prefix = f"reset/{connection_id}/{source(address)}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, typed)}", 10, 1 / 60)


def code_bucket(connection_id: str, identifier: Identifier, address: str) -> Bucket:
    """Return the bucket for having codes sent: five, then one in five minutes, by address and identifier."""
    prefix = f"code/{connection_id}/{source(address)}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 5, 1 / 300)


def all_codes_bucket(connection_id: str, identifier: Identifier) -> Bucket:
    """Return the bucket for all codes that one identifier is sent, whoever asks: thirty a day, so that a crowd of
    addresses cannot guess its way through a million codes."""
    prefix = f"codes/{connection_id}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 30, 30 / 86_400)


def recovery_bucket(connection_id: str, user_id: str | None, identifier: Identifier | None, typed: str) -> Bucket:
    """Return the bucket for guesses at the short codes that lead to a new passkey: twenty in thirty days.

    Of one account, by whichever identifier, page, code and address, so that a crowd cannot guess its way in over the
    years. Beyond, codes are sent that are too long to be guessed: nobody is kept from their account by who guesses.
    """
    prefix = f"recovery/{connection_id}"
    return Bucket(prefix, f"{prefix}/{user_id or _who(identifier, typed)}", 20, 20 / BLOCK.total_seconds())


def message_bucket(connection_id: str, identifier: Identifier, about: str) -> Bucket:
    """Return the bucket for messages that nobody waits for, whoever causes them: two, then one an hour."""
    prefix = f"message/{connection_id}/{about}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 2, 1 / 3600)


def _who(identifier: Identifier | None, typed: str) -> str:
    return f"{identifier.kind}:{identifier.value}" if identifier else f"text:{typed[:128]}"


def secret_bucket(client_id: str, address: str) -> Bucket:
    """Return the bucket for guesses at a client's secret: ten, then one each six seconds."""
    prefix = f"client/{source(address)}"
    return Bucket(prefix, f"{prefix}/{client_id[:64]}", MAX_ATTEMPTS, 1 / 6)


def places_of_one(workers: int, queue: int) -> int:
    """Return how many hashes one source may have under way: half of all, but never fewer than there are threads.

    Whoever is alone may use every thread, and a whole office may log in at once; nobody can fill the queue from one
    address.
    """
    return max(workers, (workers + queue) // 2)


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
