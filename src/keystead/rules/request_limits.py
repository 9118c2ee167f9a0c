"""How often anybody may ask, whatever they ask: numbers that a person never meets, and that a flood meets at once.

None of them is a lock. Each bucket is of somebody who cannot be somebody else: of an address, or of a client or person
who has proved to be it. None is of a name that anybody can write into a request, since it could be used up for another.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from keystead.rules.buckets import Bucket, source
from keystead.secrecy import fingerprint

Group = Literal["authentication", "userinfo", "my_account", "management", "pages"]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests at once, and so many more a minute."""

    burst: int
    minute: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The limits of a group of routes."""

    address: Rate
    """Of one address, whoever asks from there."""
    proved: Rate | None = None
    """Of one client or person, from wherever they ask; charged once they have proved to be it."""
    page: Rate | None = None
    """Of one page of one login from one address, shown and sent apart."""


LIMITS: Final[dict[Group, Sizes]] = {
    # A company behind one address, or a backend that logs in all its people: fifty a second.
    "authentication": Sizes(address=Rate(3000, 3000), proved=Rate(6000, 6000)),
    # Auth0 has 10 and 5 a minute; whoever checks a token at each call of an API would meet that (TK-7).
    "userinfo": Sizes(address=Rate(6000, 6000), proved=Rate(120, 120)),
    # A person, not the client: everybody who can log in holds tokens of a public client, and could use up its limit.
    "my_account": Sizes(address=Rate(1200, 1200), proved=Rate(300, 300)),
    # Fifty a second, as at Auth0; several clients of one address, such as a deployment and a backend, are apart.
    "management": Sizes(address=Rate(6000, 6000), proved=Rate(3000, 3000)),
    # UL-13, whose 10 posts of one page are exactly as many as a person may mistype: a lock has something to say to
    # them, and this has not. So a page takes more than any lock there is at the same place.
    "pages": Sizes(address=Rate(500, 500), page=Rate(60, 30)),
}

_GROUPS: Final[dict[str, Group | None]] = {
    "u": "pages",
    "api": "management",
    "userinfo": "userinfo",
    "me": "my_account",
    # The same for everybody, and read by what watches over servers, or checks tokens: to refuse would break others.
    **dict.fromkeys(
        (".well-known", "static", "avatars", "favicon.ico", "healthz", "readyz", "metrics", "openapi.json", "dev")
    ),
}
"""By what a path begins with; all else is the Authentication API."""

_DIGITS: Final = 16
"""Of the hash that stands for a state, which may be anything that somebody made up."""


HEADERS: Final = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
"""How an answer says where a bucket stands, in the order of ``Standing``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bucket stands after a request, as its headers say it.

    ``reset`` is in seconds since 1970: when all of it will be there again; where there is none left, when to come back.
    """

    limit: int
    left: int
    reset: int


def group_of(path: str) -> Group | None:
    """Return which group a path belongs to; ``None`` where there is no limit."""
    return _GROUPS.get(path.split("/", 2)[1], "authentication")


def address_bucket(group: Group, address: str, factor: int) -> Bucket:
    """Return the bucket of an address; of what is no address, one for all."""
    return _bucket(f"request/{group}/address", source(address), LIMITS[group].address, factor)


def proved_bucket(group: Group, who: str, factor: int) -> Bucket | None:
    """Return the bucket of a client or person who has proved to be it, where the group has one."""
    rate = LIMITS[group].proved
    return _bucket(f"request/{group}/proved", who, rate, factor) if rate else None


def page_bucket(group: Group, address: str, page: str, state: str, factor: int) -> Bucket | None:
    """Return the bucket of a page, shown or sent, of the login that ``state`` names, where the group has one.

    Without a state there is no login, and whole companies would share one.
    """
    rate = LIMITS[group].page
    if rate is None or not state:
        return None
    return _bucket(f"request/{group}/page", f"{source(address)}/{page}/{fingerprint(state)[:_DIGITS]}", rate, factor)


def told_bucket(bucket: Bucket) -> Bucket:
    """Return the bucket for entries in the journal about a full bucket: one a minute."""
    return Bucket(bucket.prefix, f"told/{bucket.key}", 1, 1 / 60)


def standing(bucket: Bucket, left: float, wait: float, now: float) -> Standing:
    """Return how a bucket stands that has so much left, or none for so many seconds to ``wait``."""
    until = wait or (bucket.capacity - left) / bucket.refill
    return Standing(int(bucket.capacity), int(left), ceil(round(now + until, 6)))


def _bucket(prefix: str, who: str, rate: Rate, factor: int) -> Bucket:
    return Bucket(prefix, f"{prefix}/{who}", rate.burst * factor, rate.minute * factor / 60)
