"""Administrators make, change and delete accounts."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, clients, connections, journal, mirrors, old_passwords
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import (
    BadRequest,
    IdentifierTaken,
    InternalError,
    NoSuchUser,
    RefusedByScript,
    ScriptFailed,
)
from keystead.flows import reach
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.directory import StoreFor
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.protection import Protection
from keystead.flows.refusals import told
from keystead.flows.revocation import Revocation
from keystead.flows.verification import Verification
from keystead.ports import Clock, Sealer
from keystead.rules import revocation, user_edits
from keystead.rules.account_changes import Deleted, NewIdentifier, NewPassword
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Event
from keystead.rules.identifiers import Identifier, IdentifierKind
from keystead.rules.password_policy import history_size
from keystead.rules.profiles import EXTRAS, Profile
from keystead.rules.returned_profiles import TOKENS
from keystead.rules.user_edits import NewUser, UserEdit
from keystead.rules.user_search import email_as_stored
from keystead.secrecy import Secret

_MOVED: Final = {"email": "sce", "username": "scu", "phone_number": "scpn"}
"""What is written down, beside the change itself, of an identifier that is another one now."""

_NOT_MOVED: Final = {"email": "fce", "username": "fcu", "phone_number": "fcpn"}
"""What is written down where a script did not change it."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the name of its connection."""

    profile: Profile
    connection: str


@dataclass(frozen=True)
class Users:
    """Everything that is said about accounts through the Management API.

    Administrators are not there for any of it: whoever may manage users could otherwise lock the owners out.
    """

    db: Database
    store_for: StoreFor
    breaches: Breaches
    protection: Protection
    verification: Verification
    revocation: Revocation
    sealer: Sealer
    clock: Clock
    journal: Journal

    async def profile(self, user_id: str) -> Profile:
        """Return an account, whoever it is. Raises ``NoSuchUser``."""
        found = await self.db.read(accounts.by_id, user_id)
        if found is None:
            raise NoSuchUser
        return found

    async def show(self, user_id: str) -> Person:
        """Return an account. Raises ``NoSuchUser``."""
        return await self.db.read(_person, user_id)

    async def tokens(self, user_id: str, operation: Operation) -> dict[str, str]:
        """Return the tokens that came with somebody from the customer's database (CD-9); none where a key is gone.

        They open what is somebody's elsewhere: the journal says who had them, before they have them.
        """
        found = await self.db.read(mirrors.known, user_id)
        if found is None or not found.sealed_extras:
            return {}
        try:
            extras: dict[str, Any] = json.loads(self.sealer.open(found.sealed_extras, EXTRAS))
        except InternalError:
            return {}
        handed = {name: str(extras[name]) for name in TOKENS if extras.get(name)}
        if handed:
            about = {"user_id": user_id, "type": "mgmt_api_read"}
            event = operation.event(self.journal, "Read the tokens of a user", **about, tokens=sorted(handed))
            await self.db.write(journal.add, event)
        return handed

    async def create(self, new: NewUser, password: Secret[str] | None, operation: Operation) -> Person:
        """Make an account.

        Raises ``BadRequest``, ``InvalidIdentifier``, ``WeakPassword``, ``PasswordLeaked``, ``PasswordUnchecked``,
        ``IdentifierTaken``, ``Busy``. The entry in the journal follows in a transaction of its own: the store, which
        may be the customer's, has its own.
        """
        connection = await self.db.read(_target, new.connection)
        draft = user_edits.draft(new, connection.policy(), password=password is not None)
        if password is not None:
            subject = Subject(connection.id, operation.client_id)
            await self.breaches.check("pre-user-registration", password, subject, operation.caller)
        draft = draft.model_copy(update={"client_id": operation.client_id or ""})
        about = {"connection_id": connection.id}
        async with self._told(operation.event(self.journal, "Create a user", type="fs", **about)):
            profile = await self.store_for(connection).create(draft, password)
        event = operation.event(
            self.journal,
            "Create a user",
            user_id=profile.user_id,
            connection_id=profile.connection_id,
            **_noted(profile),
        )
        await self.db.write(self._greet, profile, new, event, operation)
        return Person(profile, connection.name)

    async def update(self, user_id: str, edit: UserEdit, password: Secret[str] | None, operation: Operation) -> Person:
        """Change an account, whole or not at all.

        A new password ends its sessions and refresh tokens and lifts the blocks of its identifiers (RS-6); its owner
        is not told. Raises ``NoSuchUser``, ``BadRequest``, ``InvalidIdentifier``, ``IdentifierTaken``,
        ``WeakPassword``, ``PasswordLeaked``, ``PasswordUnchecked``, ``Busy``; ``ScriptFailed`` and ``RefusedByScript``
        where people live elsewhere: nothing is changed here then.
        """
        hashed = await self._hashed(user_id, edit, password, operation) if password is not None else None
        await self._tell(user_id, edit, password, operation)
        person = await self.db.write(self._update, user_id, edit, hashed, operation)
        if hashed is not None:
            await self.protection.lift(user_id)
        return person

    async def delete(self, user_id: str, operation: Operation) -> None:
        """Delete an account and all that hangs on it; no error where there is none (US-5).

        There first, where people live elsewhere: whoever were deleted here alone would be back at their next login.
        Raises ``ScriptFailed``, ``RefusedByScript``, ``OperationNotSupported`` where there is no script for it.
        """
        try:
            profile, connection = await self.db.read(reach.person, user_id)
        except NoSuchUser:
            return
        about = {"user_id": user_id, "connection_id": connection.id}
        async with self._told(operation.event(self.journal, "User not deleted", type="fdu", **about)):
            await self.store_for(connection).pass_on(profile, Deleted())
        await self.db.write(self._delete, user_id, operation)

    async def delete_by_email(self, connection_id: str, email: str, operation: Operation) -> None:
        """Delete whoever has an address in a connection (US-13), one after the other.

        Raises ``NoSuchConnection``, and what ``delete`` raises.
        """
        for user_id in await self.db.read(_with_email, connection_id, email_as_stored(email)):
            await self.delete(user_id, operation)

    async def _hashed(self, user_id: str, edit: UserEdit, password: Secret[str], operation: Operation) -> str:
        """Return the hash of a new password, once everything that can be refused before was looked at."""
        profile, connection = await self.db.read(_allowed, user_id, edit, password=True)
        identifiers = user_edits.new_identifiers(edit, profile, connection.policy())
        after = profile.model_copy(update=user_edits.changes(edit, profile, identifiers))
        subject = Subject(connection.id, operation.client_id, profile)
        await self.breaches.check("pre-change-password", password, subject, operation.caller)
        return await self.store_for(connection).prepare(after, password)

    async def _tell(self, user_id: str, edit: UserEdit, password: Secret[str] | None, operation: Operation) -> None:
        """Have the customer's database change what it keeps, before we do: what it refuses is refused as a whole.

        Raises ``IdentifierTaken``, ``ScriptFailed``, ``RefusedByScript``.
        """
        profile, connection = await self.db.read(_allowed, user_id, edit, password=password is not None)
        if connection.policy().store != "scripted":
            return
        store, identifiers = self.store_for(connection), user_edits.new_identifiers(edit, profile, connection.policy())
        about = {"user_id": user_id, "connection_id": connection.id}
        for change in user_edits.told(edit, profile, identifiers, password):
            kind = "fcp" if isinstance(change, NewPassword) else _NOT_MOVED[change.kind]
            async with self._told(operation.event(self.journal, "Update a user", type=kind, **about)):
                if isinstance(change, NewIdentifier) and await store.find(Identifier(change.kind, change.after or "")):
                    raise IdentifierTaken(change.kind)
                await store.pass_on(profile, change)
            if isinstance(change, NewIdentifier):
                # What is told next is told of whoever has the new one: somebody may have no other.
                profile = profile.having({change.kind: change.after})

    @asynccontextmanager
    async def _told(self, failure: Event) -> AsyncIterator[None]:
        """Write down what a script of the customer's did not do."""
        try:
            yield
        except (ScriptFailed, RefusedByScript) as refusal:
            await self.db.write(journal.add, told(failure, refusal))
            raise

    def _greet(self, session: Session, profile: Profile, new: NewUser, event: Event, operation: Operation) -> None:
        """Record a new account, and ask its owner whether the addresses are theirs."""
        journal.add(session, event)
        self._ask(session, profile, new, "", operation)

    def _ask(
        self, session: Session, profile: Profile, said: NewUser | UserEdit, client_id: str, operation: Operation
    ) -> None:
        # Whoever calls the API is not the person, so no browser is said to have asked.
        caller = operation.caller.model_copy(update={"browser": ""})
        for kind in user_edits.asked_to_verify(said, profile):
            self.verification.request(session, profile, client_id, caller, kind)

    def _update(
        self, session: Session, user_id: str, edit: UserEdit, hashed: str | None, operation: Operation
    ) -> Person:
        profile, connection = _allowed(session, user_id, edit, password=hashed is not None, lock=True)
        options, now, before = connection.policy(), self.clock(), profile.model_dump(include=set(_MOVED))
        identifiers = user_edits.new_identifiers(edit, profile, options)
        values = user_edits.changes(edit, profile, identifiers)
        _move(session, profile, identifiers, options, now)
        if values:
            accounts.change(session, user_id, values | {"updated_at": now})
        if hashed is not None:
            old_passwords.replace(session, user_id, hashed, now, size=history_size(options))
        for ending in user_edits.endings(values, password=hashed is not None):
            self.revocation.apply(session, ending, revocation.Subject(user_id), now)
        changed = sorted([*values, *(["password"] if hashed is not None else [])])
        about = {"user_id": user_id, "connection_id": connection.id}
        person = _person(session, user_id)
        noted = _noted(person.profile) if {"user_metadata", "app_metadata"} & values.keys() else {}
        events = [operation.event(self.journal, "Update a user", changed=changed, **noted, **about)]
        moved = [kind for name, kind in _MOVED.items() if values.get(name, before[name]) != before[name]]
        events += [operation.event(self.journal, "Changed by an administrator", type=kind, **about) for kind in moved]
        journal.add(session, *events)
        self._ask(session, person.profile, edit, edit.client_id or "", operation)
        return person

    def _delete(self, session: Session, user_id: str, operation: Operation) -> None:
        try:
            person = _person(session, user_id, lock=True)
        except NoSuchUser:
            return
        self.revocation.apply(session, revocation.Event.DELETED, revocation.Subject(user_id), self.clock())
        accounts.remove(session, user_id)
        for kind, description in (("sapi", "Delete a user"), ("sdu", "User successfully deleted")):
            about = {"user_id": user_id, "connection_id": person.profile.connection_id}
            journal.add(session, operation.event(self.journal, description, type=kind, **about))


def _move(
    session: Session,
    profile: Profile,
    identifiers: Mapping[IdentifierKind, str | None],
    options: ConnectionOptions,
    now: datetime,
) -> None:
    """Give an account other identifiers. Raises ``IdentifierTaken``, but where the customer's database has taken it."""
    shared = options.shared_kinds()
    if identifiers and options.store == "scripted":
        values = {str(kind): value for kind, value in identifiers.items()}
        mirrors.follow(session, profile.user_id, values, now, shared=shared)
    elif identifiers:
        accounts.change_identifiers(session, profile, identifiers, shared=shared)


def _with_email(session: Session, connection_id: str, email: str) -> list[str]:
    reach.connection(session, connection_id)
    return accounts.with_email(session, connection_id, email)


def _noted(profile: Profile) -> dict[str, Any]:
    large = user_edits.large_metadata(profile)
    return {"large_metadata": large} if large else {}


def _person(session: Session, user_id: str, *, lock: bool = False) -> Person:
    profile, connection = reach.person(session, user_id, lock=lock)
    return Person(profile, connection.name)


def _allowed(
    session: Session, user_id: str, edit: UserEdit, *, password: bool, lock: bool = False
) -> tuple[Profile, ConnectionRecord]:
    """Return the account that a PATCH is about, and its connection. Texts as recorded (auth0-behaviour 2.5)."""
    profile, connection = reach.person(session, user_id, lock=lock)
    if edit.connection not in (None, connection.name):
        _target(session, str(edit.connection))
        raise BadRequest("Connection is not supported for this operation.")
    if not connection.active and (password or "email" in edit.model_fields_set):
        raise BadRequest("Cannot change email or password for users in a disabled connection.")
    if password and not connection.policy().methods.password.enabled:
        raise BadRequest("The connection does not take passwords.", path="password")
    if connection.policy().store == "scripted":
        user_edits.check_kept_elsewhere(edit, connection.policy(), connection.name, password=password)
    if edit.client_id is not None and clients.known(session, edit.client_id) is None:
        raise BadRequest("The client does not exist.", path="client_id")
    return profile, connection


def people(session: Session, found: Iterable[Profile]) -> list[Person]:
    """Return accounts with the names of their connections."""
    profiles = list(found)
    names = connections.names(session, [profile.connection_id for profile in profiles])
    return [Person(profile, names[profile.connection_id]) for profile in profiles]


def _target(session: Session, name: str) -> ConnectionRecord:
    """Return the connection that a new account is for. Texts as recorded (auth0-behaviour 2.5)."""
    connection = reach.connection_named(session, name)
    if connection is None:
        raise BadRequest("Connection does not exist.")
    if not connection.active:
        raise BadRequest("Connection is disabled.")
    return connection
