"""Azure SQL Database: somebody signs up."""

import time
from contextlib import closing
from typing import Any

import bcrypt
import mssql_python
from keystead_scripts import NewUser, ValidationError, configuration


def create(user: NewUser) -> None:
    # Whoever signs up with a passkey has no password.
    new_hash = hashed(user["password"]) if user.get("password") else None
    try:
        # The unique index decides who was first: looking before inserting would let two through at once.
        run(
            "INSERT INTO dbo.users (email, password_hash, email_verified) VALUES (%(email)s, %(hash)s, 0)",
            {"email": user["email"].lower(), "hash": new_hash},
        )
    except mssql_python.IntegrityError:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


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
