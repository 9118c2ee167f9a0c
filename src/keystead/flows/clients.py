"""Administrators make and change clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import clients, connections, journal, tenant
from keystead.db.clients import ClientFilter, ClientRecord
from keystead.db.session import Database
from keystead.errors import InsufficientScope, NoSuchClient, OperationNotSupported
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy
from keystead.rules.clients import ClientSettings, as_registered, new_settings, patch_settings
from keystead.secrecy import Secret, fingerprint

FLAGS = "flags"
"""The tenant setting with the switches that Auth0 calls flags."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A client, and its secret where one was made just now: it is shown this once, since only its hash is kept."""

    client: ClientRecord
    secret: Secret[str] | None = None


@dataclass(frozen=True)
class Clients:
    """Everything that is said about clients through the Management API."""

    db: Database
    clock: Clock
    entropy: Entropy
    journal: Journal
    public_url: str

    async def known(self, client_id: str) -> ClientRecord:
        """Return a client. Raises ``NoSuchClient``."""
        return await self.db.read(_found, client_id)

    async def page(self, wanted: ClientFilter, offset: int, limit: int) -> tuple[list[ClientRecord], int]:
        """Return a part of the list, oldest first, and how long the list is."""
        return await self.db.read(_page, wanted, offset, limit)

    async def create(self, body: Mapping[str, Any], operation: Operation) -> Handed:
        """Make a client, with a secret where it can keep one. Raises ``BadRequest``."""
        settings = new_settings(body)
        secret = None if settings.is_public else self._secret()
        record = ClientRecord(self.entropy.id("", 32), _hash(secret), settings, False, self.clock())
        await self.db.write(self._create, record, operation)
        return Handed(record, secret)

    async def update(
        self, client_id: str, body: Mapping[str, Any], operation: Operation, *, may_make_secrets: bool
    ) -> Handed:
        """Change a client. One that never had a secret gets one when it becomes able to keep it.

        Raises ``NoSuchClient``, ``BadRequest``, and ``InsufficientScope`` for a secret that the caller may not make:
        whoever holds a client's secret is that client, with every grant it has.
        """
        fresh = self._secret() if may_make_secrets else None
        return await self.db.write(self._update, client_id, body, fresh, operation)

    async def delete(self, client_id: str, operation: Operation) -> None:
        """Delete a client and all that it holds; no error where there is none. Raises ``OperationNotSupported``."""
        await self.db.write(self._delete, client_id, operation)

    def _secret(self) -> Secret[str]:
        return Secret(self.entropy.token(48))

    def _create(self, session: Session, record: ClientRecord, operation: Operation) -> None:
        clients.create(session, record)
        flags = tenant.get(session, FLAGS) or {}
        if flags.get("enable_client_connections", True):
            # Third-party clients only get what is open to all of them (CN-5, CN-6).
            connections.enable_everywhere(session, record.client_id, domain_only=not record.settings.is_first_party)
        journal.add(session, operation.event(self.journal, "Create a client", created=record.client_id))

    def _update(
        self, session: Session, client_id: str, body: Mapping[str, Any], fresh: Secret[str] | None, operation: Operation
    ) -> Handed:
        record = _found(session, client_id, lock=True)
        change = as_registered(body, record.settings, client_id=client_id, public_url=self.public_url)
        settings = patch_settings(record.settings, change)
        needed = not settings.is_public and record.secret_hash is None
        if needed and fresh is None:
            raise InsufficientScope(("update:client_keys",))
        made = fresh if needed else None
        # A client that becomes public keeps the hash, which nobody looks at then: going back makes no new secret.
        secret_hash = _hash(made) or record.secret_hash
        clients.save(session, client_id, settings, secret_hash)
        changed = _changed(record.settings, settings)
        journal.add(session, operation.event(self.journal, "Update a client", changed=changed))
        return Handed(_found(session, client_id), made)

    def _delete(self, session: Session, client_id: str, operation: Operation) -> None:
        record = clients.get(session, client_id, lock=True)
        if record is None:
            return
        if record.is_system:
            raise OperationNotSupported("The client belongs to Keystead itself and cannot be deleted.")
        clients.remove(session, client_id)
        journal.add(session, operation.event(self.journal, "Delete a client"))


def _found(session: Session, client_id: str, *, lock: bool = False) -> ClientRecord:
    record = clients.get(session, client_id, lock=lock)
    if record is None:
        raise NoSuchClient
    return record


def _page(session: Session, wanted: ClientFilter, offset: int, limit: int) -> tuple[list[ClientRecord], int]:
    return clients.page(session, offset, limit, wanted), clients.total(session, wanted)


def _hash(secret: Secret[str] | None) -> str | None:
    return fingerprint(secret.reveal()) if secret else None


def _changed(before: ClientSettings, after: ClientSettings) -> list[str]:
    return [name for name in ClientSettings.model_fields if getattr(before, name) != getattr(after, name)]
