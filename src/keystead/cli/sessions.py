"""``keystead sessions``: where people are signed in."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Limit, Yes, command, noun
from keystead.cli.terminal import confirm
from keystead.cli.users import User

app = noun("Sessions: where people are signed in.")

Session = Annotated[str, typer.Argument(help="The id of a session.", show_default=False)]
Token = Annotated[str, typer.Argument(help="The id of a refresh token.", show_default=False)]

_OF_USER: Final = "GET /users/{id}/sessions"
_TOKENS: Final = "GET /users/{id}/refresh-tokens"
_COLUMNS: Final = {
    "id": "id",
    "created_at": "since",
    "last_interacted_at": "last used",
    "expires_at": "until",
    "device.last_ip": "address",
    "device.last_user_agent": "device",
}
_TOKEN_COLUMNS: Final = {
    "id": "id",
    "client_id": "client",
    "session_id": "session",
    "created_at": "since",
    "last_exchanged_at": "last used",
    "expires_at": "until",
}


@command(app, "list", _OF_USER)
def show_all(api: Api, user: User, limit: Limit = None) -> None:
    """List the sessions of a user."""
    api.listed(api.cursors(_OF_USER, user, member="sessions", limit=limit), _COLUMNS)


@command(app, "show", "GET /sessions/{id}", dashes=True)
def show(api: Api, session: Session) -> None:
    """Show a session."""
    api.shown(api.ask("GET /sessions/{id}", session))


@command(app, "revoke", "POST /sessions/{id}/revoke", dashes=True)
def revoke(api: Api, session: Session, yes: Yes = False) -> None:
    """End a session with its refresh tokens."""
    confirm(f"End {session} with its refresh tokens?", yes=yes)
    api.done(api.ask("POST /sessions/{id}/revoke", session), f"{session} has ended")


@command(app, "revoke-all", "POST /users/{id}/revoke-access")
def revoke_all(
    api: Api,
    user: User,
    keep_tokens: Annotated[bool, typer.Option("--keep-refresh-tokens", help="End sessions alone.")] = False,
    yes: Yes = False,
) -> None:
    """End all sessions and refresh tokens of a user."""
    confirm(f"End all sessions of {user}{'' if keep_tokens else ' with all refresh tokens'}?", yes=yes)
    body = {"preserve_refresh_tokens": True} if keep_tokens else {}
    api.done(api.ask("POST /users/{id}/revoke-access", user, body=body), f"{user} is signed out everywhere")


@command(app, "refresh-tokens", _TOKENS)
def refresh_tokens(api: Api, user: User, limit: Limit = None) -> None:
    """List the refresh tokens of a user."""
    api.listed(api.cursors(_TOKENS, user, member="tokens", limit=limit), _TOKEN_COLUMNS)


@command(app, "revoke-token", "DELETE /refresh-tokens/{id}", dashes=True)
def revoke_token(api: Api, refresh_token: Token, yes: Yes = False) -> None:
    """End a refresh token."""
    confirm(f"End the refresh token {refresh_token}?", yes=yes)
    api.done(api.ask("DELETE /refresh-tokens/{id}", refresh_token), f"{refresh_token} has ended")
