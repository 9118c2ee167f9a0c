"""What people do with their own passkeys: look at them, name them, remove them, and add more on a page of ours."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlmodel import Session

from keystead.db import accounts, census, connections, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import ConnectionNotAllowed, LastWayIn, NoSuchPasskey, NoSuchUser
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.journal import Journal
from keystead.flows.passkey_enrolment import PasskeyEnrolment, Proved, still_in
from keystead.flows.passkey_login import Options
from keystead.flows.revocation import Revocation
from keystead.flows.signals import Signals
from keystead.rules import revocation
from keystead.rules.events import Caller, Event
from keystead.rules.passkey_names import chosen_name
from keystead.rules.passkey_policy import is_full, policy_of, without_passwords
from keystead.rules.profiles import Profile
from keystead.rules.relying_party import RelyingParty
from keystead.rules.signals import Signal
from keystead.rules.ways_in import is_last
from keystead.secrecy import fingerprint


@dataclass(frozen=True, slots=True)
class OwnPasskey:
    """A passkey, and what its owner should know of it."""

    record: PasskeyRecord
    is_last_way_in: bool
    """Whether its owner could not sign in without it."""
    is_for: Literal["this address", "an older address", "no address"]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows, and whether one more can be added."""

    identifier: str
    passkeys: tuple[OwnPasskey, ...]
    are_taken: bool
    """Whether the connection has passkeys switched on."""
    is_full: bool
    password: str
    """The id of a password that its owner may give up; empty where they have none, or need it."""
    signals: tuple[Signal, ...]
    """What the browser is told meanwhile."""


@dataclass(frozen=True, slots=True)
class _Owner:
    profile: Profile
    connection: ConnectionRecord
    passkeys: list[PasskeyRecord]
    relying_party: RelyingParty

    @property
    def is_full(self) -> bool:
        """Whether there is no place for one more: passkeys of older ids do not count, since they are replaced."""
        current = [each for each in self.passkeys if each.rp_id == self.relying_party.id]
        return is_full(policy_of(self.connection.policy()), len(current))

    def shown(self, record: PasskeyRecord) -> OwnPasskey:
        """Return a passkey as its owner sees it."""
        known: dict[str, Literal["this address", "an older address"]] = {
            **dict.fromkeys(self.relying_party.retiring, "an older address"),
            self.relying_party.id: "this address",
        }
        return OwnPasskey(record, self.would_lose(record.id), known.get(record.rp_id, "no address"))

    def would_lose(self, passkey_id: str) -> bool:
        """Whether a passkey is the last way in."""
        options = self.connection.policy()
        methods = options.methods
        taken = self.passkeys if methods.passkey.enabled else []
        others = [each.credential for each in taken if each.id != passkey_id]
        password = self.profile.has_password and methods.password.enabled
        return is_last(policy_of(options), others, self.relying_party.ids, password=password)

    @property
    def may_give_up_password(self) -> bool:
        """Whether there is one, accounts may live without, and a passkey lets them in."""
        options = self.connection.policy()
        if not self.profile.has_password or not without_passwords(options):
            return False
        passkeys = (each.credential for each in self.passkeys)
        return not is_last(policy_of(options), passkeys, self.relying_party.ids, password=False)


@dataclass(frozen=True)
class OwnPasskeys:
    """Nobody sees or touches another's. What changes who can log in needs a fresh login; a name does not."""

    db: Database
    enrolment: PasskeyEnrolment
    ceremonies: Ceremonies
    signals: Signals
    revocation: Revocation
    journal: Journal

    async def list(self, user_id: str) -> list[PasskeyRecord]:
        """Return the passkeys of an account, oldest first."""
        return await self.db.read(passkeys.of_account, user_id)

    async def rename(
        self, user_id: str, passkey_id: str, name: str, caller: Caller, *, client_id: str | None = None
    ) -> PasskeyRecord:
        """Call a passkey something else. Raises ``BadRequest`` for what is no name, and ``NoSuchPasskey``."""
        event = self._event("update", user_id, passkey_id, caller, client_id)
        renamed = await self.db.write(_rename, user_id, passkey_id, chosen_name(name), event)
        if renamed is None:
            raise NoSuchPasskey
        return renamed

    async def remove(self, proved: Proved, passkey_id: str, caller: Caller, *, client_id: str | None = None) -> None:
        """Remove a passkey; whatever else is signed in to the account ends with it (V7.4.3).

        Raises ``NoSuchPasskey``, ``LastWayIn`` for the last way in, and ``CeremonyExpired`` where whoever it is was
        signed out since they proved themselves.
        """
        event = self._event("delete", proved.user_id, passkey_id, caller, client_id)
        await self.db.write(self._remove, proved, passkey_id, event)

    # --- on the page, by whoever has a session ---------------------------------------------------------------------

    async def overview(self, here: SessionRecord) -> Overview:
        """Return what the person of a session has. Raises ``NoSuchUser``, ``ConnectionNotAllowed``."""
        owner = await self.db.read(self._owner, here.user_id)
        options = owner.connection.policy()
        return Overview(
            identifier=owner.profile.best_identifier(options.precedence),
            passkeys=tuple(owner.shown(each) for each in owner.passkeys),
            are_taken=options.methods.passkey.enabled,
            is_full=owner.is_full,
            password=owner.profile.password_id if owner.may_give_up_password else "",
            signals=await self.signals.of_owner(here.user_id),
        )

    async def begin(self, here: SessionRecord) -> Options:
        """Return the options for one more. Raises ``StepUpRequired``, and what ``PasskeyEnrolment.begin`` raises."""
        owner = await self._fresh(here)
        return await self.enrolment.begin(owner.connection, here.user_id, _party(here, owner))

    async def add(self, here: SessionRecord, auth_session: str, response: object, caller: Caller) -> None:
        """Store the new one. Raises ``StepUpRequired``, and what ``PasskeyEnrolment.finish`` raises."""
        party = _party(here, await self._fresh(here))
        ceremony = await self.ceremonies.claim(
            auth_session, ("enrolment",), client_id=party.client_id, transaction=party.transaction
        )
        await self.enrolment.finish(ceremony, _proved(here), response, caller)

    async def remove_here(self, here: SessionRecord, passkey_id: str, caller: Caller) -> None:
        """Remove one. Raises ``StepUpRequired`` and what ``remove`` raises."""
        await self._fresh(here)
        await self.remove(_proved(here), passkey_id, caller)

    async def _fresh(self, here: SessionRecord) -> _Owner:
        owner = await self.db.read(self._owner, here.user_id)
        within = timedelta(seconds=policy_of(owner.connection.policy()).step_up_seconds)
        self.enrolment.require_fresh(here.authenticated_at, within)
        return owner

    def _event(self, operation: str, user_id: str, passkey_id: str, caller: Caller, client_id: str | None) -> Event:
        return self.journal.event(
            "my_account_authentication_method_succeeded",
            caller,
            user_id=user_id,
            client_id=client_id,
            operation=operation,
            authentication_method_id=passkey_id,
        )

    def _remove(self, session: Session, proved: Proved, passkey_id: str, event: Event) -> None:
        """Remove it while the account is locked: of two that are removed at once, one is the last.

        And while no policy is saved that would refuse what is left.
        """
        passkeys.hold(session, proved.user_id)
        still_in(session, proved, event.client_id or "")
        census.join(session)
        owner = self._owner(session, proved.user_id)
        record = next((each for each in owner.passkeys if each.id == passkey_id), None)
        if record is None:
            raise NoSuchPasskey
        if owner.would_lose(passkey_id):
            raise LastWayIn
        passkeys.remove(session, proved.user_id, passkey_id)
        acting = revocation.Subject(proved.user_id, proved.session_id)
        # Not as of the event, which is older: a login with this passkey may have been waited for.
        self.revocation.apply(session, revocation.Event.PASSKEY_REMOVED, acting, self.enrolment.clock())
        self.enrolment.notices.send(session, "passkey_removed", owner.profile, record, event.caller)
        journal.add(session, event)

    def _owner(self, session: Session, user_id: str) -> _Owner:
        profile = accounts.by_id(session, user_id)
        connection = connections.get(session, profile.connection_id) if profile else None
        if profile is None or connection is None:
            raise NoSuchUser
        if not connection.active:
            raise ConnectionNotAllowed
        owned = passkeys.of_account(session, user_id)
        return _Owner(profile, connection, owned, self.ceremonies.relying_party(session))


def _rename(session: Session, user_id: str, passkey_id: str, name: str, event: Event) -> PasskeyRecord | None:
    if not passkeys.rename(session, user_id, passkey_id, name):
        return None
    journal.add(session, event)
    return passkeys.get(session, user_id, passkey_id)


def _party(here: SessionRecord, owner: _Owner) -> Party:
    """Tie a ceremony to the session in which it is held; it is no client's."""
    return Party("", owner.connection, transaction=fingerprint(here.id))


def _proved(here: SessionRecord) -> Proved:
    return Proved(here.user_id, here.authenticated_at, here.id)
