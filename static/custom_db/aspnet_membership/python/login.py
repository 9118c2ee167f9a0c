"""ASP.NET Membership: whose password is this?"""

import base64
import hashlib
import hmac
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import Profile, UnauthorizedError, WrongUsernameOrPasswordError, configuration


def login(identifier: str, password: str) -> Profile:
    user = find(identifier)
    if user and user["PasswordFormat"] != 1:
        raise ValueError("This user's password is not in the Hashed format.")
    # Nobody costs as much as somebody, so that time tells no stranger who has an account.
    salt = user["PasswordSalt"] if user else "AAAAAAAAAAAAAAAAAAAAAA=="
    stored = user["Password"] if user else hashed("", salt)
    right = hmac.compare_digest(stored.encode(), hashed(password, salt).encode())
    if user is None:
        raise WrongUsernameOrPasswordError(None, "There is no user with this e-mail address.")
    if not right:
        raise WrongUsernameOrPasswordError(str(user["UserId"]).lower(), "The password is wrong.")
    if user["IsLockedOut"]:
        raise UnauthorizedError("This account is locked.")  # told to nobody but whoever knows the password
    if means_approval() and not user["IsApproved"]:
        raise UnauthorizedError("This account is not approved.")  # told to nobody but whoever knows the password
    return profile_of(user)


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


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["UserId"]).lower(),
        "email": user["Email"],
    }
    if not means_approval():
        profile["email_verified"] = bool(user["IsApproved"])
    if user["UserName"]:
        profile["nickname"] = user["UserName"]
    return profile


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
