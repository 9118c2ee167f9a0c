"""A message template that an administrator wrote, and the bodies by which it comes and goes (EM-1, EM-2)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest
from keystead.rules.complaints import complaint

MAX_LIFETIME: Final = 31_536_000
"""How long a link may live at most, in seconds: a year."""

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)
_ADDRESS: Final = r"[^\s<>@,;:\"\\()\[\]\x00-\x1f\x7f]{1,64}@(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f.:]{2,45}\])"
_MAILBOX: Final = re.compile(
    rf"\s*(?:\"(?P<quoted>[^\"\\\x00-\x1f\x7f]*)\"\s*|(?P<plain>[^\"<>@,;:\\()\[\]\x00-\x1f\x7f]*))"
    rf"<(?P<inner>{_ADDRESS})>\s*|\s*(?P<bare>{_ADDRESS})\s*"
)


class Template(BaseModel):
    """An administrator's own template. What is ``None`` is built in."""

    model_config = _CLOSED

    template: str
    body: Annotated[str, Field(max_length=100_000)] | None = None
    sender: Annotated[str, Field(max_length=320)] | None = Field(None, alias="from")
    subject: Annotated[str, Field(max_length=500)] | None = None
    syntax: Literal["liquid"] = "liquid"
    result_url: Annotated[str, Field(max_length=2000)] | None = Field(None, alias="resultUrl")
    url_lifetime_seconds: Annotated[int, Field(ge=0, le=MAX_LIFETIME)] | None = Field(
        None, alias="urlLifetimeInSeconds"
    )
    include_email_in_redirect: bool = Field(True, alias="includeEmailInRedirect")
    enabled: bool = True


REQUIRED: Final = ("template", "body", "from", "subject", "syntax", "enabled")
"""What a whole template must say, if only ``null``."""

_SWITCHES: Final = ("syntax", "includeEmailInRedirect", "enabled")


def read_whole(body: Mapping[str, Any]) -> Template:
    """Read the body of a POST or PUT; ``null`` is what is built in. Raises ``BadRequest`` by path."""
    missing = next((name for name in REQUIRED if name not in body), None)
    if missing is not None:
        raise BadRequest(f"Missing required property: {missing}", path="")
    return _read(body)


def read_edit(current: Template, body: Mapping[str, Any]) -> Template:
    """Return what a PATCH makes of a template: the members that it names are replaced. Raises ``BadRequest``."""
    return _read(shown(current) | dict(body))


def shown(template: Template) -> dict[str, Any]:
    """Return a template as the wire shows it."""
    return template.model_dump(by_alias=True)


def mailbox(text: str) -> tuple[str, str] | None:
    """Take a sender apart into name (which may be empty) and address; ``None`` where it is not exactly one of each.

    A name that carries another address, or a line break, must not make a header say anything else.
    """
    found = _MAILBOX.fullmatch(text)
    if found is None:
        return None
    name = found["quoted"] if found["quoted"] is not None else found["plain"] or ""
    return " ".join(name.split()), found["inner"] or found["bare"]


def _read(body: Mapping[str, Any]) -> Template:
    given = {name: value for name, value in body.items() if value is not None or name not in _SWITCHES}
    try:
        return Template.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        raise complaint(error) from None
