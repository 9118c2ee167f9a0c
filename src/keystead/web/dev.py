"""What a development server shows and a public one does not."""

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchRoute
from keystead.rules.oauth import LOOPBACK
from keystead.web import screens
from keystead.web.flows import flows_of


async def outbox(request: Request) -> Response:
    """``GET /dev/outbox``: messages that were put aside, on a plain-http localhost and nowhere else."""
    flows = flows_of(request)
    if flows.settings.is_https or flows.settings.host_name not in LOOPBACK:
        raise NoSuchRoute
    return screens.show("outbox.html", {"letters": await flows.post.outbox()})
