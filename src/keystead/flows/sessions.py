"""Login sessions of browsers: opened after a proof, read on every hosted page, ended by logout or an administrator."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, journal, sessions
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import InvalidGrant
from keystead.flows.accounts import Entered
from keystead.flows.journal import Journal
from keystead.flows.revocation import Revocation
from keystead.flows.tenant_settings import TenantSettings
from keystead.ports import Clock, Entropy
from keystead.rules import revocation
from keystead.rules.claims import iso
from keystead.rules.events import Caller, Event
from keystead.rules.profiles import Profile
from keystead.rules.revocation import Subject
from keystead.secrecy import Secret


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened or renewed, the value of the cookie that leads to it, and whose it is."""

    record: SessionRecord
    cookie: Secret[str]
    profile: Profile


@dataclass(frozen=True)
class Sessions:
    """Rows, not cookies: what is only in a cookie cannot be ended."""

    db: Database
    revocation: Revocation
    settings: TenantSettings
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def open(self, entered: Entered, caller: Caller, *, replaces: Secret[str] | None) -> Opened:
        """Open a session for somebody who proved who they are, or renew the browser's own where it is theirs.

        No cookie is ever reused: the old value is dead either way (V7.2.4). Somebody else's session ends, as if they
        had logged out. Raises ``InvalidGrant`` where they were signed out everywhere since they proved themselves.
        """
        secret, now, limits = self.entropy.token(32), self.clock(), await self.settings.limits()
        persistent = limits.mode == "persistent"
        span = limits.of(persistent=persistent)
        old = await self.read(replaces)
        mine = old is not None and old.user_id == entered.profile.user_id
        record = SessionRecord(
            id=old.id if old and mine else self.entropy.token(16),
            user_id=entered.profile.user_id,
            methods=[{"name": entered.method, "timestamp": iso(now)}],
            authenticated_at=entered.authenticated_at,
            seen_at=now,
            idle_expires_at=now + span.idle,
            expires_at=now + span.lifetime,
            persistent=persistent,
        )
        await self.db.write(self._open, record, secret, caller, old)
        return Opened(record, Secret(f"{record.id}.{secret}"), entered.profile)

    async def read(self, cookie: Secret[str] | None, caller: Caller | None = None) -> SessionRecord | None:
        """Return the session that a cookie leads to, if it is still good; renew its idle time now and then."""
        session_id, secret = _parts(cookie)
        if not secret:
            return None
        now = self.clock()
        found = await self.db.read(sessions.get, session_id, secret, now)
        if found:
            span = (await self.settings.limits()).of(persistent=found.persistent)
            if now - found.seen_at >= span.touch:
                await self.db.write(sessions.touch, found.id, now, now + span.idle, caller)
        return found

    async def end(self, cookie: Secret[str] | None, caller: Caller, *, client_id: str | None = None) -> None:
        """End the session that a cookie leads to, with what came of it; no error where there is none.

        One that is merely over has ended nothing: whoever signs out means its refresh tokens too.
        """
        found = await self.not_ended(cookie)
        if found is not None:
            event = self.journal.event("slo", caller, user_id=found.user_id, client_id=client_id, session_id=found.id)
            await self.db.write(self._end, found, _parts(cookie)[1], event)

    async def not_ended(self, cookie: Secret[str] | None) -> SessionRecord | None:
        """Return the session that a cookie leads to, also where it is over and nobody has ended it."""
        session_id, secret = _parts(cookie)
        return await self.db.read(sessions.not_ended, session_id, secret) if secret else None

    def _open(
        self, session: Session, record: SessionRecord, secret: str, caller: Caller, old: SessionRecord | None
    ) -> None:
        if old is not None and old.id != record.id:
            whose = Subject(old.user_id, old.id)
            self.revocation.apply(session, revocation.Event.LOGGED_OUT, whose, record.seen_at)
        profile = accounts.by_id(session, record.user_id, lock=True)
        if profile is None or profile.signed_out_since(record.authenticated_at):
            raise InvalidGrant(detail="signed out while logging in")
        if old is not None and old.id == record.id:
            if not sessions.renew(session, record, secret, caller):
                raise InvalidGrant(detail="logged out while logging in")
            return
        sessions.put(session, record, secret, caller)

    def _end(self, session: Session, found: SessionRecord, secret: str, event: Event) -> None:
        if sessions.not_ended(session, found.id, secret):
            self.revocation.apply(session, revocation.Event.LOGGED_OUT, Subject(found.user_id, found.id), event.date)
            journal.add(session, event)


def _parts(cookie: Secret[str] | None) -> tuple[str, str]:
    """Return the id and the secret of a session's cookie; nothing where there is none."""
    session_id, _, secret = cookie.reveal().partition(".") if cookie else ("", "", "")
    return session_id, secret
