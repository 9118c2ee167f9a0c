"""Nothing exists that the documentation does not name: settings, errors, events, routes and commands."""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from keystead import __version__
from keystead.cli.nouns import commands
from keystead.errors import DomainError
from keystead.rules.apis import ApiSettings
from keystead.rules.attack_protection import BruteForce, LockSettings, SuspiciousIp
from keystead.rules.clients import ClientSettings
from keystead.rules.connection_edits import ConnectionEdit, NewConnection
from keystead.rules.connection_options import ConnectionOptions, PasswordLevel
from keystead.rules.events import TYPES
from keystead.rules.telemetry import COUNTED, READ
from keystead.settings import PREFIX, Settings
from keystead.web import wire
from keystead.web.routes import routes

ROOT = Path(__file__).parents[2]
DIALECTS = {
    "OAuth": wire.OAUTH,
    "dbconnections": wire.DBCONNECTIONS,
    "management": wire.MANAGEMENT,
    "My Account": wire.MY_ACCOUNT,
    "pages": wire.PAGES,
}


NOTHING = "\N{EN DASH}"
"""How the pages write that there is no default."""

LEVELS = set(get_args(PasswordLevel))
"""Rows of the table of password levels, which are no options."""


def sections(page: str) -> dict[str, str]:
    """Return the text under each heading of a page whose heading is code."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^##+ `([^`]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class Member(NamedTuple):
    """A member of a body that holds no members of its own: its dotted name, its default and the words that it takes."""

    path: str
    default: object
    words: frozenset[str]


def members(model: type[BaseModel], prefix: str = "") -> Iterator[Member]:
    """Return the members of a body by their names on the wire, innermost ones."""
    for name, found in model.model_fields.items():
        path = f"{prefix}{found.alias or name}"
        kinds = {kind for kind in _within(found.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)}
        if kinds:
            (inner,) = kinds
            yield from members(inner, f"{path}.")
        else:
            yield Member(path, _default(found), frozenset(_words(found.annotation)))


def _default(found: FieldInfo) -> object:
    return None if found.is_required() else found.get_default(call_default_factory=True)


def _within(annotation: Any) -> Iterator[Any]:
    """Return a type and what it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _within(part)


def _words(annotation: Any) -> Iterator[str]:
    for part in _within(annotation):
        if get_origin(part) is Literal:
            yield from (word for word in get_args(part) if isinstance(word, str))


def rows(page: str, columns: int) -> dict[str, list[str]]:
    """Return the cells of each row of a page whose first cell is code, in tables of that many columns."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        first = re.fullmatch(r"`([^`]+)`", cells[0])
        if line.startswith("| ") and first and len(cells) == columns:
            assert first[1] not in found, f"{page} has two rows for {first[1]}"
            found[first[1]] = cells
    return found


def of_kinds(path: str) -> str:
    """Return how the page writes what is the same for e-mail, phone number and username."""
    return re.sub(r"^attributes\.\w+\.(identifier\.|profile_required|signup\.status)", r"attributes.*.\1", path)


def all_errors() -> list[type[DomainError]]:
    """Return the tree of errors, root first."""

    def below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    return list(below(DomainError))


def all_routes(found: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Return every method and path."""
    for route in found:
        if isinstance(route, Route):
            yield from (f"{method} {prefix}{route.path_format}" for method in (route.methods or set()) - {"HEAD"})
        elif isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            yield f"GET {prefix}{route.path}/{{path}}"
        elif isinstance(route, Mount):
            yield from all_routes(route.routes, prefix + route.path)


def test_settings_have_a_heading() -> None:
    assert set(sections("settings.md")) == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, int | str) and field.default != ""
    ],
)
def test_defaults_of_settings_are_told(name: str) -> None:
    default = Settings.model_fields[name].default
    assert str(default).lower() in sections("settings.md")[f"{PREFIX}{name.upper()}"]


def test_routes_have_a_heading() -> None:
    assert set(sections("api.md")) == set(all_routes(routes(ROOT / "static")))


def test_commands_have_a_heading() -> None:
    assert set(sections("cli.md")) == {f"keystead {name}" for name in commands()}


def test_events_have_a_heading() -> None:
    assert set(sections("events.md")) == set(TYPES)


def test_every_event_that_is_written_is_known() -> None:
    written: set[str] = set()
    for path in (ROOT / "src/keystead").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event":
                first = (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))
                written |= {each for each in first if isinstance(each, str)}
    assert written <= set(TYPES)
    assert len(written) > 8


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_errors_have_a_heading_and_their_statuses(kind: type[DomainError]) -> None:
    told = []
    for dialect, table in DIALECTS.items():
        row = next(table[each] for each in kind.__mro__ if each in table)
        code = f" `{row.code}`" if row.code and dialect != "pages" else ""
        told.append(f"{dialect} {row.status}{code}")
    assert " · ".join(told) in sections("errors.md")[kind.code]


def test_error_codes_are_unique() -> None:
    codes = [kind.code for kind in all_errors()]
    assert len(codes) == len(set(codes))
    assert set(sections("errors.md")) == set(codes)


def told(rows: dict[str, list[str]], found: Sequence[Member]) -> Iterator[str]:
    """Return what a page does not tell, or tells wrongly, about the members of a body."""
    for member in found:
        cells = rows.get(of_kinds(member.path), [])
        default = NOTHING if member.default is None else f"`{json.dumps(member.default)}`"
        if not cells or default not in cells:
            yield f"{member.path}: {default}"
        yield from (f"{member.path}: {word}" for word in member.words if not any(word in cell for cell in cells))


def test_connection_options_are_told() -> None:
    page, found = rows("connections.md", 4), list(members(ConnectionOptions))
    assert not set(told(page, found))
    assert {of_kinds(member.path) for member in found} == set(page) - LEVELS


def test_members_of_connections_are_told() -> None:
    names = set(NewConnection.model_fields) | set(ConnectionEdit.model_fields)
    assert names - {"id", "options"} <= set(rows("connections.md", 2))


def test_client_settings_are_told() -> None:
    page, found = rows("clients.md", 4), [each for each in members(ClientSettings) if "mobile" not in each.path]
    assert not set(told(page, found))
    assert {member.path for member in found} == {path for path in page if "mobile" not in path}


def test_settings_of_attack_protection_are_told() -> None:
    page, found = (
        rows("attack-protection.md", 4),
        [
            *members(BruteForce, "brute-force-protection."),
            *members(SuspiciousIp, "suspicious-ip-throttling."),
            *members(LockSettings, "keystead."),
        ],
    )
    assert not set(told(page, found))
    assert {member.path for member in found} == set(page)


def test_metrics_are_told() -> None:
    page = rows("operations.md", 3)
    metrics = {each.name: ", ".join(f"`{label}`" for label in each.labels) or NOTHING for each in (*COUNTED, *READ)}
    assert {name: page[name][1] for name in page if name.startswith("keystead_")} == metrics


def test_members_of_apis_are_told() -> None:
    page, found = rows("tokens.md", 4), [each for each in members(ApiSettings) if "scopes." not in each.path]
    assert not set(told(page, found))
    assert {member.path for member in found} | {"identifier", "scopes"} <= set(page)


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
            leads_to = page.parent / target if target else page
            assert leads_to.exists(), f"{page.name}: {target}"
            assert not heading or heading in anchors(leads_to), f"{page.name}: {target}#{heading}"


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings have where it is shown as a web page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_documentation_speaks_of_the_product() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        ours = re.findall(r"\b(?:AP|CN|ID|LG|PK|PW|SU|TK|US)-\d+\b|auth0-behaviour|house rule", page.read_text("utf-8"))
        assert not ours, f"{page.name}: {ours}"


def test_every_page_is_reached_from_the_start() -> None:
    start = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)#]+)", start))


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_changelog_is_in_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text


def test_the_architecture_names_files_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+\w+\.(?:py|js|html))`", text))
    assert len(named) > 100
    places = (ROOT / "src" / "keystead", ROOT)
    assert [name for name in sorted(named) if not any((place / name).is_file() for place in places)] == []
