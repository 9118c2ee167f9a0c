"""MySQL and MariaDB: whose password is this?"""

import ssl
from contextlib import closing
from typing import Any

import bcrypt
import pymysql
from keystead_scripts import Profile, WrongUsernameOrPasswordError, configuration
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor


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
        "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE email = %s",
        (email.lower(),),
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


def rows(statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    with closing(connected()) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def connected() -> "pymysql.Connection[DictCursor]":
    encrypted = configuration.get("DB_TLS") != "off"
    return pymysql.connect(
        host=configuration["DB_HOST"],
        port=int(configuration.get("DB_PORT", "3306")),
        database=configuration["DB_NAME"],
        user=configuration["DB_USER"],
        password=configuration.get("DB_PASSWORD", ""),
        # The server must prove to be this very host, by DB_CA or by an authority that this machine knows.
        ssl=ssl.create_default_context(cadata=configuration.get("DB_CA") or None) if encrypted else None,
        ssl_disabled=not encrypted,
        charset="utf8mb4",
        cursorclass=DictCursor,
        client_flag=CLIENT.FOUND_ROWS,
        autocommit=True,
        connect_timeout=5,
        read_timeout=10,
        write_timeout=10,
    )
