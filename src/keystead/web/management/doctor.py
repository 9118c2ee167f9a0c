"""``/api/v2/keystead/doctor``."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import Busy
from keystead.rules.reachability import worst
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import management_of
from keystead.web.parameters import Flag
from keystead.web.shapes import TEXT, Shape, each, word

_STATUSES: Final = ("ok", "warning", "error", "skipped")
_FINDING: Final = Shape("Finding", {"id": TEXT, "status": word(*_STATUSES), "found": TEXT, "remedy": TEXT})
_OFFLINE: Final = Flag("offline", default=True)
SHOW: Final = Scoped(
    "Look at the installation",
    scopes=("read:tenant_settings",),
    query=(_OFFLINE,),
    answers={200: Shape("Findings", {"status": word("ok", "error"), "findings": each(_FINDING)})},
    refuses=(Busy,),
)


async def show(request: Request) -> Response:
    """``GET /keystead/doctor``: as ``keystead doctor`` finds it; only hosts that are configured are asked."""
    asked = await SHOW.read(request)
    findings = await management_of(request).findings(offline=asked[_OFFLINE])
    return Json({"status": "error" if worst(findings) else "ok", "findings": [each.on_wire() for each in findings]})
