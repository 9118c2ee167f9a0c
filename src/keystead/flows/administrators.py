"""Owners say who administers this installation, and as what."""

from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, administrators, connections, journal, tickets
from keystead.db.administrators import AdministratorRecord
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import InsufficientScope, InternalError, LastOwner, NoSuchUser
from keystead.flows.administrator_setup import PURPOSE
from keystead.flows.journal import Journal
from keystead.flows.mail_provider import stored
from keystead.flows.operations import Operation
from keystead.flows.post import Post
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy
from keystead.rules import signups
from keystead.rules.administrators import SETUP_LIFETIME, AdministratorEdit, Invitation
from keystead.rules.authority import OWNER, Role, lacking
from keystead.rules.messages import Message
from keystead.rules.revocation import Event, Subject

_NOBODY: Final = "The administrator does not exist."


@dataclass(frozen=True, slots=True)
class Invited:
    """An administrator who has not come in yet, and the link that lets them: it is shown this once."""

    administrator: AdministratorRecord
    url: str


@dataclass(frozen=True)
class Administrators:
    """Everything that is said about administrators through the Management API.

    Who changes one holds the administrators' connection until it is done: of two owners who delete each other at once
    one stays, and whoever comes second is told so.
    """

    db: Database
    revocation: Revocation
    post: Post
    journal: Journal
    clock: Clock
    entropy: Entropy
    has_mail: bool
    """Whether the environment names a way to send mail; one that is stored counts too."""

    async def page(self, offset: int, limit: int) -> tuple[list[AdministratorRecord], int]:
        """Return a part of the list, oldest first, and how long the list is."""
        return await self.db.read(_page, offset, limit)

    async def show(self, user_id: str) -> AdministratorRecord:
        """Return an administrator. Raises ``NoSuchUser``."""
        return await self.db.read(_found, user_id)

    async def invite(self, asked: Invitation, held: frozenset[str], operation: Operation) -> Invited:
        """Make the account of a new administrator and a link to it, which is mailed where that can be.

        Raises ``InvalidIdentifier``, ``IdentifierTaken``, and ``InsufficientScope`` for a role that holds more than the
        caller, of whom ``held`` is the scope.
        """
        return await self.db.write(self._invite, asked, held, operation)

    async def update(
        self, user_id: str, edit: AdministratorEdit, held: frozenset[str], operation: Operation
    ) -> AdministratorRecord:
        """Give an administrator another role, or block them. Takes effect at their next request, whatever token it has.

        Raises ``NoSuchUser``, ``LastOwner``, and ``InsufficientScope`` for a role that holds more than the caller.
        """
        return await self.db.write(self._update, user_id, edit, held, operation)

    async def delete(self, user_id: str, operation: Operation) -> None:
        """Delete an administrator with all that is signed in; no error where there is none. Raises ``LastOwner``."""
        await self.db.write(self._delete, user_id, operation)

    def _invite(self, session: Session, asked: Invitation, held: frozenset[str], operation: Operation) -> Invited:
        _check_held(asked.role, held)
        connection, now = _hold(session), self.clock()
        draft = signups.read_draft({"email": asked.email}, connection.policy())
        draft = draft.model_copy(update={"user_handle": self.entropy.bytes(32)})
        local_id = self.entropy.bytes(12).hex()
        made = accounts.create(session, connection.id, draft, None, local_id=local_id, now=now)
        administrators.add(session, made.user_id, asked.role)
        ticket = self.entropy.token(32)
        record = {"user_id": made.user_id, "kind": "invitation"}
        tickets.put(session, ticket, PURPOSE, record, now + SETUP_LIFETIME, subject=made.user_id)
        url = f"{self.post.public_url}/u/setup?ticket={ticket}"
        self._mail(session, made.email or "", url, made.user_id, operation)
        self._record(session, operation, "Invite an administrator", made.user_id, role=asked.role)
        return Invited(_found(session, made.user_id), url)

    def _mail(self, session: Session, to: str, url: str, user_id: str, operation: Operation) -> None:
        provider = stored(session, self.post.sealer)
        if self.has_mail or (provider and provider.enabled):
            about = {"user_id": user_id, "connection_id": _hold(session).id, "language": operation.caller.language}
            said = {"url": url, "days": SETUP_LIFETIME.days}
            message = Message(channel="email", template="user_invitation", to=to, variables=said, **about)
            self.post.send(session, message)

    def _update(
        self, session: Session, user_id: str, edit: AdministratorEdit, held: frozenset[str], operation: Operation
    ) -> AdministratorRecord:
        _hold(session)
        before = _found(session, user_id)
        role = edit.role or before.role
        blocked = before.blocked if edit.blocked is None else edit.blocked
        if role != before.role or (before.blocked and not blocked):
            _check_held(role, held)
        if role != OWNER or blocked:
            _check_not_last(session, before)
        administrators.set_role(session, user_id, role)
        accounts.change(session, user_id, {"blocked": blocked, "updated_at": self.clock()})
        if blocked and not before.blocked:
            self.revocation.apply(session, Event.BLOCKED, Subject(user_id), self.clock())
        self._record(session, operation, "Update an administrator", user_id, role=role, blocked=blocked)
        return _found(session, user_id)

    def _delete(self, session: Session, user_id: str, operation: Operation) -> None:
        _hold(session)
        found = administrators.get(session, user_id)
        if found is None:
            return
        _check_not_last(session, found)
        self.revocation.apply(session, Event.DELETED, Subject(user_id), self.clock())
        accounts.remove(session, user_id)
        self._record(session, operation, "Delete an administrator", user_id, role=found.role)
        about = {"user_id": user_id, "connection_id": found.connection_id}
        journal.add(session, operation.event(self.journal, "User successfully deleted", type="sdu", **about))

    def _record(self, session: Session, operation: Operation, what: str, user_id: str, **details: Any) -> None:
        connection_id = _hold(session).id
        event = operation.event(self.journal, what, user_id=user_id, connection_id=connection_id, **details)
        journal.add(session, event)


def _hold(session: Session) -> ConnectionRecord:
    """Return the administrators' connection, locked: who they are stays as it is until the unit of work is over."""
    found = connections.of_administrators(session, lock=True)
    if found is None:
        raise InternalError(detail="there is no connection of administrators: has the first start been made?")
    return found


def _found(session: Session, user_id: str) -> AdministratorRecord:
    found = administrators.get(session, user_id)
    if found is None:
        raise NoSuchUser(_NOBODY)
    return found


def _page(session: Session, offset: int, limit: int) -> tuple[list[AdministratorRecord], int]:
    return administrators.page(session, offset, limit), administrators.total(session)


def _check_held(role: Role, held: frozenset[str]) -> None:
    missing = lacking(role, held)
    if missing:
        raise InsufficientScope(missing)


def _check_not_last(session: Session, found: AdministratorRecord) -> None:
    """Refuse to take away the last owner who can sign in: nobody could make another. Raises ``LastOwner``."""
    if found.is_working_owner and not administrators.has_other_owner(session, found.user_id):
        raise LastOwner
