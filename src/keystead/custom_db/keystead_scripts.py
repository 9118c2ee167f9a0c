"""What an action script in Python imports: ``from keystead_scripts import WrongUsernameOrPasswordError``.

It needs nothing but the standard library, and may be copied beside scripts for the sake of editors and type checkers.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

configuration: Mapping[str, str] = {}
"""The configuration values of the connection; they cannot be changed by a script."""


class WrongUsernameOrPasswordError(Exception):
    """The login is refused. With ``user_id`` the journal knows whose password was wrong; the person never learns it."""

    def __init__(self, user_id: str | int | None = None, message: str = "") -> None:
        self.user_id, self.message = user_id, message
        super().__init__(message)


class ValidationError(Exception):
    """What was asked for is refused; ``code`` is such as ``user_exists``."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code, self.message = code, message
        super().__init__(message)


class UnauthorizedError(Exception):
    """It is refused, and the person reads the message."""

    def __init__(self, message: str = "") -> None:
        self.message = message
        super().__init__(message)


class Organization(TypedDict, total=False):
    """The organization that somebody signs in to."""

    id: str
    name: str
    display_name: str
    metadata: dict[str, Any]


class Context(TypedDict, total=False):
    """What is known beside the arguments."""

    organization: Organization
    identifierType: str


class Profile(TypedDict, total=False):
    """Somebody in your database. ``user_id`` must be there, be text, and never change."""

    user_id: str
    email: str
    email_verified: bool
    username: str
    phone_number: str
    phone_verified: bool
    name: str
    nickname: str
    given_name: str
    family_name: str
    picture: str
    user_metadata: dict[str, Any]
    app_metadata: dict[str, Any]


class NewUser(TypedDict, total=False):
    """Whom ``create`` is to create."""

    client_id: str
    tenant: str
    connection: str
    email: str
    password: str
    username: str
    phone_number: str
    user_metadata: dict[str, Any]
    app_metadata: dict[str, Any]
