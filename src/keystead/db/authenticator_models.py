"""Models of authenticators, as the FIDO metadata describes them, and the passkeys that are looked at again by it."""

from base64 import b64decode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Account, AuthenticatorModel, Passkey
from keystead.rules.authenticators import Attested, Model
from keystead.rules.passkey_terms import Trust

BATCH: Final = 500
"""How many rows are held at a time."""

_FIND: Final = select(col(AuthenticatorModel.record)).where(col(AuthenticatorModel.aaguid) == bindparam("key"))
_COLUMNS: Final = (
    *(col(Passkey.id), col(Passkey.user_id), col(Passkey.attestation_format), col(Passkey.aaguid)),
    *(col(Passkey.certificates), col(Passkey.created_at), col(Passkey.trust)),
    *(col(Passkey.quarantine), col(Passkey.quarantined_at)),
)
_JUDGE: Final = (
    update(Passkey)
    .where(col(Passkey.id) == bindparam("passkey"))
    .values(
        trust=bindparam("new_trust"), quarantine=bindparam("new_quarantine"), quarantined_at=bindparam("new_moment")
    )
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A stored passkey, as far as metadata has a say in it."""

    id: str
    user_id: str
    connection_id: str
    attested: Attested
    trust: Trust
    quarantine: str | None
    quarantined_at: datetime | None


def take_turns(session: Session) -> None:
    """Wait until no transaction is under way that has read models, and keep others from it to the end of this one.

    A registration that judged a passkey by the models as they were, and stored it after all passkeys had been looked
    through, would be missed. On SQLite there is one writer at a time anyway.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE authenticator_model IN ACCESS EXCLUSIVE MODE"))


def hold(session: Session) -> None:
    """Keep the models as they are to the end of this transaction: whoever would take a turn waits; others may read."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE authenticator_model IN ACCESS SHARE MODE"))


def find(session: Session, key: str) -> Model | None:
    """Return a model by its AAGUID, or by the identifier of its attestation key."""
    record = session.connection().execute(_FIND, {"key": key}).scalar()
    return Model.model_validate(record) if record else None


def keys(session: Session) -> list[str]:
    """Return the keys of all models, in order."""
    return list(session.connection().execute(select(col(AuthenticatorModel.aaguid)).order_by("aaguid")).scalars())


def some(session: Session, wanted: Collection[str] | None = None) -> dict[str, Model]:
    """Return models by their keys; all, where none are named."""
    statement = select(col(AuthenticatorModel.record))
    if wanted is not None:
        statement = statement.where(col(AuthenticatorModel.aaguid).in_(wanted))
    found = (Model.model_validate(record) for record in session.connection().execute(statement).scalars())
    return {model.key: model for model in found}


def store(session: Session, models: Iterable[Model], now: datetime) -> None:
    """Store models, whatever was known of them before."""
    statement = upsert(AuthenticatorModel)
    replacing = statement.on_conflict_do_update(
        index_elements=["aaguid"],
        set_={"record": statement.excluded.record, "updated_at": statement.excluded.updated_at},
    )
    rows = [{"aaguid": each.key, "record": each.model_dump(mode="json"), "updated_at": now} for each in models]
    if rows:
        session.connection().execute(replacing, rows)


def remove(session: Session, gone: Collection[str]) -> None:
    """Forget models."""
    session.connection().execute(delete(AuthenticatorModel).where(col(AuthenticatorModel.aaguid).in_(gone)))


def passkeys(session: Session, models: Collection[str], last: str) -> list[Judged]:
    """Return a batch of the passkeys of models after the last one, and of U2F's, whose model is in their certificate.

    Locked, as what is read decides what is written: an administrator may be putting one into quarantine.
    """
    statement = (
        select(*_COLUMNS, col(Account.connection_id))
        .join(Account, col(Account.user_id) == col(Passkey.user_id))
        .where(
            or_(col(Passkey.aaguid).in_(models), col(Passkey.attestation_format) == "fido-u2f"),
            col(Passkey.id) > bindparam("last"),
        )
        .order_by(col(Passkey.id))
        .limit(BATCH)
        .with_for_update(of=Passkey)
    )
    return [_judged(row) for row in session.connection().execute(statement, {"last": last})]


def judge(session: Session, passkeys: Sequence[Judged]) -> None:
    """Store what was found of passkeys: trust and quarantine."""
    values = [
        {
            "passkey": each.id,
            "new_trust": each.trust,
            "new_quarantine": each.quarantine,
            "new_moment": each.quarantined_at,
        }
        for each in passkeys
    ]
    if values:
        session.connection().execute(_JUDGE, values)


def _judged(row: Any) -> Judged:
    attested = Attested(
        format=row.attestation_format,
        aaguid=row.aaguid,
        certificates=tuple(b64decode(each) for each in row.certificates or ()),
        at=row.created_at,
    )
    return Judged(*(row.id, row.user_id, row.connection_id, attested, row.trust, row.quarantine, row.quarantined_at))
