"""MongoDB: somebody has proved that an e-mail address is theirs."""

from functools import cache
from pathlib import Path
from typing import Any

import certifi
from keystead_scripts import configuration
from pymongo import MongoClient
from pymongo.collection import Collection


def verify(email: str) -> bool:
    # Documents that matched, changed or not: whoever opens the link twice is still verified.
    changed = users().update_one({"email": {"$eq": str(email).lower()}}, {"$set": {"email_verified": True}})
    return changed.matched_count > 0


def users() -> Collection[dict[str, Any]]:
    return client()[configuration["DB_NAME"]][configuration.get("DB_COLLECTION", "users")]


@cache
def client() -> MongoClient[dict[str, Any]]:
    """Return one client for as long as the process is kept."""
    # The server must prove to be the host that the address names, by DB_CA or by an authority that is publicly known.
    encrypted = {} if configuration.get("DB_TLS") == "off" else {"tls": True, "tlsCAFile": authority()}
    return MongoClient(
        configuration["DB_URI"],
        maxPoolSize=1,
        serverSelectionTimeoutMS=5000,
        socketTimeoutMS=10000,
        maxIdleTimeMS=30000,
        **encrypted,
    )


def authority() -> str:
    """Return the file of the authority that vouches for the server."""
    if not configuration.get("DB_CA"):
        return certifi.where()
    file = Path("authority.pem").resolve()  # the directory is this process's own, and goes with it
    file.write_text(configuration["DB_CA"])
    return str(file)
