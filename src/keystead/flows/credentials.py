"""Administrators register the public keys with which clients prove themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import clients, credentials, journal
from keystead.db.credentials import CredentialRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, CredentialTaken, NoSuchClient, NoSuchCredential
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy, PublicKeys
from keystead.rules.clients import without_key
from keystead.rules.credentials import MOST, credential_edit, end_of, new_credential


@dataclass(frozen=True)
class Credentials:
    """Everything that is said about the credentials of clients through the Management API."""

    db: Database
    keys: PublicKeys
    clock: Clock
    entropy: Entropy
    journal: Journal

    async def of_client(self, client_id: str) -> list[CredentialRecord]:
        """Return a client's credentials, oldest first. Raises ``NoSuchClient``."""
        return await self.db.read(_of_client, client_id)

    async def known(self, client_id: str, credential_id: str) -> CredentialRecord:
        """Return a credential. Raises ``NoSuchClient``, ``NoSuchCredential``."""
        return _one(await self.of_client(client_id), credential_id)

    def made(self, client_id: str, body: Mapping[str, Any]) -> CredentialRecord:
        """Return a credential that is about to be stored. Raises ``BadRequest``."""
        asked, now = new_credential(body), self.clock()
        key = self.keys.read(asked.pem, asked.alg)
        expires_at = end_of(asked.expires_at, now)
        if asked.parse_expiry_from_cert:
            expires_at = key.expires_at
            if expires_at is None or expires_at <= now:
                raise BadRequest("must be a certificate that has not expired", path="pem")
        return CredentialRecord(
            id=self.entropy.id("cred_", 22),
            client_id=client_id,
            kid=asked.kid or key.thumbprint,
            name=asked.name,
            algorithm=asked.alg,
            public_jwk=key.jwk,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        )

    async def create(self, client_id: str, body: Mapping[str, Any], operation: Operation) -> CredentialRecord:
        """Register a key. The client proves itself with it once its settings say so.

        Raises ``NoSuchClient``, ``BadRequest``, ``CredentialTaken``.
        """
        record = self.made(client_id, body)
        await self.db.write(self._create, record, operation)
        return record

    async def update(
        self, client_id: str, credential_id: str, body: Mapping[str, Any], operation: Operation
    ) -> CredentialRecord:
        """Move a credential's end. Raises ``NoSuchClient``, ``NoSuchCredential``, ``BadRequest``."""
        await self.db.write(self._update, client_id, credential_id, body, operation)
        return await self.known(client_id, credential_id)

    async def delete(self, client_id: str, credential_id: str, operation: Operation) -> None:
        """Delete a credential, at once; no error where there is none."""
        await self.db.write(self._delete, client_id, credential_id, operation)

    def _create(self, session: Session, record: CredentialRecord, operation: Operation) -> None:
        if clients.known(session, record.client_id, lock=True) is None:
            raise NoSuchClient
        add_all(session, record.client_id, [record])
        journal.add(session, operation.event(self.journal, "Create a client credential", created=record.id))

    def _update(
        self, session: Session, client_id: str, credential_id: str, body: Mapping[str, Any], operation: Operation
    ) -> None:
        _one(_of_client(session, client_id), credential_id)
        now = self.clock()
        credentials.move_end(session, credential_id, end_of(credential_edit(body), now), now)
        journal.add(session, operation.event(self.journal, "Update a client credential", changed=credential_id))

    def _delete(self, session: Session, client_id: str, credential_id: str, operation: Operation) -> None:
        client = clients.known(session, client_id, lock=True)
        if client is None or credential_id not in {each.id for each in credentials.of_client(session, client_id)}:
            return
        credentials.remove(session, credential_id)
        clients.save(session, client_id, without_key(client.settings, credential_id), client.secret_hash)
        journal.add(session, operation.event(self.journal, "Delete a client credential", deleted=credential_id))


def add_all(session: Session, client_id: str, records: Sequence[CredentialRecord]) -> None:
    """Store credentials of a client that is locked or new. Raises ``CredentialTaken``, ``BadRequest``."""
    known = {each.kid for each in credentials.of_client(session, client_id)}
    if len(known) + len(records) > MOST:
        raise BadRequest(f"A client has at most {MOST} credentials")
    for record in records:
        if record.kid in known:
            raise CredentialTaken
        known.add(record.kid)
        credentials.add(session, record)


def check_own(session: Session, client_id: str, key_ids: frozenset[str]) -> None:
    """Refuse settings of a client that name a credential which is not its own. Raises ``BadRequest``."""
    if not key_ids <= {each.id for each in credentials.of_client(session, client_id)}:
        path = "client_authentication_methods.private_key_jwt.credentials"
        raise BadRequest("The client has no such credential", path=path)


def _of_client(session: Session, client_id: str) -> list[CredentialRecord]:
    if clients.known(session, client_id) is None:
        raise NoSuchClient
    return credentials.of_client(session, client_id)


def _one(found: list[CredentialRecord], credential_id: str) -> CredentialRecord:
    record = next((each for each in found if each.id == credential_id), None)
    if record is None:
        raise NoSuchCredential
    return record
