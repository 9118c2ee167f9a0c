"""MySQL and MariaDB: somebody signs up."""

import ssl
from contextlib import closing
from typing import Any

import bcrypt
import pymysql
from keystead_scripts import NewUser, ValidationError, configuration
from pymysql.constants import CLIENT, ER
from pymysql.cursors import DictCursor


def create(user: NewUser) -> None:
    # Whoever signs up with a passkey has no password.
    new_hash = hashed(user["password"]) if user.get("password") else None
    try:
        # The unique key decides who was first: looking before inserting would let two through at once.
        run(
            "INSERT INTO users (email, password_hash, email_verified) VALUES (%s, %s, 0)",
            (user["email"].lower(), new_hash),
        )
    except pymysql.IntegrityError as error:
        if error.args[0] == ER.DUP_ENTRY:
            raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None
        raise


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


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
