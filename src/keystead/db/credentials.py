"""Credentials of clients, and the assertions that were made with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import ClientCredential, UsedAssertion


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """A public key of a client."""

    id: str
    client_id: str
    kid: str
    name: str
    algorithm: str
    public_jwk: dict[str, str]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


_COLUMNS: Final = tuple(getattr(ClientCredential, name) for name in CredentialRecord.__dataclass_fields__)
_OF_CLIENT: Final = (
    select(*_COLUMNS)
    .where(col(ClientCredential.client_id) == bindparam("client_id"))
    .order_by(col(ClientCredential.created_at), col(ClientCredential.id))
)


def add(session: Session, record: CredentialRecord) -> None:
    """Insert a credential."""
    values = {name: getattr(record, name) for name in CredentialRecord.__dataclass_fields__}
    session.connection().execute(insert(ClientCredential).values(values))


def of_client(session: Session, client_id: str) -> list[CredentialRecord]:
    """Return the credentials of a client, oldest first."""
    return [_record(row) for row in session.connection().execute(_OF_CLIENT, {"client_id": client_id})]


def move_end(session: Session, credential_id: str, expires_at: datetime | None, now: datetime) -> None:
    """Change when a credential ends."""
    statement = update(ClientCredential).where(col(ClientCredential.id) == credential_id)
    session.connection().execute(statement.values(expires_at=expires_at, updated_at=now))


def remove(session: Session, credential_id: str) -> None:
    """Delete a credential."""
    session.connection().execute(delete(ClientCredential).where(col(ClientCredential.id) == credential_id))


def use_assertion(session: Session, assertion_hash: str, expires_at: datetime) -> bool:
    """Use an assertion up; ``False`` where somebody did before: the primary key decides among any number."""
    values = {"assertion_hash": assertion_hash, "expires_at": expires_at}
    statement = upsert(UsedAssertion).values(values).on_conflict_do_nothing()
    return session.connection().execute(statement).rowcount == 1


def sweep(session: Session, now: datetime) -> int:
    """Forget used assertions that are too old to be shown again."""
    return session.connection().execute(delete(UsedAssertion).where(col(UsedAssertion.expires_at) <= now)).rowcount


def _record(row: Row[Any]) -> CredentialRecord:
    return CredentialRecord(**row._mapping)
