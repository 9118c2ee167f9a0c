"""``keystead grants``: which APIs clients may call, and with which scopes."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Limit, Yes, command, noun
from keystead.cli.terminal import confirm, refuse

app = noun("Client grants: which APIs clients may call, and with which scopes.")

Grant = Annotated[str, typer.Argument(help="The id of a grant, cgr_….", show_default=False)]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A scope; any number of them.", show_default="none")]

_ALL: Final = "GET /client-grants"
_ONE: Final = "GET /client-grants/{id}"
_COLUMNS: Final = {"id": "id", "client_id": "client", "audience": "audience", "subject_type": "for", "scope": "scopes"}


@command(app, "list", _ALL)
def show_all(
    api: Api,
    client: Annotated[str | None, typer.Option(help="Those of one client.", show_default="all")] = None,
    audience: Annotated[str | None, typer.Option(help="Those to one API.", show_default="all")] = None,
    limit: Limit = None,
) -> None:
    """List client grants."""
    items = api.cursors(_ALL, member="client_grants", limit=limit, client_id=client, audience=audience)
    api.listed(items, _COLUMNS)


@command(app, "create", "POST /client-grants")
def create(
    api: Api,
    client: Annotated[str, typer.Argument(help="The id of a client.", show_default=False)],
    audience: Annotated[str, typer.Argument(help="The identifier of an API.", show_default=False)],
    scopes: Scopes = None,
) -> None:
    """Let a client call an API in its own right.

    Example:  keystead grants create CLIENT_ID https://login.example.com/api/v2/ --scope read:users
    """
    made = api.ask("POST /client-grants", body={"client_id": client, "audience": audience, "scope": scopes or []})
    api.done(made, f"{made['id']} is made")


@command(app, "update", _ONE, "PATCH /client-grants/{id}")
def update(api: Api, grant: Grant, scopes: Scopes = None, yes: Yes = False) -> None:
    """Replace the scopes of a client grant.

    Example:  keystead grants update GRANT_ID --scope read:users --scope update:users
    """
    if not scopes:
        raise refuse("name scopes with --scope: all that the client is to have")
    found = api.ask(_ONE, grant)
    lost = [each for each in found["scope"] if each not in scopes]
    if lost:
        confirm(f"Take {', '.join(lost)} for {found['audience']} from {found['client_id']}?", yes=yes)
    changed = api.ask("PATCH /client-grants/{id}", grant, body={"scope": scopes})
    api.done(changed, f"{changed['id']} is changed")


@command(app, "delete", _ONE, "DELETE /client-grants/{id}")
def delete(api: Api, grant: Grant, yes: Yes = False) -> None:
    """Delete a client grant: the client's tokens for that API end."""
    found = api.ask(_ONE, grant)
    confirm(f"Let {found['client_id']} call {found['audience']} no more?", yes=yes)
    api.done(api.ask("DELETE /client-grants/{id}", grant), f"{grant} is gone")
