"""MySQL and MariaDB: a user is deleted."""

import ssl
from contextlib import closing
from typing import Any

import pymysql
from keystead_scripts import configuration
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor


def delete(id: str) -> None:
    if id.isascii() and id.isdigit() and len(id) <= 18:  # no user of this table has another
        run("DELETE FROM users WHERE id = %s", (int(id),))


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
