"""ASP.NET SimpleMembership: somebody chose a new password."""

import base64
import hashlib
import secrets
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import configuration


def change_password(email: str, new_password: str) -> bool:
    user = find(email)
    if user is None:
        return False
    # With the password go the provider's own links to set one, and its count of failures.
    changed = run(
        """
        UPDATE dbo.webpages_Membership
           SET Password = %(password)s, PasswordSalt = '', PasswordChangedDate = GETUTCDATE(),
               PasswordFailuresSinceLastSuccess = 0,
               PasswordVerificationToken = NULL, PasswordVerificationTokenExpirationDate = NULL
         WHERE UserId = %(id)s
        """,
        {"password": hashed(new_password), "id": user["UserId"]},
    )
    return changed > 0


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


def hashed(password: str) -> str:
    """Return, in base64: a zero, 16 bytes of salt, 32 bytes that are derived."""
    salt = secrets.token_bytes(16)
    return base64.b64encode(bytes(1) + salt + derived(password, salt)).decode()


def derived(password: str, salt: bytes) -> bytes:
    """Derive by PBKDF2 with HMAC-SHA-1, 1000 rounds: what the membership of these tables reads."""
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32)


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
