"""``keystead clients``: the applications."""

from typing import Annotated, Any, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Body, Limit, Sets, Yes, body_of, command, noun
from keystead.cli.terminal import confirm, refuse

app = noun("Clients: the applications that people sign in to, and programs that call APIs.")

Client = Annotated[str, typer.Argument(help="The id of a client.", show_default=False)]

_ALL: Final = "GET /clients"
_ONE: Final = "GET /clients/{id}"
_COLUMNS: Final = {
    "client_id": "id",
    "name": "name",
    "app_type": "type",
    "token_endpoint_auth_method": "proves itself by",
    "grant_types": "grants",
}


@command(app, "list", _ALL)
def show_all(api: Api, limit: Limit = None) -> None:
    """List the clients."""
    api.listed(api.pages(_ALL, limit=limit), _COLUMNS)


@command(app, "show", _ONE)
def show(api: Api, client: Client) -> None:
    """Show a client; its secret is never shown again."""
    api.shown(api.ask(_ONE, client))


@command(app, "create", "POST /clients")
def create(
    api: Api,
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    sets: Sets = None,
    body: Body = None,
) -> None:
    """Make a client. Its secret is printed this once.

    Example:  keystead clients create Shop --set app_type=spa --set callbacks='["https://shop.example.com/cb"]'
    """
    api.shown(api.ask("POST /clients", body=body_of(body, sets) | {"name": name}))


@command(app, "update", "PATCH /clients/{id}")
def update(api: Api, client: Client, sets: Sets = None, body: Body = None) -> None:
    """Change a client.

    Example:  keystead clients update CLIENT_ID --set callbacks='["https://shop.example.com/cb"]'
    """
    wanted = body_of(body, sets)
    if not wanted:
        raise refuse("there is nothing to change: give --set or --body")
    changed = api.ask("PATCH /clients/{id}", client, body=wanted)
    if "client_secret" in changed:  # it got one, which is shown this once
        api.shown(changed)
    else:
        api.done(changed, f"{changed['name']} is changed")


@command(app, "delete", _ONE, "DELETE /clients/{id}")
def delete(api: Api, client: Client, yes: Yes = False) -> None:
    """Delete a client; whoever uses it cannot sign in."""
    found = api.ask(_ONE, client)
    confirm(f"Delete {_named(found)}? Its secrets, grants and refresh tokens go with it.", yes=yes)
    api.done(api.ask("DELETE /clients/{id}", client), f"{_named(found)} is gone")


@command(app, "rotate-secret", _ONE, "POST /clients/{id}/rotate-secret")
def rotate_secret(api: Api, client: Client, yes: Yes = False) -> None:
    """Give a client another secret, which is printed this once. The one before ends at once."""
    found = api.ask(_ONE, client)
    confirm(f"Give {_named(found)} another secret? Whoever uses the one before is refused at once.", yes=yes)
    made = api.ask("POST /clients/{id}/rotate-secret", client)
    api.done(made, made["client_secret"])


def _named(found: dict[str, Any]) -> str:
    return f"{found['name']} ({found['client_id']})"
