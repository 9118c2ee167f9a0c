"""ASP.NET Membership: somebody signs up."""

import base64
import hashlib
import secrets
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import NewUser, ValidationError, configuration

CREATE = """
SET NOCOUNT ON; SET XACT_ABORT ON;
DECLARE @email nvarchar(256) = %(email)s, @password nvarchar(128) = %(password)s, @salt nvarchar(128) = %(salt)s;
DECLARE @approved bit = %(approved)s;
BEGIN TRANSACTION;
DECLARE @application uniqueidentifier =
  (SELECT ApplicationId FROM dbo.aspnet_Applications WHERE LoweredApplicationName = %(application)s);
DECLARE @id uniqueidentifier = NEWID(), @now datetime = GETUTCDATE(), @done int = 0;
IF @application IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM dbo.aspnet_Users WITH (UPDLOCK, HOLDLOCK)
                    WHERE ApplicationId = @application AND LoweredUserName = LOWER(@email))
   AND NOT EXISTS (SELECT 1 FROM dbo.aspnet_Membership WITH (UPDLOCK, HOLDLOCK)
                    WHERE ApplicationId = @application AND LoweredEmail = LOWER(@email))
BEGIN
  INSERT INTO dbo.aspnet_Users
    (ApplicationId, UserId, UserName, LoweredUserName, MobileAlias, IsAnonymous, LastActivityDate)
    VALUES (@application, @id, @email, LOWER(@email), NULL, 0, @now);
  INSERT INTO dbo.aspnet_Membership
    (ApplicationId, UserId, Password, PasswordFormat, PasswordSalt, Email, LoweredEmail, IsApproved, IsLockedOut,
     CreateDate, LastLoginDate, LastPasswordChangedDate, LastLockoutDate, FailedPasswordAttemptCount,
     FailedPasswordAttemptWindowStart, FailedPasswordAnswerAttemptCount, FailedPasswordAnswerAttemptWindowStart)
    VALUES (@application, @id, @password, 1, @salt, @email, LOWER(@email), @approved, 0,
            @now, @now, @now, '17540101', 0, '17540101', 0, '17540101');
  SET @done = 1;
END;
COMMIT;
SELECT @done AS done, CASE WHEN @application IS NULL THEN 1 ELSE 0 END AS nowhere;
"""


def create(user: NewUser) -> None:
    # The column takes no NULL: whoever signs up with a passkey has a password that nobody knows.
    chosen = user.get("password") or secrets.token_urlsafe(32)
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    # In one transaction, behind a lock on the name: two sign-ups at once make one user.
    (result,) = rows(
        CREATE,
        {
            "application": configuration.get("APPLICATION_NAME", "/").lower(),
            "email": user["email"],
            "password": hashed(chosen, salt),
            "salt": salt,
            "approved": means_approval(),
        },
    )
    if result["nowhere"]:
        raise LookupError("There is no application of the name in APPLICATION_NAME.")
    if not result["done"]:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.")


def hashed(password: str, salt: str) -> str:
    """Hash as the provider's format "Hashed": SHA-1 over the salt and the password in UTF-16, both ends in base64."""
    return base64.b64encode(
        hashlib.sha1(base64.b64decode(salt) + password.encode("utf-16-le", "surrogatepass")).digest()
    ).decode()


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
