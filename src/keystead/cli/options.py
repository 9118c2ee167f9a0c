"""The options that commands share, and how a command ends when a setting is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from keystead.cli.terminal import refuse
from keystead.errors import DomainError
from keystead.settings import SettingsError

DataDir = Annotated[
    Path | None, typer.Option(help="Where the database, the secret keys and first-run.json are.", show_default="./data")
]

Port = Annotated[int | None, typer.Option(help="The port to listen on.", show_default="8000")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def told_plainly() -> Iterator[None]:
    """End with one line on standard error instead of a traceback, where it is not our defect."""
    try:
        yield
    except (SettingsError, DomainError) as error:
        raise refuse(str(error)) from None
