"""Which refresh tokens an administrator means: the body of ``POST /api/v2/refresh-tokens/revoke``."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.complaints import parse

_PAIRS: Final = "Give ids, or a user_id, a client_id or both, with an audience if need be"


class TokenSelection(BaseModel):
    """By their ids; or all of a person, of a client, of a person at a client; of those, for one audience."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=100)] = []
    user_id: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    audience: Annotated[str, Field(min_length=1, max_length=600)] | None = None


def read_selection(body: Mapping[str, Any]) -> TokenSelection:
    """Read the body. Raises ``BadRequest``, also where it means nobody in particular."""
    found = parse(TokenSelection, body)
    somebody = found.user_id or found.client_id
    if bool(found.ids) == bool(somebody) or (found.audience and not somebody):
        raise BadRequest(_PAIRS, path="")
    return found
