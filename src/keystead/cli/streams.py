"""``keystead streams``: where the journal is sent on to."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Body, Sets, Yes, body_of, command, noun
from keystead.cli.terminal import confirm, refuse

app = noun("Log streams: where the journal is sent on to.")

Stream = Annotated[str, typer.Argument(help="The id of a log stream, lst_….", show_default=False)]

_ALL: Final = "GET /log-streams"
_ONE: Final = "GET /log-streams/{id}"
_CREATE: Final = "POST /log-streams"
_UPDATE: Final = "PATCH /log-streams/{id}"
_ROTATE: Final = "POST /log-streams/{id}/rotate-secret"
_DELETE: Final = "DELETE /log-streams/{id}"
_COLUMNS: Final = {
    "id": "id",
    "name": "name",
    "status": "status",
    "sink.httpEndpoint": "to",
    "error": "last error",
}


@command(app, "list", _ALL)
def show_all(api: Api) -> None:
    """List log streams."""
    api.listed(iter(api.ask(_ALL)), _COLUMNS)


@command(app, "show", _ONE)
def show(api: Api, stream: Stream) -> None:
    """Show a log stream."""
    api.shown(api.ask(_ONE, stream))


@command(app, "create", _CREATE)
def create(
    api: Api,
    name: Annotated[str, typer.Argument(help="What it is called.", show_default=False)],
    endpoint: Annotated[str, typer.Argument(help="Where entries are posted to, https://….", show_default=False)],
    category: Annotated[
        list[str] | None, typer.Option(help="Entries of a category alone; any number of them.", show_default="all")
    ] = None,
    sets: Sets = None,
) -> None:
    """Send the journal on, and print the secret that deliveries are signed with: it is shown this once.

    Example:  keystead streams create siem https://siem.example.com/keystead --category auth.login.fail
    """
    base: dict[str, object] = {"name": name, "type": "http", "sink": {"httpEndpoint": endpoint}}
    if category:
        base["filters"] = [{"type": "category", "name": each} for each in category]
    made = api.ask(_CREATE, body=body_of(None, sets, base))
    api.done(made, made["signing_secret"])


@command(app, "update", _UPDATE)
def update(api: Api, stream: Stream, body: Body = None, sets: Sets = None) -> None:
    """Change a log stream: --set status=paused, or active, which goes on where it stopped."""
    wanted = body_of(body, sets)
    if not wanted:
        raise refuse("there is nothing to change: give --set or --body")
    api.done(api.ask(_UPDATE, stream, body=wanted), f"{stream} is changed")


@command(app, "rotate-secret", _ROTATE)
def rotate_secret(api: Api, stream: Stream, yes: Yes = False) -> None:
    """Make another signing secret, and print it: it is shown this once."""
    confirm(f"Make another signing secret for {stream}? Its receiver must know the new one at once.", yes=yes)
    made = api.ask(_ROTATE, stream)
    api.done(made, made["signing_secret"])


@command(app, "delete", _ONE, _DELETE)
def delete(api: Api, stream: Stream, yes: Yes = False) -> None:
    """Delete a log stream."""
    found = api.ask(_ONE, stream)
    confirm(f"Send nothing to {found['sink']['httpEndpoint']} any more?", yes=yes)
    api.done(api.ask(_DELETE, stream), f"{stream} is gone")
