"""The seals of the journal: which entries are in which batch, and the chain that the batches make."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import JournalRow, JournalSeal
from keystead.rules.journal_chain import NOTHING, Head, Seal
from keystead.rules.log_entries import LogEntry

_SEALS: Final = select(*(getattr(JournalSeal, name) for name in Seal.__dataclass_fields__))
_ROWS: Final = select(
    *(getattr(JournalRow, name) for name in LogEntry.__dataclass_fields__ if name in JournalRow.model_fields)
)
_UNSEALED: Final = (
    _ROWS.where(col(JournalRow.seal).is_(None), col(JournalRow.date) <= bindparam("until"))
    .order_by(col(JournalRow.log_id))
    .limit(bindparam("most"))
)
_HEAD: Final = (
    select(col(JournalSeal.number), col(JournalSeal.digest)).order_by(col(JournalSeal.number).desc()).limit(1)
)


class Lost(Exception):
    """Somebody else has sealed these entries, or the number is taken: whatever was done here is rolled back."""


def head(session: Session) -> Head:
    """Return where the chain ends."""
    row = session.connection().execute(_HEAD).first()
    return Head(*row) if row else NOTHING


def unsealed(session: Session, until: datetime, limit: int) -> list[LogEntry]:
    """Return entries that are in no batch and not younger than ``until``, in the order of their ids; without names."""
    found = session.connection().execute(_UNSEALED, {"until": until, "most": limit})
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
