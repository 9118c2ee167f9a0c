"""Administrators make and change clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlmodel import Session

from keystead.db import clients, connections, journal, tenant
from keystead.db.clients import ClientFilter, ClientRecord
from keystead.db.credentials import CredentialRecord
from keystead.db.session import Database
from keystead.errors import InsufficientScope, NoSuchClient, OperationNotSupported
from keystead.flows.credentials import Credentials, add_all, check_own
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy
from keystead.rules.clients import ClientSettings, SecretRotation, as_registered, new_settings, patch_settings
from keystead.rules.complaints import parse
from keystead.rules.credentials import inline_credentials
from keystead.rules.receivers import Receivers
from keystead.secrecy import Secret, fingerprint

FLAGS = "flags"
"""The tenant setting with the switches that Auth0 calls flags."""

_MAY_ADD_KEYS: Final = frozenset(("update:client_credentials", "update:client_keys"))


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
    credentials: Credentials
    told_of_logouts: Receivers
    public_url: str

    async def known(self, client_id: str) -> ClientRecord:
        """Return a client. Raises ``NoSuchClient``."""
        return await self.db.read(_found, client_id)

    async def page(self, wanted: ClientFilter, offset: int, limit: int) -> tuple[list[ClientRecord], int]:
        """Return a part of the list, oldest first, and how long the list is."""
        return await self.db.read(_page, wanted, offset, limit)

    async def after(self, wanted: ClientFilter, last: str, limit: int) -> list[ClientRecord]:
        """Return what follows a client id in the list by id."""
        return await self.db.read(clients.after, last, limit, wanted)

    async def create(self, body: Mapping[str, Any], operation: Operation) -> Handed:
        """Make a client, with a secret or keys where it can keep them. Raises ``BadRequest``, ``CredentialTaken``."""
        client_id = self.entropy.id("", 32)
        keys = [self.credentials.made(client_id, each) for each in inline_credentials(body)]
        settings = new_settings(body if not keys else {**body, "client_authentication_methods": _methods(body, keys)})
        self._check_calls(settings, None)
        secret = self._secret() if settings.needs_secret else None
        record = ClientRecord(client_id, _hash(secret), settings, False, self.clock())
        await self.db.write(self._create, record, keys, operation)
        return Handed(record, secret)

    async def update(
        self, client_id: str, body: Mapping[str, Any], operation: Operation, held: frozenset[str]
    ) -> Handed:
        """Change a client. One that has no secret gets one when it is to prove itself with it.

        Raises ``NoSuchClient``, ``BadRequest``, and ``InsufficientScope`` for a secret or key that the caller may not
        make, of whom ``held`` is the scope: whoever can prove to be a client is that client, with every grant it has.
        """
        return await self.db.write(self._update, client_id, body, self._secret(), operation, held)

    async def rotate_secret(self, client_id: str, body: Mapping[str, Any], operation: Operation) -> Handed:
        """Give a client a new secret. The old one ends at once, or after ``previous_secret_seconds``.

        Raises ``NoSuchClient``, ``BadRequest``, and ``OperationNotSupported`` where the client has no secret.
        """
        seconds = parse(SecretRotation, body).previous_secret_seconds
        return await self.db.write(self._rotate, client_id, seconds, self._secret(), operation)

    async def delete(self, client_id: str, operation: Operation) -> None:
        """Delete a client and all that it holds; no error where there is none. Raises ``OperationNotSupported``."""
        await self.db.write(self._delete, client_id, operation)

    def _secret(self) -> Secret[str]:
        return Secret(self.entropy.token(48))

    def _check_calls(self, settings: ClientSettings, before: ClientSettings | None) -> None:
        """Refuse a new address that we would call and that others cannot reach (SSRF). Raises ``BadRequest``."""
        if settings.oidc_logout is None or (before and before.oidc_logout == settings.oidc_logout):
            return
        for at, url in enumerate(settings.oidc_logout.backchannel_logout_urls):
            self.told_of_logouts.check(url, f"oidc_logout.backchannel_logout_urls.{at}")

    def _create(
        self, session: Session, record: ClientRecord, keys: Sequence[CredentialRecord], operation: Operation
    ) -> None:
        clients.create(session, record)
        add_all(session, record.client_id, keys)
        check_own(session, record.client_id, record.settings.key_ids or frozenset())
        flags = tenant.get(session, FLAGS) or {}
        if flags.get("enable_client_connections", True):
            # Third-party clients only get what is open to all of them (CN-5, CN-6).
            connections.enable_everywhere(session, record.client_id, domain_only=not record.settings.is_first_party)
        journal.add(session, operation.event(self.journal, "Create a client", created=record.client_id))

    def _update(
        self,
        session: Session,
        client_id: str,
        body: Mapping[str, Any],
        fresh: Secret[str],
        operation: Operation,
        held: frozenset[str],
    ) -> Handed:
        record = _found(session, client_id, lock=True)
        change = as_registered(body, record.settings, client_id=client_id, public_url=self.public_url)
        settings = patch_settings(record.settings, change)
        self._check_calls(settings, record.settings)
        made = fresh if settings.needs_secret and record.secret_hash is None else None
        added = (settings.key_ids or frozenset()) - (record.settings.key_ids or frozenset())
        if made and "update:client_keys" not in held:
            raise InsufficientScope(("update:client_keys",))
        if added and not held & _MAY_ADD_KEYS:
            raise InsufficientScope(tuple(sorted(_MAY_ADD_KEYS)))
        check_own(session, client_id, added)
        _save(session, client_id, settings, _hash(made) or record.secret_hash)
        changed = _changed(record.settings, settings)
        journal.add(session, operation.event(self.journal, "Update a client", changed=changed))
        return Handed(_found(session, client_id), made)

    def _rotate(
        self, session: Session, client_id: str, seconds: int, fresh: Secret[str], operation: Operation
    ) -> Handed:
        record = _found(session, client_id, lock=True)
        if not record.settings.needs_secret:
            raise OperationNotSupported("The client has no secret: it is public, or proves itself with a key.")
        previous = (record.secret_hash, self.clock() + timedelta(seconds=seconds)) if seconds else (None, None)
        clients.rotate_secret(session, client_id, fingerprint(fresh.reveal()), previous)
        event = operation.event(self.journal, "Rotate a client secret", previous_secret_seconds=seconds)
        journal.add(session, event)
        return Handed(_found(session, client_id), fresh)

    def _delete(self, session: Session, client_id: str, operation: Operation) -> None:
        record = clients.get(session, client_id, lock=True)
        if record is None:
            return
        if record.is_system:
            raise OperationNotSupported("The client belongs to Keystead itself and cannot be deleted.")
        clients.remove(session, client_id)
        journal.add(session, operation.event(self.journal, "Delete a client"))


def _found(session: Session, client_id: str, *, lock: bool = False) -> ClientRecord:
    record = clients.known(session, client_id, lock=lock)
    if record is None:
        raise NoSuchClient
    return record


def _save(session: Session, client_id: str, settings: ClientSettings, secret_hash: str | None) -> None:
    """Store what a client is now; one that proves itself with keys loses its secrets, or they would come back later.

    One that becomes public keeps the hash, which nobody looks at then: going back makes no new one.
    """
    clients.save(session, client_id, settings, secret_hash)
    if settings.key_ids is not None:
        clients.rotate_secret(session, client_id, None)


def _page(session: Session, wanted: ClientFilter, offset: int, limit: int) -> tuple[list[ClientRecord], int]:
    return clients.page(session, offset, limit, wanted), clients.total(session, wanted)


def _methods(body: Mapping[str, Any], keys: Sequence[CredentialRecord]) -> dict[str, Any]:
    """Return the member of a new client with its credentials by id, and whatever else somebody wrote there."""
    methods = dict(body["client_authentication_methods"])
    chosen = {"credentials": [{"id": key.id} for key in keys]}
    return methods | {"private_key_jwt": methods["private_key_jwt"] | chosen}


def _hash(secret: Secret[str] | None) -> str | None:
    return fingerprint(secret.reveal()) if secret else None


def _changed(before: ClientSettings, after: ClientSettings) -> list[str]:
    return [name for name in ClientSettings.model_fields if getattr(before, name) != getattr(after, name)]
