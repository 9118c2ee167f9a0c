"""Ceremonies under way: written once, and deleted by whoever answers first."""

from datetime import datetime

from sqlalchemy import bindparam, delete, insert
from sqlmodel import Session, col

from keystead.db.selection import of_people
from keystead.db.tables import CeremonyRow
from keystead.rules.ceremonies import Ceremony
from keystead.rules.revocation import Whose
from keystead.secrecy import fingerprint

_PUT = insert(CeremonyRow)
_TAKE = (
    delete(CeremonyRow)
    .where(col(CeremonyRow.handle_hash) == bindparam("handle"), col(CeremonyRow.expires_at) > bindparam("now"))
    .returning(col(CeremonyRow.record))
)


def put(session: Session, auth_session: str, ceremony: Ceremony) -> None:
    """Store a ceremony under the hash of its handle."""
    values = {
        "handle_hash": fingerprint(auth_session),
        "subject": ceremony.user_id,
        "record": ceremony.model_dump(mode="json"),
        "expires_at": ceremony.expires_at,
    }
    session.connection().execute(_PUT, values)


def take(session: Session, auth_session: str, now: datetime) -> Ceremony | None:
    """Delete and return a ceremony: of many concurrent answers one gets it. Unknown, used and late look alike."""
    values = {"handle": fingerprint(auth_session), "now": now}
    record = session.connection().execute(_TAKE, values).scalar()
    return Ceremony.model_validate(record) if record is not None else None


def end(session: Session, whose: Whose) -> int:
    """Delete the enrolments that these accounts have begun; return how many."""
    which = of_people(col(CeremonyRow.subject), whose)
    return session.connection().execute(delete(CeremonyRow).where(*which)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody answered in time; return how many."""
    return session.connection().execute(delete(CeremonyRow).where(col(CeremonyRow.expires_at) <= now)).rowcount
