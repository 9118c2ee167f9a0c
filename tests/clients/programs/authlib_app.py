"""Run by the clients' interpreter: a web application that logs people in with Authlib, as its documentation has it.

Told by one argument of JSON: the port to listen on, the discovery document, and what it is registered as.
"""

import importlib
import json
import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOLD: dict[str, Any] = json.loads(sys.argv[1])
OAUTH: Any = importlib.import_module("authlib.integrations.starlette_client").OAuth()  # not where types are checked
OAUTH.register(
    "keystead",
    server_metadata_url=TOLD["discovery"],
    client_id=TOLD["client_id"],
    client_secret=TOLD["client_secret"],
    client_kwargs={"scope": "openid profile email offline_access", "code_challenge_method": "S256"},
)


async def log_in(request: Request) -> Response:
    """Send the browser to the server."""
    response: Response = await OAUTH.keystead.authorize_redirect(request, TOLD["callback"])
    return response


async def callback(request: Request) -> Response:
    """Take the code: state, nonce and the ID token are checked. Show who it is, and the tokens."""
    token = await OAUTH.keystead.authorize_access_token(request)
    fresh = await OAUTH.keystead.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"])
    about = await OAUTH.keystead.userinfo(token=fresh)
    return JSONResponse({"claims": token["userinfo"], "about": about, "refresh_token": token["refresh_token"]})


app = Starlette(
    routes=[Route("/log-in", log_in), Route("/callback", callback)],
    middleware=[Middleware(SessionMiddleware, secret_key="not a secret")],
)
uvicorn.run(app, fd=TOLD["socket"], log_level="error")
