"""Administrators decide what the hosted pages look like (``/branding``) and say (``/prompts``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import journal, tenant
from keystead.db.session import Database
from keystead.flows.journal import Journal
from keystead.flows.looks import Looks, stored
from keystead.flows.operations import Operation
from keystead.rules import branding, page_texts
from keystead.rules.branding import Branding
from keystead.rules.connection_edits import differences
from keystead.rules.page_texts import Place


@dataclass(frozen=True)
class PageDesign:
    """Shows and changes it. Pages of this process follow at once, those of others within seconds."""

    db: Database
    looks: Looks
    journal: Journal

    async def branding(self) -> Branding:
        """Return colours, logo and icon."""
        return await self.db.read(stored)

    async def brand(self, body: Mapping[str, Any], operation: Operation) -> Branding:
        """Change them. Raises ``BadRequest`` by path."""
        after = await self.db.write(self._brand, body, operation)
        self.looks.forget()
        return after

    async def texts(self, place: Place) -> dict[str, Any]:
        """Return what pages say in place of their own texts."""
        return await self.db.read(tenant.get, place.setting) or {}

    async def say(self, place: Place, body: Mapping[str, Any], operation: Operation) -> None:
        """Replace these texts. Raises ``InvalidPath``, ``BadRequest`` by path."""
        texts = page_texts.read(place, body)
        if place.has_page:
            await self.db.write(self._say, place, texts, operation)
            self.looks.forget()

    def _brand(self, session: Session, body: Mapping[str, Any], operation: Operation) -> Branding:
        before = Branding.model_validate(tenant.held(session, branding.SETTING))
        after = branding.edit(before, body)
        tenant.set_to(session, branding.SETTING, branding.shown(after))
        changed = differences(branding.shown(before), branding.shown(after))
        journal.add(session, operation.event(self.journal, "Update branding settings", changed=changed))
        return after

    def _say(self, session: Session, place: Place, texts: dict[str, dict[str, str]], operation: Operation) -> None:
        before = tenant.held(session, place.setting)
        tenant.set_to(session, place.setting, texts)
        about: dict[str, Any] = {"prompt": place.prompt, "language": place.language}
        about["changed"] = differences(before, texts)
        journal.add(session, operation.event(self.journal, "Set custom text for a prompt", **about))
