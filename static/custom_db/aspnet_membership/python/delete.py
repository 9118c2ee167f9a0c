"""ASP.NET Membership: a user is deleted."""

import re
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import configuration


def delete(id: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id, re.IGNORECASE):
        return  # no user of these tables has such an id
    found = rows(
        """
        SELECT u.UserName, a.ApplicationName
          FROM dbo.aspnet_Users AS u
          JOIN dbo.aspnet_Applications AS a ON a.ApplicationId = u.ApplicationId
         WHERE u.UserId = CAST(%(id)s AS uniqueidentifier) AND a.LoweredApplicationName = %(application)s
        """,
        {"id": id, "application": configuration.get("APPLICATION_NAME", "/").lower()},
    )
    if not found:
        return
    # The provider's own procedure: it knows which of its tables there are. 15: from all of them.
    run(
        """
        SET NOCOUNT ON;
        DECLARE @tables int;
        EXEC dbo.aspnet_Users_DeleteUser @ApplicationName = %(application)s, @UserName = %(user)s,
             @TablesToDeleteFrom = 15, @NumTablesDeletedFrom = @tables OUTPUT;
        """,
        {"application": found[0]["ApplicationName"], "user": found[0]["UserName"]},
    )


def rows(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a statement finds. Values travel beside it and never become part of it."""
    with closing(connected()) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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
