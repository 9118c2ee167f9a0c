"""Administrators take a passkey out of use and put it back, and see which ones would log in as things stand."""

from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session

from keystead.db import journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord
from keystead.db.session import Database
from keystead.errors import NoSuchPasskey
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.revocation import Revocation
from keystead.ports import Clock
from keystead.rules import quarantine, revocation
from keystead.rules.passkey_policy import Context, Credential, Verdict, evaluate, policy_of


@dataclass(frozen=True, slots=True)
class Standing:
    """A passkey, and what its connection would make of a login with it now."""

    record: PasskeyRecord
    are_taken: bool
    """Whether the connection has passkeys switched on."""
    verdict: Verdict
    """As if its next login were like its last."""

    @property
    def may_log_in(self) -> bool:
        """Whether it opens anything."""
        return self.are_taken and not self.verdict.refused


@dataclass(frozen=True)
class Quarantine:
    """A passkey in quarantine stays where it is and opens nothing, under every policy; what it opened ends."""

    db: Database
    enrolment: PasskeyEnrolment
    revocation: Revocation
    clock: Clock
    journal: Journal

    async def of_user(self, user_id: str) -> list[Standing]:
        """Return the passkeys of an account, oldest first. Raises ``NoSuchUser``."""
        return await self.db.read(self._of_user, user_id)

    async def impose(self, user_id: str, passkey_id: str, reason: str, operation: Operation) -> tuple[Standing, bool]:
        """Put a passkey into quarantine; return it, and whether its owner has no way in left.

        Raises ``NoSuchUser``, ``NoSuchPasskey``.
        """
        why = quarantine.Quarantine("administrator", reason)
        return await self.db.write(self._impose, user_id, passkey_id, why, operation)

    async def lift(self, user_id: str, passkey_id: str, operation: Operation) -> None:
        """Put a passkey back into use, whoever took it out. Raises ``NoSuchUser``, ``NoSuchPasskey``."""
        await self.db.write(self._lift, user_id, passkey_id, operation)

    def _of_user(self, session: Session, user_id: str) -> list[Standing]:
        _, connection = reach.person(session, user_id)
        rp_ids = self.enrolment.ceremonies.relying_party(session).ids
        return [_standing(each, connection, rp_ids) for each in passkeys.of_account(session, user_id)]

    def _impose(
        self, session: Session, user_id: str, passkey_id: str, why: quarantine.Quarantine, operation: Operation
    ) -> tuple[Standing, bool]:
        """First the passkey, then the account, in the order in which a login locks them.

        The clock is read again once both are locked: a login that was waited for is older than what ends it.
        """
        profile, connection = reach.person(session, user_id)
        if not passkeys.quarantine(session, user_id, passkey_id, why.text, self.clock()):
            raise NoSuchPasskey
        ended = revocation.Event.PASSKEY_QUARANTINED
        self.revocation.apply(session, ended, revocation.Subject(user_id), self.clock())
        found = self._of_user(session, user_id)
        password = profile.has_password and connection.policy().methods.password.enabled
        stranded = not (password or any(each.may_log_in for each in found))
        about = {"reason": why.reason, "stranded": stranded}
        standing = next(each for each in found if each.record.id == passkey_id)
        self._record(session, operation, "Quarantine a passkey", standing.record, **about)
        self.enrolment.notices.send(session, "passkey_quarantined", profile, standing.record, operation.for_owner)
        return standing, stranded

    def _lift(self, session: Session, user_id: str, passkey_id: str, operation: Operation) -> None:
        reach.person(session, user_id)
        found = passkeys.get(session, user_id, passkey_id)
        if found is None:
            raise NoSuchPasskey
        if found.quarantine is not None:
            passkeys.quarantine(session, user_id, passkey_id, None, self.clock())
            lifted = replace(found, quarantine=None, quarantined_at=None)
            description, was = "Lift the quarantine of a passkey", {"lifted": found.quarantine}
            self._record(session, operation, description, lifted, **was)

    def _record(
        self, session: Session, operation: Operation, description: str, passkey: PasskeyRecord, **about: Any
    ) -> None:
        """Record what an administrator did, and what became of the passkey, as metadata does."""
        where = {"user_id": passkey.user_id, "connection_id": passkey.connection_id}
        about["authentication_method_id"] = passkey.id
        journal.add(session, operation.event(self.journal, description, **where, **about))
        kind, details = quarantine.noted(passkey.id, passkey.aaguid, passkey.quarantine)
        journal.add(session, operation.event(self.journal, description, type=kind, **where, **details))


def _standing(record: PasskeyRecord, connection: ConnectionRecord, rp_ids: tuple[str, ...]) -> Standing:
    options = connection.policy()
    credential = Credential(**{name: getattr(record, name) for name in Credential.__dataclass_fields__})
    verdict = evaluate(policy_of(options), credential, Context(registers=False, rp_ids=rp_ids))
    return Standing(record, options.methods.passkey.enabled, verdict)
