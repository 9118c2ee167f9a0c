"""What every installation has of Keystead's own, whichever version made it: its clients, and the scopes of its APIs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlmodel import Session

from keystead.db import apis, clients, connections, journal
from keystead.db.clients import ClientRecord
from keystead.flows.journal import Journal
from keystead.rules.apis import MANAGEMENT_PATH, MY_ACCOUNT_PATH
from keystead.rules.authority import MANAGEMENT_SCOPES, MY_ACCOUNT_SCOPES
from keystead.rules.events import Caller
from keystead.rules.own_clients import OWN_CLIENTS

ACTOR: Final = "keystead"
"""Who the journal says it was that added something."""

_APIS: Final[Mapping[str, Sequence[str]]] = {MANAGEMENT_PATH: MANAGEMENT_SCOPES, MY_ACCOUNT_PATH: MY_ACCOUNT_SCOPES}


def complete(session: Session, writes: Journal, now: datetime) -> list[str]:
    """Add what an older version did not make, note it in the journal, and return what that was."""
    added = add_missing(session, now)
    if added:
        event = writes.event("sapi", Caller(actor=ACTOR), description="Complete the installation", added=added)
        journal.add(session, event)
    return added


def add_missing(session: Session, now: datetime) -> list[str]:
    """Add what is missing, and return what that was. Of several processes that start at once, one adds each.

    No client is granted anything by it: a grant lists its scopes. One with ``allow_all_scopes`` has what the API has,
    as it says.
    """
    return [*_add_clients(session, now), *_add_scopes(session)]


def _add_clients(session: Session, now: datetime) -> list[str]:
    added = []
    for client_id, settings in OWN_CLIENTS.items():
        if clients.put_own(session, ClientRecord(client_id, None, settings, is_system=True, created_at=now)):
            added.append(client_id)
        else:
            clients.save(session, client_id, settings, None)
    administrators = connections.of_administrators(session)
    if administrators is not None:
        connections.enable(session, administrators.id, OWN_CLIENTS)
    return added


def _add_scopes(session: Session) -> list[str]:
    added: list[str] = []
    for identifier, scopes in _APIS.items():
        api = apis.find(session, "", identifier, lock=True)
        missing = [each for each in scopes if api and each not in api.scopes]
        if api and missing:
            apis.save(session, replace(api, scopes=api.scopes | dict.fromkeys(missing, "")))
        added += missing
    return added
