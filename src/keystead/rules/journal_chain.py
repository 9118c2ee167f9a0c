"""How the journal is chained: what is hashed of an entry and of a batch, said once for sealing and for verifying.

A batch's ``digest`` is SHA-256 over the digest before it (32 bytes, zeros before the first), its number (8 bytes, the
most significant first) and its leaves; a leaf is the SHA-256 of an entry's canonical bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from keystead.rules.claims import iso
from keystead.rules.log_entries import LogEntry

LEAF_BYTES: Final = 32
_HASHED: Final = (
    *("log_id", "date", "type", "user_id", "connection_id", "client_id", "ip", "user_agent", "description"),
    *("decision", "details", "actor", "request_id"),
)
"""Everything that an entry says: all of its row but the batch that it is in, which the chain itself says."""


class Head(NamedTuple):
    """Where a chain ends: what to keep elsewhere, so that nobody can cut off what came before."""

    number: int
    digest: str


NOTHING: Final = Head(0, "00" * 32)
"""What stands before the first batch."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One batch of the chain. ``leaves`` are gone where its entries were pruned."""

    number: int
    sealed_at: datetime
    first_id: str
    last_id: str
    entries: int
    leaves: bytes | None
    digest: str
    mac: str
    pruned_at: datetime | None = None
    pruned_mac: str | None = None

    @property
    def head(self) -> Head:
        """The chain up to here."""
        return Head(self.number, self.digest)

    @property
    def claim(self) -> str:
        """What its ``mac`` is made over."""
        return self._said("sealed")

    def claim_of_pruning(self, at: datetime) -> str:
        """Return what ``pruned_mac`` is made over: nobody else can say that a batch was pruned, or how old it was."""
        return self._said("pruned", _written(at))

    def on_wire(self) -> dict[str, Any]:
        """Return what administrators are shown."""
        return {
            "number": self.number,
            "sealed_at": iso(self.sealed_at),
            "first_id": self.first_id,
            "last_id": self.last_id,
            "entries": self.entries,
            "digest": self.digest,
            "pruned_at": iso(self.pruned_at) if self.pruned_at else None,
        }

    def _said(self, *what: str) -> str:
        at = _written(self.sealed_at)
        parts = (*what, self.number, at, self.entries, self.first_id, self.last_id, self.digest)
        return "\n".join(str(part) for part in parts)


def leaf(entry: LogEntry) -> bytes:
    """Return the hash of what an entry says."""
    return hashlib.sha256(canonical(entry)).digest()


def canonical(entry: LogEntry) -> bytes:
    """Return what is hashed of an entry: JSON in one spelling, the same whichever database it was kept in."""
    said = {name: getattr(entry, name) for name in _HASHED} | {"date": _written(entry.date)}
    return json.dumps(_plain(said), sort_keys=True, separators=(",", ":")).encode()


def digest(previous: str, number: int, leaves: bytes) -> str:
    """Return the hash of a batch, which holds everything before it too."""
    return hashlib.sha256(bytes.fromhex(previous) + number.to_bytes(8, "big") + leaves).hexdigest()


def leaves_of(entries: Iterable[LogEntry]) -> bytes:
    """Return the leaves of a batch, one behind the other, in the order of the ids."""
    return b"".join(leaf(entry) for entry in entries)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: Any) -> Any:
    """Write whole numbers as such: one of the databases keeps no difference between ``1`` and ``1.0``."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
