"""Which routes are limited, and how: nothing by accident, and the page says the same."""

import re
from pathlib import Path

import pytest

from keystead.rules.request_limits import LIMITS, Group, address_bucket, group_of, page_bucket, proved_bucket, standing
from keystead.web import wire
from keystead.web.openapi import endpoints_of
from keystead.web.routes import routes

ROOT = Path(__file__).parents[2]
PATHS = {path for path, _, _ in endpoints_of(routes(ROOT / "static"))}
EXEMPT = (
    *("/.well-known/", "/static/", "/avatars/", "/favicon.ico", "/openapi.json", "/dev/"),
    *("/healthz", "/readyz", "/metrics"),
)


def test_every_route_has_a_group_or_is_exempt_on_purpose() -> None:
    assert {path for path in PATHS if group_of(path) is None} == {path for path in PATHS if path.startswith(EXEMPT)}


@pytest.mark.parametrize(
    ("group", "prefix"), [("management", "/api/"), ("my_account", "/me/"), ("pages", "/u/"), ("userinfo", "/userinfo")]
)
def test_a_group_is_what_its_paths_begin_with(group: Group, prefix: str) -> None:
    assert {path for path in PATHS if group_of(path) == group} == {path for path in PATHS if path.startswith(prefix)}


def test_what_speaks_oauth_is_the_authentication_api() -> None:
    spoken = {path for path in PATHS if wire.dialect_of(path) in (wire.oauth, wire.dbconnections)}
    assert {group_of(path) for path in spoken} == {"authentication", "userinfo", None}


def test_the_page_has_the_numbers() -> None:
    text = (ROOT / "docs/attack-protection.md").read_text(encoding="utf-8").partition("## Limits of requests")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    numbers = [[int(found[0]) if (found := re.findall(r"^\d+", cell)) else None for cell in row[1:3]] for row in rows]
    sizes = [[size.address.burst, size.proved.burst if size.proved else None] for size in LIMITS.values()]
    assert numbers[2:-1] == sizes
    page = LIMITS["pages"].page
    assert page is not None
    assert rows[-1][1] == f"{page.burst}, {page.minute} a minute"


def test_buckets_are_apart() -> None:
    """By group, by address, by who it is, by page, by login; and none is a prefix trick of another."""
    groups: list[Group] = list(LIMITS)
    keys = [address_bucket(group, address, 1).key for group in groups for address in ("198.51.100.7", "198.51.100.70")]
    proved = [proved_bucket(group, who, 1) for group in groups for who in ("a", "a/b", "address/198.51.100.7")]
    pages = [
        page_bucket("pages", address, page, state, 1)
        for address in ("198.51.100.7", "")
        for page in ("GET /u/login", "POST /u/login")
        for state in ("a", "b", "a/b", "\0")
    ]
    keys += [bucket.key for bucket in (*proved, *pages) if bucket]
    assert len(keys) == len(set(keys)) == 10 + 12 + 16
    assert page_bucket("pages", "198.51.100.7", "GET /u/login", "", 1) is None, "without a login there is none"
    assert not any("\0" in key for key in keys)


@pytest.mark.parametrize(
    ("left", "wait", "expected"),
    [(9.0, 0.0, (10, 9, 1006)), (9.99, 0.0, (10, 9, 1001)), (0.0, 0.2, (10, 0, 1001)), (10.0, 0.0, (10, 10, 1000))],
)
def test_how_a_bucket_stands(left: float, wait: float, expected: tuple[int, int, int]) -> None:
    bucket = address_bucket("pages", "198.51.100.7", 1)
    bucket = type(bucket)(bucket.prefix, bucket.key, 10, 1 / 6)
    found = standing(bucket, left, wait, 1000.0)
    assert (found.limit, found.left, found.reset) == expected
