"""MySQL and MariaDB: is there such a user?"""

import ssl
from contextlib import closing
from typing import Any

import pymysql
from keystead_scripts import Context, Profile, configuration
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor


def get_user(identifier: str, context: Context | None = None) -> Profile | None:
    # Where the connection has script contexts on, its context says when the identifier is the id of a user.
    by_id = bool(context) and context.get("identifierType") == "user_id"
    user = find_by_id(identifier) if by_id else find(identifier)
    return profile_of(user) if user else None


def find(email: str) -> dict[str, Any] | None:
    found = rows(
        "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE email = %s",
        (email.lower(),),
    )
    # Collations find more than was asked for: other accents, other widths, blanks at the end.
    return next((user for user in found if user["email"].lower() == email.lower()), None)


def find_by_id(id: str) -> dict[str, Any] | None:
    if not (id.isascii() and id.isdigit() and len(id) <= 18):
        return None
    found = rows(
        "SELECT id, email, email_verified, nickname, password_hash FROM users WHERE id = %s",
        (int(id),),
    )
    return found[0] if found else None


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["id"]),
        "email": user["email"],
        "email_verified": bool(user["email_verified"]),
    }
    if user["nickname"]:
        profile["nickname"] = user["nickname"]
    return profile


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
