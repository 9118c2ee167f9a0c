"""Messages to people: asked for in the transaction of what they are about, delivered by the worker.

So no login ever waits for a mail server, none fails because of one, and no message is lost or sent for something that
was rolled back.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, clients, connections, jobs, outbox, templates
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import DeliveryFailed
from keystead.ports import Clock, Entropy, Postman, Sealer
from keystead.rules.letters import render
from keystead.rules.messages import Letter, Message

JOB: Final = "message"
MAX_TRIES: Final = 8
_PURPOSE: Final = "messages"


@dataclass(frozen=True)
class Post:
    """The way of every message: ``send`` within a unit of work, ``deliver`` later."""

    db: Database
    postman: Postman
    sealer: Sealer
    clock: Clock
    entropy: Entropy
    public_url: str

    def send(self, session: Session, message: Message) -> None:
        """Ask for a message to be sent, as a part of a unit of work."""
        sealed = self.sealer.seal(message.model_dump_json().encode("utf-8"), _PURPOSE)
        jobs.add(session, self.entropy.id("job_"), JOB, sealed, self.clock())

    async def deliver(self, job: Claimed) -> None:
        """Render a message that was asked for and hand it over; put the job back where that fails for now."""
        message = Message.model_validate(json.loads(self.sealer.open(job.sealed, _PURPOSE)))
        letter = await self.db.read(self._rendered, message)
        try:
            if letter is not None:
                await self.postman.deliver(letter)
        except DeliveryFailed as failure:
            if failure.permanent or job.tries >= MAX_TRIES:
                await self.db.write(jobs.finish, job.id, self.clock(), error=failure.detail)
            else:
                later = self.clock() + timedelta(seconds=5 * 4 ** (job.tries - 1))
                await self.db.write(jobs.again, job.id, later, failure.detail)
            return
        await self.db.write(jobs.finish, job.id, self.clock())

    async def outbox(self) -> list[Letter]:
        """Return the messages that were put aside, newest first."""
        return await self.db.read(outbox.newest)

    def _rendered(self, session: Session, message: Message) -> Letter | None:
        """Render a message about things as they are now; ``None`` where its template is switched off."""
        client = clients.get(session, message.client_id) if message.client_id else None
        connection = connections.get(session, message.connection_id) if message.connection_id else None
        return render(
            message,
            templates.get(session, message.template),
            user=accounts.by_id(session, message.user_id) if message.user_id else None,
            client=client.settings if client else None,
            connection_name=connection.name if connection else "",
            public_url=self.public_url,
        )
