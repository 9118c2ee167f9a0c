"""Keystead's own clients: with these administrators log in, and nobody else; nobody can see or change them."""

from collections.abc import Mapping
from typing import Final

from keystead.rules.clients import CODE, ClientSettings, new_settings

DASHBOARD: Final = "keystead-dashboard"
COMMAND_LINE: Final = "keystead-cli"

OWN_CLIENTS: Final[Mapping[str, ClientSettings]] = {
    DASHBOARD: new_settings(
        {
            "name": "Keystead Dashboard",
            "app_type": "spa",
            "grant_types": [CODE],
            "callbacks": ["/dashboard/"],  # ours, wherever we are published
            "allowed_logout_urls": ["/dashboard/"],
        }
    ),
    COMMAND_LINE: new_settings(
        {
            "name": "Keystead Command Line",
            "app_type": "native",
            "grant_types": [CODE],
            "callbacks": ["http://127.0.0.1/callback"],  # at whatever port is free (RFC 8252 §7.3)
        }
    ),
}
"""By client id. Public, so with PKCE, and by a login on our pages alone: no password is ever shown to them."""
