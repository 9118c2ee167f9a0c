"""The wheel: whole, built without a network, and all that an installation needs."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from keystead import __version__
from program import SECONDS, environment

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend itself, which fetches nothing."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    return next(directory.glob("*.whl"))


def files_below(directory: Path) -> Iterator[str]:
    """Give every file of a directory that belongs to the project, as a path below it."""
    for path in directory.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(directory).as_posix()


def test_everything_is_in_it_and_nothing_else(wheel: Path) -> None:
    """Templates, migrations, style sheets and scripts as well as code; neither tests nor anybody's data."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = f"keystead-{__version__}.dist-info"
    code = {f"keystead/{name}" for name in files_below(ROOT / "src" / "keystead")}
    static = {f"keystead/static/{name}" for name in files_below(ROOT / "static")}
    assert names == code | static | {name for name in names if name.startswith(f"{about}/")}
    for wanted in (
        "keystead/py.typed",
        "keystead/web/templates/login-identifier.html",
        "keystead/db/migrations/script.py.mako",
        "keystead/db/migrations/versions/0001_the_first_tables.py",
        "keystead/static/js/webauthn.js",
        f"{about}/licenses/LICENSE",
    ):
        assert wanted in names


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        about = f"keystead-{__version__}.dist-info"
        metadata = archive.read(f"{about}/METADATA").decode()
        entry_points = archive.read(f"{about}/entry_points.txt").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "\nProvides-Extra: postgres\n" in metadata
    assert "\nProvides-Extra: redis\n" in metadata
    assert "keystead = keystead.__main__:main" in entry_points


def test_it_works_on_its_own(wheel: Path, tmp_path: Path) -> None:
    """Away from the checkout: the first start finds its migrations, and the application its pages and style sheets."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    program = """
import anyio, httpx, keystead
from keystead.app import create_app
from keystead.settings import load
from keystead.start import prepare

async def main():
    settings, made = prepare(load())
    transport = httpx.ASGITransport(app=create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        paths = ("/", "/static/css/pages.css", "/favicon.ico")
        print(keystead.__file__, *[(await client.get(path)).status_code for path in paths])

anyio.run(main)
"""
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert told.stdout.splitlines()[-1:] == [f"{site}/keystead/__init__.py 200 200 200"], told.stderr
