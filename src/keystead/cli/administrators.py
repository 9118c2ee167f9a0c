"""``keystead administrators``: who administers this installation, and as what."""

import asyncio
from contextlib import suppress
from typing import Annotated, Final

import typer

from keystead import settings as process
from keystead.cli.api import Api
from keystead.cli.commands import Limit, Lookup, Yes, command, noun
from keystead.cli.options import AsJson, DataDir, told_plainly
from keystead.cli.terminal import confirm, document, refuse, say
from keystead.errors import InvalidIdentifier
from keystead.flows.administrator_recovery import RecoveryLink
from keystead.flows.operations import by_command
from keystead.rules.authority import Role
from keystead.rules.claims import iso
from keystead.rules.identifiers import canonical
from keystead.start import open_administrator_recovery

app = noun("Administrators: who administers this installation, and as what.")

_ALL: Final = "GET /keystead/administrators"


def _administrator(api: Api, typed: str) -> tuple[str, str]:
    """Find whose id it is, or whose email address."""
    wanted = {typed}
    with suppress(InvalidIdentifier):
        wanted.add(canonical("email", typed).value)
    found = next((each for each in api.pages(_ALL) if wanted & {each["user_id"], each.get("email")}), None)
    if found is None:
        raise refuse(f"there is no administrator {typed}: keystead administrators list shows them")
    return str(found["user_id"]), str(found["user_id"])


Administrator = Annotated[
    str,
    typer.Argument(help="An administrator: id or email.", show_default=False),
    Lookup(_ALL, _administrator),
]

Email = Annotated[str, typer.Argument(help="Where the invitation is sent.", show_default=False)]
ItsRole = Annotated[Role, typer.Argument(help="What they may do.", show_default=False)]

_ONE: Final = "GET /keystead/administrators/{id}"
_UPDATE: Final = "PATCH /keystead/administrators/{id}"
_COLUMNS: Final = {
    "user_id": "id",
    "email": "email",
    "role": "role",
    "blocked": "blocked",
    "invited": "invited",
    "last_login": "last login",
}


@command(app, "list", _ALL)
def show_all(api: Api, limit: Limit = None) -> None:
    """List the administrators."""
    api.listed(api.pages(_ALL, limit=limit), _COLUMNS)


@command(app, "show", _ONE)
def show(api: Api, administrator: Administrator) -> None:
    """Show an administrator."""
    api.shown(api.ask(_ONE, administrator))


@command(app, "invite", "POST /keystead/administrators")
def invite(api: Api, email: Email, role: ItsRole) -> None:
    """Invite an administrator, and print the link. Whoever has it becomes one: it is shown this once.

    Example:  keystead administrators invite ann@example.com editor
    """
    made = api.ask("POST /keystead/administrators", body={"email": email, "role": role})
    api.done(made, made["ticket"])


@command(app, "role", _ONE, _UPDATE)
def role(api: Api, administrator: Administrator, role: ItsRole, yes: Yes = False) -> None:
    """Give an administrator another role, from the next request on."""
    found = api.ask(_ONE, administrator)
    confirm(f"Make {found.get('email', administrator)}, who is {found['role']}, {role}?", yes=yes)
    api.done(api.ask(_UPDATE, administrator, body={"role": role}), f"{administrator} is {role}")


@command(app, "block", _UPDATE)
def block(api: Api, administrator: Administrator, yes: Yes = False) -> None:
    """Let an administrator in no more."""
    confirm(f"Let {administrator} in no more?", yes=yes)
    api.done(api.ask(_UPDATE, administrator, body={"blocked": True}), f"{administrator} is blocked")


@command(app, "unblock", _UPDATE)
def unblock(api: Api, administrator: Administrator) -> None:
    """Let an administrator in again."""
    api.done(api.ask(_UPDATE, administrator, body={"blocked": False}), f"{administrator} may sign in")


@command(app, "remove", _ONE, "DELETE /keystead/administrators/{id}")
def remove(api: Api, administrator: Administrator, yes: Yes = False) -> None:
    """Delete an administrator."""
    found = api.ask(_ONE, administrator)
    confirm(f"Delete {found.get('email', administrator)}, who is {found['role']}?", yes=yes)
    api.done(api.ask("DELETE /keystead/administrators/{id}", administrator), f"{administrator} is gone")


@app.command("recover")
def recover(
    email: Annotated[
        str,
        typer.Argument(
            metavar="[EMAIL]",
            help="The owner who is to choose a new password; without one, whoever opens the link is a new owner.",
            show_default=False,
        ),
    ] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that lets an owner in again, or makes a new one. It works once, for an hour."""
    with told_plainly(), open_administrator_recovery(process.load(data_dir=data_dir)) as recovery:
        link = asyncio.run(recovery(email, by_command("administrators recover")))
    if as_json:
        document(_row(link))
    else:
        say(link.url, _said(link))


def _row(link: RecoveryLink) -> dict[str, str | None]:
    return {"url": link.url, "email": link.email or None, "expires_at": iso(link.expires_at)}


def _said(link: RecoveryLink) -> str:
    what = f"{link.email} chooses a new password" if link.email else "Whoever opens it becomes an owner"
    return f"{what}. It works once, until {link.expires_at:%H:%M} UTC; older links like it are gone."
