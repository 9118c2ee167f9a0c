"""``keystead backup``: everything in one file, made while the server runs; and such a file checked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from typer.core import TyperGroup

from keystead import settings as process
from keystead.app import system_clock
from keystead.backups import examine_backup, open_backup
from keystead.cli.files import written
from keystead.cli.options import AsJson, DataDir, told_plainly
from keystead.cli.terminal import document, say, tell
from keystead.flows.operations import by_command
from keystead.rules.backups import Manifest
from keystead.settings import SettingsError

_MAKE: Final = "make"
STANDARD_OUTPUT: Final = "-"


class _MakeUnlessTold(TyperGroup):
    """``keystead backup FILE`` is ``keystead backup make FILE``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # click's own
        return super().parse_args(ctx, args if args and args[0] in (*self.commands, "--help") else [_MAKE, *args])


app = typer.Typer(cls=_MakeUnlessTold, help="Everything in one file, and such a file checked.", rich_markup_mode=None)

_FILE: Final = "Where to write it; '-' is the standard output."


@app.command(_MAKE)
def make(
    file: Annotated[str, typer.Argument(help=_FILE, show_default="keystead-DATE-TIME.backup")] = "",
    with_secret_keys: Annotated[
        bool, typer.Option("--with-secret-keys", help="Also the secret keys: then the file opens everything.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also over a file that is there.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write a backup, while the server runs or not. What 'keystead backup FILE' is short for.

    Examples:

      keystead backup make /var/backups/keystead.backup --force

      keystead backup make - | ssh elsewhere 'cat > keystead.backup'
    """
    name = file or f"keystead-{system_clock():%Y%m%d-%H%M%S}.backup"
    with told_plainly():
        settings = process.load(data_dir=data_dir)
    with told_plainly(), open_backup(settings, with_secret_keys=with_secret_keys) as found:
        backup, keys = found
        with _output(name, force=force) as out:
            manifest = backup.write(out, by_command("backup"), keys)
        waiting = backup.undone()
    if waiting:
        tell(f"{waiting} messages or notices wait to be sent: they are not in it")
    if keys:
        tell("the secret keys are in it: whoever has it has everything")
    else:
        kept = "KEYSTEAD_SECRET_KEYS" if settings.secret_keys else settings.key_file
        tell(f"it cannot be restored without the secret keys, which are not in it: keep those of {kept} elsewhere")
    report(manifest, name, as_json=as_json, err=name == STANDARD_OUTPUT)


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The backup.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a backup from end to end, without any database."""
    with told_plainly(), opened(file) as backup:
        manifest, is_vouched_for = examine_backup(process.load(data_dir=data_dir), backup)
    if not is_vouched_for:  # said before anything of the file is shown: it may have been made to be believed
        tell("it is whole, but not vouched for: there is no secret key at hand that could tell whose it is")
    report(manifest, str(file), as_json=as_json)
    if not is_vouched_for:
        raise typer.Exit(1)


def report(manifest: Manifest, name: str, *, as_json: bool, err: bool = False) -> None:
    """Tell what is in a backup."""
    if as_json:
        document(manifest.on_wire(), err=err)
        return
    say(f"{name}: {manifest.rows} rows of {manifest.created_at}, schema {manifest.schema}", err=err)
    say(*(f"{rows:>10}  {table}" for table, rows, _ in manifest.tables if rows), err=err)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Open a backup to be read. Raises ``SettingsError`` in the place of what the system says."""
    with _of_file(str(file)), file.open("rb") as found:
        yield found


@contextmanager
def _output(name: str, *, force: bool) -> Iterator[BinaryIO]:
    """Open what a backup is written to."""
    if name == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise SettingsError("a backup is no text for a terminal: name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    if path.exists() and not force:
        raise SettingsError(f"{path}: is there already; --force replaces it")
    with _of_file(name), written(path) as file:
        yield file


@contextmanager
def _of_file(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{error.filename or name}: {error.strerror or error}") from None
