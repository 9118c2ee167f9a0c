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
    "user_idp_tokens",
)
_OF_OWNERS: Final = (
    *("client_keys", "client_credentials", "signing_keys", "administrators", "backups"),
    "user_idp_tokens",
)
"""Keys, whatever they open, and who is an administrator."""

READS_TOKENS: Final = "read:user_idp_tokens"
"""What it takes to see the tokens that a customer's database returned of somebody (CD-9)."""

_CHANGED_BY_OWNERS: Final = ("email_provider",)
"""Whoever chooses who carries the mail can read the links to new passwords, the owners' among them."""

CHANGES_OUR_APIS: Final = "update:administrators"
"""What it takes, besides, to change the APIs that are Keystead's own: how long administrators' tokens live is there."""

MANAGEMENT_SCOPES: Final = tuple(f"{verb}:{noun}" for noun in _NOUNS for verb in ("read", "create", "update", "delete"))
MY_ACCOUNT_SCOPES: Final = (
    "read:me:authentication_methods",
    "create:me:authentication_methods",
    "update:me:authentication_methods",
    "delete:me:authentication_methods",
    "read:me:factors",
)
CURRENT_USER_SCOPES: Final = (
    "read:current_user",
    "update:current_user_metadata",
    "create:current_user_metadata",
    "delete:current_user_metadata",
)
"""What people may do with the Management API: see themselves and change their own metadata. No client has these in its
own name. The last two open nothing: Auth0 gives them, and apps ask for all of them together."""


def scopes_of(role: Role) -> frozenset[str]:
    """Return what a role may do with the Management API."""
    if role == OWNER:
        return frozenset(MANAGEMENT_SCOPES)
    verbs = ("read",) if role == "viewer" else ("read", "create", "update", "delete")
    nouns = [noun for noun in _NOUNS if noun not in _OF_OWNERS]
    return frozenset(
        f"{verb}:{noun}" for noun in nouns for verb in verbs if verb == "read" or noun not in _CHANGED_BY_OWNERS
    )


def lacking(role: Role, held: frozenset[str]) -> tuple[str, ...]:
    """Return what somebody lacks who would give a role: nobody gives more than they hold."""
    return tuple(scope for scope in MANAGEMENT_SCOPES if scope in scopes_of(role) - held)


def is_own(held: frozenset[str], *anybodys: str) -> bool:
    """Whether a scope reaches no account but the bearer's own; ``anybodys`` are those that would reach every one."""
    return not held & set(anybodys)


def user_members(held: frozenset[str]) -> frozenset[str] | None:
    """Return the members of an account that a scope may change; ``None`` where it may change all."""
    if "update:users" in held:
        return None
    opened = {"update:users_app_metadata": "app_metadata", "update:current_user_metadata": "user_metadata"}
    return frozenset(member for scope, member in opened.items() if scope in held)
