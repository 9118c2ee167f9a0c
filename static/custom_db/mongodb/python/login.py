"""MongoDB: whose password is this?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import certifi
from keystead_scripts import Profile, WrongUsernameOrPasswordError, configuration
from pymongo import MongoClient
from pymongo.collection import Collection


def login(identifier: str, password: str) -> Profile:
    user = find(identifier)
    stored = user.get("password_hash") if user else None
    # Nobody costs as much as somebody, so that time tells no stranger who has an account.
    right = bcrypt.checkpw(password.encode()[:72], (stored or decoy()).encode())
    if user is None:
        raise WrongUsernameOrPasswordError(None, "There is no user with this e-mail address.")
    if not stored or not right:
        raise WrongUsernameOrPasswordError(str(user["_id"]), "The password is wrong.")
    return profile_of(user)


def find(email: str) -> dict[str, Any] | None:
    # As text, and compared by $eq: nothing that a stranger sends can be an operator.
    with users() as collection:
        return collection.find_one({"email": {"$eq": str(email).lower()}})


def profile_of(user: dict[str, Any]) -> Profile:
    profile: Profile = {
        "user_id": str(user["_id"]),
        "email": user["email"],
        "email_verified": bool(user.get("email_verified")),
    }
    if user.get("nickname"):
        profile["nickname"] = user["nickname"]
    return profile


def decoy() -> str:
    """Return a well-formed hash that no known password has, as dear as those of the table."""
    return f"$2b${int(configuration.get('BCRYPT_COST', '12')):02}$izzD06NfQ.MnRcyigeQyfuD8wYr.RdfdB4RUGKCE5Xtb9GNdE7H6W"


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
