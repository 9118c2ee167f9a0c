"""PostgreSQL: whose password is this?"""

from pathlib import Path
from typing import Any

import bcrypt
import certifi
import psycopg
from keystead_scripts import Profile, WrongUsernameOrPasswordError, configuration
from psycopg.rows import dict_row


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
    with connected() as connection:
        return connection.execute(
            "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE lower(email) = lower(%s)",
            (email,),
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


def decoy() -> str:
    """Return a well-formed hash that no known password has, as dear as those of the table."""
    return f"$2b${int(configuration.get('BCRYPT_COST', '12')):02}$izzD06NfQ.MnRcyigeQyfuD8wYr.RdfdB4RUGKCE5Xtb9GNdE7H6W"


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
