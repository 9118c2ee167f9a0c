"""ASP.NET Membership: a user gets another e-mail address."""

from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import ValidationError, configuration


def change_email(email: str, new_email: str, verified: bool) -> bool:
    user = find(email)
    if user is None:
        return False
    taken = find(new_email)
    if taken and taken["UserId"] != user["UserId"]:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.")
    changed = run(
        """
        UPDATE dbo.aspnet_Membership
           SET Email = %(email)s, LoweredEmail = LOWER(%(email)s),
               IsApproved = CASE WHEN %(kept)s = 1 THEN IsApproved ELSE %(verified)s END
         WHERE UserId = %(id)s
        """,
        {"email": new_email, "verified": bool(verified), "kept": means_approval(), "id": user["UserId"]},
    )
    return changed > 0


def find(email: str) -> dict[str, Any] | None:
    found = rows(
        """
        SELECT m.UserId, u.UserName, m.Email, m.Password, m.PasswordFormat, m.PasswordSalt, m.IsApproved, m.IsLockedOut
          FROM dbo.aspnet_Membership AS m
          JOIN dbo.aspnet_Users AS u ON u.UserId = m.UserId
          JOIN dbo.aspnet_Applications AS a ON a.ApplicationId = m.ApplicationId
         WHERE a.LoweredApplicationName = %(application)s AND m.LoweredEmail = %(email)s
        """,
        {"application": application(), "email": email.lower()},
    )
    # Collations find more than was asked for, and the provider can be set to let two users share an address.
    exact = [user for user in found if (user["Email"] or "").lower() == email.lower()]
    if len(exact) > 1:
        raise LookupError("Several users have this e-mail address.")
    return exact[0] if exact else None


def application() -> str:
    return configuration.get("APPLICATION_NAME", "/").lower()


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
