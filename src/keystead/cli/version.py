"""``keystead version``."""

from keystead import __version__
from keystead.cli.terminal import say


def version() -> None:
    """Print the version."""
    say(__version__)
