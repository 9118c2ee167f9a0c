"""Administrators make, change and delete accounts, and look at what these prove themselves with."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, connections, journal, passkeys, refresh_tokens, sessions
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, Forbidden, NoSuchPasskey, NoSuchUser, OperationNotSupported
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.password_login import StoreFor
from keystead.ports import Clock
from keystead.rules import user_edits
from keystead.rules.profiles import Profile
from keystead.rules.user_edits import NewUser, UserEdit
from keystead.secrecy import Secret

PASSWORD_PREFIX = "password|"  # noqa: S105 - of the id by which an account's password is listed


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
    clock: Clock
    journal: Journal

    async def profile(self, user_id: str) -> Profile:
        """Return an account, whoever it is. Raises ``NoSuchUser``."""
        found = await self.db.read(accounts.by_id, user_id)
        if found is None:
            raise NoSuchUser
        return found

    async def page(self, offset: int, limit: int, *, newest_first: bool) -> list[Person]:
        """Return a part of the list."""
        return await self.db.read(_page, offset, limit, newest_first)

    async def count(self) -> int:
        """Return how long the list is."""
        return await self.db.read(accounts.count)

    async def show(self, user_id: str) -> Person:
        """Return an account. Raises ``NoSuchUser``."""
        return await self.db.read(_person, user_id)

    async def create(self, new: NewUser, password: Secret[str] | None, operation: Operation) -> Person:
        """Make an account.

        Raises ``BadRequest``, ``InvalidIdentifier``, ``WeakPassword``, ``IdentifierTaken``, ``Busy``. The entry in the
        journal follows in a transaction of its own: the store, which may be the customer's, has its own.
        """
        connection = await self.db.read(_target, new.connection)
        draft = user_edits.draft(new, connection.policy(), password=password is not None)
        profile = await self.store_for(connection).create(draft, password)
        event = operation.event(
            self.journal, "Create a user", user_id=profile.user_id, connection_id=profile.connection_id
        )
        await self.db.write(journal.add, event)
        return Person(profile, connection.name)

    async def update(self, user_id: str, edit: UserEdit, operation: Operation) -> Person:
        """Change an account. Raises ``NoSuchUser``."""
        return await self.db.write(self._update, user_id, edit, operation)

    async def delete(self, user_id: str, operation: Operation) -> None:
        """Delete an account and all that hangs on it; no error where there is none (US-5)."""
        await self.db.write(self._delete, user_id, operation)

    async def methods(self, user_id: str) -> tuple[Profile, list[PasskeyRecord]]:
        """Return an account and its passkeys, oldest first. Raises ``NoSuchUser``."""
        return await self.db.read(_methods, user_id)

    async def remove_method(self, user_id: str, method_id: str, operation: Operation) -> None:
        """Remove a passkey of an account. Raises ``NoSuchUser``, ``NoSuchPasskey``, ``OperationNotSupported``."""
        await self.db.write(self._remove_method, user_id, method_id, operation)

    async def remove_methods(self, user_id: str, operation: Operation) -> None:
        """Remove everything that an account enrolled, which must not be a passkey (PK-34). Raises ``Forbidden``.

        What is left then is nothing: a password is a part of the account.
        """
        await self.db.write(self._remove_methods, user_id, operation)

    def _update(self, session: Session, user_id: str, edit: UserEdit, operation: Operation) -> Person:
        person = _person(session, user_id, lock=True)
        values = user_edits.changes(edit, person.profile)
        if values:
            accounts.change(session, user_id, values | {"updated_at": self.clock()})
        if user_edits.ends_sessions(values):
            sessions.end_of_account(session, user_id)
        if values.get("blocked"):
            refresh_tokens.end_of_account(session, user_id)
        event = operation.event(
            self.journal,
            "Update a user",
            user_id=user_id,
            connection_id=person.profile.connection_id,
            changed=sorted(values),
        )
        journal.add(session, event)
        return _person(session, user_id)

    def _delete(self, session: Session, user_id: str, operation: Operation) -> None:
        try:
            person = _person(session, user_id, lock=True)
        except NoSuchUser:
            return
        accounts.remove(session, user_id)
        for kind, description in (("sapi", "Delete a user"), ("sdu", "User successfully deleted")):
            about = {"user_id": user_id, "connection_id": person.profile.connection_id}
            journal.add(session, operation.event(self.journal, description, type=kind, **about))

    def _remove_method(self, session: Session, user_id: str, method_id: str, operation: Operation) -> None:
        person = _person(session, user_id)
        if method_id == PASSWORD_PREFIX + person.profile.local_id and person.profile.has_password:
            raise OperationNotSupported("A password is a part of the account and cannot be removed here.")
        if not passkeys.remove(session, user_id, method_id):
            raise NoSuchPasskey
        event = operation.event(
            self.journal,
            "Delete an authentication method",
            user_id=user_id,
            connection_id=person.profile.connection_id,
            authentication_method_id=method_id,
        )
        journal.add(session, event)

    def _remove_methods(self, session: Session, user_id: str, operation: Operation) -> None:
        if passkeys.count(session, user_id):
            raise Forbidden("Operation not permitted when the user has registered at least 1 passkey")
        event = operation.event(self.journal, "Delete all authentication methods", user_id=user_id)
        journal.add(session, event)


def _person(session: Session, user_id: str, *, lock: bool = False) -> Person:
    profile = accounts.by_id(session, user_id, lock=lock)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or connection is None or connection.for_administrators:
        raise NoSuchUser
    return Person(profile, connection.name)


def _page(session: Session, offset: int, limit: int, newest_first: bool) -> list[Person]:
    found = accounts.page(session, offset, limit, newest_first=newest_first)
    names = connections.names(session, [profile.connection_id for profile in found])
    return [Person(profile, names[profile.connection_id]) for profile in found]


def _methods(session: Session, user_id: str) -> tuple[Profile, list[PasskeyRecord]]:
    return _person(session, user_id).profile, passkeys.of_account(session, user_id)


def _target(session: Session, name: str) -> ConnectionRecord:
    """Return the connection that a new account is for. Texts as recorded (auth0-behaviour 2.5)."""
    connection = connections.by_name(session, name)
    if connection is None or connection.for_administrators:
        raise BadRequest("Connection does not exist.")
    if not connection.active:
        raise BadRequest("Connection is disabled.")
    return connection
