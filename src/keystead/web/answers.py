"""JSON answers, all with the same content type."""

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """A JSON body that names its charset, as Auth0's does (auth0-behaviour 2.0)."""

    media_type = "application/json; charset=utf-8"
