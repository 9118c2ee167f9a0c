"""Messages to people: asked for in the transaction of what they are about, delivered by the worker.

So no login ever waits for a mail server, none fails because of one, and no message is lost or sent for something that
was rolled back.
"""

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from sqlmodel import Session

from keystead.db import accounts, clients, connections, jobs, journal, outbox, templates, tenant
from keystead.db.jobs import Claimed
from keystead.db.outbox import PutAside
from keystead.db.session import Database
from keystead.errors import DeliveryFailed
from keystead.flows.journal import Journal
from keystead.flows.mail_provider import stored
from keystead.ports import Clock, Entropy, PostOffice, Sealer
from keystead.rules import tenant_settings
from keystead.rules.events import Caller
from keystead.rules.letters import About, render
from keystead.rules.mail_servers import MailServer, server_of
from keystead.rules.messages import CHANNELS, CODE_LIFETIME, Message, TemplateName
from keystead.rules.profiles import Profile
from keystead.rules.templates import Template

JOB: Final = "message"
VERIFICATION_JOB: Final = "verification_email"
"""A message that an administrator asked for, and may ask after."""

MAX_TRIES: Final = 8
DELIVERY_SECONDS: Final = 60
"""How long a delivery may take in all: less than the lease, or two workers would send the same."""

_PURPOSE: Final = "messages"


@dataclass(frozen=True)
class Post:
    """The way of every message: ``send`` within a unit of work, ``deliver`` later."""

    db: Database
    office: PostOffice
    sealer: Sealer
    clock: Clock
    entropy: Entropy
    journal: Journal
    public_url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)
    types: ClassVar[tuple[str, ...]] = (JOB, VERIFICATION_JOB)
    """The jobs that it does."""

    def send(self, session: Session, message: Message, *, type: str = JOB) -> str:
        """Ask for a message to be sent, as a part of a unit of work. Return the id of the job.

        Ids sort by time, and within one second by the order in which this process made them, as messages should arrive.
        A message to nobody is asked for like any other and goes nowhere: where a stranger must not learn whether there
        is somebody, both cost the same.
        """
        now = self.clock()
        job_id = f"job_{now:%y%m%d%H%M%S}{next(self._numbers) % 10_000:04d}{self.entropy.id('', 8)}"
        sealed = self.sealer.seal(message.model_dump_json().encode("utf-8"), _PURPOSE)
        jobs.add(session, job_id, type, sealed, now)
        return job_id

    def notify(self, session: Session, profile: Profile, template: TemplateName, caller: Caller, **said: Any) -> None:
        """Tell somebody of a change to their account, wherever they have shown that they read it (V6.3.7)."""
        about = {"user_id": profile.user_id, "connection_id": profile.connection_id, "language": caller.language}
        for kind, channel in CHANNELS.items():
            if profile.is_verified(kind):
                to = profile.value_of(kind) or ""
                self.send(session, Message(channel=channel, template=template, to=to, variables=said, **about))

    async def deliver(self, job: Claimed) -> None:
        """Render a message that was asked for and hand it over. Raises ``DeliveryFailed``, or whatever went wrong."""
        if job.tries > MAX_TRIES:  # each time, whoever had it ended with it
            raise DeliveryFailed(permanent=True, detail="no try came to an end")
        async with asyncio.timeout(DELIVERY_SECONDS):
            message = self._opened(job)
            if "code" in message.variables and self.clock() - job.created_at >= CODE_LIFETIME:
                raise DeliveryFailed(permanent=True, detail="the code in it has expired")
            template, about, server = await self.db.read(self._needed, message)
            # On a thread: a template of an administrator's may take a while, in which nobody else should wait.
            letter = await asyncio.to_thread(render, message, template, about)
            if letter is not None and letter.to:
                await self.office.deliver(letter.model_copy(update={"id": job.id}), server)
        await self.db.write(jobs.finish, job, self.clock())

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a message back that could not be delivered, or give it up. Return why, without what it carries."""
        message = None
        with suppress(Exception):  # what cannot be opened or read is why this is called, perhaps
            message = self._opened(job)
        reason = _reason(error, message)
        if job.tries >= MAX_TRIES or (isinstance(error, DeliveryFailed) and error.permanent):
            await self.db.write(self._give_up, job, message, reason)
        else:
            await self.db.write(jobs.again, job, self.clock(), reason)
        return reason

    async def outbox(self) -> list[PutAside]:
        """Return the messages that were put aside, newest first."""
        return await self.db.read(outbox.newest)

    def _opened(self, job: Claimed) -> Message:
        return Message.model_validate(json.loads(self.sealer.open(job.sealed, _PURPOSE)))

    def _needed(self, session: Session, message: Message) -> tuple[Template | None, About, MailServer | None]:
        """Return the template, what it may speak of as things are now, and the server that administrators stored.

        That one wins over the environment, while it is enabled.
        """
        client = clients.get(session, message.client_id) if message.client_id else None
        connection = connections.get(session, message.connection_id) if message.connection_id else None
        about = About(
            public_url=self.public_url,
            now=self.clock(),
            user=accounts.by_id(session, message.user_id) if message.user_id else None,
            client=client.settings if client else None,
            connection_name=connection.name if connection else "",
            tenant=tenant_settings.read(tenant.some(session, tenant_settings.NAMES)),
        )
        provider = stored(session, self.sealer) if message.channel == "email" else None
        server = server_of(provider) if provider and provider.enabled else None
        return templates.in_force(session, message.template, message.connection_id), about, server

    def _give_up(self, session: Session, job: Claimed, message: Message | None, reason: str) -> None:
        if not jobs.finish(session, job, self.clock(), error=reason):
            return
        about: dict[str, Any] = {}
        if message is not None:
            about = message.model_dump(include={"user_id", "client_id", "connection_id", "channel", "template"})
        journal.add(session, self.journal.event("fn", Caller(), description=reason, tries=job.tries, **about))


def _reason(error: Exception, message: Message | None) -> str:
    """Say why, for administrators. Servers quote what they refuse: no link or code may get into the journal (LO-12)."""
    reason = error.detail if isinstance(error, DeliveryFailed) and error.detail else type(error).__name__
    for value in message.variables.values() if message else ():
        for part in str(value).replace("#", "=").split("="):
            reason = reason.replace(part, "***") if len(part) > 3 else reason
    return " ".join(reason.split())[:200]
