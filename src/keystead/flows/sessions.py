"""Login sessions of browsers: opened after a proof, read on every hosted page, ended by logout or an administrator."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, journal, sessions
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import InvalidGrant
from keystead.flows.accounts import Admitted
from keystead.flows.journal import Journal
from keystead.ports import Clock, Entropy
from keystead.rules.claims import iso
from keystead.rules.events import Caller, Event
from keystead.rules.tokens import SESSION_IDLE, SESSION_LIFETIME, SESSION_TOUCH
from keystead.secrecy import Secret


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session, and the value of the cookie that leads to it."""

    record: SessionRecord
    cookie: Secret[str]


@dataclass(frozen=True)
class Sessions:
    """Rows, not cookies: what is only in a cookie cannot be ended."""

    db: Database
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def open(self, admitted: Admitted, caller: Caller, *, replaces: Secret[str] | None) -> Opened:
        """Open a session for somebody who was admitted; the browser's old one ends: no cookie is ever reused.

        Raises ``InvalidGrant`` where they were signed out everywhere since they proved themselves.
        """
        secret, now = self.entropy.token(32), self.clock()
        record = SessionRecord(
            id=self.entropy.token(16),
            user_id=admitted.profile.user_id,
            methods=[{"name": admitted.method, "timestamp": iso(now)}],
            authenticated_at=admitted.authenticated_at,
            seen_at=now,
            expires_at=now + SESSION_LIFETIME,
        )
        old = await self.read(replaces)
        await self.db.write(self._open, record, secret, caller, old.id if old else None)
        return Opened(record, Secret(f"{record.id}.{secret}"))

    async def read(self, cookie: Secret[str] | None) -> SessionRecord | None:
        """Return the session that a cookie leads to, if it is still good; renew its idle time now and then."""
        session_id, _, secret = cookie.reveal().partition(".") if cookie else ("", "", "")
        if not secret:
            return None
        now = self.clock()
        found = await self.db.read(sessions.get, session_id, secret, now)
        if found and now - found.seen_at >= SESSION_TOUCH:
            await self.db.write(sessions.touch, found.id, now, now + SESSION_IDLE)
        return found

    async def end(self, cookie: Secret[str] | None, caller: Caller, *, client_id: str | None = None) -> None:
        """End the session that a cookie leads to; no error where there is none."""
        found = await self.read(cookie)
        if found is not None:
            event = self.journal.event("slo", caller, user_id=found.user_id, client_id=client_id, session_id=found.id)
            await self.db.write(_end, found.id, event)

    def _open(self, session: Session, record: SessionRecord, secret: str, caller: Caller, old: str | None) -> None:
        if old is not None:
            sessions.end(session, old)
        profile = accounts.by_id(session, record.user_id, lock=True)
        if profile is None or profile.signed_out_since(record.authenticated_at):
            raise InvalidGrant(detail="signed out while logging in")
        sessions.put(session, record, secret, record.seen_at + SESSION_IDLE, caller)


def _end(session: Session, session_id: str, event: Event) -> None:
    if sessions.end(session, session_id):
        journal.add(session, event)
