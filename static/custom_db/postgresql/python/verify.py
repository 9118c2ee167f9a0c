"""PostgreSQL: somebody has proved that an e-mail address is theirs."""

from pathlib import Path
from typing import Any

import certifi
import psycopg
from keystead_scripts import configuration
from psycopg.rows import dict_row


def verify(email: str) -> bool:
    with connected() as connection:
        changed = connection.execute("UPDATE users SET email_verified = true WHERE lower(email) = lower(%s)", (email,))
        return changed.rowcount > 0


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
