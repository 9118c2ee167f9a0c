"""Whom passkeys are for: administrators set it, everybody may read what browsers need, and a move is watched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import clients, connections, journal, passkey_counts, tenant
from keystead.db.passkey_counts import Tally
from keystead.db.session import Database
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.passkey_preview import Allowance, PasskeyPreview
from keystead.rules import relying_party
from keystead.rules.clients import Mobile
from keystead.rules.relying_party import SETTING, RelyingParty


def current(session: Session, public_url: str) -> RelyingParty:
    """Return the relying party as it is now, for whoever is about to act on it."""
    return relying_party.read(tenant.get(session, SETTING), public_url)


@dataclass(frozen=True)
class RelyingPartySettings:
    """Reads and changes the relying party."""

    db: Database
    preview: PasskeyPreview
    journal: Journal
    public_url: str

    async def show(self) -> RelyingParty:
        """Return the relying party."""
        return await self.db.read(current, self.public_url)

    async def update(self, body: Mapping[str, Any], operation: Operation, allowance: Allowance) -> RelyingParty:
        """Change it.

        Raises ``BadRequest`` by path, and ``WouldStrandUsers`` where more people would be left without a way to sign in
        than is allowed.
        """
        return await self.db.write(self._update, body, operation, allowance)

    async def report(self) -> tuple[RelyingParty, list[Tally]]:
        """Return how many passkeys and people there are of each id, those in use first."""
        return await self.preview.long.read(self._report)

    async def apps(self) -> list[Mobile]:
        """Return the native apps that may use passkeys of ours."""
        return await self.db.read(clients.mobile_apps)

    def _update(
        self, session: Session, body: Mapping[str, Any], operation: Operation, allowance: Allowance
    ) -> RelyingParty:
        stored = tenant.held(session, SETTING)
        before = relying_party.read(stored, self.public_url)
        stored = relying_party.edit(stored, body, self.public_url)
        after = relying_party.read(stored, self.public_url)
        about: dict[str, Any] = {"changed": sorted(body), **self._weigh(session, before, after, allowance)}
        tenant.set_to(session, SETTING, stored)
        journal.add(session, operation.event(self.journal, "Update the relying party", **about))
        return after

    def _weigh(
        self, session: Session, before: RelyingParty, after: RelyingParty, allowance: Allowance
    ) -> dict[str, Any]:
        """Return what the journal says about a change that shuts passkeys out; here, and only here, it is weighed."""
        report = self.preview.check_relying_party(session, before, after, allowance)
        if report is None:
            return {}
        gone = [each for each in before.ids if each not in after.ids]
        left = [each for each in self._tallies(session, after) if each.rp_id in gone]
        shut_out = [{"rp_id": each.rp_id, "passkeys": each.passkeys, "people": each.people} for each in left]
        return {"shut_out": shut_out, "foreseen": report.counts}

    def _report(self, session: Session) -> tuple[RelyingParty, list[Tally]]:
        now = current(session, self.public_url)
        return now, self._tallies(session, now)

    def _tallies(self, session: Session, now: RelyingParty) -> list[Tally]:
        found: dict[str, Tally] = {each: Tally(each) for each in now.ids}
        for connection_id, each in passkey_counts.by_rp_id(session, now.id):
            connection = connections.get(session, connection_id)
            usable = connection is not None and connection.policy().methods.password.enabled
            counted = each if usable else each.without_passwords()
            found[each.rp_id] = found.get(each.rp_id, Tally(each.rp_id)) + counted
        return list(found.values())
