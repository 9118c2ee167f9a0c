"""Whom we call that others have named: public addresses over TLS, and what the operator of the server has listed."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from keystead.errors import BadRequest

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address as networks write it that have only IPv6 (RFC 6052)."""

_HERE: Final = ("localhost", "127.0.0.0/8", "::1/128")

_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that was ever given out to the public."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """What may be reached beside public addresses."""

    setting: str
    """The setting that lists it."""
    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, setting: str, listed: tuple[str, ...], *, here: bool = False) -> "Receivers":
        """Return what a setting lists: names, and networks, which have a slash; ``here`` for this machine besides."""
        listed = (*listed, *_HERE) if here else listed
        networks = tuple(ip_network(each) for each in listed if "/" in each)
        return cls(setting, frozenset(each for each in listed if "/" not in each), networks)

    def admit(self, scheme: str, host: str, address: str) -> bool:
        """Whether a host may be called at an address that its name stands for at this moment."""
        found = _meant(ip_address(address))
        if host.lower() in self.names or any(found in each for each in self.networks):
            return True
        return scheme == "https" and _is_public(found)

    @property
    def refusal(self) -> str:
        """What is said of an address that may not be reached."""
        return f"Not an address that can be reached from here; {self.setting} names those that are not public"

    def check(self, endpoint: str, path: str) -> None:
        """Refuse an endpoint that can be told to be out of reach by itself. Raises ``BadRequest`` by path.

        Of a name that is only known when it is called: it may stand for another address each time.
        """
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        try:
            good = self.admit(parts.scheme, host, "127.0.0.1" if host == "localhost" else host)
        except ValueError:  # a name
            good = parts.scheme == "https"
        if not good:
            raise BadRequest(self.refusal, path=path)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return where packets for an address end: some of IPv6 lead to one of IPv4."""
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
