"""Administrators make and change APIs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import apis, journal
from keystead.db.apis import ApiRecord, record_of
from keystead.db.session import Database
from keystead.errors import InsufficientScope, NoSuchApi, OperationNotSupported
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy
from keystead.rules.apis import ApiSettings, new_api, patch_api, stored_identifier
from keystead.rules.authority import CHANGES_OUR_APIS
from keystead.rules.events import Event
from keystead.rules.oauth import absolute


@dataclass(frozen=True)
class Apis:
    """Everything that is said about APIs through the Management API, where they are called resource servers."""

    db: Database
    clock: Clock
    entropy: Entropy
    journal: Journal
    public_url: str

    async def known(self, name: str) -> ApiRecord:
        """Return an API by its id or its identifier. Raises ``NoSuchApi``."""
        return await self.db.read(_found, name, stored_identifier(name, self.public_url))

    async def page(self, identifiers: Sequence[str], offset: int, limit: int) -> tuple[list[ApiRecord], int]:
        """Return a part of the list, oldest first, and how long the list is."""
        stored = [stored_identifier(each, self.public_url) for each in identifiers]
        return await self.db.read(_page, stored, offset, limit)

    async def create(self, body: Mapping[str, Any], operation: Operation) -> ApiRecord:
        """Make an API. Raises ``BadRequest``, ``ApiTaken``."""
        identifier, settings = new_api(body, self.public_url)
        record = record_of(self.entropy.id("api_"), identifier, settings)
        await self.db.write(self._create, record, operation)
        return record

    async def update(self, name: str, body: Mapping[str, Any], held: frozenset[str], operation: Operation) -> ApiRecord:
        """Change an API; ``held`` is the caller's scope.

        Raises ``NoSuchApi``, ``BadRequest``, ``OperationNotSupported``, and ``InsufficientScope`` for one that is
        Keystead's own: how long its tokens live is for those to say who decide who has them.
        """
        return await self.db.write(self._update, name, body, held, operation)

    async def delete(self, name: str, operation: Operation) -> None:
        """Delete an API with its grants; no error where there is none. Raises ``OperationNotSupported``."""
        await self.db.write(self._delete, name, operation)

    def _create(self, session: Session, record: ApiRecord, operation: Operation) -> None:
        apis.create(session, record, self.clock())
        journal.add(session, self._event(operation, "Create a resource server", record, created=record.id))

    def _update(
        self, session: Session, name: str, body: Mapping[str, Any], held: frozenset[str], operation: Operation
    ) -> ApiRecord:
        record = _found(session, name, stored_identifier(name, self.public_url), lock=True)
        before = record.as_settings()
        unchanging = {"id": record.id, "is_system": record.is_system}
        unchanging["identifier"] = absolute(record.identifier, self.public_url)
        # Tools send back what they read: what cannot change may be there as it is.
        change = {key: value for key, value in body.items() if key not in unchanging or value != unchanging[key]}
        settings = patch_api(before, change, is_system=record.is_system)
        changed = record_of(record.id, record.identifier, settings, is_system=record.is_system)
        about = _changed(before, settings)
        if record.is_system and about and CHANGES_OUR_APIS not in held:
            raise InsufficientScope((CHANGES_OUR_APIS,))
        apis.save(session, changed)
        journal.add(session, self._event(operation, "Update a resource server", record, changed=about))
        return changed

    def _delete(self, session: Session, name: str, operation: Operation) -> None:
        record = apis.find(session, name, stored_identifier(name, self.public_url), lock=True)
        if record is None:
            return
        if record.is_system:
            raise OperationNotSupported("The API is Keystead's own and cannot be deleted.")
        apis.remove(session, record)
        journal.add(session, self._event(operation, "Delete a resource server", record, deleted=record.id))

    def _event(self, operation: Operation, description: str, record: ApiRecord, **about: Any) -> Event:
        identifier = absolute(record.identifier, self.public_url)
        return operation.event(self.journal, description, identifier=identifier, **about)


def _found(session: Session, name: str, identifier: str, *, lock: bool = False) -> ApiRecord:
    record = apis.find(session, name, identifier, lock=lock)
    if record is None:
        raise NoSuchApi
    return record


def _page(session: Session, identifiers: Sequence[str], offset: int, limit: int) -> tuple[list[ApiRecord], int]:
    return apis.page(session, offset, limit, identifiers), apis.total(session, identifiers)


def _changed(before: ApiSettings, after: ApiSettings) -> list[str]:
    return [name for name in ApiSettings.model_fields if getattr(before, name) != getattr(after, name)]
