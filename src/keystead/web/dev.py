"""What a development server shows and a public one does not."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchRoute
from keystead.rules.claims import iso
from keystead.web import screens
from keystead.web.flows import flows_of

_HERE: Final = ("localhost", "127.0.0.1", "::1")


async def outbox(request: Request) -> Response:
    """``GET /dev/outbox``: messages that were put aside, where the public URL is plain http on this machine.

    Every message holds a way into an account. Another site's page could have its own name point to this machine and
    read them (DNS rebinding); the ``Host`` header is then that name.
    """
    flows, host = flows_of(request), request.url.hostname or ""
    if not flows.settings.has_outbox or not (host in _HERE or host.endswith(".localhost")):
        raise NoSuchRoute
    letters = [
        {
            "to": each.letter.to,
            "is_text": each.letter.channel == "sms",
            "subject": each.letter.subject,
            "text": each.letter.text,
            "moment": iso(each.at),
            "at": f"{each.at:%d %B %Y, %H:%M:%S} UTC",
        }
        for each in await flows.post.outbox()
    ]
    return screens.show("outbox.html", {"letters": letters})
