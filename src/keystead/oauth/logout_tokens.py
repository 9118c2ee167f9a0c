"""Logout tokens: signed when a client is told that a session has ended, not when that is queued."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from sqlmodel import Session

from keystead.db import clients, jobs, journal
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import DeliveryFailed
from keystead.flows.journal import Journal
from keystead.flows.logout_notices import JOB, PURPOSE
from keystead.oauth.keys import Claims, KeyRing
from keystead.ports import Clock, Entropy, LogoutCaller, Sealer
from keystead.rules.claims import timed
from keystead.rules.events import Caller
from keystead.rules.logout_notices import LogoutNotice
from keystead.secrecy import Secret

LOGOUT_TYPE: Final = "logout+jwt"
LIFETIME: Final = timedelta(minutes=2)
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

MAX_TRIES: Final = 5
"""The last is some seven minutes after the first: a client that is away for longer has its own sessions' ends."""

DELIVERY_SECONDS: Final = 30
"""How long a call may take in all: less than the lease, or two workers would tell the same."""


@dataclass(frozen=True)
class LogoutTokens:
    """Delivers what ``LogoutNotices`` queued (OpenID Connect Back-Channel Logout 1.0)."""

    db: Database
    keys: KeyRing
    caller: LogoutCaller
    sealer: Sealer
    clock: Clock
    entropy: Entropy
    journal: Journal
    public_url: str
    types: ClassVar[tuple[str, ...]] = (JOB,)
    """The jobs that it does."""

    async def deliver(self, job: Claimed) -> None:
        """Tell a client that a session has ended. Raises ``DeliveryFailed``, or whatever went wrong.

        A client that was deleted since, or gave up the address, is not told: the address may be somebody else's now.
        """
        if job.tries > MAX_TRIES:  # each time, whoever had it ended with it
            raise DeliveryFailed(permanent=True, detail="no try came to an end")
        notice = self._opened(job)
        async with asyncio.timeout(DELIVERY_SECONDS):
            if not await self.db.read(_still_asked_for, notice):
                await self.db.write(jobs.finish, job, self.clock())
                return
            token = await self.keys.sign(self._claims(notice), LOGOUT_TYPE)
            await self.caller.call(notice.url, Secret(token))
        await self.db.write(self._finish, job, notice, "oidc_backchannel_logout_succeeded", None)

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a notice back that could not be delivered, or give it up. Return why."""
        reason = error.detail if isinstance(error, DeliveryFailed) and error.detail else type(error).__name__
        if job.tries < MAX_TRIES and not (isinstance(error, DeliveryFailed) and error.permanent):
            await self.db.write(jobs.again, job, self.clock(), reason)
        else:
            notice = None
            with suppress(Exception):  # what cannot be opened or read is why this is called, perhaps
                notice = self._opened(job)
            await self.db.write(self._finish, job, notice, "oidc_backchannel_logout_failed", reason)
        return reason

    def _opened(self, job: Claimed) -> LogoutNotice:
        return LogoutNotice.model_validate(json.loads(self.sealer.open(job.sealed, PURPOSE)))

    def _claims(self, notice: LogoutNotice) -> Claims:
        """Return the claims of §2.4: a token that no one can take for an ID token, since it has no ``nonce``."""
        return timed(self.clock(), LIFETIME) | {
            "iss": f"{self.public_url}/",
            "sub": notice.user_id,
            "aud": notice.client_id,
            "jti": self.entropy.token(16),
            "sid": notice.session_id,
            "events": {EVENT: {}},
        }

    def _finish(
        self, session: Session, job: Claimed, notice: LogoutNotice | None, type: str, reason: str | None
    ) -> None:
        if not jobs.finish(session, job, self.clock(), error=reason):
            return  # another worker has taken it over
        about: dict[str, Any] = {"tries": job.tries}
        if notice is not None:
            about |= {"user_id": notice.user_id, "client_id": notice.client_id, "session_id": notice.session_id}
        journal.add(session, self.journal.event(type, Caller(), description=reason, **about))


def _still_asked_for(session: Session, notice: LogoutNotice) -> bool:
    client = clients.get(session, notice.client_id)
    asked = client.settings.oidc_logout if client else None
    return asked is not None and notice.url in asked.backchannel_logout_urls
