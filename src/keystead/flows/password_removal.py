"""Somebody who signs in with a passkey gives their password up for good."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import census, connections, journal, old_passwords, passkeys
from keystead.db.sessions import SessionRecord
from keystead.errors import LastWayIn, NoSuchPasskey, NoSuchUser, OperationNotSupported
from keystead.flows.passkey_enrolment import PasskeyEnrolment, Proved, still_in
from keystead.flows.post import Post
from keystead.flows.revocation import Revocation
from keystead.rules import revocation
from keystead.rules.events import Caller
from keystead.rules.passkey_policy import policy_of, without_passwords
from keystead.rules.password_policy import STEP_UP, history_size
from keystead.rules.ways_in import is_last


@dataclass(frozen=True)
class PasswordRemoval:
    """Where the connection lets accounts live without one, and nobody locks themselves out by it."""

    enrolment: PasskeyEnrolment
    post: Post
    revocation: Revocation

    async def here(self, session: SessionRecord, method_id: str, caller: Caller) -> None:
        """Remove it on a page of ours. Raises ``StepUpRequired``, and the same."""
        self.enrolment.require_fresh(session.authenticated_at, STEP_UP)
        await self(Proved(session.user_id, session.authenticated_at, session.id), method_id, caller)

    async def __call__(self, proved: Proved, method_id: str, caller: Caller, *, client_id: str | None = None) -> None:
        """Remove the password; whatever else is signed in to the account ends, as when it is changed (V7.4.3).

        Raises ``NoSuchPasskey`` where that is no password of theirs, ``OperationNotSupported`` where accounts need one,
        ``LastWayIn`` without a passkey that the policy lets in, ``CeremonyExpired`` for whoever was signed out.
        """
        await self.enrolment.db.write(self._remove, proved, method_id, caller, client_id)

    def _remove(self, session: Session, proved: Proved, method_id: str, caller: Caller, client_id: str | None) -> None:
        own = self.enrolment
        profile = still_in(session, proved, client_id or "")
        census.join(session)  # no policy is saved meanwhile that would refuse the passkeys that are left
        connection = connections.get(session, profile.connection_id)
        if connection is None:
            raise NoSuchUser
        if not profile.has_password or method_id != profile.password_id:
            raise NoSuchPasskey
        if connection.policy().store == "scripted":
            raise OperationNotSupported("Your password is kept in another database, and cannot be removed here.")
        if not without_passwords(connection.policy()):
            raise OperationNotSupported("Accounts need a password here.")
        others = [each.credential for each in passkeys.of_account(session, profile.user_id)]
        rp_ids = own.ceremonies.relying_party(session).ids
        if is_last(policy_of(connection.policy()), others, rp_ids, password=False):
            raise LastWayIn("This is your only way to sign in. Add a passkey before you remove it.")
        now = own.clock()
        old_passwords.replace(session, profile.user_id, None, now, size=history_size(connection.policy()))
        acting = revocation.Subject(proved.user_id, proved.session_id)
        self.revocation.apply(session, revocation.Event.PASSWORD_CHANGED, acting, now)
        about: dict[str, Any] = {"user_id": profile.user_id, "client_id": client_id}
        done = {"operation": "delete", "authentication_method_id": method_id}
        journal.add(session, own.journal.event("my_account_authentication_method_succeeded", caller, **about, **done))
        self.post.notify(session, profile, "password_removed", caller)
