"""How alembic runs here: on the connection that ``db/schema.py`` opened, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

from keystead.db import tables  # noqa: F401 - registers every table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, compare_type=True)
context.run_migrations()
