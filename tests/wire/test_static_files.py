"""What anybody may have of the files that we ship, and what only whoever has a shell."""

from pathlib import Path

import pytest

from keystead.web.static_files import PUBLIC
from world import World

STATIC = Path(__file__).parents[2] / "static"


@pytest.mark.parametrize("shared_world", ["sqlite"], indirect=True)
async def test_pages_have_their_files_and_script_templates_stay_here(shared_world: World) -> None:
    """Also by another way to write the path, and whatever is put beside them one day."""
    files = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()]
    assert any(name.startswith("custom_db/") for name in files)
    for name in files:
        answer = await shared_world.client.get(f"/static/{name}")
        assert answer.status_code == (200 if name.split("/")[0] in PUBLIC else 404), name
    for path in (
        "/static/css/../custom_db/empty/node/login.js",
        "/static/css/%2e%2e/custom_db/empty/node/login.js",
        "/static/./custom_db/empty/node/login.js",
        "/static//custom_db/empty/node/login.js",
        "/static/%63ustom_db/empty/node/login.js",
        "/static/custom_db%2fempty%2fnode%2flogin.js",
        "/static/Custom_DB/empty/node/login.js",
        "/static/custom_db/",
    ):
        assert (await shared_world.client.get(path)).status_code == 404, path
