"""Which clients the tests drive: the lock files say it, and the documentation repeats it."""

import json
import re

import pytest

from clients.environments import LOCK, PACKAGES, ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["auth0-python", "@auth0/auth0-spa-js", "auth0-deploy-cli", "authlib", "openid-client"]
)
def test_the_page_names_the_version(name: str) -> None:
    assert re.search(rf"^\| \[{name}\].*\| {re.escape(_locked()[name])} \|", PAGE, re.MULTILINE | re.IGNORECASE)


def test_npm_is_told_no_host() -> None:
    """Names, versions and hashes alone: whoever installs chooses where from."""
    packages = json.loads(PACKAGES[1].read_text(encoding="utf-8"))["packages"]
    assert packages.pop("")["dependencies"] == json.loads(PACKAGES[0].read_text(encoding="utf-8"))["dependencies"]
    for each in packages.values():
        assert "resolved" not in each
        assert each["integrity"].startswith("sha512-")


def _locked() -> dict[str, str]:
    lock = LOCK.read_text(encoding="utf-8")
    python = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    node: dict[str, str] = json.loads(PACKAGES[0].read_text(encoding="utf-8"))["dependencies"]
    return python | node
