"""Azure SQL Database: a user is deleted."""

import time
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import configuration


def delete(id: str) -> None:
    if id.isascii() and id.isdigit() and len(id) <= 18:  # no user of this table has another
        run("DELETE FROM dbo.users WHERE id = %(id)s", {"id": int(id)})


def run(statement: str, values: dict[str, Any]) -> int:
    """Return how many rows were changed. Values travel beside the statement and never become part of it."""
    with closing(connected()) as connection:
        return connection.cursor().execute(statement, values).rowcount


def connected() -> mssql_python.Connection:
    """Return a connection. A database that sleeps or is being moved answers after a moment, so it is tried thrice."""
    for pause in (1, 2):
        try:
            return opened()
        except mssql_python.DatabaseError:
            time.sleep(pause)
    return opened()


def opened() -> mssql_python.Connection:
    return mssql_python.connect(
        Server=f"tcp:{configuration['DB_HOST']},{int(configuration.get('DB_PORT', '1433'))}",
        Database=configuration["DB_NAME"],
        UID=configuration["DB_USER"],
        PWD=configuration["DB_PASSWORD"],
        # The servers of Azure take nothing else, and prove who they are by an authority that this machine knows.
        Encrypt="yes",
        TrustServerCertificate="no",
        autocommit=True,
        timeout=4,
    )
