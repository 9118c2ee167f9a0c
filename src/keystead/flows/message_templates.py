"""Administrators write their own messages (EM-1, EM-2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import journal, templates
from keystead.db.session import Database
from keystead.errors import Conflict, NoSuchTemplate
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock
from keystead.rules.letters import check_template
from keystead.rules.templates import Template, read_edit


@dataclass(frozen=True)
class MessageTemplates:
    """One of each name at most; where there is none, the built-in one stands. None is deleted, as at Auth0."""

    db: Database
    clock: Clock
    journal: Journal

    async def show(self, name: str) -> Template:
        """Return what an administrator wrote. Raises ``NoSuchTemplate``."""
        return await self.db.read(_written, name)

    async def create(self, template: Template, operation: Operation) -> Template:
        """Store the first one of a name. Raises ``Conflict``, ``BadRequest``."""
        check_template(template)
        await self.db.write(self._create, template, operation)
        return template

    async def replace(self, template: Template, operation: Operation) -> Template:
        """Store one in the place of another. Raises ``NoSuchTemplate``, ``BadRequest``."""
        check_template(template)
        await self.db.write(self._replace, template, operation)
        return template

    async def update(self, name: str, body: Mapping[str, Any], operation: Operation) -> Template:
        """Change members of one. Raises ``NoSuchTemplate``, ``BadRequest``."""
        changed = read_edit(await self.show(name), body)
        return await self.replace(changed, operation)

    def _create(self, session: Session, template: Template, operation: Operation) -> None:
        if not templates.add(session, template, self.clock()):
            raise Conflict("There is already a template with that name.")
        event = operation.event(self.journal, "Create an email template", template=template.template)
        journal.add(session, event)

    def _replace(self, session: Session, template: Template, operation: Operation) -> None:
        _written(session, template.template)
        templates.put(session, template, self.clock())
        event = operation.event(self.journal, "Update an email template", template=template.template)
        journal.add(session, event)


def _written(session: Session, name: str) -> Template:
    found = templates.get(session, name)
    if found is None:
        raise NoSuchTemplate
    return found
