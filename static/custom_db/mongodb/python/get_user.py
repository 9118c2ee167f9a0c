"""MongoDB: is there such a user?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
from bson import ObjectId
from keystead_scripts import Context, Profile, configuration
from pymongo import MongoClient
from pymongo.collection import Collection


def get_user(identifier: str, context: Context | None = None) -> Profile | None:
    # Where the connection has script contexts on, its context says when the identifier is the id of a user.
    by_id = bool(context) and context.get("identifierType") == "user_id"
    user = find_by_id(identifier) if by_id else find(identifier)
    return profile_of(user) if user else None


def find(email: str) -> dict[str, Any] | None:
    # As text, and compared by $eq: nothing that a stranger sends can be an operator.
    with users() as collection:
        return collection.find_one({"email": {"$eq": str(email).lower()}})


def find_by_id(id: str) -> dict[str, Any] | None:
    if not ObjectId.is_valid(id):
        return None
    with users() as collection:
        return collection.find_one({"_id": {"$eq": ObjectId(id)}})


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["_id"]),
        "email": user["email"],
        "email_verified": bool(user.get("email_verified")),
    }
    if user.get("nickname"):
        profile["nickname"] = user["nickname"]
    return profile


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
