"""``keystead keys``: the keys that sign tokens, on the database itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

import typer

from keystead import settings as process
from keystead.app import system_clock
from keystead.cli.options import AsJson, DataDir, operation, tell, told_plainly
from keystead.oauth.key_pairs import ALGORITHMS, DEFAULT
from keystead.oauth.keys import FOLLOWED
from keystead.oauth.signing_keys import KNOWN_AFTER, SigningKeys
from keystead.rules.claims import iso
from keystead.rules.signing_keys import Algorithm, KeyRecord
from keystead.start import open_signing_keys

app = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True, rich_markup_mode=None)

Result = TypeVar("Result")

_COLUMNS: Final = ("algorithm", "kid", "state", "published", "current_since", "current_until", "revoked_at")


@app.command("list")
def show(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys: which signs, which is to sign next, which still verify, which are revoked."""
    keys = _with_keys(data_dir, lambda keys: keys.of())
    found = [_row(key) for key in sorted(keys, key=lambda key: ALGORITHMS.index(key.algorithm))]
    typer.echo(json.dumps(found, indent=2) if as_json else _table(found))


@app.command("rotate")
def rotate(
    algorithm: Annotated[Algorithm, typer.Option(help="Which keys.")] = DEFAULT,
    now: Annotated[bool, typer.Option("--now", help="Also where clients may not know the next key yet.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let the next key sign, and publish another next one. The key before it verifies on."""

    async def work(keys: SigningKeys) -> KeyRecord | None:
        wait = _unknown_for(await keys.of(algorithm))
        if wait and not now:
            tell(f"clients may not know the next key for another {wait.seconds + 1} seconds; wait, or give --now")
            return None
        return await keys.rotate(operation("keys rotate"), algorithm)

    made = _with_keys(data_dir, work)
    if made is None:
        raise typer.Exit(1)
    said = f"{made.kid} signs {made.algorithm} now; every process knows within {FOLLOWED.seconds} seconds."
    typer.echo(json.dumps(_row(made), indent=2) if as_json else said)


@app.command("revoke")
def revoke(
    kid: Annotated[str, typer.Argument(help="The key, as 'keystead keys list' names it.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Refuse every token that a key signed. One that signs, or is to sign next, is replaced first."""

    async def work(keys: SigningKeys) -> KeyRecord | None:
        found = await keys.show(kid)
        asked = f"Refuse every token that {found.kid} ({found.algorithm}, {found.state}) signed?"
        if not yes and not typer.confirm(asked, err=True):
            return None
        return await keys.revoke(kid, operation("keys revoke"))

    ended = _with_keys(data_dir, work)
    if ended is None:
        tell("nothing was changed")
        raise typer.Exit(1)
    said = f"{ended.kid} is revoked; every process refuses its tokens within {FOLLOWED.seconds} seconds."
    typer.echo(json.dumps(_row(ended), indent=2) if as_json else said)


def _with_keys(data_dir: Any, work: Callable[[SigningKeys], Awaitable[Result]]) -> Result:
    async def run(keys: SigningKeys) -> Result:
        return await work(keys)

    with told_plainly(), open_signing_keys(process.load(data_dir=data_dir)) as keys:
        return asyncio.run(run(keys))


def _unknown_for(found: Sequence[KeyRecord]) -> timedelta:
    """Return for how long clients may still keep a set of keys without the one that signs next."""
    published = max((key.created_at for key in found if key.state == "next"), default=system_clock())
    return max(KNOWN_AFTER - (system_clock() - published), timedelta())


def _row(key: KeyRecord) -> dict[str, str | None]:
    times = {
        "published": key.created_at,
        "current_since": key.current_since,
        "current_until": key.current_until,
        "revoked_at": key.revoked_at,
    }
    about: dict[str, str | None] = {"algorithm": key.algorithm, "kid": key.kid, "state": key.state}
    return about | {name: iso(moment) if moment else None for name, moment in times.items()}


def _table(rows: Sequence[dict[str, str | None]]) -> str:
    lines = [[name.replace("_", " ") for name in _COLUMNS]]
    lines += [
        [(row[name] or "-")[:19] if name in _COLUMNS[3:] else str(row[name]) for name in _COLUMNS] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
