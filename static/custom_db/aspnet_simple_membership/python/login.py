"""ASP.NET SimpleMembership: whose password is this?"""

import base64
import hashlib
import hmac
from contextlib import closing
from typing import Any

import mssql_python
from keystead_scripts import Profile, UnauthorizedError, WrongUsernameOrPasswordError, configuration


def login(identifier: str, password: str) -> Profile:
    user = find(identifier)
    # Nobody costs as much as somebody, so that time tells no stranger who has an account.
    stored = base64.b64decode(user["Password"]) if user else bytes(49)
    if len(stored) != 49 or stored[0] != 0:
        raise ValueError("This user's password is not in the format of SimpleMembership.")
    right = hmac.compare_digest(stored[17:], derived(password, stored[1:17]))
    if user is None:
        raise WrongUsernameOrPasswordError(None, "There is no user with this e-mail address.")
    if not right:
        raise WrongUsernameOrPasswordError(str(user["UserId"]), "The password is wrong.")
    if means_approval() and not user["IsConfirmed"]:
        raise UnauthorizedError("This account is not approved.")  # told to nobody but whoever knows the password
    return profile_of(user)


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


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {"user_id": str(user["UserId"]), "email": user["UserName"]}
    if not means_approval():
        profile["email_verified"] = bool(user["IsConfirmed"])
    return profile


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
