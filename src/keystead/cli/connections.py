"""``keystead connections``: where people live, and by which rules they come in."""

import inspect
from inspect import Parameter
from typing import Annotated, Any, Final

import typer

from keystead.cli.api import Api, Refused
from keystead.cli.commands import Body, Limit, Sets, Yes, body_of, command, noun
from keystead.cli.terminal import confirm, refuse

app = noun("Connections: where people live, and by which rules they come in.")
clients = noun("The clients that may use a connection.")
app.add_typer(clients, name="clients")

Connection = Annotated[str, typer.Argument(help="Its id, con_…, or its name.", show_default=False)]
Client = Annotated[str, typer.Argument(help="The id of a client.", show_default=False)]
Options = Annotated[str | None, typer.Option("--options", metavar="FILE|-", help="JSON: all of its options.")]
Stranded = Annotated[
    int | None, typer.Option(min=0, help="How many people may be left without a way to sign in.", show_default="none")
]

_ALL: Final = "GET /connections"
_ONE: Final = "GET /connections/{id}"
_AT_RISK: Final = {"customScripts": "scripts", "configuration": "values for scripts"}
_COLUMNS: Final = {
    "id": "id",
    "name": "name",
    "authentication.active": "active",
    "options.security_profile": "profile",
    "options.authentication_methods.password.enabled": "password",
    "options.authentication_methods.passkey.enabled": "passkey",
    "enabled_clients": "clients",
}


@command(app, "list", _ALL)
def show_all(api: Api, limit: Limit = None) -> None:
    """List the connections."""
    api.listed(api.cursors(_ALL, member="connections", limit=limit), _COLUMNS)


@command(app, "show", _ALL, _ONE)
def show(api: Api, connection: Connection) -> None:
    """Show a connection with all of its options.

    Example:  keystead connections show Username-Password-Authentication
    """
    api.shown(_found(api, connection))


@command(app, "create", "POST /connections")
def create(
    api: Api,
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    options: Options = None,
    sets: Sets = None,
    body: Body = None,
) -> None:
    """Make a connection; --set names options.

    Example:  keystead connections create Staff --set authentication_methods.passkey.enabled=true
    """
    wanted: dict[str, Any] = {"strategy": "auth0"} | body_of(body, None) | {"name": name}
    if options or sets:
        wanted["options"] = body_of(options, sets, wanted.get("options"))
    made = api.ask("POST /connections", body=wanted)
    api.done(made, f"{made['name']} is made: {made['id']}")


def _update(api: Api, connection: Connection, **given: Any) -> None:
    """Change a connection: --set changes one option and leaves the others, --options replaces all of them.

    It asks before scripts, or the values that they read, are lost by that.

    Examples:

      keystead connections update Staff --set passkey_policy.user_verification=required

      keystead connections update Staff --body members.json --accept-stranded 2
    """
    found = _found(api, connection)
    wanted = body_of(given["body"], None)
    if given["options"] or given["sets"]:
        base = wanted.get("options", found.get("options"))
        wanted["options"] = body_of(given["options"], given["sets"], base)
    if not wanted:
        raise refuse("there is nothing to change: give --set, --options or --body")
    if lost := _lost(found.get("options", {}), wanted):
        confirm(f"Replace the options of {found['name']}, and lose its {lost}?", yes=given["yes"])
    stranded = given["accept_stranded"]
    changed = api.ask("PATCH /connections/{id}", found["id"], body=wanted, accept_stranded=stranded)
    api.done(changed, f"{changed['name']} is changed")


_update.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        Parameter("api", Parameter.POSITIONAL_OR_KEYWORD, annotation=Api),
        Parameter("connection", Parameter.POSITIONAL_OR_KEYWORD, annotation=Connection),
        Parameter("options", Parameter.KEYWORD_ONLY, default=None, annotation=Options),
        Parameter("sets", Parameter.KEYWORD_ONLY, default=None, annotation=Sets),
        Parameter("body", Parameter.KEYWORD_ONLY, default=None, annotation=Body),
        Parameter("accept_stranded", Parameter.KEYWORD_ONLY, default=None, annotation=Stranded),
        Parameter("yes", Parameter.KEYWORD_ONLY, default=False, annotation=Yes),
    ]
)
command(app, "update", _ALL, _ONE, "PATCH /connections/{id}")(_update)


@command(app, "delete", _ALL, _ONE, "GET /users", "DELETE /connections/{id}")
def delete(api: Api, connection: Connection, yes: Yes = False) -> None:
    """Delete a connection with everybody in it."""
    found = _found(api, connection)
    if not yes:
        confirm(f"Delete {found['name']} ({found['id']}) with {_people(api, found['name'])}?", yes=yes)
    api.done(api.ask("DELETE /connections/{id}", found["id"]), f"{found['name']} is gone, and everybody in it")


@command(app, "preview", _ALL, _ONE, "POST /connections/{id}/passkey-policy/preview")
def preview(api: Api, connection: Connection, options: Options = None, sets: Sets = None) -> None:
    """Tell what other options would do to people and their passkeys; nothing is changed.

    Example:  keystead connections preview Staff --set passkey_policy.user_verification=required
    """
    found = _found(api, connection)
    wanted = {"options": body_of(options, sets, found.get("options"))} if options or sets else {}
    api.shown(api.ask("POST /connections/{id}/passkey-policy/preview", found["id"], body=wanted))


@command(clients, "list", _ALL, _ONE, "GET /connections/{id}/clients")
def list_clients(api: Api, connection: Connection, limit: Limit = None) -> None:
    """List the clients that may use a connection."""
    found = _found(api, connection)
    items = api.cursors("GET /connections/{id}/clients", found["id"], member="clients", limit=limit)
    api.listed(items, {"client_id": "client"})


@command(clients, "enable", _ALL, _ONE, "PATCH /connections/{id}/clients")
def enable(api: Api, connection: Connection, client: Client) -> None:
    """Let a client use a connection."""
    _switch(api, connection, client, on=True)


@command(clients, "disable", _ALL, _ONE, "PATCH /connections/{id}/clients")
def disable(api: Api, connection: Connection, client: Client, yes: Yes = False) -> None:
    """Let a client use a connection no longer: nobody of it signs in to the client any more."""
    confirm(f"Let nobody of {connection} sign in to {client} any more?", yes=yes)
    _switch(api, connection, client, on=False)


def _switch(api: Api, connection: str, client: str, *, on: bool) -> None:
    found = _found(api, connection)
    api.ask("PATCH /connections/{id}/clients", found["id"], body=[{"client_id": client, "status": on}])
    api.done(None, f"{client} may {'' if on else 'not '}use {found['name']}")


def _found(api: Api, connection: str) -> dict[str, Any]:
    """Return a connection by its name, or else by its id. Raises ``Refused``."""
    named = list(api.cursors(_ALL, member="connections", name=connection))
    found: dict[str, Any] = named[0] if named else api.ask(_ONE, connection)
    return found


def _lost(options: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return what goes with options that are replaced, by name; secrets are shown nowhere, so no file brings them."""
    replaced = wanted.get("options")
    if not isinstance(replaced, dict):
        return ""
    gone = {says: sorted({*options.get(name, {})} - {*_dict(replaced.get(name))}) for name, says in _AT_RISK.items()}
    return "; ".join(f"{says} ({', '.join(names)})" for says, names in gone.items() if names)


def _dict(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _people(api: Api, name: str) -> str:
    """Return how many people a connection has, in words; a token that may not read users does not say."""
    try:
        count = api.ask("GET /users", connection=name, per_page=0, include_totals=True)["total"]
    except Refused:
        return "all of its users"
    return "its one user" if count == 1 else f"all of its {count} users"
