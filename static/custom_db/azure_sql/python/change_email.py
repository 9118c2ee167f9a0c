"""Azure SQL Database: a user gets another e-mail address."""

import time
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import ValidationError, configuration


def change_email(email: str, new_email: str, verified: bool) -> bool:
    user = find(email)
    if user is None:
        return False
    try:
        changed = run(
            "UPDATE dbo.users SET email = %(email)s, email_verified = %(verified)s WHERE id = %(id)s",
            {"email": new_email.lower(), "verified": bool(verified), "id": user["id"]},
        )
        return changed > 0
    except mssql_python.IntegrityError:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None


def find(email: str) -> dict[str, Any] | None:
    found = rows("SELECT id, email FROM dbo.users WHERE email = %(email)s", {"email": email.lower()})
    # Collations find more than was asked for: other accents, other widths, blanks at the end.
    return next((user for user in found if user["email"].lower() == email.lower()), None)


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
