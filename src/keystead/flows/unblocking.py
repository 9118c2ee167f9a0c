"""The owner of an account hears that it is locked, and opens it with a link (AP-8)."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from sqlmodel import Session

from keystead.db import accounts, connections, jobs, journal, mirrors, templates, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import InvalidTicket, ScriptFailed
from keystead.flows.block_notices import JOB, PURPOSE
from keystead.flows.journal import Journal
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.block_notices import (
    BlockNotice,
    UnblockLink,
    administrator_buckets,
    is_told,
    locked_out,
    mail_buckets,
    text_buckets,
)
from keystead.rules.buckets import ACCOUNT, Bucket, LockKey, read_lock_key
from keystead.rules.events import Caller
from keystead.rules.letters import link_lifetime
from keystead.rules.messages import Channel, Message, verification_lifetime
from keystead.rules.profiles import Profile

TICKET: Final = "unblock"
MAX_TRIES: Final = 5
SECONDS: Final = 30
"""How long a notice may take: less than the lease, or two workers would send the same."""


@dataclass(frozen=True)
class Unblocking:
    """Does what ``BlockNotices`` noted; a link shows a page, and only its button opens anything.

    Mail scanners open links, and would let in whoever they scan for.
    """

    db: Database
    protection: Protection
    elsewhere: PeopleElsewhere
    post: Post
    sealer: Sealer
    clock: Clock
    entropy: Entropy
    journal: Journal
    types: ClassVar[tuple[str, ...]] = (JOB,)
    """The jobs that it does."""

    async def deliver(self, job: Claimed) -> None:
        """Find out whom a notice concerns, and write to them, unless they have just been told."""
        async with asyncio.timeout(SECONDS):
            notice = BlockNotice.model_validate(json.loads(self.sealer.open(job.sealed, PURPOSE)))
            key = read_lock_key(notice.key)
            if key is None:
                are_told = await self._have_room(job, administrator_buckets(notice.address))
                await self.db.write(self._tell_administrators, job, notice, are_told)
                return
            owner = await self._whose(job, key) if await self._stands(notice.key) else None
            told = owner is None or (notice.again and await self.db.read(self._has_link, owner.user_id))
            channels = await self._channels(job, notice, key, owner) if owner and not told else []
            await self.db.write(self._tell_owner, job, notice, key, channels)

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a notice back, or give it up. Return why."""
        reason = type(error).__name__
        if job.tries < MAX_TRIES:
            await self.db.write(jobs.again, job, self.clock(), reason)
        else:
            await self.db.write(self._give_up, job, reason)
        return reason

    async def look(self, token: str, caller: Caller) -> tuple[Profile, ConnectionRecord]:
        """Return whose locks a link opens. Raises ``InvalidTicket``, ``AddressBlocked``."""
        async with self.protection.showing(caller, {"flow": TICKET}, wrong=(InvalidTicket,)):
            _, profile, connection = await self.db.read(self._look, token)
            return profile, connection

    async def open(self, token: str, caller: Caller) -> tuple[Profile, str]:
        """Open every lock of the account, once. Return whose it is, and the client that they came from.

        It logs nobody in. Raises ``InvalidTicket``, ``AddressBlocked``.
        """
        async with self.protection.showing(caller, {"flow": TICKET}, wrong=(InvalidTicket,)):
            _, profile, _ = await self.db.read(self._look, token)
            # Before the link is used up: where the counts are away for a moment, it can be pressed again.
            await self.protection.lift(profile.user_id)
            link, profile = await self.db.write(self._open, token, caller)
        return profile, link.client_id or ""

    async def _whose(self, job: Claimed, key: LockKey) -> Profile | None:
        """Return who is kept out, as they are by now where they are kept elsewhere.

        The guesses that filled the lock were charged, and a notice is one of many of them: nobody can have a script run
        by it as often as they like. Where it keeps failing, what is known here has to do.
        """
        connection = await self.db.read(connections.get, key.connection_id)
        if connection is not None:
            try:
                await self.elsewhere.bring(connection, locked_out(key))
            except ScriptFailed:
                if job.tries < MAX_TRIES:
                    raise
        return await self.db.read(_owner, key)

    async def _stands(self, key: str) -> bool:
        """Whether nobody opened the lock since, such as by a new password."""
        return any(found.key == key for found in await self.protection.attempts.list(key))

    async def _channels(self, job: Claimed, notice: BlockNotice, key: LockKey, owner: Profile) -> list[Channel]:
        """Return how the owner is told: by mail, which has the link; by text too, where a number was tried."""
        found: list[Channel] = []
        if is_told(owner, "email") and await self._have_room(job, mail_buckets(owner.user_id, notice.address)):
            found.append("email")
        by_text = owner.phone_number == key.value and is_told(owner, "phone_number") and not notice.again
        if by_text and await self._have_room(job, text_buckets(owner.user_id, key.value)):
            found.append("sms")
        return found

    async def _have_room(self, job: Claimed, buckets: Iterable[Bucket]) -> bool:
        """Charge each bucket until one is full; a job that is tried again was charged at its first try."""
        if job.tries > 1:
            return True
        for each in buckets:
            if not await self.protection.allows(each):
                return False
        return True

    def _has_link(self, session: Session, user_id: str) -> bool:
        """Whether the owner was sent a link that still opens the lock."""
        return tickets.waits(session, TICKET, user_id, self.clock())

    def _give_up(self, session: Session, job: Claimed, reason: str) -> None:
        jobs.finish(session, job, self.clock(), error=reason)

    def _tell_owner(
        self, session: Session, job: Claimed, notice: BlockNotice, key: LockKey, channels: list[Channel]
    ) -> None:
        if not jobs.finish(session, job, self.clock()):
            return  # another worker has taken it over
        owner = _owner(session, key)  # as things are by now
        if owner is None:
            return
        for channel in channels:
            to = owner.email if channel == "email" else owner.phone_number
            link = {"url": self._link(session, owner, notice)} if channel == "email" and notice.blocks else {}
            said = {"user": {"source_ip": notice.address, "city": "", "country": ""}, "blocks": notice.blocks}
            message = Message(
                channel=channel,
                template="blocked_account",
                to=to or "",
                language=notice.language,
                variables=said | link,
                user_id=owner.user_id,
                client_id=notice.client_id,
                connection_id=owner.connection_id,
            )
            self.post.send(session, message)

    def _tell_administrators(self, session: Session, job: Claimed, notice: BlockNotice, are_told: bool) -> None:
        if not jobs.finish(session, job, self.clock()) or not are_told:
            return
        said = {"ip": notice.address, "blocks": notice.blocks, "stage": notice.key.split("/")[1]}
        for each in accounts.administrators(session):
            if each.email:
                message = Message(
                    channel="email",
                    template="blocked_address",
                    to=each.email,
                    variables=said,
                    user_id=each.user_id,
                    connection_id=each.connection_id,
                )
                self.post.send(session, message)

    def _link(self, session: Session, owner: Profile, notice: BlockNotice) -> str:
        """Make a link. Whatever ends others of the account ends it, and a newer one does."""
        connection = connections.get(session, owner.connection_id)
        lifetime = verification_lifetime(hardened=bool(connection and connection.policy().hardened))
        lifetime = link_lifetime(templates.in_force(session, "blocked_account", owner.connection_id), lifetime)
        token = self.entropy.token(32)
        record = UnblockLink(user_id=owner.user_id, client_id=notice.client_id).model_dump()
        tickets.put(session, token, TICKET, record, self.clock() + lifetime, subject=owner.user_id)
        return f"{self.post.public_url}/u/unblock?ticket={token}"

    def _look(self, session: Session, token: str) -> tuple[UnblockLink, Profile, ConnectionRecord]:
        record = tickets.look(session, token, TICKET, self.clock())
        link = UnblockLink.model_validate(record) if record else None
        profile = accounts.by_id(session, link.user_id) if link else None
        connection = connections.get(session, profile.connection_id) if profile else None
        if link is None or profile is None or connection is None or not connection.active:
            raise InvalidTicket
        return link, profile, connection

    def _open(self, session: Session, token: str, caller: Caller) -> tuple[UnblockLink, Profile]:
        link, profile, _ = self._look(session, token)
        accounts.by_id(session, profile.user_id, lock=True)  # before the ticket, in the order of what ends tickets
        if tickets.take(session, token, TICKET, self.clock()) is None:
            raise InvalidTicket
        about = {"user_id": profile.user_id, "connection_id": profile.connection_id, "client_id": link.client_id}
        journal.add(session, self.journal.event("ublkdu", caller, **about))
        return link, profile


def _owner(session: Session, key: LockKey) -> Profile | None:
    """Return who is kept out by a lock: nobody where the identifier is nobody's, and nobody who has no password.

    Nor somebody whom an administrator blocked: opening locks would not let them in.
    """
    connection = connections.get(session, key.connection_id)
    if connection is None or not connection.policy().methods.password.enabled:
        return None
    known: accounts.Known | mirrors.Mirrored | None = None
    if key.kind == ACCOUNT:
        known = mirrors.known(session, key.value)
    elif (identifier := locked_out(key)) is not None:
        known = accounts.by_identifier(session, connection.id, identifier)
    if known is None or known.profile.connection_id != connection.id:
        return None
    return known.profile if known.password_hash and not known.profile.blocked else None
