"""Administrators look at what somebody proves themselves with, name it, import it and take it away (PK-33, PK-34)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord, Registration
from keystead.db.session import Database
from keystead.errors import (
    BadRequest,
    Forbidden,
    NoSuchPasskey,
    NoSuchUser,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyNotAllowed,
)
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import reasons, require_passkeys
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, PasskeyKeys
from keystead.rules import revocation
from keystead.rules.authentication_methods import (
    ImportedPasskey,
    MethodEdit,
    OtherMethod,
    handle_of,
    imported,
    refuse_others,
)
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.passkey_names import chosen_name
from keystead.rules.passkey_policy import Context, Verdict, evaluate, is_full, of_new, policy_of
from keystead.rules.profiles import Profile


@dataclass(frozen=True)
class AuthenticationMethods:
    """What is said about them through the Management API. Administrators' own are out of its reach."""

    db: Database
    keys: PasskeyKeys
    enrolment: PasskeyEnrolment
    revocation: Revocation
    clock: Clock
    journal: Journal

    async def of_user(self, user_id: str) -> tuple[Profile, list[PasskeyRecord]]:
        """Return an account and its passkeys, oldest first. Raises ``NoSuchUser``."""
        return await self.db.read(_of_user, user_id)

    async def add(self, user_id: str, given: ImportedPasskey, operation: Operation) -> PasskeyRecord:
        """Give an account a passkey that was made elsewhere, held to whatever holds for one that is made here.

        Raises ``NoSuchUser``, ``BadRequest``, ``PasskeyTaken``, ``PasskeyLimitReached``, and ``PasskeyNotAllowed`` for
        one that the connection's policy would never let in.
        """
        new = imported(given, self.keys.read(given.public_key))
        return await self.db.write(self._add, user_id, given, new, operation)

    async def update(self, user_id: str, method_id: str, edit: MethodEdit, operation: Operation) -> PasskeyRecord:
        """Give a passkey a name. Raises ``NoSuchUser``, ``NoSuchPasskey``, ``OperationNotSupported``."""
        return await self.db.write(self._update, user_id, method_id, edit, operation)

    async def remove(self, user_id: str, method_id: str, operation: Operation) -> None:
        """Remove a passkey. Raises ``NoSuchUser``, ``NoSuchPasskey``, ``OperationNotSupported``."""
        await self.db.write(self._remove, user_id, method_id, operation)

    async def remove_all(self, user_id: str, operation: Operation) -> None:
        """Remove everything that an account enrolled, which must not be a passkey (PK-34). Raises ``Forbidden``.

        What is left then is nothing: a password is a part of the account. Where there is no account nothing happens.
        """
        await self.db.write(self._remove_all, user_id, operation)

    async def replace_all(self, user_id: str, methods: Sequence[OtherMethod], operation: Operation) -> None:
        """Replace everything that an account enrolled, which must not be a passkey (PK-34), by nothing.

        Raises ``NoSuchUser``, ``Forbidden``, and ``OperationNotSupported`` for methods that there are not.
        """
        await self.db.write(self._replace_all, user_id, methods, operation)

    def _add(
        self, session: Session, user_id: str, given: ImportedPasskey, new: NewPasskey, operation: Operation
    ) -> PasskeyRecord:
        """Store it while the account is locked: its passkeys are counted, and its handle may change."""
        profile, connection = reach.person(session, user_id, lock=True)
        new = self.enrolment.models.judged(session, new)
        verdict = self._judge(session, profile, connection, given, new)
        _take_handle(session, profile, handle_of(given))
        registration = Registration(
            id=self.enrolment.entropy.id("passkey|dev_"),
            rp_id=given.relying_party_identifier,
            user_agent=given.user_agent,
            at=self.clock(),
            name=chosen_name(given.name) if given.name is not None else None,
        )
        stored = passkeys.add(session, user_id, new, registration)
        advised = {"policy": reasons(verdict)} if verdict.reasons else {}
        self._record(session, operation, "Create an authentication method", stored, **advised)
        self.enrolment.notices.send(session, "passkey_added", profile, stored, operation.for_owner)
        return stored

    def _judge(
        self, session: Session, profile: Profile, connection: ConnectionRecord, given: ImportedPasskey, new: NewPasskey
    ) -> Verdict:
        """Return what the policy says of an imported passkey, at its best: its authenticator may verify whom it asks.

        An administrator vouches for how it was made, so that it is judged as at a login.
        """
        options = connection.policy()
        require_passkeys(options)
        if given.relying_party_identifier not in (accepted := self.enrolment.ceremonies.relying_party(session).ids):
            raise BadRequest(f"must be {' or '.join(accepted)}", path="relying_party_identifier")
        if given.identity_user_id not in (None, profile.user_id, profile.local_id):
            raise BadRequest("must be the user's own", path="identity_user_id")
        policy = policy_of(options)
        if is_full(policy, passkeys.count_by_rp_id(session, profile.user_id).get(given.relying_party_identifier, 0)):
            raise PasskeyLimitReached
        best = new.model_copy(update={"user_verified": True})
        credential = of_new(best, given.relying_party_identifier)
        verdict = evaluate(policy, credential, Context(registers=False, rp_ids=accepted))
        if verdict.refused:
            raise PasskeyNotAllowed(verdict.text, detail=verdict.text)
        return verdict

    def _update(
        self, session: Session, user_id: str, method_id: str, edit: MethodEdit, operation: Operation
    ) -> PasskeyRecord:
        profile, _ = reach.person(session, user_id)
        if _is_password(profile, method_id):
            raise OperationNotSupported("A password has no name.")
        if edit.name is not None:
            passkeys.rename(session, user_id, method_id, edit.name)
        found = passkeys.get(session, user_id, method_id)
        if found is None:
            raise NoSuchPasskey
        self._record(session, operation, "Update an authentication method", found)
        return found

    def _remove(self, session: Session, user_id: str, method_id: str, operation: Operation) -> None:
        profile, _ = reach.person(session, user_id)
        if _is_password(profile, method_id):
            raise OperationNotSupported("A password is a part of the account and cannot be removed here.")
        found = passkeys.get(session, user_id, method_id)
        if found is None or not passkeys.remove(session, user_id, method_id):
            raise NoSuchPasskey
        self.revocation.apply(session, revocation.Event.PASSKEY_REMOVED, revocation.Subject(user_id), self.clock())
        self._record(session, operation, "Delete an authentication method", found)
        self.enrolment.notices.send(session, "passkey_removed", profile, found, operation.for_owner)

    def _remove_all(self, session: Session, user_id: str, operation: Operation) -> None:
        try:
            reach.person(session, user_id)
        except NoSuchUser:
            return  # an administrator's too: neither the answer nor the journal says whether there is a passkey
        _refuse_passkeys(session, user_id)
        event = operation.event(self.journal, "Delete all authentication methods", user_id=user_id)
        journal.add(session, event)

    def _replace_all(
        self, session: Session, user_id: str, methods: Sequence[OtherMethod], operation: Operation
    ) -> None:
        reach.person(session, user_id)
        _refuse_passkeys(session, user_id)
        refuse_others(methods)
        event = operation.event(self.journal, "Replace all authentication methods", user_id=user_id)
        journal.add(session, event)

    def _record(
        self, session: Session, operation: Operation, description: str, passkey: PasskeyRecord, **about: Any
    ) -> None:
        event = operation.event(
            self.journal,
            description,
            user_id=passkey.user_id,
            connection_id=passkey.connection_id,
            authentication_method_id=passkey.id,
            **about,
        )
        journal.add(session, event)


def _of_user(session: Session, user_id: str) -> tuple[Profile, list[PasskeyRecord]]:
    return reach.person(session, user_id)[0], passkeys.of_account(session, user_id)


def _take_handle(session: Session, profile: Profile, handle: bytes) -> None:
    """See to it that an account's passkeys all name it alike (WebAuthn Level 3 §14.6.1). Raises ``BadRequest``.

    An account without passkeys takes the handle of its first: nothing else knows it by the one that it has.
    """
    if handle == profile.user_handle:
        return
    if passkeys.count(session, profile.user_id):
        raise BadRequest("must be that of the user's other passkeys", path="user_handle")
    if accounts.by_handle(session, handle) is not None:
        raise BadRequest("is that of another user", path="user_handle")
    accounts.change(session, profile.user_id, {"user_handle": handle})


def _is_password(profile: Profile, method_id: str) -> bool:
    return profile.has_password and method_id == profile.password_id


def _refuse_passkeys(session: Session, user_id: str) -> None:
    if passkeys.count(session, user_id):
        raise Forbidden("Operation not permitted when the user has registered at least 1 passkey")
