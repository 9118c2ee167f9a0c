"""A link that an administrator asked for, with which somebody makes a passkey, whatever else they have or have not.

Whoever asks for one vouches for who opens it: it takes neither password nor session, and so it lives for a day, works
once, and dies with anything that happens to the account. It signs nobody in: that is for the new passkey to do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, connections, passkeys, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord
from keystead.errors import InvalidTicket
from keystead.flows.ceremonies import Party
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import Options
from keystead.flows.protection import Protection
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.enrolment import TICKET_LIFETIME, EnrolmentLink
from keystead.rules.events import Caller
from keystead.rules.profiles import Profile
from keystead.secrecy import fingerprint

PURPOSE: Final = "passkey-enrolment"


@dataclass(frozen=True, slots=True)
class Enrolling:
    """Whose passkey is about to be made."""

    link: EnrolmentLink
    profile: Profile
    connection: ConnectionRecord

    @property
    def identifier(self) -> str:
        """What the person is known by."""
        return self.profile.best_identifier(self.connection.policy().precedence)


@dataclass(frozen=True)
class EnrolmentTickets:
    """A ceremony that fails is spent and the link is not; of any number of passkeys that are made, one is stored."""

    enrolment: PasskeyEnrolment
    protection: Protection
    public_url: str

    def link(
        self, session: Session, profile: Profile, *, client_id: str, result_url: str, lifetime: timedelta | None
    ) -> str:
        """Make a link as a part of a unit of work, and return it. An older one stops working."""
        token = self.enrolment.entropy.token(32)
        record = EnrolmentLink(user_id=profile.user_id, client_id=client_id, result_url=result_url)
        expires_at = self.enrolment.clock() + (lifetime or TICKET_LIFETIME)
        tickets.put(session, token, PURPOSE, record.model_dump(), expires_at, subject=profile.user_id)
        return f"{self.public_url}/u/passkey-enrollment/ticket?ticket={token}"

    async def look(self, token: str, caller: Caller) -> Enrolling:
        """Return what a link is about, without using it. Raises ``InvalidTicket``, ``AddressBlocked``."""
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            return await self.enrolment.db.read(_look, token, self.enrolment.clock())

    async def options(self, token: str, caller: Caller) -> Options:
        """Return the options for the passkey. Raises ``InvalidTicket``, and what ``PasskeyEnrolment.begin`` raises."""
        found = await self.look(token, caller)
        return await self.enrolment.begin(found.connection, found.profile.user_id, _party(token, found))

    async def finish(self, token: str, auth_session: str, response: object, caller: Caller) -> Enrolling:
        """Store the passkey and use the link up, both or neither.

        Raises ``InvalidTicket``, ``CeremonyExpired`` and what ``PasskeyEnrolment.complete`` raises.
        """
        found = await self.look(token, caller)
        party = _party(token, found)
        ceremony = await self.enrolment.ceremonies.claim(
            auth_session, ("enrolment",), client_id=party.client_id, transaction=party.transaction
        )
        await self.enrolment.complete(ceremony, found.profile.user_id, response, caller, self._store, token)
        return found

    def _store(
        self, session: Session, token: str, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> PasskeyRecord:
        """With the account locked: whatever ends the link either has done so, or finds the passkey."""
        now = self.enrolment.clock()
        accounts.by_id(session, ceremony.user_id, lock=True)
        owner = _look(session, token, now).profile
        if tickets.take(session, token, PURPOSE, now) is None:
            raise InvalidTicket
        owned = passkeys.count_by_rp_id(session, owner.user_id).get(ceremony.rp_id, 0)
        accepted = self.enrolment.judge(session, ceremony, new, passkeys=owned)
        stored = self.enrolment.store(session, owner.user_id, ceremony, accepted, caller)
        self.enrolment.notices.send(session, "passkey_added", owner, stored, caller)
        return stored


def _party(token: str, found: Enrolling) -> Party:
    """Tie a ceremony to the link on whose page it is held."""
    return Party(found.link.client_id, found.connection, transaction=fingerprint(f"{PURPOSE} {token}"))


def _look(session: Session, token: str, now: datetime) -> Enrolling:
    record = tickets.look(session, token, PURPOSE, now)
    link = EnrolmentLink.model_validate(record) if record else None
    profile = accounts.by_id(session, link.user_id) if link else None
    connection = connections.get(session, profile.connection_id) if profile else None
    if link is None or profile is None or connection is None:
        raise InvalidTicket
    if profile.blocked or not connection.active or not connection.policy().methods.passkey.enabled:
        raise InvalidTicket
    return Enrolling(link, profile, connection)
