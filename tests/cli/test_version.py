"""``keystead version`` and ``keystead --help``."""

import re

from keystead import __version__
from program import keystead


def test_version() -> None:
    assert keystead("version").stdout == f"{__version__}\n"


def test_help_shows_commands_and_examples() -> None:
    told = keystead("--help")
    assert told.returncode == 0
    for command in ("serve", "migrate", "first-run", "version"):
        assert re.search(rf"^ +{command} +[A-Z]", told.stdout, re.MULTILINE), command
    assert "keystead serve --port 8123 --data-dir ./data" in told.stdout
