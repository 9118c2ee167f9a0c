"""Administrators say which client may ask for which scopes of an API."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session

from keystead.db import apis, client_grants, clients, journal
from keystead.db.apis import ApiRecord
from keystead.db.client_grants import GrantFilter, GrantRecord
from keystead.db.session import Database
from keystead.errors import GrantTaken, InsufficientScope, NoSuchApi, NoSuchClient, NoSuchClientGrant
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Entropy
from keystead.rules.apis import stored_identifier
from keystead.rules.client_grants import Granted, check_subject, checked, edited, new_grant
from keystead.rules.events import Event
from keystead.rules.oauth import absolute


@dataclass(frozen=True)
class ClientGrants:
    """Everything that is said about client grants through the Management API."""

    db: Database
    entropy: Entropy
    journal: Journal
    public_url: str

    async def known(self, grant_id: str) -> GrantRecord:
        """Return a grant. Raises ``NoSuchClientGrant``."""
        return await self.db.read(_found, grant_id)

    async def page(self, wanted: GrantFilter, offset: int, limit: int) -> tuple[list[GrantRecord], int]:
        """Return a part of the list by id, and how long the list is."""
        return await self.db.read(_page, wanted, offset, limit)

    async def after(self, wanted: GrantFilter, last: str, limit: int) -> list[GrantRecord]:
        """Return grants whose id comes after another's."""
        return await self.db.read(client_grants.after, last, limit, wanted)

    async def create(self, body: Mapping[str, Any], held: frozenset[str], operation: Operation) -> GrantRecord:
        """Make a grant; ``held`` is the caller's scope.

        Raises ``BadRequest``, ``NoSuchClient``, ``NoSuchApi``, ``GrantTaken``, and ``InsufficientScope``: of the
        Management API nobody gives what they do not have, or whoever may make grants could do everything.
        """
        return await self.db.write(self._create, self.entropy.id("cgr_"), body, held, operation)

    async def update(
        self, grant_id: str, body: Mapping[str, Any], held: frozenset[str], operation: Operation
    ) -> GrantRecord:
        """Change what a grant gives. Raises ``NoSuchClientGrant``, ``BadRequest``, ``InsufficientScope``."""
        return await self.db.write(self._update, grant_id, body, held, operation)

    async def delete(self, grant_id: str, operation: Operation) -> None:
        """Delete a grant; no error where there is none."""
        await self.db.write(self._delete, grant_id, operation)

    def _create(
        self, session: Session, grant_id: str, body: Mapping[str, Any], held: frozenset[str], operation: Operation
    ) -> GrantRecord:
        asked = new_grant(body)
        if clients.known(session, asked.client_id, lock=True) is None:
            raise NoSuchClient
        api = _api(session, stored_identifier(asked.audience, self.public_url))
        check_subject(api.identifier, asked.subject_type)
        granted = checked(Granted(tuple(asked.scope), asked.allow_all_scopes), api.scopes, named=True)
        _check_held(api, granted, held)
        record = GrantRecord(
            *(grant_id, asked.client_id, api.id, api.identifier, asked.subject_type, granted, api.is_system)
        )
        if not client_grants.create(session, record):
            raise GrantTaken(asked.client_id, asked.audience)
        journal.add(session, self._event(operation, "Create a client grant", record, created=grant_id))
        return record

    def _update(
        self, session: Session, grant_id: str, body: Mapping[str, Any], held: frozenset[str], operation: Operation
    ) -> GrantRecord:
        # The API first, as where an API loses a scope: the other way round, the two could wait for each other.
        api = _api(session, _found(session, grant_id).identifier)
        record = _found(session, grant_id, lock=True)
        granted = checked(edited(record.granted, body), api.scopes, named=bool(body.get("scope")))
        _check_held(api, granted, held, before=record.granted)
        client_grants.save(session, grant_id, granted)
        after = replace(record, granted=granted)
        given, had = _worth(api, granted), _worth(api, record.granted)
        about = {"changed": sorted(body), "added": sorted(given - had), "removed": sorted(had - given)}
        journal.add(session, self._event(operation, "Update a client grant", after, updated=grant_id, **about))
        return after

    def _delete(self, session: Session, grant_id: str, operation: Operation) -> None:
        record = client_grants.get(session, grant_id, lock=True)
        if record is not None:
            client_grants.remove(session, grant_id)
            journal.add(session, self._event(operation, "Delete a client grant", record, deleted=grant_id))

    def _event(self, operation: Operation, description: str, record: GrantRecord, **about: Any) -> Event:
        grant = {
            "client_id": record.client_id,
            "audience": absolute(record.identifier, self.public_url),
            "subject_type": record.subject_type,
            "scope": list(record.granted.scope),
            "allow_all_scopes": record.granted.all_scopes,
        }
        return operation.event(self.journal, description, grant=grant, **about)


def _api(session: Session, identifier: str) -> ApiRecord:
    """Return the API, locked: a scope that it loses meanwhile must not come to stand in a grant."""
    found = apis.find(session, "", identifier, lock=True)
    if found is None:
        raise NoSuchApi
    return found


def _check_held(api: ApiRecord, granted: Granted, held: frozenset[str], before: Granted | None = None) -> None:
    if not api.is_system:
        return
    given = _worth(api, granted) - (_worth(api, before) if before else set())
    missing = tuple(sorted(given - held))
    if missing:
        raise InsufficientScope(missing)


def _worth(api: ApiRecord, granted: Granted) -> set[str]:
    return set(api.scopes if granted.all_scopes else granted.scope)


def _found(session: Session, grant_id: str, *, lock: bool = False) -> GrantRecord:
    record = client_grants.get(session, grant_id, lock=lock)
    if record is None:
        raise NoSuchClientGrant
    return record


def _page(session: Session, wanted: GrantFilter, offset: int, limit: int) -> tuple[list[GrantRecord], int]:
    return client_grants.page(session, offset, limit, wanted), client_grants.total(session, wanted)
