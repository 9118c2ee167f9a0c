"""``keystead passkeys``: what people sign in with."""

from typing import Annotated, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Yes, command, noun
from keystead.cli.terminal import confirm
from keystead.cli.users import Ttl, User

app = noun("Passkeys: what people sign in with.")

Passkey = Annotated[str, typer.Argument(help="The id of the passkey, as the list shows it.", show_default=False)]
Name = Annotated[str, typer.Argument(help="What it is called from now on.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks at it later.", show_default=False)]

_ALL: Final = "GET /keystead/users/{id}/passkeys"
_METHOD: Final = "/users/{id}/authentication-methods/{method_id}"
_QUARANTINE: Final = "/keystead/users/{id}/passkeys/{passkey_id}/quarantine"
_COLUMNS: Final = {
    "id": "id",
    "name": "name",
    "provider": "provider",
    "trust": "trust",
    "credential_device_type": "kind",
    "may_log_in": "works",
    "last_auth_at": "last used",
    "created_at": "made",
}


@command(app, "list", _ALL)
def show_all(api: Api, user: User) -> None:
    """List the passkeys of a user, and whether each of them works."""
    api.listed(iter(api.ask(_ALL, user)), _COLUMNS)


@command(app, "rename", f"PATCH {_METHOD}")
def rename(api: Api, user: User, passkey: Passkey, name: Name) -> None:
    """Call a passkey something else."""
    changed = api.ask(f"PATCH {_METHOD}", user, passkey, body={"name": name})
    api.done(changed, f"{passkey} is called {name}")


@command(app, "delete", f"DELETE {_METHOD}")
def delete(api: Api, user: User, passkey: Passkey, yes: Yes = False) -> None:
    """Delete a passkey: it opens nothing any more."""
    confirm(f"Delete {passkey} of {user}? It cannot be put back.", yes=yes)
    api.done(api.ask(f"DELETE {_METHOD}", user, passkey), f"{passkey} is gone")


@command(app, "quarantine", f"PUT {_QUARANTINE}")
def quarantine(api: Api, user: User, passkey: Passkey, reason: Reason, yes: Yes = False) -> None:
    """Take a passkey out of use until it is put back.

    Example:  keystead passkeys quarantine ann@example.com passkey_… --reason 'lost on a train'
    """
    confirm(f"Let {user} sign in with {passkey} no more, until it is put back?", yes=yes)
    changed = api.ask(f"PUT {_QUARANTINE}", user, passkey, body={"reason": reason})
    stranded = "; its owner has no other way to sign in" if changed.get("stranded") else ""
    api.done(changed, f"{passkey} is out of use{stranded}")


@command(app, "lift", f"DELETE {_QUARANTINE}")
def lift(api: Api, user: User, passkey: Passkey) -> None:
    """Put a passkey back into use."""
    api.done(api.ask(f"DELETE {_QUARANTINE}", user, passkey), f"{passkey} is in use again")


@command(app, "enrolment-link", "POST /tickets/passkey-enrollment")
def enrolment_link(api: Api, user: User, ttl: Ttl = None) -> None:
    """Print a link that leads to a passkey. Nothing is sent: whoever has the link makes it theirs."""
    made = api.ask("POST /tickets/passkey-enrollment", body={"user_id": user} | ({"ttl_sec": ttl} if ttl else {}))
    api.done(made, made["ticket"])
