"""Administrators decide how attacks are met: all settings of attack protection, each kind by its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import journal, tenant
from keystead.db.session import Database
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.rules import breaches
from keystead.rules.attack_protection import (
    BRUTE_FORCE,
    LOCK,
    SUSPICIOUS_IP,
    BruteForce,
    LockSettings,
    Settings,
    SuspiciousIp,
    edit,
    on_wire,
)
from keystead.rules.bot_detection import BOT_DETECTION, CAPTCHA, BotDetection, Captcha
from keystead.rules.breaches import BreachSettings

_KINDS: Final[dict[type[Any], tuple[str, str]]] = {
    BruteForce: (BRUTE_FORCE, "Update brute force settings"),
    SuspiciousIp: (SUSPICIOUS_IP, "Update suspicious IP throttling settings"),
    BreachSettings: (breaches.SETTING, "Update breached password detection settings"),
    LockSettings: (LOCK, "Update whom locks lock out"),
    BotDetection: (BOT_DETECTION, "Update bot detection settings"),
    Captcha: (CAPTCHA, "Update captcha settings"),
}
"""What each is called among the settings of the tenant, and what the journal says of a change."""


@dataclass(frozen=True)
class AttackProtection:
    """Shows and changes them. Whoever acts on one reads it anew each time, so that a change holds at once."""

    db: Database
    journal: Journal

    async def show(self, kind: type[Settings]) -> Settings:
        """Return the settings of a kind; the defaults where nobody stored any."""
        return await self.db.read(_read, kind)

    async def update(self, kind: type[Settings], body: Mapping[str, Any], operation: Operation) -> Settings:
        """Change settings: members that the body does not name stay. Raises ``BadRequest`` by path."""
        return await self.db.write(self._update, kind, body, operation)

    def _update(
        self, session: Session, kind: type[Settings], body: Mapping[str, Any], operation: Operation
    ) -> Settings:
        name, description = _KINDS[kind]
        # Held: of two changes of different members at once, the later would bring back what the earlier changed.
        before = kind.model_validate(tenant.held(session, name))
        after = edit(before, body)
        tenant.set_to(session, name, on_wire(after))
        changed = [member for member in kind.model_fields if getattr(before, member) != getattr(after, member)]
        journal.add(session, operation.event(self.journal, description, changed=changed))
        return after


def _read(session: Session, kind: type[Settings]) -> Settings:
    return kind.model_validate(tenant.get(session, _KINDS[kind][0]) or {})
