"""Somebody who is signed in chooses another password, in the app that they use (RS-13)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, connections, journal, old_passwords, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import CeremonyExpired, NoSuchUser, OperationNotSupported
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.journal import Journal
from keystead.flows.passkey_enrolment import Proved, still_in
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.protection import Protection
from keystead.flows.refusals import concerning
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy
from keystead.rules import revocation
from keystead.rules.account_changes import NewPassword
from keystead.rules.connection_options import PasswordOptions
from keystead.rules.events import Caller, Event
from keystead.rules.password_policy import history_size, policy_of
from keystead.rules.profiles import Profile
from keystead.rules.resets import may_choose
from keystead.secrecy import Secret

PURPOSE: Final = "my-password"
LIFETIME: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class PasswordChange:
    """Begun for one account and one client, finished once. What else is signed in to the account ends with it."""

    db: Database
    elsewhere: PeopleElsewhere
    breaches: Breaches
    protection: Protection
    revocation: Revocation
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def begin(self, user_id: str, client_id: str) -> tuple[str, PasswordOptions]:
        """Return the handle of a change and the policy for it, in its flexible form.

        Raises ``OperationNotSupported`` where the connection has no passwords, or people may not change them.
        """
        token = self.entropy.token(32)
        options = (await self.db.write(self._begin, token, user_id, client_id)).policy()
        return token, policy_of(options)

    async def finish(
        self, auth_session: str, proved: Proved, client_id: str, password: Secret[str], caller: Caller
    ) -> Profile:
        """Set the password, and return the account. The handle is used up by the first try, whatever comes of it.

        Raises ``CeremonyExpired``, ``WeakPassword``, ``PasswordLeaked``, ``PasswordUnchecked``, ``Busy``;
        ``ScriptFailed`` and ``RefusedByScript`` where the customer's database did not take it: then what else was
        signed in has ended, and the password is what it was.
        """
        claimed = await self.db.write(self._claim, auth_session, proved, client_id)
        if claimed is None:
            raise CeremonyExpired(detail="unknown, used, late, or of another account or client")
        profile, connection = claimed
        with concerning(user_id=profile.user_id, connection_id=connection.id, client_id=client_id):
            return await self._changed(profile, connection, proved, password, caller, client_id=client_id)

    async def _changed(
        self,
        profile: Profile,
        connection: ConnectionRecord,
        proved: Proved,
        password: Secret[str],
        caller: Caller,
        *,
        client_id: str,
    ) -> Profile:
        subject = Subject(connection.id, client_id, profile)
        await self.breaches.check("pre-change-password", password, subject, caller)
        with self.protection.place(caller.address):
            hashed = await self.elsewhere.store_for(connection).prepare(profile, password)
        about: dict[str, Any] = {"user_id": profile.user_id, "connection_id": connection.id}
        if connection.policy().store == "scripted":
            failed = self.journal.event("fcp", caller, **about)
            if await self.elsewhere.again(connection, profile, failed) is None:
                raise CeremonyExpired(detail="gone from the customer's database")
            profile = await self.db.write(self._finish, proved, client_id, connection, hashed)
            failed = self.journal.event("fcp", caller, **about)
            await self.elsewhere.tell(connection, profile, NewPassword(password), failed)
            # Again: a login with the password from before may have begun meanwhile, and have been right.
            await self.db.write(self._end_others, proved, self.journal.event("scp", caller, **about))
        else:
            success = self.journal.event("scp", caller, **about)
            profile = await self.db.write(self._finish, proved, client_id, connection, hashed, success)
        await self.protection.lift(profile.user_id)
        return profile

    def _begin(self, session: Session, token: str, user_id: str, client_id: str) -> ConnectionRecord:
        _, connection = _account(session, user_id)
        record = {"user_id": user_id, "client_id": client_id}
        tickets.put(session, token, PURPOSE, record, self.clock() + LIFETIME, subject=user_id)
        return connection

    def _claim(
        self, session: Session, auth_session: str, proved: Proved, client_id: str
    ) -> tuple[Profile, ConnectionRecord] | None:
        record = tickets.take(session, auth_session, PURPOSE, self.clock())
        if record != {"user_id": proved.user_id, "client_id": client_id}:
            return None  # and not raised: whoever feels for a handle has used it up
        return _account(session, proved.user_id)

    def _finish(
        self,
        session: Session,
        proved: Proved,
        client_id: str,
        connection: ConnectionRecord,
        hashed: str,
        *success: Event,
    ) -> Profile:
        profile = still_in(session, proved, client_id)
        size = history_size(connection.policy())
        old_passwords.replace(session, profile.user_id, hashed, self.clock(), size=size)
        self._end_others(session, proved, *success)
        return accounts.by_id(session, profile.user_id) or profile

    def _end_others(self, session: Session, proved: Proved, *success: Event) -> None:
        acting = revocation.Subject(proved.user_id, proved.session_id)
        self.revocation.apply(session, revocation.Event.PASSWORD_CHANGED, acting, self.clock())
        journal.add(session, *success)


def _account(session: Session, user_id: str) -> tuple[Profile, ConnectionRecord]:
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or connection is None:
        raise NoSuchUser
    if not may_choose(connection.policy()):
        raise OperationNotSupported("Passwords cannot be changed here.")
    return profile, connection
