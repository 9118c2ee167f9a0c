"""Nothing exists that the documentation does not name: settings, errors, events, routes and commands."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from keystead import __version__
from keystead.cli import app as command_line
from keystead.errors import DomainError
from keystead.rules.events import TYPES
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


def sections(page: str) -> dict[str, str]:
    """Return the text under each heading of a page whose heading is code."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^##+ `([^`]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


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
            yield from (f"{method} {prefix}{route.path}" for method in (route.methods or set()) - {"HEAD"})
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
    names = {f"keystead {command.name}" for command in command_line.registered_commands}
    assert set(sections("cli.md")) == names


def test_events_have_a_heading() -> None:
    assert set(sections("events.md")) == set(TYPES)


def test_every_event_that_is_written_is_known() -> None:
    written: set[str] = set()
    for path in (ROOT / "src/keystead").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event":
                written |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
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


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_changelog_is_in_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text
