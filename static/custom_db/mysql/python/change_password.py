"""MySQL and MariaDB: somebody chose a new password."""

import ssl
from contextlib import closing
from typing import Any

import bcrypt
import pymysql
from keystead_scripts import configuration
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor


def change_password(email: str, new_password: str) -> bool:
    user, new_hash = find(email), hashed(new_password)
    return user is not None and run("UPDATE users SET password_hash = %s WHERE id = %s", (new_hash, user["id"])) > 0


def find(email: str) -> dict[str, Any] | None:
    found = rows("SELECT id, email FROM users WHERE email = %s", (email.lower(),))
    # Collations find more than was asked for: other accents, other widths, blanks at the end.
    return next((user for user in found if user["email"].lower() == email.lower()), None)


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


def rows(statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    with closing(connected()) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def run(statement: str, values: tuple[Any, ...]) -> int:
    """Return how many rows matched, changed or not."""
    with closing(connected()) as connection, connection.cursor() as cursor:
        return cursor.execute(statement, values)


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
