"""Locks are opened: full buckets are emptied, whoever filled them."""

from collections.abc import Iterable
from typing import Final

from sqlmodel import Session

from keystead.db import accounts
from keystead.db.session import Database
from keystead.ports import EVERYTHING, Attempts, Wanted
from keystead.rules.buckets import ACCOUNT, locks_of, marks_of, read_lock_key
from keystead.rules.identifiers import KINDS

_AT_ONCE: Final = 500
"""How many locks are opened in one transaction."""


async def lift(db: Database, attempts: Attempts, user_id: str) -> int:
    """Open every lock of an account; return how many there were."""
    connection_id, identifiers = await db.read(_locked, user_id)
    # What was typed may have been read as another kind than the account has it as (``identifiers.parse``).
    pairs = {(kind, value) for _, value in identifiers for kind in KINDS} | {(ACCOUNT, user_id)}
    return await open_all(attempts, connection_id, pairs)


async def open_all(attempts: Attempts, connection_id: str, identifiers: Iterable[tuple[str, str]]) -> int:
    """Open every lock of these identifiers; return how many there were."""
    locks, marks = [], []
    for kind, value in identifiers:
        keys = [found.key for found in await attempts.list(locks_of(connection_id, kind, value))]
        read = [(each, read_lock_key(each)) for each in keys]
        locks += [each for each, key in read if key and (key.kind, key.value) == (kind, value)]
        marks += [each.key for each in await attempts.list(marks_of(connection_id, kind, value))]
    # All at once. Passwords that were wrong may be right by now: to try them again is a guess again.
    emptied = [Wanted(key, 1, cost=EVERYTHING) for key in (*locks, *marks)]
    for start in range(0, len(emptied), _AT_ONCE):
        await attempts.take_all(emptied[start : start + _AT_ONCE])
    return len(locks)


def _locked(session: Session, user_id: str) -> tuple[str, list[tuple[str, str]]]:
    profile = accounts.by_id(session, user_id)
    return (profile.connection_id if profile else "", accounts.identifiers_of(session, user_id))
