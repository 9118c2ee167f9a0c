"""The seals of the journal: which entries are in which batch, and the chain that the batches make."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import JournalRow, JournalSeal
from keystead.rules.journal_chain import NOTHING, Head, Seal
from keystead.rules.log_entries import LogEntry

_SEALS: Final = select(*(getattr(JournalSeal, name) for name in Seal.__dataclass_fields__))
_LISTED: Final = select(*(getattr(JournalSeal, name) for name in Seal.__dataclass_fields__ if name != "leaves"))
_ROWS: Final = select(
    *(getattr(JournalRow, name) for name in LogEntry.__dataclass_fields__ if name in JournalRow.model_fields)
)
_UNSEALED: Final = (
    _ROWS.where(
        col(JournalRow.seal).is_(None),
        or_(col(JournalRow.date) <= bindparam("until"), col(JournalRow.date) > bindparam("beyond")),
    )
    .order_by(col(JournalRow.log_id))
    .limit(bindparam("most"))
)
_HEAD: Final = (
    select(col(JournalSeal.number), col(JournalSeal.digest)).order_by(col(JournalSeal.number).desc()).limit(1)
)

_AROUND: Final = 10


class Lost(Exception):
    """Somebody else has sealed these entries, or the number is taken: whatever was done here is rolled back."""


def head(session: Session) -> Head:
    """Return where the chain ends."""
    row = session.connection().execute(_HEAD).first()
    return Head(*row) if row else NOTHING


def has(session: Session, head: Head) -> bool:
    """Whether the chain has a batch of this number and digest."""
    same = select(1).where(col(JournalSeal.number) == head.number, col(JournalSeal.digest) == head.digest)
    return session.connection().execute(same).first() is not None


def unsealed(session: Session, until: datetime, beyond: datetime, limit: int) -> list[LogEntry]:
    """Return entries that are in no batch, in the order of their ids; without names.

    They are not younger than ``until``, unless their date is ``beyond`` what a clock can say.
    """
    found = session.connection().execute(_UNSEALED, {"until": until, "beyond": beyond, "most": limit})
    return [LogEntry(*row) for row in found]


def add(session: Session, seal: Seal, log_ids: Sequence[str]) -> None:
    """Add a batch and put its entries into it. Raises ``Lost`` where another process was first."""
    values: dict[str, Any] = {name: getattr(seal, name) for name in Seal.__dataclass_fields__}
    inserted = session.connection().execute(upsert(JournalSeal).values(values).on_conflict_do_nothing())
    if not inserted.rowcount:
        raise Lost
    entries = update(JournalRow).where(col(JournalRow.log_id).in_(log_ids), col(JournalRow.seal).is_(None))
    if session.connection().execute(entries.values(seal=seal.number)).rowcount != len(log_ids):
        raise Lost


def sizes(session: Session, after: int, limit: int) -> list[tuple[int, int]]:
    """Return the numbers of the next batches, and how many entries each has, those that were pruned none."""
    counted = case((col(JournalSeal.pruned_at).is_(None), col(JournalSeal.entries)), else_=0)
    statement = select(col(JournalSeal.number), counted).where(col(JournalSeal.number) > after)
    found = session.connection().execute(statement.order_by(col(JournalSeal.number)).limit(limit))
    return [(number, entries) for number, entries in found]


def between(session: Session, first: int, last: int) -> list[Seal]:
    """Return batches, in order."""
    statement = _SEALS.where(col(JournalSeal.number).between(first, last)).order_by(col(JournalSeal.number))
    return [Seal(*row) for row in session.connection().execute(statement)]


def listed(session: Session, after: int, limit: int) -> list[Seal]:
    """Return batches behind one, in order, without their leaves."""
    statement = _LISTED.where(col(JournalSeal.number) > after).order_by(col(JournalSeal.number)).limit(limit)
    return [Seal(leaves=None, **row._mapping) for row in session.connection().execute(statement)]


def around(session: Session, log_id: str) -> list[Seal]:
    """Return the batches that an entry may be of, by its id."""
    statement = _SEALS.where(col(JournalSeal.first_id) <= log_id, col(JournalSeal.last_id) >= log_id)
    return [Seal(*row) for row in session.connection().execute(statement.limit(_AROUND))]


def entries_between(session: Session, first: int, last: int, limit: int) -> list[LogEntry]:
    """Return the entries of batches, in the chain's order; without names."""
    statement = _ROWS.where(col(JournalRow.seal).between(first, last))
    ordered = statement.order_by(col(JournalRow.seal), col(JournalRow.log_id)).limit(limit)
    return [LogEntry(*row) for row in session.connection().execute(ordered)]


def astray(session: Session, limit: int) -> list[tuple[int, int]]:
    """Return numbers of batches that are not there, and how many entries say that they are in each."""
    statement = (
        select(col(JournalRow.seal), func.count())
        .outerjoin(JournalSeal, col(JournalSeal.number) == col(JournalRow.seal))
        .where(col(JournalRow.seal).is_not(None), col(JournalSeal.number).is_(None))
        .group_by(col(JournalRow.seal))
        .order_by(col(JournalRow.seal))
        .limit(limit)
    )
    return [(number or 0, entries) for number, entries in session.connection().execute(statement)]


def waiting(session: Session, until: datetime, beyond: datetime) -> tuple[int, datetime | None]:
    """Return how many entries are in no batch and old enough, as ``unsealed`` has it, and the date of the oldest."""
    statement = select(func.count(), func.min(col(JournalRow.date))).where(col(JournalRow.seal).is_(None))
    due = statement.where(or_(col(JournalRow.date) <= until, col(JournalRow.date) > beyond))
    count, oldest = session.connection().execute(due).one()
    return count, oldest


def oldest(session: Session, after: int) -> tuple[Seal | None, Seal] | None:
    """Return the first batch behind ``after`` that was not pruned, and the one before it, if there is one."""
    there = _SEALS.where(col(JournalSeal.number) > after, col(JournalSeal.pruned_at).is_(None))
    row = session.connection().execute(there.order_by(col(JournalSeal.number)).limit(1)).first()
    if row is None:
        return None
    seal = Seal(*row)
    behind = _SEALS.where(col(JournalSeal.number) < seal.number).order_by(col(JournalSeal.number).desc()).limit(1)
    before = session.connection().execute(behind).first()
    return (Seal(*before) if before else None), seal


def prune(session: Session, number: int, at: datetime, mac: str) -> bool:
    """Delete the entries of a batch; the batch stays and says so. Return whether nobody had done so before."""
    batch = update(JournalSeal).where(col(JournalSeal.number) == number, col(JournalSeal.pruned_at).is_(None))
    pruned = session.connection().execute(batch.values(pruned_at=at, pruned_mac=mac, leaves=None)).rowcount == 1
    if pruned:
        session.connection().execute(delete(JournalRow).where(col(JournalRow.seal) == number))
    return pruned


def signed_otherwise(session: Session, key: str, after: int, limit: int) -> list[Seal]:
    """Return batches behind ``after`` whose macs do not begin with the name of a key."""
    other = or_(~col(JournalSeal.mac).startswith(key), ~col(JournalSeal.pruned_mac).startswith(key))
    statement = _SEALS.where(col(JournalSeal.number) > after, other).order_by(col(JournalSeal.number)).limit(limit)
    return [Seal(*row) for row in session.connection().execute(statement)]


def sign(session: Session, signed: Sequence[tuple[Seal, str, str | None]]) -> None:
    """Replace the macs of batches, as long as they are what they were."""
    for seal, mac, pruned_mac in signed:
        same = update(JournalSeal).where(col(JournalSeal.number) == seal.number, col(JournalSeal.mac) == seal.mac)
        unpruned = same.where(col(JournalSeal.pruned_mac).is_not_distinct_from(seal.pruned_mac))
        session.connection().execute(unpruned.values(mac=mac, pruned_mac=pruned_mac))
