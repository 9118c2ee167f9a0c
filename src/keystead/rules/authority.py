"""Who may do what: the scopes of our own APIs, and what the roles of administrators hold of them (decided)."""

from typing import Final, Literal

Role = Literal["owner", "editor", "viewer"]
"""What an administrator may do: everything; everything but keys, backups and administrators; read."""

OWNER: Final = "owner"

_NOUNS: Final = (
    "users",
    "users_app_metadata",
    "authentication_methods",
    "connections",
    "connections_options",
    "clients",
    "client_keys",
    "client_credentials",
    "client_grants",
    "grants",
    "resource_servers",
    "user_tickets",
    "sessions",
    "refresh_tokens",
    "tenant_settings",
    "attack_protection",
    "anomaly_blocks",
    "email_provider",
    "email_templates",
    "prompts",
    "branding",
    "signing_keys",
    "logs",
    "logs_users",
    "log_streams",
    "stats",
    "actions",
    "administrators",
    "backups",
)
_OF_OWNERS: Final = ("client_keys", "client_credentials", "signing_keys", "administrators", "backups")
"""Keys, whatever they open, and who is an administrator."""

MANAGEMENT_SCOPES: Final = tuple(f"{verb}:{noun}" for noun in _NOUNS for verb in ("read", "create", "update", "delete"))
MY_ACCOUNT_SCOPES: Final = (
    "read:me:authentication_methods",
    "create:me:authentication_methods",
    "update:me:authentication_methods",
    "delete:me:authentication_methods",
    "read:me:factors",
)


def scopes_of(role: Role) -> frozenset[str]:
    """Return what a role may do with the Management API."""
    if role == OWNER:
        return frozenset(MANAGEMENT_SCOPES)
    verbs = ("read",) if role == "viewer" else ("read", "create", "update", "delete")
    nouns = (noun for noun in _NOUNS if noun not in _OF_OWNERS)
    return frozenset(f"{verb}:{noun}" for noun in nouns for verb in verbs)
