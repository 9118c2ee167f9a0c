"""What the journal says about a change by the Management API (``sapi``)."""

from dataclasses import dataclass
from typing import Final

from keystead.flows.journal import Journal
from keystead.rules.events import Caller, Event

SHELL: Final = "cli"
"""Who the journal says it was where a command did it: whoever runs one has the database and the secret keys anyway."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A request that changes something, and whose it is. Bodies are left out: they may hold passwords."""

    client_id: str
    caller: Caller
    method: str
    path: str

    @property
    def for_owner(self) -> Caller:
        """Who asked, as a message to the owner of an account may say it: an administrator's device is not theirs."""
        return self.caller.model_copy(update={"user_agent": "", "browser": ""})

    def event(
        self,
        journal: Journal,
        description: str,
        *,
        type: str = "sapi",
        user_id: str | None = None,
        connection_id: str | None = None,
        **details: object,
    ) -> Event:
        """Return the entry, to be written in the transaction of the change. ``details`` name members, not values."""
        return journal.event(
            type,
            self.caller,
            user_id=user_id,
            connection_id=connection_id,
            client_id=self.client_id,
            description=description,
            request={"method": self.method, "path": self.path[:500]},
            **details,
        )


def by_command(command: str) -> Operation:
    """Return what the journal will say about a command that changes something."""
    return Operation(SHELL, Caller(actor=SHELL), "keystead", command)
