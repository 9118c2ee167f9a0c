"""What a request to use other FIDO metadata says."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from keystead.rules.complaints import parse


class MetadataUpdate(BaseModel):
    """``PUT /keystead/fido-metadata``: the blob as it is published, and how it is to be believed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    blob: Annotated[str, Field(min_length=1)]
    """A JWS in its compact form."""
    root: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """The certificate, in PEM, that another service's blob is signed below."""
    force: bool = False
    """Also where it is older than what is in use, or another service's."""


def read_update(body: Mapping[str, Any]) -> MetadataUpdate:
    """Read the body. Raises ``BadRequest``."""
    return parse(MetadataUpdate, body)
