"""``/api/v2/keystead/fido-metadata``: what is known of models of authenticators, and from whom."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidMetadata, OlderMetadata
from keystead.rules.authenticators import Stored
from keystead.rules.claims import iso
from keystead.rules.metadata_updates import MetadataUpdate, read_update
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, MOMENT, NOTHING, TEXT, WHOLE, Shape, either

_STORED: Final = {
    "no": WHOLE,
    "next_update": TEXT,
    "stale": FLAG,
    "anchor": TEXT,
    "updated_at": MOMENT,
    "unfinished": FLAG,
    "models": WHOLE,
    "skipped": WHOLE,
}
_COUNTS: Final = dict.fromkeys(("changed", "passkeys", "trust", "quarantined", "lifted"), WHOLE)

SHOW: Final = Scoped(
    "Show which FIDO metadata is in use",
    scopes=("read:tenant_settings",),
    answers={200: either(Shape("FidoMetadata", _STORED), NOTHING)},
)


async def show(request: Request) -> Response:
    """``GET /keystead/fido-metadata``: ``null`` where nobody brought any."""
    await SHOW.read(request)
    stored = await management_of(request).metadata.stored()
    return Json(_shown(request, stored) if stored else None)


REPLACE: Final = Scoped(
    "Use other FIDO metadata",
    scopes=("update:tenant_settings",),
    body=Body(MetadataUpdate),
    answers={200: Shape("FidoMetadataUpdate", _STORED | _COUNTS)},
    refuses=(InvalidMetadata, OlderMetadata),
)


async def replace(request: Request) -> Response:
    """``PUT /keystead/fido-metadata``: from now on, and the passkeys that are there are looked at again."""
    asked = await REPLACE.read(request)
    wanted, operation = read_update(asked.body), operation_of(request, asked.bearer)
    root = wanted.root.encode() if wanted.root else None
    metadata = management_of(request).metadata
    done = await metadata.update(wanted.blob.encode(), root, operation, force=wanted.force)
    return Json(_shown(request, done.stored) | done.counts())


def _shown(request: Request, stored: Stored) -> dict[str, Any]:
    today = management_of(request).metadata.clock().date()
    return {
        "no": stored.edition.no,
        "next_update": stored.edition.next_update.isoformat(),
        "stale": stored.edition.is_stale(today),
        "anchor": stored.edition.anchor,
        "updated_at": iso(stored.updated_at),
        "unfinished": bool(stored.pending),
        "models": stored.models,
        "skipped": stored.skipped,
    }
