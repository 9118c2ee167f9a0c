"""The one way to redirect."""

from starlette.responses import Response

from keystead.errors import BadRequest


def redirect(url: str) -> Response:
    """Return a 303: a browser follows it with a GET and an empty body.

    Starlette's own default is 307, which would send a login's POST, password and all, to the target.
    """
    if any(char in url for char in "\r\n\0") or not url.isascii():
        raise BadRequest("The redirect is not valid.")
    return Response(status_code=303, headers={"location": url, "cache-control": "no-store"})
