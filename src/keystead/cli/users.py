"""``keystead users``: the people."""

import inspect
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from keystead.cli import user_exports, user_imports
from keystead.cli.api import Api
from keystead.cli.commands import Body, Limit, Lookup, Sets, Yes, body_of, command, condition, noun
from keystead.cli.terminal import confirm, refuse
from keystead.rules.identifiers import KINDS, UsernameRules, parse

app = noun("Users: the people of the connections.")

_ALL: Final = "GET /users"
_AT_MOST: Final = 10
"""How many users of one name are told apart in a line."""
_ANY_USERNAME: Final = UsernameRules(may_be_email=True, may_be_phone=True)
"""Whatever a connection may allow: which one is meant is not known."""


def _user(api: Api, typed: str) -> tuple[str, str]:
    """Find whose id it is, or whose email address, phone number or username: of one user, whatever the connection."""
    found = _called(api, typed)
    if any(each["user_id"] == typed for each in found):
        return typed, typed
    if not found:
        raise refuse(f"there is no user {typed}: an id is auth0|…; email, phone number or username will do as well")
    named = ", ".join(f"{each['user_id']} of {each['identities'][0]['connection']}" for each in found)
    if len(found) > 1:
        more = ", and more" if len(found) == _AT_MOST else ""
        raise refuse(f"{typed} is several users, so say which by id: {named}{more}")
    return str(found[0]["user_id"]), named


def _called(api: Api, typed: str) -> list[dict[str, Any]]:
    read = parse(typed, KINDS, usernames=_ANY_USERNAME)
    values: list[tuple[str, str]] = [(each.kind, each.value) for each in (read, *read.otherwise)] if read else []
    if "|" in typed and typed.isprintable():
        values.append(("user_id", typed))
    query = " OR ".join(condition(*each) for each in values)
    found: list[dict[str, Any]] = api.ask(_ALL, q=query, search_engine="v3", take=_AT_MOST)["users"] if query else []
    return found


USER: Final = Lookup(_ALL, _user)
User = Annotated[str, typer.Argument(help="A user: id, email, phone number or username.", show_default=False), USER]
Ttl = Annotated[int | None, typer.Option(min=1, help="For how many seconds it works.", show_default="a day")]

_ONE: Final = "GET /users/{id}"
_UPDATE: Final = "PATCH /users/{id}"
_BLOCKS: Final = "GET /user-blocks/{id}"
_COLUMNS: Final = {
    "user_id": "id",
    "email": "email",
    "phone_number": "phone",
    "username": "username",
    "name": "name",
    "blocked": "blocked",
    "last_login": "last login",
    "logins_count": "logins",
}
_DECISIONS: Final = {"date": "date", "rule": "rule", "path": "path", "ip": "address", "id": "decision"}
_LOGS: Final = {
    "date": "date",
    "type": "type",
    "description": "description",
    "client_id": "client",
    "ip": "address",
    "log_id": "log",
}


@command(app, "list", _ALL)
def show_all(
    api: Api,
    connection: Annotated[str | None, typer.Option(help="Those of one connection.", show_default="all")] = None,
    search: Annotated[
        str | None, typer.Option(help="A query, such as email:*@example.com.", show_default="all")
    ] = None,
    limit: Limit = None,
) -> None:
    """List users, those first who have been there longest.

    Example:  keystead users list --connection Staff --search 'blocked:true AND logins_count:0' --json
    """
    engine = "v3" if search else None
    items = api.cursors(_ALL, member="users", limit=limit, connection=connection, q=search, search_engine=engine)
    api.listed(items, _COLUMNS)


@command(app, "show", _ONE)
def show(api: Api, user: User) -> None:
    """Show a user."""
    api.shown(api.ask(_ONE, user))


@command(app, "create", "POST /users")
def create(
    api: Api,
    connection: Annotated[str, typer.Option(help="The name of the connection.", show_default=False)],
    email: Annotated[str | None, typer.Option(help="Their address.", show_default=False)] = None,
    username: Annotated[str | None, typer.Option(help="Their username.", show_default=False)] = None,
    without_password: Annotated[
        bool,
        typer.Option("--without-password", help="They will use a passkey."),
    ] = False,
    sets: Sets = None,
) -> None:
    """Make a user. The password is asked for, or is the first line of standard input; it is no argument.

    Example:  keystead users create --connection Staff --email ann@example.com --set email_verified=true
    """
    wanted = _without_password({"connection": connection} | body_of(None, sets))
    wanted |= {name: value for name, value in (("email", email), ("username", username)) if value}
    if not without_password:
        wanted["password"] = _password()
    made = api.ask("POST /users", body=wanted)
    api.done(made, f"{made['user_id']} is made")


@command(app, "update", _UPDATE)
def update(
    api: Api,
    user: User,
    sets: Sets = None,
    body: Body = None,
    new_password: Annotated[bool, typer.Option("--new-password", help="Ask for one, or read a line.")] = False,
) -> None:
    """Change a user. A new password ends their sessions.

    Example:  keystead users update ann@example.com --set name=Ann --set user_metadata.plan=gold
    """
    wanted = _without_password(body_of(body, sets))
    if new_password:
        wanted["password"] = _password()
    if not wanted:
        raise refuse("there is nothing to change: give --set, --body or --new-password")
    changed = api.ask(_UPDATE, user, body=wanted)
    api.done(changed, f"{changed['user_id']} is changed")


@command(app, "delete", _ONE, "DELETE /users/{id}")
def delete(api: Api, user: User, yes: Yes = False) -> None:
    """Delete a user with their passkeys, sessions and tokens."""
    found = api.ask(_ONE, user)
    confirm(f"Delete {_named(found)} with all passkeys, sessions and tokens?", yes=yes)
    api.done(api.ask("DELETE /users/{id}", user), f"{_named(found)} is gone")


@command(app, "block", _ONE, _UPDATE)
def block(api: Api, user: User, yes: Yes = False) -> None:
    """Let a user in no more, and end their sessions."""
    found = api.ask(_ONE, user)
    confirm(f"Block {_named(found)}, and end their sessions?", yes=yes)
    api.done(api.ask(_UPDATE, user, body={"blocked": True}), f"{_named(found)} is blocked")


@command(app, "unblock", _BLOCKS, _UPDATE, "DELETE /user-blocks/{id}")
def unblock(api: Api, user: User) -> None:
    """Let a user in again, whoever blocked them: an administrator, or too many wrong passwords."""
    lifted = len(api.ask(_BLOCKS, user)["blocked_for"])
    changed = api.ask(_UPDATE, user, body={"blocked": False})
    api.ask("DELETE /user-blocks/{id}", user)
    api.done(changed, f"{_named(changed)} may sign in{_lifted(lifted)}")


@command(app, "blocks", _BLOCKS)
def blocks(api: Api, user: User) -> None:
    """List what keeps a user out after too many wrong passwords."""
    found = api.ask(_BLOCKS, user)["blocked_for"]
    api.listed(iter(found), {"identifier": "identifier", "ip": "address", "connection": "connection"})


@command(app, "reset-link", "POST /tickets/password-change")
def reset_link(api: Api, user: User, ttl: Ttl = None) -> None:
    """Print a link that replaces a password. Nothing is sent: whoever has the link has the account."""
    _link(api, "POST /tickets/password-change", user, ttl)


@command(app, "verify-link", "POST /tickets/email-verification")
def verify_link(api: Api, user: User, ttl: Ttl = None) -> None:
    """Print a link that verifies an email address. Nothing is sent."""
    _link(api, "POST /tickets/email-verification", user, ttl)


@command(app, "verify-mail", "POST /jobs/verification-email")
def verify_mail(api: Api, user: User) -> None:
    """Send the mail that verifies an email address."""
    job = api.ask("POST /jobs/verification-email", body={"user_id": user})
    api.done(job, f"the mail is on its way: {job['id']}")


command(app, "export", *user_exports.EXPORT_ROUTES)(user_exports.export)


def _import(api: Api, **given: Any) -> None:
    """Import users, with hashes and passkeys: rows as Auth0 takes them, or an archive that puts them back as they were.

    Exit status 1 where a row was refused, or a canary would not get in. Canaries are tried first: where one fails,
    nobody is imported.

    Examples:

      keystead users import people.json --connection Staff --dry-run --canary ann@example.com

      keystead users import people.json --connection Staff

      keystead users import people.tar.gz
    """
    wanted = user_imports.Wanted.of(given)
    if wanted.resume:
        user_imports.resume(api, wanted.resume)
    elif not wanted.file:
        raise refuse("name a file, or a job with --resume")
    elif user_exports.is_archive(wanted.file):
        about = user_exports.summary(Path(wanted.file))
        if wanted.is_for_rows:
            raise refuse("an archive puts users back as they were: it takes no --upsert, --dry-run or --canary")
        user_exports.import_archive(api, Path(wanted.file), about, wanted.connection, given["trust"], yes=given["yes"])
    else:
        user_imports.run(api, wanted)


_import.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [inspect.Parameter("api", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Api), *user_imports.OPTIONS]
)
command(app, "import", *user_exports.IMPORT_ROUTES, *user_imports.ROUTES)(_import)


@command(app, "logs", "GET /users/{id}/logs")
def logs(api: Api, user: User, limit: Limit = None) -> None:
    """List what the journal says of a user, newest first."""
    api.listed(api.following("GET /users/{id}/logs", user, name="log_id", limit=limit), _LOGS)


@command(app, "decisions", "GET /users/{id}/decisions")
def decisions(api: Api, user: User, limit: Limit = None) -> None:
    """List why a user was refused, newest first."""
    api.listed(api.pages("GET /users/{id}/decisions", user, limit=limit), _DECISIONS)


def _link(api: Api, route: str, user: str, ttl: int | None) -> None:
    made = api.ask(route, body={"user_id": user} | ({"ttl_sec": ttl} if ttl else {}))
    api.done(made, made["ticket"])


def _without_password(wanted: dict[str, Any]) -> dict[str, Any]:
    """Refuse a password among the arguments, which everybody on the machine can read."""
    if "password" in wanted:
        raise refuse("a password is no argument: it is asked for, or is the first line of standard input")
    return wanted


def _password() -> str:
    if sys.stdin.isatty():
        found: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return found
    found = sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise refuse("there is no password on standard input")
    return found


def _lifted(locks: int) -> str:
    return f"; {locks} {'lock' if locks == 1 else 'locks'} of wrong passwords lifted" if locks else ""


def _named(found: dict[str, Any]) -> str:
    """Return who somebody is: an identifier of theirs, and their id."""
    name = next((found[each] for each in ("email", "phone_number", "username") if found.get(each)), "")
    return f"{name} ({found['user_id']})" if name else str(found["user_id"])
