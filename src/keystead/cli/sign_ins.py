"""What ``keystead login`` got: a token for each Keystead, in a file of its own that its owner alone can read."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import typer

from keystead.cli.files import written
from keystead.cli.terminal import refuse
from keystead.secrecy import Secret

_URL: Final = re.compile(r"(?:https://[^\s/?#@]+|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?)")


def checked(url: str) -> str:
    """Return the address of a Keystead without its slash. In clear only to this machine: a token goes there."""
    found = url.strip().rstrip("/")
    if not _URL.fullmatch(found):
        raise refuse("--url must be https:// and a host, such as https://login.example.com; http:// is for localhost")
    return found


def token_for(url: str, given: str | None) -> Secret[str]:
    """Return the token for a Keystead: the one that is given, or the one that a login got."""
    if given:
        return Secret(given)
    with suppress(FileNotFoundError):
        return Secret(_file(url).read_text(encoding="utf-8").strip())
    raise refuse(f"no token for {url}: run 'keystead login --url {url}', or give one in KEYSTEAD_TOKEN")


def keep(url: str, token: Secret[str]) -> Path:
    """Keep a token, and return where."""
    path = _file(url)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with written(path) as file:
        file.write(f"{token.reveal()}\n".encode())
    return path


def forget(url: str) -> bool:
    """Forget a token; whether there was one."""
    try:
        _file(url).unlink()
    except FileNotFoundError:
        return False
    return True


def _file(url: str) -> Path:
    return Path(typer.get_app_dir("keystead"), "logins", f"{quote(url, safe='')}.token")
