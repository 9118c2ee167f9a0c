"""``keystead keys``: the keys that sign tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from keystead.app import system_clock
from keystead.cli.api import Api
from keystead.cli.commands import Yes, command, noun
from keystead.cli.terminal import confirm, document, refuse, table, tell
from keystead.oauth.key_pairs import DEFAULT
from keystead.oauth.keys import FOLLOWED
from keystead.oauth.signing_keys import KNOWN_AFTER
from keystead.rules.signing_keys import Algorithm

app = noun("The keys that sign tokens.")

Key = dict[str, Any]

_ALL: Final = "GET /keystead/signing-keys"
_ROTATE: Final = "POST /keys/signing/rotate"
_REVOKE: Final = "PUT /keys/signing/{kid}/revoke"
_COLUMNS: Final = ("algorithm", "kid", "state", "published", "current_since", "current_until", "revoked_at")


@command(app, "list", _ALL)
def show(api: Api) -> None:
    """List the keys: which signs, which is to sign next, which still verify, which are revoked."""
    found = api.ask(_ALL)
    if api.as_json:
        document(found)
    else:
        table(found, {name: name.replace("_", " ") for name in _COLUMNS})


@command(app, "rotate", _ALL, _ROTATE)
def rotate(
    api: Api,
    algorithm: Annotated[Algorithm, typer.Option(help="Which keys.")] = DEFAULT,
    now: Annotated[bool, typer.Option("--now", help="Also where clients may not know the next key yet.")] = False,
) -> None:
    """Let the next key sign, and publish another next one. The key before it verifies on."""
    wait = _unknown_for([key for key in api.ask(_ALL) if key["algorithm"] == algorithm])
    if wait and not now:
        tell(f"clients may not know the next key for another {wait.seconds + 1} seconds; wait, or give --now")
        raise typer.Exit(1)
    made = api.ask(_ROTATE, body={"algorithm": algorithm})
    said = f"{made['kid']} signs {algorithm} now; every process knows within {FOLLOWED.seconds} seconds."
    api.done(_known(api, made["kid"]), said)


@command(app, "revoke", _ALL, _REVOKE, dashes=True)
def revoke(
    api: Api,
    kid: Annotated[str, typer.Argument(help="The key, as 'keystead keys list' names it.", show_default=False)],
    yes: Yes = False,
) -> None:
    """Refuse every token that a key signed. One that signs, or is to sign next, is replaced first."""
    found = _known(api, kid)
    asked = f"Refuse every token that {kid} ({found['algorithm']}, {found['state']}) signed?"
    confirm(asked, yes=yes)
    api.ask(_REVOKE, kid)
    said = f"{kid} is revoked; every process refuses its tokens within {FOLLOWED.seconds} seconds."
    api.done(_known(api, kid), said)


def _known(api: Api, kid: str) -> Key:
    found: Key | None = next((key for key in api.ask(_ALL) if key["kid"] == kid), None)
    if found is None:
        raise refuse("The signing key does not exist.")
    return found


def _unknown_for(found: Sequence[Key]) -> timedelta:
    """Return for how long clients may still keep a set of keys without the one that signs next."""
    published = [datetime.fromisoformat(key["published"]) for key in found if key["state"] == "next"]
    now = system_clock()
    return max(KNOWN_AFTER - (now - max(published, default=now)), timedelta())
