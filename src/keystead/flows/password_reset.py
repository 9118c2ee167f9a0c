"""Somebody who forgot their password proves who they are by their address, and chooses a new one (RS-1 to RS-5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, attempts, connections, journal, refresh_tokens, sessions, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, InvalidTicket
from keystead.flows.emptying import empty
from keystead.flows.journal import Journal
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy, Hasher
from keystead.rules import identifiers, password_policy
from keystead.rules.attack_protection import reset_bucket
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.messages import LINK_LIFETIME, Message
from keystead.rules.profiles import Profile
from keystead.secrecy import Secret, fingerprint

PURPOSE: Final = "reset-password"


@dataclass(frozen=True, slots=True)
class Resetting:
    """Whose password is about to be chosen, and under which policy."""

    profile: Profile
    options: ConnectionOptions


@dataclass(frozen=True)
class PasswordReset:
    """A request is answered the same for everybody; a link works once, and only while the password is what it was."""

    db: Database
    hasher: Hasher
    protection: Protection
    post: Post
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str

    async def request(self, connection: ConnectionRecord, client_id: str, typed: str, caller: Caller) -> None:
        """Send a link, if there is somebody to send it to. Raises ``TooManyAttempts``, ``BadRequest`` where it is off.

        Whether there is somebody changes nothing that the caller could see: mail is sent by the worker.
        """
        options = connection.policy()
        if options.disable_self_service_change_password or not options.methods.password.enabled:
            raise BadRequest("Password reset is not available for this connection.")
        identifier = identifiers.parse(typed, options.active_identifiers(), options.precedence)
        async with self.protection.charged(reset_bucket(connection.id, identifier, typed, caller.address)):
            await self.db.write(self._request, connection.id, client_id, identifier, caller)

    def link(self, session: Session, profile: Profile, client_id: str, password_hash: str | None) -> str:
        """Make a link as a part of a unit of work, and return it. Older links stop working (RS-3)."""
        token = self.entropy.token(32)
        record = {"user_id": profile.user_id, "client_id": client_id, "password": fingerprint(password_hash or "")}
        tickets.put(session, token, PURPOSE, record, self.clock() + LINK_LIFETIME, subject=profile.user_id)
        return f"{self.public_url}/u/reset-password?ticket={token}#"

    async def look(self, token: str) -> Resetting:
        """Return what a link is about, without using it. Raises ``InvalidTicket``."""
        return await self.db.read(_look, token, self.clock())

    async def finish(self, token: str, password: Secret[str], caller: Caller) -> None:
        """Set the password. Raises ``InvalidTicket``, ``WeakPassword``, ``Busy``.

        Sessions and refresh tokens end and blocks are lifted (RS-5). The address is proved by this; where it was not
        before, whatever somebody else had put into the account goes first. Passkeys of a proved account stay.
        """
        found = await self.look(token)
        fitted = password_policy.check(password, found.options, found.profile.model_dump())
        hashed = await self.hasher.hash(fitted)
        await self.db.write(self._finish, token, hashed, caller)

    def _request(
        self, session: Session, connection_id: str, client_id: str, identifier: Identifier | None, caller: Caller
    ) -> None:
        known = accounts.by_identifier(session, connection_id, identifier) if identifier else None
        about: dict[str, Any] = {"connection_id": connection_id, "client_id": client_id}
        if known is None or not known.profile.email or known.profile.blocked:
            journal.add(session, self.journal.event("fcpr", caller, **about))
            return
        about["user_id"] = known.profile.user_id
        url = self.link(session, known.profile, client_id, known.password_hash)
        message = Message(
            channel="email",
            template="reset_email",
            to=known.profile.email,
            language=caller.language,
            variables={"url": url},
            **about,
        )
        self.post.send(session, message)
        journal.add(session, self.journal.event("scpr", caller, **about))

    def _finish(self, session: Session, token: str, hashed: str, caller: Caller) -> None:
        now = self.clock()
        profile = _look(session, token, now).profile
        if tickets.take(session, token, PURPOSE, now) is None:
            raise InvalidTicket
        if not profile.email_verified:
            empty(session, profile, now)
        values = {"password_hash": hashed, "last_password_reset": now, "email_verified": True, "updated_at": now}
        accounts.change(session, profile.user_id, values)
        sessions.end_of_account(session, profile.user_id)
        refresh_tokens.end_of_account(session, profile.user_id)
        attempts.forgive_logins(session, profile.connection_id, set(accounts.identifiers_of(session, profile.user_id)))
        about = {"user_id": profile.user_id, "connection_id": profile.connection_id}
        journal.add(session, self.journal.event("scp", caller, **about))
        if profile.email:
            what = "The password of your account was changed."
            notice = Message(
                channel="email",
                template="security_notice",
                to=profile.email,
                language=caller.language,
                variables={"what": what},
                **about,
            )
            self.post.send(session, notice)


def _look(session: Session, token: str, now: datetime) -> Resetting:
    """Return what a link is about, if it fits the password as it is now: a changed password has used every link up."""
    record = tickets.look(session, token, PURPOSE, now)
    known = accounts.with_password(session, str(record["user_id"])) if record else None
    if record is None or known is None or fingerprint(known.password_hash or "") != record["password"]:
        raise InvalidTicket
    connection = connections.get(session, known.profile.connection_id)
    if connection is None or not connection.active or known.profile.blocked:
        raise InvalidTicket
    return Resetting(known.profile, connection.policy())
