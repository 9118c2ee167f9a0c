"""What of ``static/`` anybody may have."""

import os
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_PACKAGE: Final = Path(__file__).parents[1]

_METHODS: Final = ("GET", "HEAD")
PUBLIC: Final = frozenset({"css", "favicon.svg", "home", "js"})
"""What pages are made of. Script templates are beside it, for whoever has a shell; what is not named is not served."""


class PublicFiles(StaticFiles):
    """Style sheets, scripts of pages and pictures."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file, wherever the path ends up, if it is below one that is named."""
        found, about = super().lookup_path(path)
        if about is None:
            return "", None
        first, *_ = os.path.relpath(found, os.path.realpath(str(self.directory))).split(os.sep)
        return (found, about) if first in PUBLIC else ("", None)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or say how it may be asked for. Raises ``HTTPException``."""
        if scope["method"] not in _METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(_METHODS)})
        return await super().get_response(path, scope)


def directory() -> Path:
    """Return where they are: in the installed package, or beside ``src`` in a checkout."""
    packaged = _PACKAGE / "static"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1] / "static"
