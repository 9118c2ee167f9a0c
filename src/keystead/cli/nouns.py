"""The commands, by name: where each is, and what it is about. None is imported before it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Noun(NamedTuple):
    """Where a command, or a noun with commands of its own, is made; ``about`` is the first line of its help."""

    module: str
    about: str
    function: str = ""
    """The function that is the command; empty where the module has an ``app``."""


NOUNS: Final = {
    "serve": Noun("serve", "Serve.", "serve"),
    "migrate": Noun("migrate", "Bring the database up to date.", "migrate"),
    "first-run": Noun("first_run", "Do the first start without serving, or show again what it made.", "show"),
    "login": Noun("login", "Sign in as an administrator, for commands with --url.", "login"),
    "logout": Noun("login", "Forget the token of a Keystead.", "logout"),
    "connections": Noun("connections", "Connections: where people live, and by which rules they come in."),
    "scripts": Noun("scripts", "Action scripts: your code that reaches people in your own database."),
    "users": Noun("users", "Users: the people of the connections."),
    "passkeys": Noun("passkeys", "Passkeys: what people sign in with."),
    "sessions": Noun("sessions", "Sessions: where people are signed in."),
    "clients": Noun("clients", "Clients: the applications that people sign in to, and programs that call APIs."),
    "grants": Noun("grants", "Client grants: which APIs clients may call, and with which scopes."),
    "administrators": Noun("administrators", "Administrators: who administers this installation, and as what."),
    "keys": Noun("keys", "The keys that sign tokens."),
    "log": Noun("log", "The journal: what happened, by whom, and that it is told as it was."),
    "streams": Noun("streams", "Log streams: where the journal is sent on to."),
    "settings": Noun(
        "settings", "Settings that are in the database: of the tenant, of sessions, of attack protection, of pages."
    ),
    "mail": Noun("mail", "Mail: the server that it leaves by, and the texts of messages."),
    "jobs": Noun("jobs", "Jobs: what is to be done later, such as mail."),
    "backup": Noun("backup", "Everything in one file, and such a file checked."),
    "restore": Noun("restore", "Put a backup into an empty database.", "restore"),
    "mds": Noun("mds", "The FIDO metadata about authenticators."),
    "why": Noun("why", "Tell why somebody was refused.", "why"),
    "doctor": Noun("doctor", "Look at an installation, and say which line to change."),
    "api": Noun("call", "Make any call of the Management API, and print its answer.", "call"),
    "version": Noun("version", "Print the version.", "version"),
}


class Nouns(TyperGroup):
    """A group whose help is made of the table, and whose commands are loaded when they are run."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the table."""
        return [*NOUNS, *(name for name in super().list_commands(ctx) if name not in NOUNS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command as the help shows it."""
        if cmd_name in NOUNS:
            return TyperCommand(cmd_name, help=NOUNS[cmd_name].about)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command itself."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name in NOUNS else found, rest


def loaded(name: str) -> Any:
    """Return the command of a name."""
    noun = NOUNS[name]
    module = import_module(f"keystead.cli.{noun.module}")
    if not noun.function:
        return typer.main.get_group(module.app)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(getattr(module, noun.function))
    return typer.main.get_command(alone)


def commands() -> dict[str, Any]:
    """Return every command by what is written to run it, such as ``users list``."""
    return dict(_below({name: loaded(name) for name in NOUNS}, ""))


def _below(found: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, each in found.items():
        if isinstance(each, TyperGroup):
            if each.invoke_without_command:  # it does something by itself, too
                yield f"{prefix}{name}", each
            yield from _below(each.commands, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", each
