"""What an attempt is charged to: which bucket, how large it is, and how it empties again."""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from keystead.rules import base64url
from keystead.rules.identifiers import Identifier
from keystead.secrecy import fingerprint

BLOCK: Final = timedelta(days=30)
"""How long a block lasts after the last attempt that counted (AP-7)."""

WRONG_KNOWN: Final = timedelta(days=1)
"""How long it is remembered, as a keyed hash, that a password was wrong for somebody."""

UNKNOWN: Final = "unknown"
"""What stands for every address that is none."""

ACCOUNT: Final = "account"
"""What stands for the kind of an identifier in the lock of an account that the customer's database named; its value is
the id."""

Where = Literal["from", "device", "strangers", "anywhere"]
"""Whose attempts a lock counts: an address's, a device's, those of all strangers, everybody's."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What an attempt is charged to: ``capacity`` tries, of which ``refill`` come back each second.

    The key is ``prefix`` and then what somebody typed, which is nothing for the log. With ``lasts`` the bucket is empty
    again, all at once, so many seconds after the last charge.
    """

    prefix: str
    key: str
    capacity: float
    refill: float = 0.0
    lasts: float | None = None

    def left_over(self, spent: float, passed: float) -> float:
        """Return what is left of ``spent``, which was in it ``passed`` seconds ago."""
        is_over = self.lasts is not None and passed >= self.lasts
        return 0.0 if is_over else max(spent - passed * self.refill, 0.0)

    def is_full(self, spent: float, passed: float) -> bool:
        """Whether it has no room for one attempt more, of which ``spent`` was in it ``passed`` seconds ago."""
        return self.left_over(spent, passed) + 1 > self.capacity


EVER: Final = 1e15
"""Longer than anything lasts, in seconds, and a number to databases."""


def empty_after(capacity: float, refill: float, lasts: float | None) -> float:
    """Return how many seconds after its last charge a bucket is empty for certain."""
    return min(lasts or EVER, capacity / refill if refill else EVER)


def seconds_to_wait(over: float, passed: float, refill: float, lasts: float | None) -> float:
    """Return when a charge that was refused has room: it was ``over`` the capacity ``passed`` seconds ago, when the
    bucket was last charged."""
    regained = over / refill if refill else EVER
    return max(min(regained, lasts or EVER) - passed, 0.0)


@dataclass(frozen=True, slots=True)
class LockKey:
    """What the key of a lock says. ``value`` is a canonical identifier, ``which`` the address or device, if any."""

    connection_id: str
    kind: str
    value: str
    where: Where
    which: str = ""

    def __str__(self) -> str:
        end = f"{self.where}/{self.which}" if self.which else self.where
        return f"{locks_of(self.connection_id, self.kind, self.value)}{end}"


def locks_of(connection_id: str, kind: str, value: str) -> str:
    """Return what the keys of all locks of one identifier begin with."""
    return f"lock/{connection_id}/{kind}:{value}/"


def read_lock_key(key: str) -> LockKey | None:
    """Take the key of a lock apart again; ``None`` for any other key. What was typed may have slashes in it."""
    ends = r"(from)/([^/]+(?:/64)?)|(device)/([^/]+)|(strangers)|(anywhere)"
    found = re.fullmatch(rf"lock/([^/]+)/([a-z_]+):(.*)/(?:{ends})", key, re.DOTALL)
    if found is None:
        return None
    connection_id, kind, value, *end = found.groups()
    where, which = (*(part for part in end if part), "")[:2]
    return LockKey(connection_id, kind, value, where, which)  # type: ignore[arg-type]  # one of the four


def lock_bucket(key: LockKey, capacity: float, *, leaks: bool = False) -> Bucket:
    """Return the bucket of a lock: full, it stays so until 30 days after the last charge (AP-7).

    One that ``leaks`` regains its capacity over those 30 days instead: nobody could otherwise come in as a stranger
    again while somebody keeps trying.
    """
    prefix = "/".join(part for part in ("lock", key.connection_id, key.where, key.which) if part)
    seconds = BLOCK.total_seconds()
    if leaks:
        return Bucket(prefix, str(key), capacity, capacity / seconds)
    return Bucket(prefix, str(key), capacity, lasts=seconds)


def same_user_bucket(connection_id: str, who: tuple[str, str], where: str) -> Bucket:
    """Return the bucket of all logins of one identifier from one source or device: twenty, then ten a minute (AP-1)."""
    prefix = f"rate/{connection_id}/{where}"
    return Bucket(prefix, f"{prefix}/{who[0]}:{who[1]}", 20, 10 / 60)


AddressStage = Literal["login", "signup"]


def address_bucket(stage: AddressStage, address: str, most: int, milliseconds: int) -> Bucket:
    """Return the bucket of one address for failed logins or sign-ups: one comes back each ``milliseconds`` (AP-9)."""
    return Bucket(f"address/{stage}", address_key(stage, address), most, 1000 / milliseconds)


def address_key(stage: AddressStage, address: str) -> str:
    """Return the key of that bucket, whatever its size."""
    return f"address/{stage}/{source(address)}"


def passkey_bucket(credential_id: bytes, address: str, most: int) -> Bucket:
    """Return the bucket of one passkey and one address for wrong signatures (NIST SP 800-63B §3.2.2).

    Whoever fails elsewhere, or made the id up, fills a bucket that its owner never meets.
    """
    prefix = f"passkey/{source(address)}"
    # An id may be 4 KiB long, and anybody may make one up.
    which = fingerprint(base64url.encode(credential_id))
    return Bucket(prefix, f"{prefix}/{which}", most, lasts=BLOCK.total_seconds())


def wrong_bucket(connection_id: str, who: tuple[str, str], place: str, mac: str) -> Bucket:
    """Return the mark that a password, of which ``mac`` is a keyed hash, was wrong for somebody not long ago.

    Of one ``place``: elsewhere, what such a try costs would tell strangers which passwords the owner has typed.
    """
    return Bucket(
        f"wrong/{connection_id}",
        f"{marks_of(connection_id, *who)}{place}/{mac}",
        1,
        lasts=WRONG_KNOWN.total_seconds(),
    )


def marks_of(connection_id: str, kind: str, value: str) -> str:
    """Return what the keys of all marks of one identifier begin with."""
    return f"wrong/{connection_id}/{kind}:{value}/"


def reset_bucket(connection_id: str, identifier: Identifier | None, typed: str, address: str) -> Bucket:
    """Return the bucket for asking for resets: ten, then one a minute, by address and identifier (RS-4)."""
    prefix = f"reset/{connection_id}/{source(address)}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, typed)}", 10, 1 / 60)


def code_bucket(connection_id: str, identifier: Identifier, address: str) -> Bucket:
    """Return the bucket for having codes sent: five, then one in five minutes, by address and identifier."""
    prefix = f"code/{connection_id}/{source(address)}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 5, 1 / 300)


CodesTo = Literal["signup", "reset"]
"""What short codes lead to: apart, so that who asks for the one keeps nobody from the other."""


def all_codes_bucket(to: CodesTo, connection_id: str, identifier: Identifier) -> Bucket:
    """Return the bucket for all short codes that one identifier is sent, whoever asks: thirty a day, so that a crowd of
    addresses cannot guess its way through a million codes.

    Beyond, what is sent cannot be guessed: a link to a new password, a long code to a sign-up.
    """
    prefix = f"codes/{to}/{connection_id}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 30, 30 / 86_400)


def guesses_bucket(to: CodesTo, connection_id: str, identifier: Identifier) -> Bucket:
    """Return the bucket for guesses at the short codes of one identifier: twenty in thirty days.

    By whichever page, code and address: a crowd would else have thirty codes a day to guess at, for ever. Beyond, what
    is sent cannot be guessed.
    """
    prefix = f"guesses/{to}/{connection_id}"
    return Bucket(prefix, f"{prefix}/{_who(identifier, '')}", 20, 20 / BLOCK.total_seconds())


def asked_bucket(address: str) -> Bucket:
    """Return the bucket of one address for asking for messages, whoever they are for: a hundred, then ten a minute.

    Each leaves rows behind, for nobody too, so that nobody can see whether there is somebody.
    """
    return Bucket("asked", f"asked/{source(address)}", 100, 10 / 60)


def noted_bucket(what: str, address: str) -> Bucket:
    """Return the bucket of what is written down of one address's refusals: five hundred, then one a second.

    Refusals cost whoever is refused nothing, and must not fill the database.
    """
    return Bucket(f"noted/{what}", f"noted/{what}/{source(address)}", 500, 1.0)


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


def secret_bucket(client_id: str, address: str) -> Bucket:
    """Return the bucket for guesses at a client's secret: ten, then one each six seconds."""
    prefix = f"client/{source(address)}"
    return Bucket(prefix, f"{prefix}/{client_id[:64]}", 10, 1 / 6)


def _who(identifier: Identifier | None, typed: str) -> str:
    return ":".join(identifier.counted_as) if identifier else f"text:{typed[:128]}"


@lru_cache(4096)
def source(address: str) -> str:
    """Return what stands for an address: itself, or the /64 of an IPv6 address, which one person may own whole.

    What is no address shares one bucket: a missing address must not mean a missing limit (row 33).
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return str(parsed)
