"""How the hosted login asks, in Auth0's words (UL-1, UL-2): the pages do it one way, and say so."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.errors import BadRequest
from keystead.rules.complaints import parse

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

_SAID: Final = {
    "universal_login_experience": "There are no classic pages",
    "identifier_first": "Pages ask who signs in before they ask for a password",
    "webauthn_platform_first_factor": "Passkeys are offered by the options of each connection",
}


class Prompts(BaseModel):
    """``/api/v2/prompts``, with the one value that each member has."""

    model_config = _CLOSED

    universal_login_experience: Literal["new"] = "new"
    identifier_first: Literal[True] = True
    webauthn_platform_first_factor: Literal[False] = False


def edit(body: Mapping[str, Any]) -> Prompts:
    """Take a PATCH that leaves all as it is, so that what was read can be sent back. Raises ``BadRequest`` by path."""
    if not body:
        raise BadRequest("Too few properties defined (0), minimum 1", path="")
    try:
        return parse(Prompts, body)
    except BadRequest as refusal:
        raise BadRequest(_SAID.get(refusal.path or "", refusal.text), path=refusal.path) from None
