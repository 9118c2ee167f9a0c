"""``keystead mds``: the FIDO metadata that says who made which authenticator."""

import base64
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import command, noun
from keystead.cli.terminal import document, refuse, say, tell

app = noun("The FIDO metadata about authenticators.")

_SHOW: Final = "GET /keystead/fido-metadata"
_REPLACE: Final = "PUT /keystead/fido-metadata"

_BROKEN_OFF: Final = "an update broke off, or is under way: if there is none, run it again"
_LATE: Final = "its next update was due on {}: until there is a newer one, no new passkey is trusted on its word"
_PEM: Final = b"-----BEGIN CERTIFICATE-----"


@command(app, "update", _REPLACE)
def update(
    api: Api,
    file: Annotated[Path, typer.Option(help="The blob, as the FIDO Alliance publishes it.")],
    root: Annotated[
        Path | None, typer.Option(help="The certificate that another service's blob is signed below.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it is older, or another service's.")] = False,
) -> None:
    """Use the metadata of a file from now on, and look at the passkeys again that are there already."""
    wanted = {"blob": _text(_read(file)), "force": force} | ({"root": _pem(_read(root))} if root else {})
    found = api.ask(_REPLACE, body=wanted)
    said = (
        f"no. {found['no']} is in use: {found['models']} models, {found['skipped']} entries of no use here. "
        f"{found['changed']} models changed; of {found['passkeys']} passkeys of theirs {found['trust']} have another "
        f"trust, {found['quarantined']} are in quarantine now, {found['lifted']} are not any more."
    )
    api.done(found, said)
    _warn(api, found)


@command(app, "status", _SHOW)
def status(api: Api) -> None:
    """Show which metadata is in use, and when the next is due."""
    found = api.ask(_SHOW)
    if api.as_json:
        document(found)
    elif found is None:
        say("There is no metadata: no passkey is trusted further than its own word, but for Apple's.")
    else:
        since, due = found["updated_at"][:10], found["next_update"]
        say(f"no. {found['no']} since {since}: {found['models']} models. The next is due on {due}.")
        _warn(api, found)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refuse(f"{path}: {error.strerror}") from None


def _text(blob: bytes) -> str:
    """Return what a JWS is written in; of anything else, enough for its reader to say that it is none."""
    return blob.decode("ascii", "replace").strip()


def _pem(certificate: bytes) -> str:
    """Return a certificate in PEM."""
    if _PEM in certificate:
        return certificate.decode("ascii", "replace")
    encoded = base64.encodebytes(certificate).decode()
    return f"{_PEM.decode()}\n{encoded}-----END CERTIFICATE-----\n"


def _warn(api: Api, found: dict[str, Any]) -> None:
    if api.as_json:
        return
    if found["unfinished"]:
        tell(_BROKEN_OFF)
    if found["stale"]:
        tell(_LATE.format(found["next_update"]))
