"""``/api/v2/keystead/backup``: everything in one file, as ``keystead backup`` writes it."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from keystead.errors import Conflict
from keystead.flows.backup import Spool
from keystead.web.endpoints import Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import Content

_GZIP: Final = "application/gzip"
_SECONDS: Final = 3600
"""How long somebody may take to read it, while nobody else can have one."""

SHOW: Final = Scoped("Download a backup", scopes=("read:backups",), answers={200: Content(_GZIP)}, refuses=(Conflict,))


async def show(request: Request) -> Response:
    """``GET /keystead/backup``: never with the secret keys."""
    operation = operation_of(request, (await SHOW.read(request)).bearer)
    directory = flows_of(request).settings.data_dir
    return _Spooled(await management_of(request).backup.spool(operation, directory))


class _Spooled(StreamingResponse):
    """A backup on its way, which is closed however that ends."""

    def __init__(self, spool: Spool) -> None:
        headers = {
            "content-length": str(spool.size),
            "content-disposition": 'attachment; filename="keystead.backup"',
            "cache-control": "no-store",
        }
        super().__init__(spool.pieces(), media_type=_GZIP, headers=headers)
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await super().__call__(scope, receive, send)
        finally:
            self._spool.close()
