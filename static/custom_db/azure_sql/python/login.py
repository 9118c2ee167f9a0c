"""Azure SQL Database: whose password is this?"""

import time
from contextlib import closing
from typing import Any

import bcrypt
import mssql_python
from keystead_scripts import Profile, WrongUsernameOrPasswordError, configuration


def login(identifier: str, password: str) -> Profile:
    user = find(identifier)
    stored = user["password_hash"] if user else None
    # Nobody costs as much as somebody, so that time tells no stranger who has an account.
    right = bcrypt.checkpw(password.encode()[:72], (stored or decoy()).encode())
    if user is None:
        raise WrongUsernameOrPasswordError(None, "There is no user with this e-mail address.")
    if not stored or not right:
        raise WrongUsernameOrPasswordError(str(user["id"]), "The password is wrong.")
    return profile_of(user)


def find(email: str) -> dict[str, Any] | None:
    found = rows(
        "SELECT id, email, email_verified, nickname, password_hash FROM dbo.users WHERE email = %(email)s",
        {"email": email.lower()},
    )
    # Collations find more than was asked for: other accents, other widths, blanks at the end.
    return next((user for user in found if user["email"].lower() == email.lower()), None)


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["id"]),
        "email": user["email"],
        "email_verified": bool(user["email_verified"]),
    }
    if user["nickname"]:
        profile["nickname"] = user["nickname"]
    return profile


def decoy() -> str:
    """Return a well-formed hash that no known password has, as dear as those of the table."""
    return f"$2b${int(configuration.get('BCRYPT_COST', '12')):02}$izzD06NfQ.MnRcyigeQyfuD8wYr.RdfdB4RUGKCE5Xtb9GNdE7H6W"


def rows(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a statement finds. Values travel beside it and never become part of it."""
    with closing(connected()) as connection:
        cursor = connection.cursor()
        cursor.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


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
