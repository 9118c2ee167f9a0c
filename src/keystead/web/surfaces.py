"""The five surfaces as others read about them: what each is called, and what its errors look like."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from keystead.rules.passkey_report import PreviewReport
from keystead.web import wire
from keystead.web.shapes import HTML, JSON, OBJECT, TEXT, WHOLE, Schema, Shape, each, either
from keystead.web.signals import SIGNALS
from keystead.web.wire import Dialect, Table


class Surface(NamedTuple):
    """One dialect: its name, its statuses, and the shape and media type of its errors."""

    tag: str
    table: Table
    error: object
    media: str = JSON


OAUTH_ERROR: Final = Shape("OAuthError", {"error": TEXT, "error_description": TEXT}, {"signals": SIGNALS})
_SIGNUP_ERROR: Final = Shape(
    "SignupError",
    {"name": TEXT, "code": TEXT, "description": either(TEXT, OBJECT), "statusCode": WHOLE},
    {"message": TEXT, "policy": TEXT},
)
_BARE_ERROR: Final = Shape("BareError", {"error": TEXT})
_MANAGEMENT_ERROR: Final = Shape(
    "ManagementError",
    {"statusCode": WHOLE, "error": TEXT, "message": TEXT},
    {"errorCode": TEXT, "report": PreviewReport},
)
_PROBLEM: Final = Shape(
    "Problem",
    {"type": TEXT, "status": WHOLE, "title": TEXT, "detail": TEXT},
    {"validation_errors": each(Shape("ValidationError", {"detail": TEXT, "field": TEXT}))},
)
_ERROR_PAGE: Final[Schema] = TEXT

SURFACES: Final[Mapping[Dialect, Surface]] = {
    wire.oauth: Surface("OAuth", wire.OAUTH, OAUTH_ERROR),
    wire.dbconnections: Surface("Sign-up", wire.DBCONNECTIONS, either(_SIGNUP_ERROR, _BARE_ERROR)),
    wire.my_account: Surface("My Account API", wire.MY_ACCOUNT, _PROBLEM, "application/problem+json"),
    wire.management: Surface("Management API", wire.MANAGEMENT, _MANAGEMENT_ERROR),
    wire.pages: Surface("Pages", wire.PAGES, _ERROR_PAGE, HTML),
}
