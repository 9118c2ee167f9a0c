"""``keystead version``."""

import typer

from keystead import __version__


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
