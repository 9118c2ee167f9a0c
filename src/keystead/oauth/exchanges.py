"""What the journal says of tokens that a client was given for something, or was not (auth0-behaviour LO-6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keystead.db import journal
from keystead.db.session import Database
from keystead.errors import DomainError, Unavailable
from keystead.flows.journal import Journal
from keystead.flows.protection import is_noted
from keystead.ports import Attempts
from keystead.rules.clients import CLIENT_CREDENTIALS, CODE, REFRESH
from keystead.rules.events import Caller, Event

_DONE: Final[Mapping[str, str]] = {CODE: "seacft", REFRESH: "sertft", CLIENT_CREDENTIALS: "seccft"}
_FAILED: Final[Mapping[str, str]] = {CODE: "feacft", REFRESH: "fertft", CLIENT_CREDENTIALS: "feccft"}
"""Of the other grants the login says why it failed."""


@dataclass(frozen=True)
class Exchanges:
    """Makes the entries of exchanges that went well, and writes those of the others."""

    db: Database
    journal: Journal
    noted: Attempts
    """Counts, in memory, what is written down of each address's failures."""

    def done(
        self,
        grant_type: str,
        caller: Caller,
        client_id: str,
        *,
        user_id: str | None = None,
        connection_id: str | None = None,
    ) -> Event:
        """Return the entry, to be written in the transaction that used up what was exchanged."""
        caller = caller if user_id else caller.model_copy(update={"actor": f"{client_id}@clients"})
        about = {"user_id": user_id, "connection_id": connection_id, "client_id": client_id}
        return self.journal.event(_DONE[grant_type], caller, **about)

    async def failed(self, grant_type: str, caller: Caller, client_id: str, refusal: DomainError) -> None:
        """Write that nothing was given, and why; of whoever hammers not each time."""
        kind = _FAILED.get(grant_type)
        if kind is None or isinstance(refusal, Unavailable) or not await is_noted(self.noted, kind, caller.address):
            return
        user_id = refusal.facts.get("user_id")
        about = {"user_id": user_id if isinstance(user_id, str) else None, "client_id": client_id}
        event = self.journal.event(
            kind, caller, **about, description=refusal.text, reason=refusal.code, detail=refusal.detail
        )
        await self.db.write(journal.add, event)
