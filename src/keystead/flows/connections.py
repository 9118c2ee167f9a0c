"""Administrators make and change connections. The pages and the API read them afresh on every request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, census, clients, connections, journal
from keystead.db.connections import ConnectionRecord, Wanted
from keystead.db.session import Database
from keystead.errors import BadRequest, NoSuchClient
from keystead.flows import reach
from keystead.flows.configuration import Configuration
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.passkey_preview import Allowance, PasskeyPreview
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy
from keystead.rules.connection_edits import (
    ClientSwitch,
    ConnectionEdit,
    NewConnection,
    check_unchanged,
    columns,
    differences,
    kept_metadata,
)
from keystead.rules.connections import new_options, read_options, replace_options
from keystead.rules.passkey_policy import warnings
from keystead.rules.revocation import Event, Subject


@dataclass(frozen=True, slots=True)
class Listed:
    """A connection, and the clients that may use it."""

    connection: ConnectionRecord
    clients: tuple[str, ...]


@dataclass(frozen=True)
class Connections:
    """Everything that is said about connections through the Management API.

    The administrators' own connection is not there for any of it: it is neither listed nor found, since a tool that
    reads, compares and deletes would otherwise take the administrators' way in for a leftover.
    """

    db: Database
    revocation: Revocation
    preview: PasskeyPreview
    configuration: Configuration
    clock: Clock
    entropy: Entropy
    journal: Journal

    async def page(self, wanted: Wanted, offset: int, limit: int) -> tuple[list[Listed], int]:
        """Return a part of the list, and how long the list is."""
        return await self.db.read(_page, wanted, offset, limit)

    async def after(self, wanted: Wanted, last: str, limit: int) -> list[Listed]:
        """Return what follows a connection id in the list. Raises ``NoSuchClient`` where it is of one."""
        return await self.db.read(_after, wanted, last, limit)

    async def show(self, connection_id: str) -> Listed:
        """Return a connection. Raises ``NoSuchConnection``."""
        return await self.db.read(_show, connection_id)

    async def create(self, new: NewConnection, operation: Operation) -> Listed:
        """Make a connection. Raises ``InvalidOptions``, ``BadRequest``, ``NameTaken``, ``RealmTaken``."""
        connection_id = self.entropy.id("con_")
        record = ConnectionRecord(
            id=connection_id,
            name=new.name,
            strategy=new.strategy,
            display_name=new.display_name,
            is_domain_connection=new.is_domain_connection,
            show_as_button=new.show_as_button,
            active=new.authentication.active,
            connected_accounts=new.connected_accounts.model_dump(exclude_none=True),
            about=kept_metadata(None, new.metadata or {}),
            options=self.configuration.sealed(connection_id, new_options(new.options), {}),
            for_administrators=False,
            created_at=self.clock(),
            realms=tuple(new.realms) or (new.name,),
        )
        return await self.db.write(self._create, record, tuple(new.enabled_clients), operation)

    async def update(
        self, connection_id: str, edit: ConnectionEdit, operation: Operation, allowance: Allowance
    ) -> Listed:
        """Change a connection.

        Raises ``NoSuchConnection``, ``InvalidOptions``, ``BadRequest``, ``RealmTaken``, and ``WouldStrandUsers`` where
        more people would be left without a way to sign in than is allowed.
        """
        return await self.db.write(self._update, connection_id, edit, operation, allowance)

    async def delete(self, connection_id: str, operation: Operation) -> datetime | None:
        """Delete a connection with its accounts; return when, or ``None`` where there was none."""
        return await self.db.write(self._delete, connection_id, operation)

    async def clients(self, connection_id: str, last: str, limit: int) -> list[str]:
        """Return the clients that may use a connection, from behind a client id. Raises ``NoSuchConnection``."""
        return await self.db.read(_clients, connection_id, last, limit)

    async def switch(self, connection_id: str, switches: Sequence[ClientSwitch], operation: Operation) -> None:
        """Let clients use a connection, or stop them. Raises ``NoSuchConnection``, ``NoSuchClient``."""
        await self.db.write(self._switch, connection_id, switches, operation)

    def _create(
        self, session: Session, record: ConnectionRecord, client_ids: tuple[str, ...], operation: Operation
    ) -> Listed:
        connections.create(session, record)
        try:
            connections.enable(session, record.id, client_ids)
        except NoSuchClient as unknown:
            # Not a 404: what the URL names is there.
            raise BadRequest(unknown.text, path="enabled_clients") from None
        about = _warned(record) | {"connection_id": record.id, "enabled": sorted(set(client_ids))}
        journal.add(session, operation.event(self.journal, "Create a connection", **about))
        return _show(session, record.id)

    def _update(
        self, session: Session, connection_id: str, edit: ConnectionEdit, operation: Operation, allowance: Allowance
    ) -> Listed:
        # Locked, so that two PATCHes at once do not mix one's options with the other's.
        before = reach.connection(session, connection_id, lock=True)
        check_unchanged(edit, id=before.id, name=before.name)
        values = columns(edit, name=before.name, display_name=before.display_name, about=before.about)
        foreseen = {}
        if edit.options is not None:
            options = replace_options(before.options, edit.options)
            _check_home(session, before, options)
            values["options"] = self.configuration.sealed(connection_id, options, before.options)
            report = self.preview.check_options(session, connection_id, before.options, values["options"], allowance)
            foreseen = {"foreseen": report.counts} if report else {}
        realms = None if edit.realms is None else (edit.realms or [before.name])
        connections.save(session, connection_id, values, realms)
        after = _show(session, connection_id)
        changed = differences(_members(before), _members(after.connection))
        about = _warned(after.connection) | foreseen | {"connection_id": connection_id, "changed": changed}
        event = operation.event(self.journal, "Update a connection", **about)
        journal.add(session, event)
        return after

    def _delete(self, session: Session, connection_id: str, operation: Operation) -> datetime | None:
        if reach.connection_at(session, connection_id, lock=True) is None:
            return None
        self.revocation.apply(session, Event.CONNECTION_DELETED, Subject(connection_id=connection_id), self.clock())
        connections.remove(session, connection_id)
        journal.add(session, operation.event(self.journal, "Delete a connection", connection_id=connection_id))
        return self.clock()

    def _switch(
        self, session: Session, connection_id: str, switches: Sequence[ClientSwitch], operation: Operation
    ) -> None:
        reach.connection(session, connection_id, lock=True)
        before = set(connections.clients_of_each(session, [connection_id]).get(connection_id, ()))
        on = dict.fromkeys(each.client_id for each in switches if each.status)
        off = {each.client_id for each in switches if not each.status}
        connections.enable(session, connection_id, on)
        connections.disable(session, connection_id, off)
        about: dict[str, Any] = {"enabled": sorted(on.keys() - off - before), "disabled": sorted(off & before)}
        event = operation.event(
            self.journal, "Update enabled clients for a connection", connection_id=connection_id, **about
        )
        journal.add(session, event)


def _check_home(session: Session, before: ConnectionRecord, options: Mapping[str, Any]) -> None:
    """See that nobody loses their password by where people live (CN-8). Raises ``BadRequest``; the text is recorded.

    Nobody comes to be there meanwhile (``census``).
    """
    if read_options(options).custom_database == before.policy().custom_database:
        return
    census.hold(session)
    if accounts.any_of(session, before.id):
        raise BadRequest(
            'This database contains users. You cannot change "options.enabledDatabaseCustomization" setting.'
        )


def _show(session: Session, connection_id: str) -> Listed:
    return _listed(session, [reach.connection(session, connection_id)])[0]


def _page(session: Session, wanted: Wanted, offset: int, limit: int) -> tuple[list[Listed], int]:
    found = connections.page(session, wanted, offset=offset, limit=limit)
    return _listed(session, found), connections.total(session, wanted)


def _after(session: Session, wanted: Wanted, last: str, limit: int) -> list[Listed]:
    if wanted.client_id is not None and clients.get(session, wanted.client_id) is None:
        raise NoSuchClient
    return _listed(session, connections.page(session, wanted, after=last, limit=limit))


def _listed(session: Session, records: Sequence[ConnectionRecord]) -> list[Listed]:
    enabled = connections.clients_of_each(session, [record.id for record in records])
    return [Listed(record, enabled.get(record.id, ())) for record in records]


def _clients(session: Session, connection_id: str, last: str, limit: int) -> list[str]:
    reach.connection(session, connection_id)
    return connections.clients_of(session, connection_id, after=last, limit=limit)


def _warned(record: ConnectionRecord) -> dict[str, Any]:
    """Return what is weak about a connection, for the journal; nothing where nothing is."""
    found = warnings(record.policy())
    return {"warnings": found} if found else {}


def _members(record: ConnectionRecord) -> dict[str, Any]:
    names = (
        "display_name",
        "is_domain_connection",
        "show_as_button",
        "active",
        "connected_accounts",
        "about",
        "options",
    )
    return {name: getattr(record, name) for name in names} | {"realms": list(record.realms)}
