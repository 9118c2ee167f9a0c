"""PostgreSQL databases for tests: copied from a stencil, or one that is filled again from it, which is quicker."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from sqlalchemy import create_engine

from keystead.db.tables import Account

TABLES = ["alembic_version", *(table.name for table in Account.metadata.sorted_tables)]
"""Every table of ours and that of the schema's version, each behind those that it refers to."""

_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SHAPE = """
SELECT md5(string_agg(format('%s %s %s', attrelid::regclass, attname, atttypid), ',' ORDER BY attrelid, attnum))
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
"""
"""What the schema looks like, indexes included."""


@dataclass
class Refilled:
    """One database for test after test. A test that changed its schema costs the next one a new copy."""

    admin: str
    stencil: str
    name: str
    _url: str = ""
    _shape: str = ""
    _connection: psycopg.Connection | None = None
    """Kept from test to test: connecting takes longer than all that is done here."""

    def fresh(self) -> str:
        """Bring the database back to the stencil, and return its URL. Whoever was still connected is not any more."""
        if self._connection is None or not self._is_ours():
            self._make()
        emptied = (f'DELETE FROM public."{name}"' for name in reversed(TABLES))  # noqa: S608 - names of ours
        filled = (f'INSERT INTO public."{name}" SELECT * FROM kept."{name}"' for name in TABLES)  # noqa: S608 - the same
        self._execute("; ".join(("BEGIN", *emptied, *filled, "COMMIT")))
        return self._url

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()

    def _is_ours(self) -> bool:
        """Whether the schema is as it was; a test may have taken the database away, or us from it."""
        try:
            self._execute(_END_OTHERS)
            return self._execute(_SHAPE) == self._shape
        except psycopg.OperationalError:
            return False

    def _make(self) -> None:
        self.close()
        execute(self.admin, f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        self._url = copy_database(self.admin, self.stencil, self.name)
        self._connection = psycopg.connect(self._url, autocommit=True)
        copies = (f'CREATE TABLE kept."{name}" AS TABLE public."{name}"' for name in TABLES)
        self._execute("; ".join(("CREATE SCHEMA kept", *copies)))
        self._shape = self._execute(_SHAPE)

    def _execute(self, statement: str) -> str:
        assert self._connection is not None
        cursor = self._connection.execute(statement.encode())
        found = cursor.fetchone() if cursor.description else None
        return str(found[0]) if found else ""


def copy_database(admin: str, source: str, name: str) -> str:
    """Copy a database that nobody is connected to, and return the URL of the copy."""
    execute(admin, f'CREATE DATABASE "{name}" TEMPLATE "{urlsplit(source).path[1:]}"')
    return database_of(admin, name)


def database_of(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def execute(url: str, statement: str) -> str:
    """Execute a statement, or several, outside any transaction; return the first value, where there is one."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # Without parameters, so that more than one statement may travel at once.
        result = connection.execution_options(no_parameters=True).exec_driver_sql(statement)
        found = str(result.scalar()) if result.returns_rows else ""
    engine.dispose()
    return found
