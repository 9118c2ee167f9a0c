"""A browser makes somebody a passkey by itself, right after their password was right (conditional create).

Nobody was asked, and perhaps nobody was there. So it is tied to that one proof of the password, lasts two minutes, is
written down as what it is, and its owner gets a mail with a link that takes it back.
"""

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, connections, journal, passkeys, tickets
from keystead.db.passkeys import PasskeyRecord
from keystead.errors import CeremonyExpired, InvalidTicket, StepUpRequired
from keystead.flows.ceremonies import Party
from keystead.flows.hosted_login import HostedLogin, Place, Visit
from keystead.flows.passkey_enrolment import PasskeyEnrolment, Proved, still_in
from keystead.flows.passkey_login import Options
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.revocation import Revocation
from keystead.rules import revocation
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.devices import known_device
from keystead.rules.enrolment import UNDO_LIFETIME, UPGRADE_LIFETIME, UndoLink, may_upgrade
from keystead.rules.events import Caller
from keystead.rules.login_steps import Proof
from keystead.rules.messages import Message
from keystead.rules.passkey_policy import policy_of
from keystead.rules.profiles import Profile
from keystead.rules.ways_in import is_last
from keystead.secrecy import fingerprint

PURPOSE: Final = "undo-passkey-upgrade"


@dataclass(frozen=True, slots=True)
class Undoing:
    """What a link in a notice takes back."""

    passkey: PasskeyRecord
    owner: Profile
    identifier: str
    is_last_way_in: bool


@dataclass(frozen=True)
class PasskeyUpgrade:
    """The page between a password and what comes next; and the link that undoes what happened on it."""

    login: HostedLogin
    enrolment: PasskeyEnrolment
    protection: Protection
    post: Post
    revocation: Revocation

    async def options(self, place: Place) -> Options:
        """Return the options for the browser. Raises ``StepUpRequired`` and what ``PasskeyEnrolment.begin`` raises."""
        proof = self._proof(place)
        party = _party(place, proof)
        return await self.enrolment.begin(place.connection, proof.user_id, party, mediation="conditional")

    async def finish(self, visit: Visit, place: Place, auth_session: str, response: object) -> None:
        """Store what the browser made, and go on. Raises ``CeremonyExpired``, ``StepUpRequired`` and what is wrong."""
        proof = self._proof(place)
        party = _party(place, proof)
        ceremony = await self.enrolment.ceremonies.claim(
            auth_session,
            ("enrolment",),
            client_id=party.client_id,
            transaction=party.transaction,
            mediation="conditional",
        )
        proved = Proved(proof.user_id, proof.at, proof.session_id)
        await self.enrolment.complete(ceremony, proof.user_id, response, visit.caller, self._store, proved)
        await self.login.past_upgrade(visit, made=True)

    async def look(self, token: str, caller: Caller) -> Undoing:
        """Return what a link takes back.

        Raises ``InvalidTicket``, also once that passkey is gone; ``AddressBlocked``.
        """
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            return await self.enrolment.db.read(self._look, token)

    async def undo(self, token: str, caller: Caller) -> None:
        """Remove the passkey, and whatever is signed in to the account with it. Raises ``InvalidTicket``."""
        await self.look(token, caller)
        await self.enrolment.db.write(self._undo, token, caller)

    def _proof(self, place: Place) -> Proof:
        """Return the proof of a password of a moment ago, in this very login. Raises ``StepUpRequired``."""
        proof = place.transaction.proof
        if proof is None or place.step != "passkey-upgrade":
            raise StepUpRequired(int(UPGRADE_LIFETIME.total_seconds()))
        self.enrolment.require_fresh(proof.at, UPGRADE_LIFETIME)
        return proof

    def _store(
        self, session: Session, proved: Proved, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> PasskeyRecord:
        """Store it while it is still the first one, and have its owner told, in one unit of work."""
        owner = still_in(session, proved, ceremony.client_id)
        if not self._may(session, owner):
            raise CeremonyExpired(detail="there is a passkey by now, or none is wanted any more")
        accepted = self.enrolment.judge(session, ceremony, new, passkeys=0)
        stored = self.enrolment.store(session, owner.user_id, ceremony, accepted, caller)
        self._tell(session, owner, stored, ceremony.client_id, caller)
        return stored

    def _may(self, session: Session, owner: Profile) -> bool:
        own, connection = self.enrolment, connections.get(session, owner.connection_id)
        held = passkeys.held(session, owner.user_id, own.ceremonies.relying_party(session))
        snoozed_until = accounts.snoozed_until(session, owner.user_id)
        return connection is not None and may_upgrade(connection.policy(), owner, held, snoozed_until, now=own.clock())

    def _tell(self, session: Session, owner: Profile, made: PasskeyRecord, client_id: str, caller: Caller) -> None:
        """Send a link to undo it. It is no ticket of the account: a stranger who got in must not be able to end it."""
        token = self.enrolment.entropy.token(32)
        record = UndoLink(user_id=owner.user_id, passkey_id=made.id)
        tickets.put(session, token, PURPOSE, record.model_dump(), self.enrolment.clock() + UNDO_LIFETIME)
        notice = Message(
            channel="email",
            template="passkey_upgrade",
            to=owner.email or "",
            language=caller.language,
            variables={
                "url": f"{self.post.public_url}/u/passkey-upgrade/undo?ticket={token}",
                "device": known_device(made.user_agent),
                "days": UNDO_LIFETIME.days,
            },
            user_id=owner.user_id,
            client_id=client_id,
            connection_id=owner.connection_id,
        )
        self.post.send(session, notice)

    def _look(self, session: Session, token: str) -> Undoing:
        record = tickets.look(session, token, PURPOSE, self.enrolment.clock())
        link = UndoLink.model_validate(record) if record else None
        passkey = passkeys.get(session, link.user_id, link.passkey_id) if link else None
        owner = accounts.by_id(session, passkey.user_id) if passkey else None
        connection = connections.get(session, owner.connection_id) if owner else None
        if passkey is None or owner is None or connection is None:
            raise InvalidTicket
        options = connection.policy()
        others = [each.credential for each in passkeys.of_account(session, owner.user_id) if each.id != passkey.id]
        rp_ids = self.enrolment.ceremonies.relying_party(session).ids
        password = owner.has_password and options.methods.password.enabled
        last = is_last(policy_of(options), others, rp_ids, password=password)
        return Undoing(passkey, owner, owner.best_identifier(options.precedence), last)

    def _undo(self, session: Session, token: str, caller: Caller) -> None:
        """Whatever else its owner has: nobody must keep a stranger's passkey because they have no other way in."""
        own, now = self.enrolment, self.enrolment.clock()
        found = self._look(session, token)
        if tickets.take(session, token, PURPOSE, now) is None:
            raise InvalidTicket
        if not passkeys.remove(session, found.owner.user_id, found.passkey.id):
            raise InvalidTicket
        whose = revocation.Subject(found.owner.user_id)
        self.revocation.apply(session, revocation.Event.PASSKEY_REMOVED, whose, now)
        own.notices.send(session, "passkey_removed", found.owner, found.passkey, caller)
        event = own.journal.event(
            "my_account_authentication_method_succeeded",
            caller,
            user_id=found.owner.user_id,
            operation="delete",
            authentication_method_id=found.passkey.id,
            by="undo link",
        )
        journal.add(session, event)


def _party(place: Place, proof: Proof) -> Party:
    """Tie a ceremony to the login and to the proof in it: another password of the same page is another proof."""
    which = f"{place.transaction.id} {proof.at.isoformat()} {proof.session_id}"
    return Party(place.transaction.request.client_id, place.connection, transaction=fingerprint(which))
