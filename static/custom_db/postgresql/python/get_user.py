"""PostgreSQL: is there such a user?"""

from pathlib import Path
from typing import Any

import certifi
import psycopg
from keystead_scripts import Context, Profile, configuration
from psycopg.rows import dict_row


def get_user(identifier: str, context: Context | None = None) -> Profile | None:
    # Where the connection has script contexts on, its context says when the identifier is the id of a user.
    by_id = bool(context) and context.get("identifierType") == "user_id"
    user = find_by_id(identifier) if by_id else find(identifier)
    return profile_of(user) if user else None


def find(email: str) -> dict[str, Any] | None:
    with connected() as connection:
        return connection.execute(
            "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE lower(email) = lower(%s)",
            (email,),
        ).fetchone()


def find_by_id(id: str) -> dict[str, Any] | None:
    if not (id.isascii() and id.isdigit() and len(id) <= 18):
        return None
    with connected() as connection:
        return connection.execute(
            "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE id = %s",
            (int(id),),
        ).fetchone()


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["id"]),
        "email": user["email"],
        "email_verified": bool(user["email_verified"]),
    }
    if user["nickname"]:
        profile["nickname"] = user["nickname"]
    return profile


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
