"""The mail provider that administrators store: one, sealed, since it holds a password (EM-6)."""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import journal, tenant
from keystead.db.session import Database
from keystead.errors import Conflict, NoSuchProvider
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Sealer
from keystead.rules import mail_servers
from keystead.rules.mail_servers import Provider

_NAME: Final = "email_provider"
_PURPOSE: Final = "email provider"


@dataclass(frozen=True)
class MailProvider:
    """Everything that is said about it through the Management API."""

    db: Database
    sealer: Sealer
    journal: Journal

    async def show(self) -> Provider:
        """Return it. Raises ``NoSuchProvider``."""
        return await self.db.read(self._stored)

    async def create(self, provider: Provider, operation: Operation) -> Provider:
        """Store the first one. Raises ``Conflict``."""
        await self.db.write(self._create, provider, operation)
        return provider

    async def update(self, body: dict[str, Any], operation: Operation) -> Provider:
        """Change it. Raises ``NoSuchProvider``, ``BadRequest``."""
        return await self.db.write(self._update, body, operation)

    async def delete(self, operation: Operation) -> None:
        """Forget it: what the environment says holds again. Raises ``NoSuchProvider``."""
        await self.db.write(self._delete, operation)

    def _stored(self, session: Session) -> Provider:
        found = stored(session, self.sealer)
        if found is None:
            raise NoSuchProvider
        return found

    def _create(self, session: Session, provider: Provider, operation: Operation) -> None:
        if not tenant.put(session, _NAME, self._sealed(provider)):
            raise Conflict("There is already a configured email provider.")
        journal.add(session, operation.event(self.journal, "Configure the email provider"))

    def _update(self, session: Session, body: dict[str, Any], operation: Operation) -> Provider:
        changed = mail_servers.read_edit(self._stored(session), body)
        tenant.set_to(session, _NAME, self._sealed(changed))
        journal.add(session, operation.event(self.journal, "Update the email provider", changed=sorted(body)))
        return changed

    def _delete(self, session: Session, operation: Operation) -> None:
        if not tenant.remove(session, _NAME):
            raise NoSuchProvider
        journal.add(session, operation.event(self.journal, "Delete the email provider"))

    def _sealed(self, provider: Provider) -> str:
        written = json.dumps(mail_servers.written(provider)).encode("utf-8")
        return base64.b64encode(self.sealer.seal(written, _PURPOSE)).decode("ascii")


def stored(session: Session, sealer: Sealer) -> Provider | None:
    """Return the provider, if there is one. Raises ``InternalError`` where the key that sealed it is gone."""
    sealed = tenant.get(session, _NAME)
    if sealed is None:
        return None
    return mail_servers.read_provider(json.loads(sealer.open(base64.b64decode(sealed), _PURPOSE)))
