"""ASP.NET SimpleMembership: somebody signs up."""

import base64
import hashlib
import secrets
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import NewUser, ValidationError, configuration

CREATE = """
SET NOCOUNT ON; SET XACT_ABORT ON;
DECLARE @email nvarchar(254) = %(email)s, @password nvarchar(128) = %(password)s;
DECLARE @approved bit = %(approved)s, @done int = 0;
BEGIN TRANSACTION;
IF NOT EXISTS (SELECT 1 FROM dbo.UserProfile WITH (UPDLOCK, HOLDLOCK) WHERE UserName = @email)
BEGIN
  INSERT INTO dbo.UserProfile (UserName) VALUES (@email);
  INSERT INTO dbo.webpages_Membership
    (UserId, CreateDate, IsConfirmed, PasswordFailuresSinceLastSuccess, Password, PasswordChangedDate, PasswordSalt)
    VALUES (CAST(SCOPE_IDENTITY() AS int), GETUTCDATE(), @approved, 0, @password, GETUTCDATE(), '');
  SET @done = 1;
END;
COMMIT;
SELECT @done AS done;
"""


def create(user: NewUser) -> None:
    # The column takes no NULL: whoever signs up with a passkey has a password that nobody knows.
    chosen = user.get("password") or secrets.token_urlsafe(32)
    # In one transaction, behind a lock on the name: two sign-ups at once make one user.
    values = {"email": user["email"], "password": hashed(chosen), "approved": means_approval()}
    (result,) = rows(CREATE, values)
    if not result["done"]:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.")


def hashed(password: str) -> str:
    """Return, in base64: a zero, 16 bytes of salt, 32 bytes that are derived."""
    salt = secrets.token_bytes(16)
    return base64.b64encode(bytes(1) + salt + derived(password, salt)).decode()


def derived(password: str, salt: bytes) -> bytes:
    """Derive by PBKDF2 with HMAC-SHA-1, 1000 rounds: what the membership of these tables reads."""
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32)


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
