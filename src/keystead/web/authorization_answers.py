"""How ``/authorize`` answers a client: by redirect, by a form that sends itself, or by a message between windows."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.oauth.authorize import Answer
from keystead.rules.oauth import origin_of, with_query
from keystead.web import screens
from keystead.web.answers import refusing
from keystead.web.redirects import redirect

OPENER: Final = "keystead.opener"
"""Where a request notes that the page that opened ours waits for its answer; the gate reads it."""


def back_to_client(answer: Answer) -> Response:
    """Return the browser, or only the answer, to the client."""
    return refusing(_sent(answer), answer.refusal)


def _sent(answer: Answer) -> Response:
    if answer.mode == "form_post":
        context = {"target": answer.redirect_uri, "fields": answer.parameters}
        return screens.show("form-post.html", context, redirects_to=answer.redirect_uri)
    if answer.mode == "web_message":
        # The window that gets it is named exactly: a page of any other origin learns nothing (RFC 9700 §4.17).
        origin = origin_of(answer.redirect_uri)
        context = {"origin": origin, "response": json.dumps(dict(answer.parameters))}
        response = screens.show("web-message.html", context, framed_by=origin)
        response.headers["cross-origin-opener-policy"] = "unsafe-none"  # a popup must reach the window that opened it
        return response
    return redirect(with_query(answer.redirect_uri, dict(answer.parameters)))


def keep_opener(request: Request) -> None:
    """Let the page that opened ours stay in touch: our usual isolation would cut it off for good."""
    request.scope[OPENER] = True
