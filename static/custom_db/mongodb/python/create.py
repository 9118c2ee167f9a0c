"""MongoDB: somebody signs up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import certifi
from keystead_scripts import NewUser, ValidationError, configuration
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError


def create(user: NewUser) -> None:
    # Whoever signs up with a passkey has no password.
    new_hash = hashed(user["password"]) if user.get("password") else None
    try:
        # The unique index decides who was first: looking before inserting would let two through at once.
        with users() as collection:
            collection.insert_one({"email": user["email"].lower(), "password_hash": new_hash, "email_verified": False})
    except DuplicateKeyError:
        raise ValidationError("user_exists", "There is a user with this e-mail address already.") from None


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
