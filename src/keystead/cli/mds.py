"""``keystead mds``: the FIDO metadata that says who made which authenticator, on the database itself."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from keystead import settings as process
from keystead.app import system_clock
from keystead.cli.options import AsJson, DataDir, operation, tell, told_plainly
from keystead.flows.fido_metadata import FidoMetadata
from keystead.rules.authenticators import Stored
from keystead.rules.claims import iso
from keystead.settings import SettingsError
from keystead.start import open_fido_metadata

app = typer.Typer(help="The FIDO metadata about authenticators.", no_args_is_help=True, rich_markup_mode=None)

Result = TypeVar("Result")

_BROKEN_OFF: Final = "an update broke off, or is under way: if there is none, run it again"
_LATE: Final = "its next update was due on {}: until there is a newer one, no new passkey is trusted on its word"


@app.command("update")
def update(
    file: Annotated[Path, typer.Option(help="The blob, as the FIDO Alliance publishes it.")],
    root: Annotated[
        Path | None, typer.Option(help="The certificate that another service's blob is signed below.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it is older, or another service's.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Use the metadata of a file from now on, and look at the passkeys again that are there already."""

    async def work(metadata: FidoMetadata) -> dict[str, Any]:
        blob, anchor = _read(file), _read(root) if root else None
        done = await metadata.update(blob, anchor, operation("mds update"), force=force)
        return _row(done.stored) | done.counts()

    found = _with_metadata(data_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(
        f"no. {found['no']} is in use: {found['models']} models, {found['skipped']} entries of no use here. "
        f"{found['changed']} models changed; of {found['passkeys']} passkeys of theirs {found['trust']} have another "
        f"trust, {found['quarantined']} are in quarantine now, {found['lifted']} are not any more."
    )
    _warn(found)


@app.command("status")
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show which metadata is in use, and when the next is due."""

    async def work(metadata: FidoMetadata) -> dict[str, Any] | None:
        stored = await metadata.stored()
        return _row(stored) if stored else None

    found = _with_metadata(data_dir, work)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found is None:
        typer.echo("There is no metadata: no passkey is trusted further than its own word, but for Apple's.")
    else:
        typer.echo(
            f"no. {found['no']} since {found['updated_at'][:10]}: {found['models']} models. "
            f"The next is due on {found['next_update']}."
        )
        _warn(found)


def _with_metadata(data_dir: Any, work: Callable[[FidoMetadata], Coroutine[Any, Any, Result]]) -> Result:
    with told_plainly(), open_fido_metadata(process.load(data_dir=data_dir)) as metadata:
        return asyncio.run(work(metadata))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


def _row(stored: Stored) -> dict[str, Any]:
    return {
        "no": stored.edition.no,
        "next_update": stored.edition.next_update.isoformat(),
        "stale": stored.edition.is_stale(system_clock().date()),
        "anchor": stored.edition.anchor,
        "updated_at": iso(stored.updated_at),
        "unfinished": bool(stored.pending),
        "models": stored.models,
        "skipped": stored.skipped,
    }


def _warn(found: dict[str, Any]) -> None:
    if found["unfinished"]:
        tell(_BROKEN_OFF)
    if found["stale"]:
        tell(_LATE.format(found["next_update"]))
