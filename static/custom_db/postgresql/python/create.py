"""PostgreSQL: somebody signs up."""

from pathlib import Path
from typing import Any

import bcrypt
import certifi
import psycopg
from keystead_scripts import NewUser, ValidationError, configuration
from psycopg.rows import dict_row


def create(user: NewUser) -> None:
    # Whoever signs up with a passkey has no password.
    new_hash = hashed(user["password"]) if user.get("password") else None
    try:
        # The unique index decides who was first: looking before inserting would let two through at once.
        with connected() as connection:
            connection.execute(
                "INSERT INTO users (email, password_hash, email_verified) VALUES (lower(%s), %s, false)",
                (user["email"], new_hash),
            )
    except psycopg.errors.UniqueViolation:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


def connected() -> psycopg.Connection[dict[str, Any]]:
    """Return a connection, which ``with`` commits and closes."""
    return psycopg.connect(
        host=configuration["DB_HOST"],
        port=int(configuration.get("DB_PORT", "5432")),
        dbname=configuration["DB_NAME"],
        user=configuration["DB_USER"],
        password=configuration.get("DB_PASSWORD"),
        # The server must prove to be this very host, by DB_CA or by an authority that is publicly known.
        sslmode="disable" if configuration.get("DB_TLS") == "off" else "verify-full",
        sslrootcert=authority(),
        connect_timeout=5,
        row_factory=dict_row,
    )


def authority() -> str:
    """Return the file of the authority that vouches for the server."""
    if not configuration.get("DB_CA"):
        return certifi.where()
    file = Path("authority.pem").resolve()  # the directory is this process's own, and goes with it
    file.write_text(configuration["DB_CA"])
    return str(file)
