"""MongoDB: somebody signs up."""

from functools import cache
from pathlib import Path
from typing import Any

import bcrypt
import certifi
from keystead_scripts import NewUser, ValidationError, configuration
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError


def create(user: NewUser) -> None:
    new_hash = hashed(user["password"])
    try:
        # The unique index decides who was first: looking before inserting would let two through at once.
        users().insert_one({"email": user["email"].lower(), "password_hash": new_hash, "email_verified": False})
    except DuplicateKeyError:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None


def hashed(password: str) -> str:
    cost = int(configuration.get("BCRYPT_COST", "12"))
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


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
