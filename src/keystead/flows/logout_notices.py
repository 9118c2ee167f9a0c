"""Clients are told that a session has ended: queued in the transaction that ends it, delivered by the worker.

So no logout ever waits for a client, and none fails because of one (OpenID Connect Back-Channel Logout 1.0 §2.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from keystead.db import clients, jobs, sessions
from keystead.db.sessions import EndedSession
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.clients import Initiator
from keystead.rules.logout_notices import EXPIRED, INITIATORS, LogoutNotice, addresses
from keystead.rules.revocation import Event
from keystead.secrecy import fingerprint

JOB: Final = "logout_notice"
PURPOSE: Final = "logout-notices"
"""What a queued notice is sealed for: it names a person, a session and an address."""


@dataclass(frozen=True)
class LogoutNotices:
    """Queues what clients asked to be told."""

    sealer: Sealer
    clock: Clock
    entropy: Entropy

    def queue(self, session: Session, ended: Sequence[EndedSession], event: Event) -> None:
        """Queue one notice for each session that ended and each address of a client that got a code out of it.

        Within the unit of work that ends them. A client that registered no address, or does not want to hear of such
        an event, costs one read and nothing else.
        """
        self._queue(session, ended, INITIATORS[event])

    def expire(self, session: Session) -> None:
        """Sweep out the sessions that are over, and queue their notices, where a client asked to be told of that."""
        known = clients.with_logout_settings(session)
        asking = [client_id for client_id, settings in known if addresses(settings, EXPIRED)]
        if asking:
            self._queue(session, sessions.sweep_of(session, asking, self.clock()), EXPIRED)

    def _queue(self, session: Session, ended: Sequence[EndedSession], initiator: Initiator) -> None:
        wanted: dict[str, tuple[str, ...]] = {}
        for over in ended:
            for client_id in over.client_ids:
                if client_id not in wanted:
                    client = clients.get(session, client_id)
                    wanted[client_id] = addresses(client.settings, initiator) if client else ()
                for url in wanted[client_id]:
                    self._add(session, client_id, url, over)

    def _add(self, session: Session, client_id: str, url: str, over: EndedSession) -> None:
        notice = LogoutNotice(client_id=client_id, url=url, user_id=over.user_id, session_id=over.id)
        sealed = self.sealer.seal(notice.model_dump_json().encode("utf-8"), PURPOSE)
        # One call to a client at a time: one that hangs must not hold up what others are told.
        turn = fingerprint(client_id)[:20]
        jobs.add(session, self.entropy.id("job_", 24), JOB, sealed, self.clock(), turn=turn)
