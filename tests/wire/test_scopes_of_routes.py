"""The scopes of our routes beside those that Auth0 names for the same ones."""

import json
import re
from pathlib import Path

import pytest

from keystead.web.endpoints import Scoped
from keystead.web.openapi import endpoints_of
from keystead.web.routes import routes

ROOT = Path(__file__).parents[2]
THEIRS: dict[str, list[str]] = json.loads((ROOT / "tests/data/management-scopes.json").read_text(encoding="utf-8"))

LEFT_OUT = {
    "read:client_keys": "secrets are kept as hashes, and shown by no reading route",
    "read:client_credentials": "GET /clients shows ids of credentials at most",
    "read:client_summary": "there is no shorter view of a client",
    "update:client_keys": "beside update:clients, where a PATCH makes a secret",
    "update:client_credentials": "beside update:clients, where a PATCH attaches a key",
    "update:client_token_vault_privileged_access": "there is no token vault",
    "read:user_idp_tokens": "there are no identity providers",
    "delete:current_user": "people do not delete themselves by this API",
    "update:current_user_identities": "accounts have one identity",
    "read:logs_users": "as read:logs",
}
"""Scopes that open one of our routes at Auth0 and not here, and why."""

MORE = {
    "GET /jobs/{}": {"update:users"},
    "GET /jobs/{}/errors": {"update:users"},
}
"""Scopes that open one here and not there: whoever may begin such a job may ask after it."""


def nameless(label: str) -> str:
    """Return a method and a path in which it does not matter what parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", label)


OURS = {
    nameless(f"{method} {path.removeprefix('/api/v2')}"): endpoint
    for path, method, endpoint in endpoints_of(routes(ROOT / "static"))
    if isinstance(endpoint, Scoped) and endpoint.api == "management"
}
BOTH = {nameless(label): set(scopes) for label, scopes in THEIRS.items() if nameless(label) in OURS}


def test_there_are_routes_to_compare() -> None:
    assert len(BOTH) > 70
    assert len(BOTH) == len([label for label in THEIRS if nameless(label) in OURS])


@pytest.mark.parametrize("label", BOTH)
def test_a_route_opens_for_the_scopes_that_its_clients_know(label: str) -> None:
    ours = {*OURS[label].scopes, *OURS[label].besides}
    assert ours - BOTH[label] == MORE.get(label, set()), label
    own_beside = set() if label.endswith("rotate-secret") else set(LEFT_OUT)
    assert BOTH[label] - ours <= own_beside, label
    assert BOTH[label] & ours, label
