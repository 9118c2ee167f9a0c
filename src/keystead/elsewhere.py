"""The Management API of a Keystead that runs elsewhere: what a command needs to call it, and nothing that serves."""

from keystead import __version__
from keystead.adapters.http_calls import HttpCalls
from keystead.secrecy import Secret


def calls(url: str, token: Secret[str]) -> HttpCalls:
    """Return the way to it."""
    return HttpCalls(url, token, f"keystead/{__version__}")
