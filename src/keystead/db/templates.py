"""Message templates that administrators wrote."""

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Connection, EmailTemplate
from keystead.rules.templates import Template, shown


def get(session: Session, name: str) -> Template | None:
    """Return a template, or ``None`` where the built-in one stands."""
    record = session.connection().execute(select(col(EmailTemplate.record)).where(col(EmailTemplate.name) == name))
    found = record.scalar()
    return Template.model_validate(found) if found is not None else None


def in_force(session: Session, name: str, connection_id: str | None) -> Template | None:
    """Return the template by which people of a connection are written to, and their links behave.

    For administrators there is only what is built in: whoever may write templates could otherwise read the links to the
    owners' passwords, or have them live for a year.
    """
    of_administrators = exists().where(
        col(Connection.id) == connection_id, col(Connection.for_administrators).is_(True)
    )
    statement = select(col(EmailTemplate.record)).where(col(EmailTemplate.name) == name, ~of_administrators)
    found = session.connection().execute(statement).scalar()
    return Template.model_validate(found) if found is not None else None


def add(session: Session, template: Template, now: datetime) -> bool:
    """Store a template that nobody wrote before; ``False`` where somebody did."""
    values = {"name": template.template, "record": shown(template), "updated_at": now}
    statement = upsert(EmailTemplate).values(values).on_conflict_do_nothing()
    return session.connection().execute(statement).rowcount == 1


def put(session: Session, template: Template, now: datetime) -> None:
    """Store a template, in the place of the one there was."""
    values = {"name": template.template, "record": shown(template), "updated_at": now}
    statement = upsert(EmailTemplate).values(values)
    replaced = statement.on_conflict_do_update(index_elements=["name"], set_={**values})
    session.connection().execute(replaced)
