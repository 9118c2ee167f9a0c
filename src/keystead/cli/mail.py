"""``keystead mail``: the server that mail leaves by, and the texts of messages."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api, Refused
from keystead.cli.commands import Body, Sets, Yes, body_of, command, noun
from keystead.cli.terminal import confirm, refuse

app = noun("Mail: the server that it leaves by, and the texts of messages.")
templates = noun("The texts of messages.")
app.add_typer(templates, name="templates")

Template = Annotated[str, typer.Argument(help="Its name, such as verify_email or reset_email.", show_default=False)]

_PROVIDER: Final = "/emails/provider"
_TEMPLATE: Final = "/email-templates/{name}"
_MISSING: Final = 404


@command(app, "show", f"GET {_PROVIDER}")
def show(api: Api) -> None:
    """Show the mail server that is stored, without its secrets."""
    api.shown(api.ask(f"GET {_PROVIDER}"))


@command(app, "update", f"PATCH {_PROVIDER}", f"POST {_PROVIDER}")
def update(api: Api, body: Body = None, sets: Sets = None) -> None:
    """Change the mail server, or store one where there is none. Secrets are best read from a file.

    Example:  keystead mail update --body provider.json
    """
    api.done(_changed_or_made(api, _PROVIDER, _PROVIDER, (), body_of(body, sets)), "the mail server is stored")


@command(app, "delete", f"DELETE {_PROVIDER}")
def delete(api: Api, yes: Yes = False) -> None:
    """Delete the mail server: mail leaves by the one of the environment, or not at all."""
    confirm("Delete the stored mail server? Mail leaves by the one of the environment, or not at all.", yes=yes)
    api.done(api.ask(f"DELETE {_PROVIDER}"), "the mail server is gone")


@command(templates, "show", f"GET {_TEMPLATE}")
def show_template(api: Api, name: Template) -> None:
    """Show the text of a message."""
    api.shown(api.ask(f"GET {_TEMPLATE}", name))


@command(templates, "update", f"PATCH {_TEMPLATE}", "POST /email-templates")
def update_template(api: Api, name: Template, body: Body = None, sets: Sets = None) -> None:
    """Change the text of a message, or store one where there is none.

    Example:  keystead mail templates update verify_email --set subject='Your address'
    """
    wanted = body_of(body, sets)
    api.done(_changed_or_made(api, _TEMPLATE, "/email-templates", (name,), wanted), f"{name} is stored")


def _changed_or_made(api: Api, one: str, every: str, ids: tuple[str, ...], wanted: dict[str, object]) -> object:
    if not wanted:
        raise refuse("there is nothing to change: give --set or --body")
    try:
        return api.ask(f"PATCH {one}", *ids, body=wanted)
    except Refused as error:
        if error.status != _MISSING:
            raise
    named = {"template": ids[0]} if ids else {}
    return api.ask(f"POST {every}", body=wanted | named)
