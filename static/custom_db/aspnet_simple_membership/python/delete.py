"""ASP.NET SimpleMembership: a user is deleted."""

from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import configuration


def delete(id: str) -> None:
    if not (id.isascii() and id.isdigit() and len(id) <= 9):
        return  # no user of these tables has such an id
    run(
        """
        SET XACT_ABORT ON;
        DECLARE @id int = %(id)s;
        BEGIN TRANSACTION;
        DELETE FROM dbo.webpages_UsersInRoles WHERE UserId = @id;
        DELETE FROM dbo.webpages_OAuthMembership WHERE UserId = @id;
        DELETE FROM dbo.webpages_Membership WHERE UserId = @id;
        DELETE FROM dbo.UserProfile WHERE UserId = @id;
        COMMIT;
        """,
        {"id": int(id)},
    )


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
