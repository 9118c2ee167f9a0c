"""What the hosted pages look like and say, read once for many pages: no login pays a statement for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlmodel import Session

from keystead.db import tenant
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable
from keystead.flows.tenant_settings import FOLLOWED
from keystead.ports import Clock
from keystead.rules import branding
from keystead.rules.branding import Branding
from keystead.rules.page_texts import PLACES, Texts

_COMPANY: Final = "friendly_name"


@dataclass(frozen=True, slots=True)
class Look:
    """What a tenant has made of the pages."""

    branding: Branding = field(default_factory=Branding)
    company: str = ""
    """What the tenant is called."""
    texts: Mapping[str, Texts] = field(default_factory=dict)
    """By language, then by screen and key."""


PLAIN: Final = Look()
"""The pages as they come."""


@dataclass
class Looks:
    """Keeps it for a few seconds, and in a database that is away for as long as it takes: errors have pages too."""

    db: Database
    clock: Clock
    _kept: tuple[datetime, Look] | None = field(default=None, repr=False)

    async def now(self) -> Look:
        """Return it, as of a few seconds ago at most."""
        now = self.clock()
        if self._kept is None or now - self._kept[0] >= FOLLOWED:
            try:
                self._kept = (now, await self.db.read(_look))
            except DatabaseUnavailable:
                self._kept = (now, self._kept[1] if self._kept else PLAIN)
        return self._kept[1]

    def forget(self) -> None:
        """Read it anew for the next page: this process has changed it."""
        self._kept = None


def stored(session: Session) -> Branding:
    """Return the branding that an administrator set."""
    return Branding.model_validate(tenant.get(session, branding.SETTING) or {})


def _look(session: Session) -> Look:
    names = [branding.SETTING, _COMPANY, *(place.setting for place in PLACES)]
    found = tenant.some(session, names)
    texts: dict[str, dict[str, Mapping[str, str]]] = {}
    for place in PLACES:
        texts.setdefault(place.language, {}).update(found.get(place.setting, {}))
    return Look(Branding.model_validate(found.get(branding.SETTING, {})), found.get(_COMPANY, ""), texts)
