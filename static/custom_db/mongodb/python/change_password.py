"""MongoDB: somebody chose a new password."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import certifi
from keystead_scripts import configuration
from pymongo import MongoClient
from pymongo.collection import Collection


def change_password(email: str, new_password: str) -> bool:
    new_hash = hashed(new_password)
    with users() as collection:
        changed = collection.update_one({"email": {"$eq": str(email).lower()}}, {"$set": {"password_hash": new_hash}})
    return changed.matched_count > 0


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


@contextmanager
def users() -> Iterator[Collection[dict[str, Any]]]:
    # The server must prove to be the host that the address names, by DB_CA or by an authority that is publicly known.
    encrypted = {} if configuration.get("DB_TLS") == "off" else {"tls": True, "tlsCAFile": authority()}
    client: MongoClient[dict[str, Any]] = MongoClient(
        configuration["DB_URI"],
        maxPoolSize=1,
        serverSelectionTimeoutMS=5000,
        socketTimeoutMS=10000,
        **encrypted,
    )
    with client:
        yield client[configuration["DB_NAME"]][configuration.get("DB_COLLECTION", "users")]


def authority() -> str:
    """Return the file of the authority that vouches for the server."""
    if not configuration.get("DB_CA"):
        return certifi.where()
    file = Path("authority.pem").resolve()  # the directory is this process's own, and goes with it
    file.write_text(configuration["DB_CA"])
    return str(file)
