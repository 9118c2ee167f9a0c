"""Administrators decide how long sessions last, and what the tenant is called (``/api/v2/tenants/settings``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session

from keystead.db import journal, tenant
from keystead.db.session import Database
from keystead.errors import BadRequest
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.revocation import options
from keystead.ports import Clock
from keystead.rules import revocation, tenant_settings
from keystead.rules.complaints import parse
from keystead.rules.revocation import SessionOptions
from keystead.rules.sessions import Limits
from keystead.rules.tenant_settings import TenantMembers

FOLLOWED: Final = timedelta(seconds=10)
"""After how long every process knows the limits that were set in another one: they are read again as often."""


@dataclass
class TenantSettings:
    """Reads and changes them. The limits of sessions are kept for a few seconds: no request pays a statement."""

    db: Database
    journal: Journal
    clock: Clock
    _limits: tuple[datetime, Limits] | None = field(default=None, repr=False)

    async def limits(self) -> Limits:
        """Return how long sessions last, as of a few seconds ago at most."""
        now = self.clock()
        if self._limits is None or now - self._limits[0] >= FOLLOWED:
            self._limits = (now, (await self.members()).limits())
        return self._limits[1]

    async def members(self) -> TenantMembers:
        """Return the settings."""
        return await self.db.read(_members)

    async def update(self, body: Mapping[str, Any], operation: Operation) -> TenantMembers:
        """Change settings. Raises ``BadRequest`` by path."""
        after = await self.db.write(self._update, body, operation)
        self._limits = (self.clock(), after.limits())
        return after

    async def session_options(self) -> SessionOptions:
        """Return the options of the revocation matrix."""
        return await self.db.read(options)

    async def update_session_options(self, body: Mapping[str, Any], operation: Operation) -> SessionOptions:
        """Change options of the revocation matrix. Raises ``BadRequest`` by path."""
        return await self.db.write(self._update_session_options, body, operation)

    def _update(self, session: Session, body: Mapping[str, Any], operation: Operation) -> TenantMembers:
        after, changed = tenant_settings.edit(_members(session), body)
        directory = after.default_directory if "default_directory" in changed else None
        if directory and reach.connection_named(session, directory) is None:
            raise BadRequest("Connection does not exist", path="default_directory")
        for name in changed:
            tenant.set_to(session, name, after.model_dump(mode="json")[name])
        journal.add(session, operation.event(self.journal, "Update tenant settings", changed=sorted(changed)))
        return after

    def _update_session_options(
        self, session: Session, body: Mapping[str, Any], operation: Operation
    ) -> SessionOptions:
        given = parse(SessionOptions, body).model_dump(exclude_unset=True)
        after = options(session).model_copy(update=given)
        tenant.set_to(session, revocation.SETTING, after.model_dump())
        journal.add(session, operation.event(self.journal, "Update session settings", changed=sorted(given)))
        return after


def _members(session: Session) -> TenantMembers:
    return tenant_settings.read(tenant.some(session, tenant_settings.NAMES))
