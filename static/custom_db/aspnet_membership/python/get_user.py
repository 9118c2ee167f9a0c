"""ASP.NET Membership: is there such a user?"""

import re
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import Context, Profile, configuration


def get_user(identifier: str, context: Context | None = None) -> Profile | None:
    # Where the connection has script contexts on, its context says when the identifier is the id of a user.
    by_id = bool(context) and context.get("identifierType") == "user_id"
    user = find_by_id(identifier) if by_id else find(identifier)
    if by_id and means_approval() and user and not user["IsApproved"]:
        return None  # asked for at a login with a passkey, which runs no other script
    return profile_of(user) if user else None


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


def find_by_id(id: str) -> dict[str, Any] | None:
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id, re.IGNORECASE):
        return None
    found = rows(
        """
        SELECT m.UserId, u.UserName, m.Email, m.Password, m.PasswordFormat, m.PasswordSalt, m.IsApproved, m.IsLockedOut
          FROM dbo.aspnet_Membership AS m
          JOIN dbo.aspnet_Users AS u ON u.UserId = m.UserId
          JOIN dbo.aspnet_Applications AS a ON a.ApplicationId = m.ApplicationId
         WHERE a.LoweredApplicationName = %(application)s AND m.UserId = CAST(%(id)s AS uniqueidentifier)
        """,
        {"application": application(), "id": id},
    )
    return found[0] if found else None


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
