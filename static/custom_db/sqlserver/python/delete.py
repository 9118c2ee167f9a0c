"""SQL Server: a user is deleted."""

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
    return mssql_python.connect(
        Server=f"tcp:{configuration['DB_HOST']},{int(configuration.get('DB_PORT', '1433'))}",
        Database=configuration["DB_NAME"],
        UID=configuration["DB_USER"],
        PWD=configuration["DB_PASSWORD"],
        # The server must prove to be this very host, by an authority that this machine knows.
        Encrypt="no" if configuration.get("DB_TLS") == "off" else "yes",
        TrustServerCertificate="no",
        autocommit=True,
        timeout=10,
    )
