"""Tenant settings: what an administrator may change while it runs."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Setting

_GET: Final = select(col(Setting.value)).where(col(Setting.name) == bindparam("name"))


def get(session: Session, name: str) -> Any:
    """Return a setting, or ``None``."""
    return session.connection().execute(_GET, {"name": name}).scalar()


def held(session: Session, name: str) -> Any:
    """Return a setting and keep it as it is to the end of the unit of work: what is read decides what is written.

    A setting that nobody stored has no row to lock, so that an empty one is made first.
    """
    put(session, name, {})
    return session.connection().execute(_GET.with_for_update(), {"name": name}).scalar()


def some(session: Session, names: Sequence[str]) -> dict[str, Any]:
    """Return those of these settings that somebody stored."""
    statement = select(col(Setting.name), col(Setting.value)).where(col(Setting.name).in_(names))
    return {row.name: row.value for row in session.connection().execute(statement)}


def set_to(session: Session, name: str, value: Any) -> None:
    """Store a setting, whatever it was before."""
    statement = upsert(Setting).values(name=name, value=value)
    replacing = statement.on_conflict_do_update(index_elements=["name"], set_={"value": value})
    session.connection().execute(replacing)


def remove(session: Session, name: str) -> bool:
    """Forget a setting; ``False`` where there was none."""
    return session.connection().execute(delete(Setting).where(col(Setting.name) == name)).rowcount == 1


def put(session: Session, name: str, value: Any) -> bool:
    """Store a setting that nobody stored before; ``False`` where somebody did."""
    statement = upsert(Setting).values(name=name, value=value).on_conflict_do_nothing()
    return session.connection().execute(statement).rowcount == 1
