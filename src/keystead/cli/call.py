"""``keystead api``: any call of the Management API."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import typer

from keystead.cli.api import Where, opened
from keystead.cli.commands import Body, DataDir, Token, Url, document_of
from keystead.cli.terminal import document
from keystead.rules.calls import BASE, Call


def call(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.", show_default=False)],
    path: Annotated[str, typer.Argument(help="Below /api/v2, with its query.", show_default=False)],
    body: Body = None,
    data_dir: DataDir = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make any call of the Management API, and print its answer.

    Examples:

      keystead api GET '/users?per_page=1&include_totals=true'

      echo '{"name": "Orders"}' | keystead api PATCH /resource-servers/ID --body -
    """
    with opened(Where(data_dir, url, token), (), as_json=True) as api:
        found = api.other(_call(method, path, document_of(body) if body else None))
    if found is not None:
        document(found)


def _call(method: str, path: str, body: Any) -> Call:
    parts = urlsplit(path)
    below = parts.path.removeprefix(BASE)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Call(method.upper(), f"{BASE}/{below.lstrip('/')}", query, body)
