"""An entry of the journal as administrators and log streams read it (auth0-behaviour 2.10)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystead.rules.claims import iso

_STRATEGY: Final = {"strategy": "auth0", "strategy_type": "database"}
_MOBILE: Final = ("Mobi", "Android", "iPhone", "iPad")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One row of the journal, with the names that its ids have today; what is unknown is ``None`` or empty."""

    log_id: str
    date: datetime
    type: str
    user_id: str | None
    connection_id: str | None
    client_id: str | None
    ip: str
    user_agent: str
    description: str | None
    decision: str | None
    """The id under which it is kept why its request was refused, if it was."""
    details: dict[str, Any]
    actor: str | None
    """Who did it, where that is not the account that it is about: a client, an administrator, the command line."""
    request_id: str | None
    seal: int | None
    """The batch of the chain that it is in; none for the first seconds."""
    connection: str | None = None
    client_name: str | None = None
    user_name: str | None = None


def on_wire(entry: LogEntry, hostname: str = "") -> dict[str, Any]:
    """Return an entry as Auth0's API shows it; what there is none of is left out, but ``description`` is ``null``.

    ``actor``, ``request_id``, ``decision_id`` and ``seal`` are ours. ``hostname`` is ours as people see it.
    """
    shown: dict[str, Any] = {
        "connection": entry.connection,
        "connection_id": entry.connection_id,
        "client_id": entry.client_id,
        "client_name": entry.client_name,
        "ip": entry.ip,
        "hostname": hostname,
        "user_id": entry.user_id,
        "user_name": entry.user_name,
        "user_agent": entry.user_agent,
        "actor": entry.actor,
        "request_id": entry.request_id,
        "decision_id": entry.decision,
        "seal": entry.seal,
    }
    return {
        "_id": entry.log_id,
        "log_id": entry.log_id,
        "date": iso(entry.date),
        "type": entry.type,
        "description": entry.description,
        **{name: value for name, value in shown.items() if value not in (None, "")},
        **(_STRATEGY if entry.connection_id else {}),
        "isMobile": any(mark in entry.user_agent for mark in _MOBILE),
        "details": entry.details,
    }
