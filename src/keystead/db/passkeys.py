"""Credential records."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Account, Passkey
from keystead.errors import PasskeyTaken
from keystead.rules.ceremonies import Assertion, KnownPasskey, NewPasskey
from keystead.rules.enrolment import Held
from keystead.rules.passkey_policy import Credential
from keystead.rules.passkey_terms import Trust
from keystead.rules.relying_party import RelyingParty


@dataclass(frozen=True, slots=True)
class PasskeyRecord:
    """A stored passkey, as its owner and administrators see it."""

    id: str
    user_id: str
    credential_id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    transports: list[str]
    aaguid: str
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    attestation_format: str
    trust: Trust
    certificates: list[str] | None
    attachment: str
    quarantined_at: datetime | None
    quarantine: str | None
    rp_id: str
    name: str | None
    user_agent: str
    created_at: datetime
    last_used_at: datetime | None
    user_handle: bytes
    connection_id: str

    @property
    def credential(self) -> Credential:
        """What a policy judges, as it was in the last ceremony."""
        known = {name: getattr(self, name) for name in Credential.__dataclass_fields__}
        return Credential(**known | {"transports": tuple(self.transports)})


@dataclass(frozen=True, slots=True)
class Registration:
    """What is kept of a registration beside the credential: the name it gets here, for whom, with what, and when."""

    id: str
    rp_id: str
    user_agent: str
    at: datetime
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """A passkey that was found by its credential id, and whose it is."""

    id: str
    user_id: str
    connection_id: str
    key: KnownPasskey


_COLUMNS: Final = (
    *(getattr(Passkey, name) for name in PasskeyRecord.__dataclass_fields__ if name in Passkey.model_fields),
    col(Account.user_handle),
    col(Account.connection_id),
)
_RECORDS: Final = select(*_COLUMNS).join(Account, col(Account.user_id) == col(Passkey.user_id))
_OWNED: Final = _RECORDS.where(col(Passkey.credential_id) == bindparam("credential_id"))
_OWNED_LOCKED: Final = _OWNED.with_for_update(of=Passkey)
_USED: Final = (
    update(Passkey)
    .where(col(Passkey.id) == bindparam("passkey"))
    .values(
        sign_count=bindparam("count"),
        backed_up=bindparam("backed"),
        user_verified=bindparam("verified"),
        last_used_at=bindparam("now"),
    )
)


def owned(session: Session, credential_id: bytes, *, lock: bool = False) -> Owned | None:
    """Return the passkey with this credential id, whoever owns it; locked, where its counter decides."""
    row = session.connection().execute(_OWNED_LOCKED if lock else _OWNED, {"credential_id": credential_id}).first()
    if row is None:
        return None
    known = {name: getattr(row, name) for name in KnownPasskey.model_fields}
    return Owned(row.id, row.user_id, row.connection_id, KnownPasskey(**known))


def add(session: Session, user_id: str, new: NewPasskey, registration: Registration) -> PasskeyRecord:
    """Store a passkey. Raises ``PasskeyTaken``. How many there may be is for whoever locked the account and counted."""
    values = new.model_dump() | {
        "id": registration.id,
        "user_id": user_id,
        "rp_id": registration.rp_id,
        "user_agent": registration.user_agent[:300],
        "name": registration.name,
        "transports": list(new.transports),
        "certificates": [b64encode(each).decode() for each in new.certificates] or None,
        "created_at": registration.at,
    }
    if session.connection().execute(upsert(Passkey).values(values).on_conflict_do_nothing()).rowcount != 1:
        raise PasskeyTaken
    stored = get(session, user_id, registration.id)
    assert stored is not None
    return stored


def used(session: Session, passkey_id: str, assertion: Assertion, now: datetime) -> None:
    """Keep what WebAuthn Level 3 §7.2 step 24 updates, and whether the user was verified this time."""
    values = {
        "passkey": passkey_id,
        "count": assertion.sign_count,
        "backed": assertion.backed_up,
        "verified": assertion.user_verified,
        "now": now,
    }
    session.connection().execute(_USED, values)


def count(session: Session, user_id: str) -> int:
    """Return how many passkeys an account has."""
    statement = select(func.count()).select_from(Passkey).where(col(Passkey.user_id) == user_id)
    return session.connection().execute(statement).scalar_one()


def count_by_rp_id(session: Session, user_id: str) -> dict[str, int]:
    """Return how many passkeys an account has of each relying party id."""
    counted = select(col(Passkey.rp_id), func.count().label("passkeys")).group_by(col(Passkey.rp_id))
    rows = session.connection().execute(counted.where(col(Passkey.user_id) == user_id))
    return {row.rp_id: row.passkeys for row in rows}


def held(session: Session, user_id: str, relying_party: RelyingParty) -> Held:
    """Return how many passkeys an account has, of the relying party's current id and of older ones that log in."""
    owned = count_by_rp_id(session, user_id)
    return Held(owned.get(relying_party.id, 0), sum(owned.get(each, 0) for each in relying_party.retiring))


def of_account(session: Session, user_id: str) -> list[PasskeyRecord]:
    """Return the passkeys of an account, oldest first."""
    statement = _RECORDS.where(col(Passkey.user_id) == user_id).order_by(col(Passkey.created_at), col(Passkey.id))
    return [_record(row) for row in session.connection().execute(statement)]


def get(session: Session, user_id: str, passkey_id: str) -> PasskeyRecord | None:
    """Return one passkey of an account; never another's."""
    statement = _RECORDS.where(col(Passkey.user_id) == user_id, col(Passkey.id) == passkey_id)
    row = session.connection().execute(statement).first()
    return _record(row) if row else None


def rename(session: Session, user_id: str, passkey_id: str, name: str) -> bool:
    """Give one passkey of an account a name; ``False`` where it has none by that id."""
    statement = update(Passkey).where(col(Passkey.user_id) == user_id, col(Passkey.id) == passkey_id)
    return session.connection().execute(statement.values(name=name)).rowcount == 1


def quarantine(session: Session, user_id: str, passkey_id: str, why: str | None, now: datetime) -> bool:
    """Take one passkey of an account out of use, or with ``None`` back; ``False`` where it has none by that id."""
    statement = update(Passkey).where(col(Passkey.user_id) == user_id, col(Passkey.id) == passkey_id)
    values = {"quarantine": why, "quarantined_at": None if why is None else now}
    return session.connection().execute(statement.values(values)).rowcount == 1


def hold(session: Session, user_id: str) -> None:
    """Lock an account's passkeys, before the account itself: in the order in which a login locks them.

    In the other order a login and the removal of its passkey wait for each other, and the database ends one of them.
    """
    statement = select(col(Passkey.id)).where(col(Passkey.user_id) == user_id).order_by(col(Passkey.id))
    session.connection().execute(statement.with_for_update())


def remove(session: Session, user_id: str, passkey_id: str) -> bool:
    """Delete one passkey of an account; ``False`` where it has none by that id."""
    statement = delete(Passkey).where(col(Passkey.user_id) == user_id, col(Passkey.id) == passkey_id)
    return session.connection().execute(statement).rowcount == 1


def remove_all(session: Session, user_id: str) -> int:
    """Delete every passkey of an account; return how many."""
    return session.connection().execute(delete(Passkey).where(col(Passkey.user_id) == user_id)).rowcount


def _record(row: Row[Any]) -> PasskeyRecord:
    return PasskeyRecord(**row._mapping)
