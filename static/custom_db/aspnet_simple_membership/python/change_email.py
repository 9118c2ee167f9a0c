"""ASP.NET SimpleMembership: a user gets another e-mail address."""

from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import ValidationError, configuration

RENAME = """
SET NOCOUNT ON; SET XACT_ABORT ON;
DECLARE @email nvarchar(254) = %(email)s, @verified bit = %(verified)s, @kept bit = %(kept)s;
DECLARE @id int = %(id)s, @done int = 0;
BEGIN TRANSACTION;
IF NOT EXISTS (SELECT 1 FROM dbo.UserProfile WITH (UPDLOCK, HOLDLOCK) WHERE UserName = @email AND UserId <> @id)
BEGIN
  UPDATE dbo.UserProfile SET UserName = @email WHERE UserId = @id;
  IF @kept = 0 UPDATE dbo.webpages_Membership SET IsConfirmed = @verified WHERE UserId = @id;
  SET @done = 1;
END;
COMMIT;
SELECT @done AS done;
"""


def change_email(email: str, new_email: str, verified: bool) -> bool:
    user = find(email)
    if user is None:
        return False
    # In one transaction, behind a lock on the name: nobody can take it in between.
    (result,) = rows(
        RENAME, {"email": new_email, "verified": bool(verified), "kept": means_approval(), "id": user["UserId"]}
    )
    if not result["done"]:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.")
    return True


def find(email: str) -> dict[str, Any] | None:
    found = rows(
        """
        SELECT p.UserId, p.UserName, m.Password, m.IsConfirmed
          FROM dbo.UserProfile AS p JOIN dbo.webpages_Membership AS m ON m.UserId = p.UserId
         WHERE p.UserName = %(email)s
        """,
        {"email": email},
    )
    # Collations find more than was asked for: other accents, other widths, blanks at the end.
    return next((user for user in found if user["UserName"].lower() == email.lower()), None)


def means_approval() -> bool:
    """Whether the flag says who may come in, and nothing of addresses: then scripts read it and never change it."""
    return configuration.get("UNAPPROVED") == "refuse"


def rows(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a statement finds. Values travel beside it and never become part of it."""
    with closing(connected()) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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
